"""A dose at which nobody was raised, between doses at which some were, stands for nobody who was."""

from __future__ import annotations

import numpy as np

from opioid_outcomes.hyperalgesia import confounders
from opioid_outcomes.hyperalgesia.comparable import assign
from opioid_outcomes.hyperalgesia.confounders import DOSE, Confounders
from opioid_outcomes.hyperalgesia.positivity import where_taken
from opioid_outcomes.hyperalgesia.trial import Trial
from opioid_outcomes.hyperalgesia.visits import Visits

ROWS = 4000


def made() -> Trial:
    """Doses of ten sizes; raised at random, but never at the fourth."""
    rng = np.random.default_rng(2)
    dose = rng.choice(np.arange(20.0, 120.0, 10.0), ROWS)
    taken = (rng.random(ROWS) < 0.1) & (dose != 50)
    person, zero = np.arange(ROWS), np.zeros(ROWS)
    visits = Visits(person, person, zero, dose, zero)
    columns = confounders.dose_terms(visits)
    terms = Confounders(
        np.column_stack([np.asarray(column, float) for column in columns.values()]), [*columns], np.ones(ROWS, bool),
        [], [], np.zeros(0, int), np.zeros((ROWS, 0, 0)), np.zeros(0, int),
    )  # fmt: skip
    return Trial(visits, taken, terms, 0, 0, 0)


def test_it_is_left_out_and_the_rest_can_be_compared() -> None:
    trial = made()
    assert assign(trial, verb="escalated").gate.startswith("not evaluable: who escalated is told for sure by dose step")
    kept, names = where_taken(trial.confounders, trial.taken)
    np.testing.assert_array_equal(kept, trial.visits.dose != 50)
    assert names == [DOSE]
    assert assign(trial.rows(kept), verb="escalated").gate == "pass"


def test_where_every_dose_was_raised_at_nothing_is_left_out() -> None:
    trial = made()
    kept, names = where_taken(trial.confounders, trial.taken | (trial.visits.person % 50 == 0))
    assert kept.all()
    assert names == []
