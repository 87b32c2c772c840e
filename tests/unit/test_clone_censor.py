"""causal.clone_censor: R's numbers given the weights, weights by hand, and what is said where there is no answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sustained_world import BANDS, EDGES, HORIZONS, live

from opioid_outcomes.causal.clone_censor import Strategy, grid, layout, weigh
from opioid_outcomes.causal.clone_contrasts import Comparison, compare

REFERENCE = Path(__file__).parents[1] / "reference" / "causal"
INF = np.inf


@pytest.fixture(scope="module")
def small() -> Comparison:
    lives = live(250, 3)
    rows, x = lives.grid()
    return compare(rows, lives.strategies(), x, names=("ill", "frail"), bands=BANDS, causes=1, horizons=HORIZONS)


def test_the_clones_given_to_r_are_those_of_the_world(small: Comparison) -> None:
    theirs = pl.read_csv(REFERENCE / "clone_censor_rows.csv")
    for clones in small.clones:
        rows = theirs.filter(pl.col("strategy") == clones.strategy.name)
        for name, ours in (("person", clones.person), ("stop", clones.stop), ("event", clones.cause)):
            np.testing.assert_array_equal(rows[name], ours)
        np.testing.assert_allclose(rows["weight"], clones.weight, rtol=1e-6)


def test_risks_contrasts_and_errors_equal_survfit(small: Comparison) -> None:
    for h, theirs in enumerate(pl.read_csv(REFERENCE / "clone_censor.csv", ignore_errors=False).iter_rows(named=True)):
        value = {name: float(number) for name, number in theirs.items()}
        np.testing.assert_allclose(small.risk[:, h], [value["risk_stay"], value["risk_never"]], rtol=1e-6)
        difference, ratio, days = small.risk_difference(h), small.risk_ratio(h), small.rmst_difference(h)
        assert difference.estimate == pytest.approx(value["difference"], rel=1e-6)
        assert difference.se == pytest.approx(value["difference_se"], rel=1e-6)
        assert ratio.estimate == pytest.approx(value["ratio"], rel=1e-6)
        assert ratio.se == pytest.approx(value["ratio"] * value["log_ratio_se"], rel=1e-6)
        assert days.estimate == pytest.approx(value["days"], rel=1e-6)
        assert days.se == pytest.approx(value["days_se"], rel=1e-6)


def test_people_who_could_leave_every_day_weigh_by_the_hazard_of_leaving() -> None:
    """100 people, 10 of whom leave on each of days 0 to 3: of 40 in 100 + 90 + 80 + 70 days at risk, rate 40 / 310."""
    leaves = np.r_[np.repeat([0.0, 1.0, 2.0, 3.0], 10), np.full(60, INF)]
    rows = grid(np.full(100, 10.0), np.zeros(100, int), [0, 4, 10])
    found = layout(rows, Strategy("never", leaves), np.zeros((len(rows.person), 0)), names=())
    staying = found.staying
    assert (staying.risk.sum(), staying.does.sum()) == (100 + 90 + 80 + 70 + 60 * 6, 40)
    one_rate = weigh(found)
    rate = -np.log1p(-40 / staying.risk.sum())  # of 40 decisions on as many days of which each could have one
    first = one_rate.weight[(one_rate.person == 99) & (one_rate.start == 0)]
    assert first == pytest.approx(np.exp(2.5 * rate), rel=1e-6)
    assert set(one_rate.stop[one_rate.person < 40]) == {1.0, 2.0, 3.0}
    assert not (one_rate.person < 10).any()


def test_those_who_have_begun_stand_in_for_all_who_have_not() -> None:
    """Of 90 people one begins on each of days 0 to 29, all else alike: at the end of grace each of the 30 is three."""
    begins = np.r_[np.arange(30.0), np.full(60, INF)]
    rows = grid(np.full(90, 100.0), np.zeros(90, int), [0, 10, 20, 30, 60, 100])
    strategy = Strategy("begin", np.full(90, INF), begins=begins, grace=30)
    clones = weigh(layout(rows, strategy, np.zeros((len(rows.person), 0)), names=(), bands=(10, 20)))
    after = clones.start >= 30
    assert sorted(set(clones.person[after])) == list(range(30))
    assert clones.weight[after].sum() / 2 == pytest.approx(90, rel=0.03)
    for day in (5.0, 15.0, 25.0):
        there = (clones.start < day) & (clones.stop >= day)
        assert clones.weight[there].sum() == pytest.approx(90, rel=0.06)


def test_an_event_on_the_day_of_leaving_counts_and_one_after_it_does_not() -> None:
    rows = grid([5.0, 5.0, 5.0], [1, 1, 1], [0, 10])
    strategy = Strategy("never", np.array([5.0, 4.0, INF]))
    clones = weigh(layout(rows, strategy, np.zeros((3, 0)), names=()))
    assert dict(zip(clones.person.tolist(), clones.cause.tolist(), strict=True)) == {0: 1, 1: 0, 2: 1}
    np.testing.assert_array_equal(clones.stop, [5, 4, 5])


def test_leaving_before_beginning_is_none_and_grace_ends_for_who_has_not_begun() -> None:
    strategy = Strategy("begin", np.array([3.0, INF, 50.0, INF]), begins=np.array([10.0, INF, 20.0, 30.0]), grace=30)
    np.testing.assert_array_equal(strategy.left, [10, 30, 50, 30])


def outcome(
    strategies: tuple[Strategy, Strategy], died: np.ndarray, horizons: tuple[float, ...] = (90.0,)
) -> Comparison:
    rows = grid(np.where(died, 60.0, 100.0), died.astype(int), [0, 30, 60, 90, 100])
    return compare(rows, strategies, np.zeros((len(rows.person), 0)), names=(), bands=(), causes=1, horizons=horizons)


NOBODY, EVERYBODY = np.full(40, INF), np.zeros(40)
SOME = np.where(np.arange(40) % 4 == 0, 10.0, INF)


def test_where_nobody_leaves_both_arms_are_everybody() -> None:
    died = np.arange(40) < 10
    result = outcome((Strategy("one", NOBODY), Strategy("other", NOBODY)), died)
    np.testing.assert_allclose(result.risk, 0.25)
    assert result.risk_difference(0).reason == "its standard error is 0"


def test_where_everybody_leaves_at_once_nothing_can_be_told() -> None:
    result = outcome((Strategy("one", EVERYBODY), Strategy("other", NOBODY)), np.arange(40) < 10)
    assert result.risk_difference(0).reason is not None
    assert len(result.following(0, 90.0)) == 0


def test_where_nobody_begins_the_clones_say_so() -> None:
    late = Strategy("begin", NOBODY, begins=NOBODY, grace=90)
    result = outcome((late, Strategy("never", NOBODY)), np.arange(40) < 10)
    assert result.clones[0].problem == "nobody begins within grace"


def test_no_events_are_a_risk_of_none_without_a_ratio() -> None:
    result = outcome((Strategy("one", SOME), Strategy("other", NOBODY)), np.zeros(40, bool))
    np.testing.assert_array_equal(result.risk, 0)
    assert result.risk_ratio(0).reason is not None


def test_beyond_follow_up_nothing_is_told_and_the_rest_still_is() -> None:
    rows = grid(np.full(40, 50.0), np.zeros(40, int), [0, 30, 60, 100])
    rows.cause[:10] = 1
    result = compare(
        rows, (Strategy("one", SOME), Strategy("other", NOBODY)), np.zeros((len(rows.person), 0)), names=(), bands=(),
        causes=1, horizons=(49.0, 50.0, 90.0),
    )  # fmt: skip
    assert result.known.tolist() == [True, True, False]
    assert np.isnan(result.risk[:, 2]).all()
    assert np.isfinite(result.risk_difference(1).estimate)
    assert result.risk_difference(2).reason is not None


@pytest.mark.parametrize("kind", ["collinear", "constant", "separating"])
def test_columns_that_say_nothing_or_everything_leave_finite_weights(kind: str) -> None:
    lives = live(500, 4)
    rows, x = lives.grid()
    other = {"collinear": 2 * x[:, 0], "constant": np.ones(len(x)), "separating": lives.begun[rows.person] < INF}[kind]
    result = compare(
        rows, lives.strategies(), np.column_stack([x, other]), names=("ill", "frail", "other"), bands=BANDS, causes=1,
        horizons=HORIZONS,
    )  # fmt: skip
    for clones in result.clones:
        assert np.isfinite(clones.weight).all()


def test_weights_without_bound_are_a_problem_and_no_infinity() -> None:
    """All but one leave on the second day of a long interval: the one would stand in for more than there are."""
    rows = grid(np.full(60, 1000.0), np.zeros(60, int), [0, 10, 500, 1000])
    leaves = np.where(np.arange(60) < 59, 11.0, INF)
    clones = weigh(layout(rows, Strategy("one", leaves), np.zeros((len(rows.person), 0)), names=(), bands=(10,)))
    assert clones.problem == "weights without bound: some who leave are like nobody who stays"
    assert np.isfinite(clones.weight).all()


def test_people_without_weight_are_not_there() -> None:
    lives = live(600, 6)
    rows, x = lives.grid()
    mass = (np.arange(600) < 400).astype(float)
    first = live(600, 6)
    part = np.flatnonzero(rows.person < 400)
    weighted = compare(
        rows, lives.strategies(), x, names=("ill", "frail"), bands=BANDS, causes=1, horizons=HORIZONS, weights=mass
    )
    alone = grid(first.time[:400], first.cause[:400], rows.edges)
    strategies = tuple(
        Strategy(each.name, each.leaves[:400], None if each.begins is None else each.begins[:400], each.grace)
        for each in first.strategies()
    )
    apart = compare(
        alone,
        strategies,
        x[part],
        names=("ill", "frail"),
        bands=BANDS,
        causes=1,
        horizons=HORIZONS,  # type: ignore[arg-type]
    )
    np.testing.assert_allclose(weighted.risk, apart.risk, rtol=1e-9)
    assert weighted.risk_difference(1).se == pytest.approx(apart.risk_difference(1).se, rel=1e-9)


def test_those_still_followed_stand_in_for_the_lost() -> None:
    """The ill die twice as often and are lost four times as often: left alone, the risk is that of the well."""
    rng = np.random.default_rng(8)
    n, hazard = 20_000, 0.002
    ill = rng.random(n) < 0.5
    died = np.ceil(rng.exponential(size=n) / (hazard * np.where(ill, 2, 1)))
    left = np.ceil(rng.exponential(size=n) / (0.001 * np.where(ill, 8, 2)))
    rows = grid(np.minimum(np.minimum(died, left), 360), (died <= np.minimum(left, 360)).astype(int), EDGES)
    both = (Strategy("one", np.full(n, INF)), Strategy("other", np.full(n, INF)))
    lost = (left < died) & (left < 360)
    x = ill[rows.person][:, None].astype(float)
    truth = 1 - np.mean([np.exp(-360 * hazard), np.exp(-720 * hazard)])
    for of, error in ((lost, 0.0), (None, 0.05)):
        result = compare(rows, both, x, names=("ill",), bands=(90, 180), causes=1, horizons=(360,), lost=of)
        assert truth - result.risk[0, 0] == pytest.approx(error, abs=0.015)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="edges"):
        grid([1.0], [0], [1, 2])
    with pytest.raises(ValueError, match="time"):
        grid([0.0], [0], [0, 2])
    rows = grid([5.0], [0], [0, 10])
    with pytest.raises(ValueError, match="named columns"):
        layout(rows, Strategy("a", np.array([INF])), np.zeros((2, 1)), names=("x",))
    with pytest.raises(ValueError, match="grace"):
        layout(rows, Strategy("a", np.array([INF]), begins=np.array([1.0]), grace=4), np.zeros((1, 0)), names=())
