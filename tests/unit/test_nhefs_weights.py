"""Weight gained by quitting smoking (NHEFS) against the book: Hernan & Robins (2020) Causal Inference, ch. 12."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal import propensity
from opioid_outcomes.causal.balance import standardised_difference
from opioid_outcomes.causal.balance_table import balance_table

DATA = Path(__file__).parents[3] / "shared" / "data" / "nhefs" / "nhefs.csv.gz"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason="the NHEFS file is not beside the checkout"),
]


def smokers() -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
    """Covariates of table 12.1 with squares, by name; who quit; kilograms gained. Complete cases of the outcome."""
    people = pl.read_csv(DATA, infer_schema_length=2000).filter(pl.col("wt82").is_not_null())
    assert people.height == 1566
    columns = {"sex": people["sex"], "race": people["race"]}
    for name in ("education", "exercise", "active"):
        columns |= {f"{name}={level}": people[name] == level for level in sorted(set(people[name]))[1:]}
    for name in ("age", "smokeintensity", "smokeyrs", "wt71"):
        columns |= {name: people[name], f"{name} squared": people[name] ** 2}
    x = np.column_stack([np.asarray(column, float) for column in columns.values()])
    return x, list(columns), people["qsmk"].to_numpy(), people["wt82_71"].to_numpy()


def difference(y: np.ndarray, quit_: np.ndarray, weights: np.ndarray) -> float:
    one = quit_ == 1
    return float(np.average(y[one], weights=weights[one]) - np.average(y[~one], weights=weights[~one]))


def test_inverse_probability_weights_find_the_books_number_and_the_crude_difference_does_not() -> None:
    x, names, quit_, gained = smokers()
    found = propensity.estimate(x, quit_, names=names)
    stabilised = propensity.weights(found.score, quit_, "iptw")
    told = [stabilised.mean(), stabilised.min(), stabilised.max()]
    np.testing.assert_allclose(told, [0.9988, 0.331, 4.298], atol=5e-4)
    plain = np.where(quit_ == 1, 1 / found.score, 1 / (1 - found.score))
    np.testing.assert_allclose([plain.mean(), plain.min(), plain.max()], [1.996, 1.054, 16.70], atol=1e-3)
    assert difference(gained, quit_, stabilised) == pytest.approx(3.4405, abs=0.01)
    crude = difference(gained, quit_, np.ones(len(gained)))
    assert crude == pytest.approx(2.5406, abs=1e-3)
    assert abs(crude - 3.4405) > 0.5
    # interval 2.41 to 4.47: the weighted residuals' sandwich, the score held
    one = quit_ == 1
    residual = gained - np.where(one, np.average(gained[one], weights=stabilised[one]),
                                 np.average(gained[~one], weights=stabilised[~one]))  # fmt: skip
    parts = [((stabilised[arm] * residual[arm]) ** 2).sum() / stabilised[arm].sum() ** 2 for arm in (one, ~one)]
    half = 1.96 * np.sqrt(sum(parts))
    estimate = difference(gained, quit_, stabilised)
    np.testing.assert_allclose([estimate - half, estimate + half], [2.41, 4.47], atol=0.01)


def test_every_way_of_comparing_agrees_and_balances() -> None:
    """The effect hardly differs between people here, so that matching, strata and other weights find about the same."""
    x, names, quit_, gained = smokers()
    score = propensity.estimate(x, quit_, names=names).score
    ways = {
        "overlap": propensity.weights(score, quit_, "overlap"),
        "att": propensity.weights(score, quit_, "att"),
        "match": propensity.match(score, quit_).weights,
        "strata": propensity.stratum_weights(propensity.strata(score, quit_), quit_, "iptw"),
    }
    age = x[:, names.index("age")]
    assert abs(standardised_difference(age, quit_)[0]) > 0.25
    for way, weights in ways.items():
        assert difference(gained, quit_, weights) == pytest.approx(3.44, abs=0.35), way
        assert abs(standardised_difference(age, quit_, weights)[0]) < 0.1, way
    table = balance_table(x, names, quit_, ways["overlap"])
    assert table["smd_after"][: len(names)].abs().max() < 1e-8
    assert table["smd_before"].abs().max() > 0.25
