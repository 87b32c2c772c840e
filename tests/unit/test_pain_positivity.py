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
    kept, names = where_taken(trial.confounders, trial.taken)
    np.testing.assert_array_equal(kept, trial.visits.dose != 50)
    assert names == [DOSE]
    assert assign(trial.rows(kept), verb="escalated").gate == "pass"
    # of a trial with them, as of people drawn, the model is that of the others
    found = assign(trial, verb="escalated").assignment
    assert found is not None
    np.testing.assert_array_equal(found.weights > 0, kept)


def test_where_every_dose_was_raised_at_nothing_is_left_out() -> None:
    trial = made()
    kept, names = where_taken(trial.confounders, trial.taken | (trial.visits.person % 50 == 0))
    assert kept.all()
    assert names == []


def test_tenths_of_the_dose_with_few_decisions_are_joined() -> None:
    # 997 at 30 and 60, three between: quantiles that fall among these would tell three decisions apart
    dose = np.concatenate([np.full(499, 30.0), [40.0, 45.0, 50.0], np.full(498, 60.0)])
    zero = np.zeros(len(dose))
    steps = confounders.dose_terms(Visits(np.arange(len(dose)), np.arange(len(dose)), zero, dose, zero))
    told = [name for name in steps if name != DOSE]
    assert [int(steps[name].sum()) for name in told] == [500]
    even = confounders.dose_terms(Visits(np.arange(1000), np.arange(1000), np.zeros(1000), np.arange(1000.0), zero))
    assert [int(column.sum()) for name, column in even.items() if name != DOSE] == [*range(900, 0, -100)]
    same = confounders.dose_terms(Visits(np.arange(9), np.arange(9), np.zeros(9), np.full(9, 30.0), np.zeros(9)))
    assert [*same] == [DOSE]


def test_decisions_beyond_the_pain_at_which_doses_are_raised_are_left_out() -> None:
    """Raised from a score of 7 on only: whoever had less stands for nobody who was raised."""
    rng = np.random.default_rng(4)
    score = rng.integers(0, 11, ROWS).astype(float)
    taken = (rng.random(ROWS) < 0.3) & (score >= 7)
    terms = Confounders(
        score[:, None], ["pain at the visit"], np.ones(ROWS, bool), [], [], np.zeros(0, int),
        np.zeros((ROWS, 0, 0)), np.zeros(0, int),
    )  # fmt: skip
    kept, names = where_taken(terms, taken)
    np.testing.assert_array_equal(kept, score >= 7)
    assert names == ["pain at the visit"]
    # who is told for sure by a term is not compared with nobody: the model says so
    kept, names = where_taken(terms, score >= 7)
    assert kept.all()
    assert names == []
