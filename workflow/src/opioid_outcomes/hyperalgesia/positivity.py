"""Decisions at which nobody takes the strategy stand for nobody who does: the effect in those who do is not of them."""

from __future__ import annotations

import numpy as np

from opioid_outcomes.hyperalgesia.confounders import DOSE, Confounders, curved
from opioid_outcomes.hyperalgesia.person_days import Bools
from opioid_outcomes.survival.products import row_blocks

DOSE_STEP = "dose step "  # of the tenths of the dose, each 1 from its edge on
TOLD = 0.01  # of the decisions: a term by which fewer are left out is not worth a word


def where_taken(terms: Confounders, taken: Bools) -> tuple[Bools, list[str]]:
    """(n,) decisions that are, in every term, within the range of those at which the strategy was taken.

    The odds of taking the strategy, which weight the maintainers, are 0 where nobody does (ATT): below the pain at
    which doses are raised, at a ceiling dose, in a tenth of the doses between two at which it was taken, with a
    condition that nobody who took it has. A logistic model could only reach for 0 there, and bend elsewhere for it.
    What is left out depends on the terms alone, and nobody who took the strategy is. Nobody is left out where that
    would leave no maintainer. Names: of the terms by which some are left out, a covariate's without its level.
    Cost: two passes over the terms.
    """
    kept = np.ones(len(taken), dtype=bool)
    if not taken.any():
        return kept, []
    outside = np.zeros(len(terms.names), dtype=np.int64)
    low, high = terms.values[taken].min(axis=0), terms.values[taken].max(axis=0)
    for part in row_blocks(*terms.values.shape):
        beyond = (terms.values[part] < low) | (terms.values[part] > high)
        outside += beyond.sum(axis=0)
        kept[part] = ~beyond.any(axis=1)
    steps = [place for place, name in enumerate(terms.names) if name.startswith(DOSE_STEP)]
    tenth = terms.values[:, steps].sum(axis=1).astype(np.int64)
    unused = np.bincount(tenth[taken], minlength=len(steps) + 1)[tenth] == 0
    kept &= ~unused
    if not (kept & ~taken).any():
        return np.ones(len(taken), dtype=bool), []
    told = [name for name, count in zip(terms.names, outside, strict=True) if count > TOLD * len(taken)]
    told += [DOSE] if unused.sum() > TOLD * len(taken) else []
    named = (DOSE if name.startswith(DOSE_STEP) else name.split(": ")[0] for name in told if not curved(name))
    return kept, [*dict.fromkeys(named)]
