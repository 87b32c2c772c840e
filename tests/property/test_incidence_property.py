"""Incidence curves and influences against a walker that goes from day to day with whole fractions, in plain Python."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.survival import incidence

CAUSES = 2
STEP = Fraction(1, 10**9)  # of the walker's derivatives, which do not round
Row = tuple[int, int, int, Fraction, int]  # start, stop, cause, weight, person
rows_of_people = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 3]),
        st.integers(1, 6),
        st.integers(0, CAUSES),
        st.sampled_from([Fraction(0), Fraction(1), Fraction(1), Fraction(3, 2), Fraction(1, 8), Fraction(40)]),
        st.integers(1, 3),
    ).map(lambda row: (row[0], row[0] + row[1], *row[2:])),
    min_size=1,
    max_size=9,
)


def walk(rows: list[Row], horizon: int) -> list[Fraction]:
    """Risk of each cause and mean time without any, by a horizon."""
    alive, risk, mean = Fraction(1), [Fraction(0)] * CAUSES, Fraction(0)
    for day in range(1, horizon + 1):
        mean += alive
        there = sum((weight for start, stop, _, weight, _ in rows if start < day <= stop), Fraction(0))
        taken = [sum((r[3] for r in rows if r[1] == day and r[2] == cause), Fraction(0)) for cause in (1, 2)]
        if there:
            risk = [known + alive * weight / there for known, weight in zip(risk, taken, strict=True)]
            alive -= alive * sum(taken) / there
    return [*risk, mean]


def known(rows: list[Row], horizon: int) -> bool:
    """Whether somebody with a weight is followed so long, or nobody is left."""
    last = max((row[1] for row in rows if row[3]), default=-1)
    return last >= horizon or (last > 0 and sum(walk(rows, last)[:2]) == 1)


def slope(rows: list[Row], number: int, horizon: int) -> list[Fraction]:
    """Derivative of the walker's numbers by the weight of a row."""
    ends = []
    for step in (STEP, -STEP):
        moved = list(rows)
        start, stop, cause, weight, person = rows[number]
        moved[number] = (start, stop, cause, weight + step, person)
        ends.append(walk(moved, horizon))
    return [(up - down) / (2 * STEP) for up, down in zip(*ends, strict=True)]


def fit(rows: list[Row]) -> incidence.Incidence:
    start, stop, cause, weight, person = zip(*rows, strict=True)
    weights = np.array([float(w) for w in weight])
    return incidence.fit(start, stop, cause, causes=CAUSES, weights=weights, cluster=person)


@settings(max_examples=150, deadline=None)
@given(rows_of_people, st.integers(1, 9))
def test_risks_and_mean_times_are_the_walker_s(rows: list[Row], horizon: int) -> None:
    found = fit(rows)
    ours = [*found.risk(horizon)[0], found.rmst(horizon)[0]]
    if not known(rows, horizon):
        assert np.isnan(ours).all()
        return
    np.testing.assert_allclose(ours, [float(value) for value in walk(rows, horizon)], rtol=1e-12, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(rows_of_people, st.integers(1, 9))
def test_influences_are_the_walker_s_derivatives_summed_over_a_person(rows: list[Row], horizon: int) -> None:
    if not known(rows, horizon):
        return
    found = fit(rows)
    people = sorted({row[4] for row in rows})
    expected = np.zeros((len(people), CAUSES + 1))
    for number, row in enumerate(rows):
        if row[3]:
            values = [float(row[3] * value) for value in slope(rows, number, horizon)]
            expected[people.index(row[4])] += values
    ours = np.column_stack([found.influence(horizon)[:, 0], found.rmst_influence(horizon)])
    assert found.clusters.tolist() == people
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.risk_se(horizon)[0] ** 2, (expected[:, :CAUSES] ** 2).sum(axis=0), atol=1e-9)
    whole = expected[:, :CAUSES].sum(axis=1)
    np.testing.assert_allclose(found.survival_se_at(horizon)[0] ** 2, (whole**2).sum(), atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(rows_of_people)
def test_errors_by_sums_over_times_are_those_of_influences(rows: list[Row]) -> None:
    """Every row its own cluster, so that the curve of errors never forms an influence."""
    numbered = [(*row[:4], number) for number, row in enumerate(rows)]
    found = fit(numbered)
    within = found.time <= found.followed_until
    formed = found.influence(found.time[within])
    np.testing.assert_allclose(found.se[within] ** 2, (formed**2).sum(axis=0), rtol=1e-9, atol=1e-12)
