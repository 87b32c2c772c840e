"""Matching against all pairs by hand and MatchIt (tests/reference/causal/matching.R); strata; trimming."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from opioid_outcomes.causal.balance import standardised_difference
from opioid_outcomes.causal.matching import NOBODY, match, strata, stratum_weights
from opioid_outcomes.causal.overlap import trim

REFERENCE = Path(__file__).parents[1] / "reference" / "causal"


def sets(group: np.ndarray, nobody: int) -> list[tuple[int, ...]]:
    return sorted(tuple(np.flatnonzero(group == number).tolist()) for number in np.unique(group) if number != nobody)


def scores(n: int, seed: int, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logit = rng.normal(-0.5, slope, n)
    return expit(logit), rng.random(n) < expit(logit)


@pytest.mark.parametrize(("file", "ratio", "caliper"), [
    ("matching", 1, 0.2), ("matching", 2, 0.2),
    ("matching_clear", 1, np.inf), ("matching_clear", 2, np.inf), ("matching_clear", 3, np.inf),
])  # fmt: skip
def test_same_sets_as_r(file: str, ratio: int, caliper: float) -> None:
    rows = pl.read_csv(REFERENCE / f"{file}.csv")
    found = match(rows["score"].to_numpy(), rows["treated"].to_numpy(), caliper=caliper, ratio=ratio)
    assert sets(found.group, NOBODY) == sets(rows[f"set_{ratio}"].to_numpy(), 0)


def by_hand(logit: np.ndarray, treated: np.ndarray, width: float) -> list[tuple[int, ...]]:
    """All pairs within the width, the closest first."""
    gap = np.abs(logit[treated][:, None] - logit[~treated])
    pairs = []
    while gap.size and gap.min() <= width:
        i, j = np.unravel_index(np.argmin(gap), gap.shape)
        pairs.append(tuple(sorted((int(np.flatnonzero(treated)[i]), int(np.flatnonzero(~treated)[j])))))
        gap[i, :] = gap[:, j] = np.inf
    return sorted(pairs)


@pytest.mark.parametrize("seed", range(60))
def test_same_pairs_as_one_by_one(seed: int) -> None:
    """Few and many treated, dense and sparse, with a narrow caliper and a wide one."""
    score, treated = scores(2 + 3 * seed, seed, slope=[0.1, 1.0, 4.0][seed % 3])
    found = match(score, treated, caliper=[0.05, 3.0][seed % 2])
    assert sets(found.group, NOBODY) == by_hand(np.log(score / (1 - score)), treated, found.caliper)


def test_matched_arms_are_alike_within_the_caliper() -> None:
    score, treated = scores(20_000, 1)
    found = match(score, treated)
    logit = np.log(score / (1 - score))
    assert found.caliper == pytest.approx(0.2 * np.std(logit, ddof=1))
    pairs = np.argsort(found.group, kind="stable")[np.sum(found.group == NOBODY) :].reshape(-1, 2)
    assert (treated[pairs].sum(axis=1) == 1).all()
    assert np.abs(np.diff(logit[pairs])).max() <= found.caliper
    assert abs(standardised_difference(logit, treated)[0]) > 0.8
    assert abs(standardised_difference(logit, treated, found.weights)[0]) < 0.01


def test_order_of_rows_does_not_matter() -> None:
    score, treated = scores(500, 2)
    mixed = np.random.default_rng(3).permutation(500)
    straight, turned = match(score, treated), match(score[mixed], treated[mixed])
    back = np.empty(500, dtype=int)
    back[mixed] = turned.group
    assert sets(straight.group, NOBODY) == sets(back, NOBODY)
    np.testing.assert_array_equal(straight.weights[mixed], turned.weights)


def test_equal_scores_are_matched_as_far_as_they_go() -> None:
    treated = np.repeat([1, 0, 1, 0], [3, 5, 4, 2])
    score = np.repeat([0.3, 0.3, 0.7, 0.7], [3, 5, 4, 2])
    found = match(score, treated)
    assert [len(each) for each in sets(found.group, NOBODY)] == [2] * 5
    assert match(score, treated, caliper=0).group.max() == 4
    assert match(score, treated, caliper=np.inf).group.max() == 6
    assert match(np.full(14, 0.5), treated).group.max() == 6


def test_more_than_one_comparator_shares_the_weight_of_one_treated() -> None:
    score, treated = scores(3_000, 4)
    found = match(score, treated, ratio=3)
    number = found.group.max() + 1
    one, others = treated & (found.group != NOBODY), ~treated & (found.group != NOBODY)
    assert one.sum() == number == found.weights[one].sum()
    assert others.sum() > 1.5 * number
    np.testing.assert_allclose(np.bincount(found.group[others], found.weights[others]), 1.0, rtol=1e-12)
    assert (found.weights[found.group == NOBODY] == 0).all()


@pytest.mark.parametrize(("score", "treated"), [
    ([], []), ([0.4, 0.5], [1, 1]), ([0.4, 0.5], [0, 0]), ([0.4], [1]),
    ([0.0, 1.0], [1, 0]), ([0.0, 0.5, 1.0], [1, 0, 0]),
])  # fmt: skip
def test_nobody_to_match(score: list[float], treated: list[int]) -> None:
    found = match(score, treated)
    assert (found.group == NOBODY).all()
    assert (found.weights == 0).all()


def test_senseless_arguments() -> None:
    for arguments in ({"ratio": 0}, {"caliper": -1}, {"caliper": np.nan}, {"treated": [1]}):
        with pytest.raises(ValueError, match="at least"):
            match(**{"score": [0.1, 0.2], "treated": [1, 0], **arguments})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="crump, sturmer or common_range"):
        trim([0.1], [1], "none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bound"):
        trim([0.1], [1], "crump", bound=0.6)
    with pytest.raises(ValueError, match="k must"):
        strata([0.1], [1], k=0)
    with pytest.raises(ValueError, match="iptw or att"):
        stratum_weights([0], [1], "overlap")  # type: ignore[arg-type]


def test_deciles_of_everybody_and_of_the_treated() -> None:
    score, treated = scores(1_000, 5)
    assert np.bincount(strata(score, treated)).tolist() == [100] * 10
    of_treated = np.bincount(strata(score, treated, of="treated")[treated])
    assert of_treated.max() - of_treated.min() <= 1
    assert np.unique(strata(np.repeat([0.2, 0.4], 50), np.zeros(100))).size == 2
    assert strata([], []).size == 0
    assert strata([0.1, 0.9], [0, 0], of="treated").tolist() == [0, 0]


def test_marginal_mean_weights_by_hand() -> None:
    """Stratum 0: 1 treated, 3 not; stratum 1: 2 and 1; stratum 2 has nobody untreated. 3/7 of the rest are treated."""
    stratum, treated = [0, 0, 0, 0, 1, 1, 1, 2], [1, 0, 0, 0, 1, 1, 0, 1]
    ate = [3 / 7 * 4, *[4 / 7 * 4 / 3] * 3, *[3 / 7 * 3 / 2] * 2, 4 / 7 * 3, 0]
    np.testing.assert_allclose(stratum_weights(stratum, treated, "iptw"), ate, rtol=1e-14)
    np.testing.assert_allclose(stratum_weights(stratum, treated, "att"), [1, *[1 / 3] * 3, 1, 1, 2, 0], rtol=1e-14)
    assert stratum_weights([0, 1], [0, 1], "iptw").tolist() == [0, 0]


def test_stratification_removes_most_of_the_difference() -> None:
    """Five strata remove about nine tenths of it (Cochran 1968), ten more; two leave far more."""
    score, treated = scores(50_000, 6)
    logit = np.log(score / (1 - score))
    crude = standardised_difference(logit, treated)[0]

    def left(k: int) -> float:
        weights = stratum_weights(strata(score, treated, k), treated, "iptw")
        return float(abs(standardised_difference(logit, treated, weights)[0] / crude))

    assert left(2) > 0.25
    assert left(5) < 0.13
    assert left(10) < 0.06


def test_trimming_by_hand() -> None:
    score = np.array([0.05, 0.10, 0.30, 0.50, 0.90, 0.95, 0.02, 0.20, 0.40, 0.60])
    treated = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0])
    assert np.flatnonzero(trim(score, treated, "crump")).tolist() == [1, 2, 3, 4, 7, 8, 9]
    assert np.flatnonzero(trim(score, treated, "crump", bound=0.05)).tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert np.flatnonzero(trim(score, treated, "common_range")).tolist() == [0, 1, 2, 3, 7, 8, 9]
    # fifth percentile of the treated 0.0625, ninety-fifth of the others 0.57
    assert np.flatnonzero(trim(score, treated, "sturmer")).tolist() == [1, 2, 3, 7, 8]
    assert not trim(score, np.ones(10), "sturmer").any()
    assert trim([], [], "crump").size == 0
