"""causal.weighted_risk against R (tests/reference/causal), its own derivative, known truth, and the bootstrap."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal.propensity import weight_slopes
from opioid_outcomes.causal.weighted_arms import FollowUp, Score, arms_of, influence
from opioid_outcomes.causal.weighted_risk import CensoringRows, Estimand, RiskFailure, Risks, risks
from opioid_outcomes.survival import incidence, person_bootstrap
from opioid_outcomes.survival.risk_sets import Floats

REFERENCE = Path(__file__).parents[1] / "reference" / "causal"
ROWS = pl.read_csv(REFERENCE / "weighted_risk_rows.csv")
EXPECTED = pl.read_csv(REFERENCE / "weighted_risk.csv")
X = ROWS.select("age", "pain").to_numpy()
HORIZON, HAZARD = 365.0, (4e-4, 8e-4)
# ``coverage(estimand, range(1000))``: 95 % limits by the sandwich of the difference, the difference in one cause, the
# ratio, the mean time, the share and the risk of the comparators
COVERAGE = {
    "overlap": (0.955, 0.952, 0.956, 0.959, 0.955, 0.950),
    "iptw": (0.944, 0.949, 0.940, 0.949, 0.954, 0.956),
    "att": (0.941, 0.961, 0.943, 0.953, 0.961, 0.945),
}


def of_rows(estimand: Estimand, rows: pl.DataFrame = ROWS, **more: Any) -> Risks:
    return risks(rows["time"], rows["cause"], rows["treated"], rows.select("age", "pain").to_numpy(),
                 names=["age", "pain"], causes=["one", "two"], horizons=[15, 60], estimand=estimand,
                 person=rows["person"], **more)  # fmt: skip


@pytest.mark.parametrize("estimand", ["overlap", "iptw", "att", "given"])
def test_estimates_and_errors_equal_those_of_r(estimand: Estimand) -> None:
    """People in several rows and in both arms; the score is estimated, and its error counted."""
    found = of_rows(estimand)
    for horizon in (15, 60):
        rows = EXPECTED.filter((pl.col("estimand") == estimand) & (pl.col("horizon") == horizon))
        expected = {row["quantity"]: (row["estimate"], row["se"]) for row in rows.to_dicts()}
        any_cause = found.risk_difference(horizon)
        ratio = found.risk_ratio(horizon)
        ours = {
            "risk_1_comparators": found.risk(horizon, 0, "one"), "risk_1_treated": found.risk(horizon, 1, "one"),
            "difference": any_cause, "difference_1": found.risk_difference(horizon, "one"),
            "mean_time": found.rmst_difference(horizon),
        }  # fmt: skip
        for name, contrast in ours.items():
            assert (contrast.estimate, contrast.se) == pytest.approx(expected[name], rel=1e-7), name
        log = (np.log(ratio.estimate), ratio.se / ratio.estimate)
        assert log == pytest.approx(expected["log_ratio"], rel=1e-7)
        share = found.share(horizon)["one"]
        assert (share.reason is None) == (any_cause.ci_low > 0)
        if share.reason is None:
            assert (share.estimate, share.se) == pytest.approx(expected["share_1"], rel=1e-7)


def test_influence_is_the_derivative_of_the_whole_estimate() -> None:
    """Score and curves redone with one person's weight a little higher and lower."""
    found, step, n = of_rows("overlap"), 1e-4, ROWS.height
    assert found.propensity is not None
    treated = ROWS["treated"].to_numpy() == 1
    ends, cause = ROWS["time"].to_numpy().astype(float), ROWS["cause"].to_numpy()
    follow_up = FollowUp(np.zeros(n), ends, cause, np.arange(n), np.ones(n))
    score = Score(X, found.propensity.fit, weight_slopes(found.propensity.score, treated, "overlap"))
    formed = influence(arms_of(follow_up, treated, 2), found.arms, found.weights, 60.0,
                       persons=person_bootstrap.persons(ROWS["person"]), score=score)  # fmt: skip
    for person in (1, 7, 100, 239):
        mine = (ROWS["person"] == person).to_numpy()
        up, down = (of_rows("overlap", weights=1 + d * mine) for d in (step, -step))
        slope = (up.incidence - down.incidence)[:, 1] / (2 * step)
        np.testing.assert_allclose(formed[person - 1][:, :2], slope, atol=1e-8)
        np.testing.assert_allclose(formed[person - 1][:, 2], (up.rmst - down.rmst)[:, 1] / (2 * step), atol=1e-6)


def test_without_the_score_s_own_error_the_sandwich_is_too_wide() -> None:
    estimated = risks(**world(1), estimand="iptw")
    known = risks(**world(1), estimand="given", weights=estimated.weights)
    one, other = estimated.risk_difference(HORIZON), known.risk_difference(HORIZON)
    assert one.estimate == pytest.approx(other.estimate)
    assert other.se > 1.05 * one.se


def test_a_penalised_score_has_an_error_near_the_bootstrap_s() -> None:
    sandwich = of_rows("overlap", ridge=0.05).risk_difference(60)
    drawn = of_rows("overlap", ridge=0.05, se="bootstrap", replicates=200, seed=3).risk_difference(60)
    assert sandwich.se == pytest.approx(drawn.se, rel=0.15)


def rates(x: Floats, treated: Floats) -> Floats:
    one = HAZARD[0] * np.exp(0.6 * x[:, 0] + 0.5 * treated)
    return np.column_stack([one, HAZARD[1] * np.exp(0.5 * x[:, 1] + 0.2 * treated * (1 + x[:, 0]))])


def chance(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(-0.8 + x @ [0.8, 0.5, -0.4]))))


def world(seed: int, people: int = 1500) -> dict[str, Any]:
    """People in one to three rows, often of both arms, whose time to an event is drawn once: rows depend strongly."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), rng.integers(1, 4, people))
    x = rng.normal(size=(people, 3))[person]
    treated = (rng.random(len(person)) < chance(x)).astype(int)
    rate = rates(x, treated)
    event = rng.exponential(size=people)[person] / rate.sum(axis=1)
    kind = 1 + (rng.random(len(person)) > rate[:, 0] / rate.sum(axis=1))
    censored = rng.uniform(150, 1000, len(person))
    return {
        "time": np.minimum(event, censored), "cause": np.where(event <= censored, kind, 0), "treated": treated, "x": x,
        "names": ["a", "b", "c"], "causes": ["one", "two"], "horizons": [HORIZON], "person": person,
    }  # fmt: skip


@cache
def truth(estimand: Estimand) -> Floats:
    """Incidence of each cause and mean time by arm, from a million people's hazards."""
    x = np.random.default_rng(0).normal(size=(1_000_000, 3))
    e = chance(x)
    tilt = {"overlap": e * (1 - e), "iptw": np.ones(len(e)), "att": e}[estimand]
    values = []
    for arm in (0.0, 1.0):
        rate = rates(x, np.full(len(x), arm))
        total = rate.sum(axis=1)
        gone = -np.expm1(-total * HORIZON)
        values.append(np.average(np.column_stack([rate / total[:, None] * gone[:, None], gone / total]), 0, tilt))
    return np.array(values)


@pytest.mark.parametrize("estimand", ["overlap", "iptw", "att"])
def test_the_truth_is_found_and_covered_where_the_crude_difference_is_far_off(estimand: Estimand) -> None:
    """Ten seeds: the mean within three errors of its own of the truth, the crude one beyond six."""
    known = truth(estimand)[1] - truth(estimand)[0]
    found, crude = [], []
    for seed in range(10):
        data = world(seed)
        found.append(risks(**data, estimand=estimand))
        crude.append(risks(**data, estimand="given").risk_difference(HORIZON))
    for cause, right in (("one", known[0]), (None, known[:2].sum())):
        told = [risk.risk_difference(HORIZON, cause) for risk in found]
        error = np.sqrt(np.mean([c.se**2 for c in told]) / len(told))
        assert abs(np.mean([c.estimate for c in told]) - right) < 3 * error
    means = [risk.rmst_difference(HORIZON) for risk in found]
    assert abs(np.mean([c.estimate for c in means]) - known[2]) < 3 * np.mean([c.se for c in means]) / np.sqrt(10)
    bias = np.mean([c.estimate for c in crude]) - known[:2].sum()
    assert bias > 6 * np.mean([c.se for c in crude]) / np.sqrt(10)
    assert all(0.93 <= share <= 0.97 for share in COVERAGE[estimand])


def test_limits_cover_as_often_as_they_say() -> None:
    """Some of the seeds behind COVERAGE; of rows taken for people the risk of an arm is covered too seldom."""
    inside = coverage("overlap", range(120))
    assert (np.abs(inside - 0.95) < 0.06).all()  # three errors of 120 seeds
    rows = coverage("overlap", range(120), of_rows=True)
    assert rows[-1] < inside[-1]


def coverage(estimand: Estimand, seeds: range, *, of_rows: bool = False) -> Floats:
    """Share of the seeds in which the limits hold the truth, of the numbers of COVERAGE, where they are told."""
    arms = truth(estimand)
    one, mean = arms[1, [0, 2]] - arms[0, [0, 2]]
    whole = arms[:, :2].sum(axis=1)
    right = (whole[1] - whole[0], one, whole[1] / whole[0], mean, one / (whole[1] - whole[0]), arms[0, 0])
    inside = []
    for seed in seeds:
        data = world(seed)
        if of_rows:
            data["person"] = np.arange(len(data["time"]))
        found = risks(**data, estimand=estimand)
        told = (
            found.risk_difference(HORIZON), found.risk_difference(HORIZON, "one"), found.risk_ratio(HORIZON),
            found.rmst_difference(HORIZON), found.share(HORIZON)["one"], found.risk(HORIZON, 0, "one"),
        )  # fmt: skip
        inside.append([np.nan if c.reason else c.ci_low <= r <= c.ci_high for c, r in zip(told, right, strict=True)])
    return np.asarray(np.nanmean(inside, axis=0))


@pytest.mark.parametrize("estimand", ["overlap", "iptw", "att", "given"])
def test_bootstrap_and_sandwich_agree(estimand: Estimand) -> None:
    data = world(1)
    sandwich = risks(**data, estimand=estimand)
    drawn = risks(**data, estimand=estimand, se="bootstrap", replicates=300, seed=2)
    assert drawn.replicates is not None
    assert drawn.replicates.shape == (300, 2, 1, 3)
    assert drawn.incidence.tolist() == sandwich.incidence.tolist()
    for one, other in (
        (sandwich.risk_difference(HORIZON), drawn.risk_difference(HORIZON)),
        (sandwich.risk_ratio(HORIZON, "one"), drawn.risk_ratio(HORIZON, "one")),
        (sandwich.rmst_difference(HORIZON), drawn.rmst_difference(HORIZON)),
        (sandwich.share(HORIZON)["one"], drawn.share(HORIZON)["one"]),
    ):
        assert one.estimate == pytest.approx(other.estimate, abs=1e-15)
        assert one.se == pytest.approx(other.se, rel=0.2)
        assert one.ci_low == pytest.approx(other.ci_low, abs=0.6 * one.se)
    assert sum(share.estimate for share in drawn.share(HORIZON).values()) == pytest.approx(1, abs=1e-15)


def test_replicates_are_the_estimate_of_copied_people() -> None:
    """The warm-started score of a replicate is that of a fit from scratch to the rows of people drawn, copied."""
    found = of_rows("overlap", se="bootstrap", replicates=3, seed=11)
    times = person_bootstrap.persons(ROWS["person"]).weights(2, seed=11).astype(int)
    copied = of_rows("overlap", ROWS[np.repeat(np.arange(ROWS.height), times)])
    assert found.replicates is not None
    np.testing.assert_allclose(found.replicates[2, :, :, :2], copied.incidence, rtol=1e-6)
    np.testing.assert_allclose(found.replicates[2, :, :, 2], copied.rmst, rtol=1e-6)


def test_replicates_in_which_a_rare_covariate_tells_the_arm_still_have_an_estimate() -> None:
    """Of eight people with it three are untreated: in some replicates nobody of these is drawn, and the score is 1."""
    data = world(2)
    rare = np.zeros(len(data["time"]))
    rare[np.flatnonzero(data["treated"])[:5]] = rare[np.flatnonzero(data["treated"] == 0)[:3]] = 1
    data |= {"x": np.column_stack([data["x"], rare]), "names": [*data["names"], "rare"]}
    for estimand in ("overlap", "iptw", "att"):
        drawn = risks(**data, estimand=estimand, se="bootstrap", replicates=50, seed=2)
        sandwich = risks(**data, estimand=estimand)
        assert drawn.replicates is not None
        assert len(drawn.replicates) == 50
        assert drawn.risk_difference(HORIZON).se == pytest.approx(sandwich.risk_difference(HORIZON).se, rel=0.3)


def test_order_of_rows_changes_no_replicate() -> None:
    one = of_rows("iptw", se="bootstrap", replicates=5, seed=4)
    other = of_rows(
        "iptw", ROWS[np.random.default_rng(1).permutation(ROWS.height)], se="bootstrap", replicates=5, seed=4
    )
    assert one.replicates is not None
    assert other.replicates is not None
    np.testing.assert_allclose(one.replicates, other.replicates, rtol=1e-9)


def test_weights_given_are_those_of_copies() -> None:
    """Matched pairs: a comparator used twice has weight 2."""
    weights = np.where(ROWS["treated"] == 1, 1.0, np.arange(ROWS.height) % 3)
    found = of_rows("given", weights=weights)
    copied = of_rows("given", ROWS[np.repeat(np.arange(ROWS.height), weights.astype(int))])
    np.testing.assert_allclose(found.incidence, copied.incidence, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, copied.covariance, rtol=1e-9, atol=1e-15)
    used = weights[ROWS["treated"].to_numpy() == 0] > 0
    assert found.index_dates.tolist() == [used.sum(), ROWS["treated"].sum()]


def test_censoring_weights_over_rows_multiply_the_index_date_s() -> None:
    """Follow-up cut at day 10 with other weights after, and left early by some; weights of 1 change nothing."""
    time, cut = ROWS["time"].to_numpy().astype(float), 10.0
    first, late = np.arange(ROWS.height), np.flatnonzero(time > cut)
    rows = CensoringRows(np.r_[np.zeros(len(first)), np.full(len(late), cut)],
                         np.r_[np.minimum(time, cut), time[late]], np.r_[first, late],
                         np.ones(len(first) + len(late)))  # fmt: skip
    whole, same = of_rows("overlap"), of_rows("overlap", censoring=rows)
    np.testing.assert_allclose(same.incidence, whole.incidence, rtol=1e-12)
    np.testing.assert_allclose(same.covariance, whole.covariance, rtol=1e-8, atol=1e-12)
    assert same.index_dates.tolist() == whole.index_dates.tolist()
    assert same.person_time.tolist() == whole.person_time.tolist()
    left = ROWS["pain"].to_numpy() == 1
    kept = late[~left[late]]
    heavier = np.r_[np.ones(len(first)), 1 + 0.5 * X[kept, 0] ** 2]
    rows = CensoringRows(np.r_[np.zeros(len(first)), np.full(len(kept), cut)],
                         np.r_[np.minimum(time, cut), time[kept]], np.r_[first, kept], heavier)  # fmt: skip
    found = of_rows("overlap", censoring=rows)
    chosen = np.flatnonzero(ROWS["treated"].to_numpy()[np.asarray(rows.row)] == 1)
    place = np.asarray(rows.row)[chosen]
    stop = np.asarray(rows.stop)[chosen]
    cause = np.where(stop == time[place], ROWS["cause"].to_numpy()[place], 0)
    each = found.weights[place] * heavier[chosen]
    by_hand = incidence.fit(np.asarray(rows.start)[chosen], stop, cause, causes=2, weights=each)
    np.testing.assert_allclose(found.incidence[1], by_hand.risk([15, 60]), rtol=1e-12)


def test_the_scale_of_weights_does_not_matter() -> None:
    one, other = of_rows("iptw"), of_rows("iptw", weights=np.full(ROWS.height, 250.0))
    np.testing.assert_allclose(one.incidence, other.incidence, rtol=1e-12)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-8, atol=1e-12)


def test_counts_are_of_rows_with_a_weight_by_the_horizon() -> None:
    found = of_rows("overlap")
    mine = ROWS.filter((pl.col("treated") == 1) & (pl.col("time") <= 15))
    assert found.events[1, 0].tolist() == [(mine["cause"] == 1).sum(), (mine["cause"] == 2).sum()]
    assert found.persons.tolist() == [
        ROWS.filter(pl.col("treated") == arm)["person"].n_unique() for arm in (0, 1)
    ]  # fmt: skip
    assert found.person_time[0, 1] == ROWS.filter(pl.col("treated") == 0)["time"].clip(0, 60).sum()


def small(**more: Any) -> dict[str, Any]:
    base = {
        "time": [5.0, 6, 7, 8, 9, 10], "cause": [1, 0, 0, 1, 0, 0], "treated": [0, 0, 0, 1, 1, 1],
        "x": np.array([[1.0], [2], [4], [1], [3], [2]]), "names": ["pain"], "causes": ["death"], "horizons": [6],
        "estimand": "overlap", "person": np.arange(6),
    }  # fmt: skip
    return base | more


def test_what_cannot_be_estimated_fails_by_type_with_a_reason() -> None:
    for more, reason in (
        ({"treated": np.zeros(6)}, "there are no treated"),
        ({"treated": np.ones(6)}, "there are no comparators"),
        ({"x": np.array([[1.0], [2], [3], [4], [5], [6]])}, "propensity score: separation: pain"),
        ({"estimand": "given", "weights": [1, 1, 1, 0, 0, 0]}, "nobody with a weight is followed among the treated"),
        ({"time": np.zeros(6), "cause": np.zeros(6)}, "nobody with a weight is followed among the comparators"),
    ):
        with pytest.raises(RiskFailure) as failure:
            risks(**small(**more))
        assert str(failure.value) == reason


def test_without_events_in_an_arm_there_is_no_ratio_and_in_both_no_difference() -> None:
    one = risks(**small(cause=[1, 0, 0, 0, 0, 0]))
    assert one.risk_ratio(6).reason == "no such event in the treated by the horizon"
    assert one.risk_difference(6).reason is None
    none = risks(**small(cause=np.zeros(6)))
    for contrast in (none.risk_difference(6), none.risk_ratio(6), none.rmst_difference(6), none.share(6)["death"]):
        assert contrast.reason is not None
        assert np.isnan(contrast.estimate)


def test_a_bootstrap_that_mostly_has_no_estimate_tells_nothing() -> None:
    """One treated among six: a third of the replicates have none."""
    found = risks(**small(treated=[0, 0, 0, 0, 0, 1], se="bootstrap", replicates=50, seed=1))
    assert found.risk_difference(6).reason == "too many bootstrap replicates have no estimate"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"person": [1]}, "one length"), ({"treated": [0, 1, 2, 0, 1, 0]}, "0 or 1"), ({"x": None}, "needs covariates"),
        ({"time": [0.0, 1, 1, 1, 1, 1]}, "above 0 with an event"), ({"weights": [-1.0] * 6}, "at least 0"),
        ({"estimand": "ate"}, "overlap, iptw"), ({"se": "naive"}, "sandwich or bootstrap"),
        ({"causes": ["death", "death"]}, "must differ"),
        ({"censoring": CensoringRows([0.0], [99.0], [0], [1.0])}, "within their follow-up"),
        ({"censoring": CensoringRows([0.0], [2.0], [0], [np.inf])}, "censoring weights"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        risks(**small(**more))
