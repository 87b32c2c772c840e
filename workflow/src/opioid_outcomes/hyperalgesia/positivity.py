"""Decisions at which nobody takes the strategy stand for nobody who does: the effect in those who do is not of them."""

from __future__ import annotations

import numpy as np

from opioid_outcomes.hyperalgesia.person_days import Bools
from opioid_outcomes.hyperalgesia.trial import Trial

TOLD = 0.01  # share of the decisions left out by a term from which on it is named


def where_taken(trial: Trial) -> tuple[Bools, list[str]]:
    """(n,) decisions of which no term lies beyond those of the decisions at which the strategy was taken.

    Beyond, the odds of taking it, which weight the maintainers, are as good as 0 (ATT), and a logistic model that has
    to reach 0 has no estimate. What is left out depends on the terms alone, and nobody who took the strategy is. Terms
    of recorded scores are not looked at: where these have error, a limit to them would select on it. Names: the terms
    by which more than ``TOLD`` are left out, a covariate's without its level. Cost: a pass over the terms.
    """
    terms, taken = trial.confounders, trial.taken
    kept, names = np.ones(len(taken), dtype=bool), dict[str, None]()
    if not taken.any():
        return kept, []
    scores = {*terms.noisy.tolist(), *terms.nonlinear.tolist()}
    for place, name in enumerate(terms.names):
        if place in scores:
            continue
        column = terms.values[:, place]
        beyond = (column < column[taken].min()) | (column > column[taken].max())
        if beyond.mean() > TOLD:
            names[name.split(": ")[0]] = None
        kept &= ~beyond
    return kept, [*names]
