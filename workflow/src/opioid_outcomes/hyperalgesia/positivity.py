"""Decisions at which nobody takes the strategy stand for nobody who does: the effect in those who do is not of them."""

from __future__ import annotations

import numpy as np

from opioid_outcomes.hyperalgesia.confounders import DOSE, Confounders
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats
from opioid_outcomes.survival.products import row_blocks

DOSE_STEP = "dose step "  # of the tenths of the dose, each 1 from its edge on
MOST = 0.5  # of those who maintain: a term by which more would be left out is told by the model, as what decides


def where_taken(terms: Confounders, taken: Bools) -> tuple[Bools, list[str]]:
    """(n,) decisions that are, in every term that tells so, as some at which the strategy was taken; and these terms.

    The dose tells so: the odds of taking the strategy, which weight the maintainers, are 0 where nobody does, at a
    ceiling dose say (ATT), and so in a tenth of the doses between two at which it was taken. And every other term does
    in which those who took it and the others meet at one value at most (none of them had spent days in hospital):
    there a logistic model, which has to reach 0, has no estimate. What is left out depends on the terms alone, and
    nobody who took the strategy is. Names: of the terms by which some are left out, a covariate's without its level.
    Cost: two passes over the terms, and two for each further time that some are left out.
    """
    kept, names = np.ones(len(taken), dtype=bool), dict[str, None]()
    if not taken.any():
        return kept, []
    most = MOST * (~taken).sum()
    while (found := _unlike(terms, taken, kept, most)) is not None:
        name, beyond = found
        names[name.split(": ")[0]] = None
        kept &= ~beyond
    steps = [place for place, name in enumerate(terms.names) if name.startswith(DOSE_STEP)]
    tenth = terms.values[:, steps].sum(axis=1).astype(np.int64)
    beyond = np.bincount(tenth[taken], minlength=len(steps) + 1)[tenth] == 0
    if (beyond & kept).any() and beyond.sum() <= most:
        names[DOSE] = None
        kept &= ~beyond
    return kept, [*names]


def _unlike(terms: Confounders, taken: Bools, kept: Bools, most: float) -> tuple[str, Bools] | None:
    """The first term by which some of those kept are unlike any with the strategy, and who is by it."""
    if not (kept & ~taken).any():
        return None
    with_it, without = _ranges(terms.values, kept & taken), _ranges(terms.values, kept & ~taken)
    for place, name in enumerate(terms.names):
        (low, high), (least, greatest) = with_it[:, place], without[:, place]
        apart = high <= least or low >= greatest
        if (least >= low and greatest <= high) or not (apart or name == DOSE):
            continue
        column = terms.values[:, place]
        beyond = (column < low) | (column > high)
        if beyond.sum() <= most:
            return name, beyond
    return None


def _ranges(values: Floats, rows: Bools) -> Floats:
    """Lowest and highest of each column in some rows, (2, p)."""
    low, high = np.full(values.shape[1], np.inf), np.full(values.shape[1], -np.inf)
    for part in row_blocks(*values.shape):
        chosen = values[part][rows[part]]
        low = np.minimum(low, chosen.min(axis=0, initial=np.inf))
        high = np.maximum(high, chosen.max(axis=0, initial=-np.inf))
    return np.stack([low, high])
