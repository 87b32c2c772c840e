"""The gates before outcomes: what forbids a comparison, in words that name the covariate and hold no count."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from opioid_outcomes.causal import propensity
from opioid_outcomes.causal.balance_table import balance_table
from opioid_outcomes.causal.gates import Diagnostics, diagnose, heavy_covariate

FINE = Diagnostics(
    max_smd=0.03, worst="pain", unknown=(), ess=(400.0, 300.0), largest_share=(0.01, 0.01), heavy="", finite=True,
    events=40, outside=0.01, equipoise=0.6, mdrr=1.5,
)  # fmt: skip


def test_nothing_forbids_it() -> None:
    assert FINE.gate(inverse=True, active=True) == "pass"
    assert FINE.warning() == ""


@pytest.mark.parametrize(("change", "says"), [
    ({"max_smd": 0.14}, "fail: max |SMD| 0.14 (pain) is not under 0.1"),
    ({"max_smd": 0.1}, "fail: max |SMD| 0.10 (pain) is not under 0.1"),
    ({"ess": (400.0, 49.9)}, "fail: effective sample size of an arm is under 50"),
    ({"events": 0}, "not evaluable: no deaths"),
    ({"events": 9}, "not evaluable: fewer than ten deaths"),
    ({"ess": (0.0, 90.0)}, "not evaluable: there are no comparators"),
    ({"ess": (90.0, 0.0)}, "not evaluable: there are no treated"),
    ({"unknown": ("sex",)}, "fail: no standardised difference exists of a covariate (sex)"),
    ({"largest_share": (0.2, 0.0), "heavy": "age"},
     "fail: one person has more than 10 % of the weight of the comparators (age)"),
    ({"finite": False, "heavy": "age", "ess": (0.0, 0.0)},
     "fail: weights are infinite, as somebody's treatment was certain (age)"),
    ({"outside": 0.05}, "pass"),
    ({"equipoise": 0.19}, "pass"),
    ({"ess": (20.0, 20.0), "max_smd": 0.3},
     "fail: effective sample size of an arm is under 50; max |SMD| 0.30 (pain) is not under 0.1"),
])  # fmt: skip
def test_what_forbids_it(change: dict[str, Any], says: str) -> None:
    assert replace(FINE, **change).gate(event="death") == says


def test_scores_forbid_only_what_rests_on_them() -> None:
    extreme, apart = replace(FINE, outside=0.05), replace(FINE, equipoise=0.19)
    assert extreme.gate(inverse=True) == "fail: 5 % or more of the propensity scores lie outside 0.01-0.99"
    assert apart.gate(active=True) == "fail: fewer than 20 % of the scores are in equipoise"
    assert replace(FINE, outside=float("nan")).gate(inverse=True).startswith("fail")


def trial(n: int = 4_000, slope: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)])
    return x, rng.random(n) < 1 / (1 + np.exp(1 - x @ [slope, 0.4]))


def judged(x: np.ndarray, treated: np.ndarray, estimand: propensity.Estimand, **arguments: Any) -> Diagnostics:
    found = propensity.estimate(x, treated, names=["age", "sex"])
    weights = propensity.weights(found.score, treated, estimand)
    table = balance_table(x, ["age", "sex"], treated, weights)
    return diagnose(
        table["covariate"].to_list(), table["smd_after"].fill_null(np.nan), score=found.score, treated=treated,
        weights=weights, events=100, heavy=heavy_covariate(found.fit, weights), **arguments,
    )  # fmt: skip


def test_read_from_rows() -> None:
    x, treated = trial()
    found = judged(x, treated, "overlap")
    assert found.gate(active=True) == "pass"
    score = propensity.estimate(x, treated, names=["age", "sex"]).score
    assert found.ess[1] == pytest.approx((1 - score[treated]).sum() ** 2 / ((1 - score[treated]) ** 2).sum())
    assert found.equipoise == propensity.equipoise(score, treated)
    assert found.mdrr == pytest.approx(np.exp(2.8015852 / np.sqrt(100 * treated.mean() * (1 - treated.mean()))))
    unweighted = diagnose(
        ["age", "sex"], [0.4, -0.5], score=score, treated=treated, weights=np.ones(len(x)), events=100
    )
    assert (unweighted.max_smd, unweighted.worst) == (0.5, "sex")


def test_sizes_are_of_people() -> None:
    """Everybody's row a hundred times over is no more people."""
    x, treated = trial(90)
    many = judged(np.repeat(x, 100, axis=0), np.repeat(treated, 100), "overlap", person=np.repeat(np.arange(90), 100))
    few = judged(x, treated, "overlap")
    np.testing.assert_allclose(many.ess, few.ess, rtol=1e-6)
    assert "effective sample size of an arm is under 50" in many.gate()


def test_weights_that_explode_are_forbidden_and_named() -> None:
    """Treatment as good as certain by age: weights by the inverse of the score rest on one person."""
    x, treated = trial(slope=5.0)
    treated[np.argmin(x[:, 0])] = True
    found = judged(x, treated, "iptw")
    assert found.heavy == "age"
    assert "(age)" in found.gate(inverse=True)
    assert "of the weight of the treated (age)" in found.warning()
    assert judged(x, treated, "overlap").warning() == ""
    certain = diagnose(["age"], [0.0], score=[1.0, 0.4], treated=[0, 1], weights=[np.inf, 1.0], events=100, heavy="age")
    assert certain.gate() == "fail: weights are infinite, as somebody's treatment was certain (age)"


def test_words_hold_no_count() -> None:
    bad = replace(FINE, ess=(7.0, 3.0), largest_share=(0.77, 0.66), outside=0.4, equipoise=0.01, max_smd=0.2)
    told = bad.gate(inverse=True, active=True)
    assert set(re.findall(r"\d+\.?\d*", told)) == {"50", "10", "0.20", "0.1", "5", "0.01", "0.99", "20"}


def test_nobody() -> None:
    found = diagnose([], [], score=[], treated=[], weights=[], events=0)
    assert found.gate() == "not evaluable: there are no comparators"
    assert found.mdrr == float("inf")


def test_a_score_that_is_not_known_is_refused() -> None:
    """It lies neither within nor outside: half of all scores unknown passed for none extreme."""
    known = {"names": ["a"], "smd": [0.01], "treated": [0, 1] * 100, "weights": np.ones(200), "events": 50}
    with pytest.raises(ValueError, match="scores must be known, and within 0 and 1"):
        diagnose(score=[0.2, np.nan] * 100, **known)  # type: ignore[arg-type]
    for senseless in ([np.nan, 0.5], [1.2, 0.5], [-0.1, 0.5], [np.inf, 0.5]):
        with pytest.raises(ValueError, match="within 0 and 1"):
            propensity.outside(senseless)
        with pytest.raises(ValueError, match="within 0 and 1"):
            propensity.equipoise(senseless, [0, 1])
        with pytest.raises(ValueError, match="within 0 and 1"):
            propensity.positivity(senseless, [0, 1])
    assert propensity.outside([0.0, 1.0, 0.5, 0.99]) == 0.5


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_the_size_of_weights_does_not_matter(size: float) -> None:
    weights = np.random.default_rng(1).exponential(1, 200)
    rows = {"names": ["a"], "smd": [0.01], "treated": [0, 1] * 100, "score": [0.5] * 200, "events": 50}
    here, far = (diagnose(weights=weights * by, **rows) for by in (1.0, size))  # type: ignore[arg-type]
    assert far.ess == pytest.approx(here.ess, rel=1e-12)
    assert far.largest_share == pytest.approx(here.largest_share, rel=1e-12)
    assert far.ess[0] > 30
    assert propensity.effective_sample_size([size, size, 0]) == 2
