"""Decisions at which nobody takes the strategy stand for nobody who does: the effect in those who do is not of them."""

from __future__ import annotations

import numpy as np

from opioid_outcomes.hyperalgesia.confounders import DOSE, Confounders
from opioid_outcomes.hyperalgesia.person_days import Bools

DOSE_STEP = "dose step "  # of the tenths of the dose, each 1 from its edge on
MOST = 0.5  # of those who maintain: a term by which more would be left out is told by the model, as what decides


def where_taken(terms: Confounders, taken: Bools) -> tuple[Bools, list[str]]:
    """(n,) decisions that have a dose, and yes or no terms, as some at which the strategy was taken; and what tells so.

    Elsewhere, at a ceiling dose say, the odds of taking it, which weight the maintainers, are 0 (ATT), and a logistic
    model that has to reach 0 has no estimate. What is left out depends on the terms alone, and nobody who took the
    strategy is. So with a tenth of the doses between two at which it was taken. Names: of the terms by which some are
    left out, a covariate's without its level. Cost: a pass over the terms.
    """
    kept, names = np.ones(len(taken), dtype=bool), dict[str, None]()
    if not taken.any():
        return kept, []
    for place, name in enumerate(terms.names):
        column = terms.values[:, place]
        if name != DOSE and not ((column == 0) | (column == 1)).all():
            continue
        low, high = column[taken].min(), column[taken].max()
        beyond = (column < low) | (column > high)
        if beyond.any() and beyond.sum() <= MOST * (~taken).sum():
            names[name.split(": ")[0]] = None
            kept &= ~beyond
    steps = [place for place, name in enumerate(terms.names) if name.startswith(DOSE_STEP)]
    tenth = terms.values[:, steps].sum(axis=1).astype(np.int64)
    beyond = np.bincount(tenth[taken], minlength=len(steps) + 1)[tenth] == 0
    if (beyond & kept).any() and beyond.sum() <= MOST * (~taken).sum():
        names[DOSE] = None
        kept &= ~beyond
    return kept, [*names]
