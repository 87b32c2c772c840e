"""Covariates that simulated people bring along, as the study knows them at each of their visits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from opioid_outcomes.hyperalgesia import confounders
from opioid_outcomes.hyperalgesia.confounders import Confounders
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.hyperalgesia.visits import Visits


@dataclass(frozen=True)
class Carried:
    """Terms of the covariates, (visits of the source, terms), and whether all covariates are known there."""

    values: Floats
    names: list[str]
    complete: Bools
    absent: list[str]

    def join(self, history: Confounders, row: Ints) -> Confounders:
        """Confounders of simulated visits: their own history of pain and dose, and these covariates of ``row``."""
        return replace(
            history,
            values=np.concatenate([history.values, self.values[row]], axis=1),
            names=[*history.names, *self.names],
            complete=history.complete & self.complete[row],
            baseline=self.names,
            absent=self.absent,
        )


def carry(visits: Visits, histories: Histories, *, baseline: list[str], missing: str) -> Carried:
    """Looked up once, by the study's own rules, for every visit that may be simulated."""
    known = confounders.at_visits(visits, histories, baseline)
    columns: dict[str, Floats] = {}
    complete = np.ones(len(visits.person), dtype=bool)
    for name in known.columns:
        terms, observed = confounders.baseline_terms(name, known[name], indicator=missing != "complete")
        columns |= {term: np.asarray(values, dtype=np.float64) for term, values in terms.items()}
        complete &= observed | (missing != "complete")
    values = np.stack([*columns.values()], axis=1) if columns else np.zeros((len(complete), 0))
    return Carried(values, [*columns], complete, [name for name in baseline if name not in known.columns])
