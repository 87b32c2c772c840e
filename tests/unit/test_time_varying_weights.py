"""Weights over time: R's, exact small cases, what they must not do, and a published world only they recover."""

from __future__ import annotations

import longitudinal
import numpy as np
import polars as pl
import pytest
from longitudinal import Rows
from longitudinal_weights import REFERENCE, of_young, reference

from opioid_outcomes.causal import time_varying_weights as tvw
from opioid_outcomes.survival import binary_regression


def test_equal_to_products_of_fitted_probabilities_in_r() -> None:
    _, treatment, censoring = reference()
    expected = pl.read_csv(REFERENCE / "marginal_structural_weights.csv")
    np.testing.assert_allclose(treatment.values, expected["treatment"], rtol=1e-8)
    np.testing.assert_allclose(censoring.values, expected["censoring"], rtol=1e-8)


def small(treated: list[float], confounder: list[float]) -> tvw.Weights:
    """Four periods of each person; probabilities are shares, as the models are saturated."""
    person, period = np.repeat(np.arange(len(treated) // 4), 4), np.tile(np.arange(4), len(treated) // 4)
    x = np.asarray(confounder)[:, None]
    return tvw.treatment_weights(
        person, period, treated, x[:, :0], x, numerator_names=[], denominator_names=["l"]
    )  # fmt: skip


def test_by_hand() -> None:
    """On in 4 of 8 periods; given L = 1 in 3 of 4, given L = 0 in 1 of 4."""
    made = small([1, 1, 0, 0, 1, 0, 0, 1], [1, 1, 0, 0, 1, 1, 0, 0])
    factors = [0.5 / p for p in (0.75, 0.75, 0.75, 0.75, 0.75, 0.25, 0.75, 0.25)]
    np.testing.assert_allclose(made.factors, factors, rtol=1e-9)
    np.testing.assert_allclose(made.values, [*np.cumprod(factors[:4]), *np.cumprod(factors[4:])], rtol=1e-9)


def test_where_nothing_is_decided_the_factor_is_one() -> None:
    person, period = np.zeros(6), np.arange(6)
    treated, x = np.array([0, 1, 1, 0, 1, 1.0]), np.array([[0.0], [1], [1], [1], [0], [0]])
    made = tvw.treatment_weights(
        person, period, treated, x[:, :0], x, numerator_names=[], denominator_names=["l"], at_risk=period < 4
    )
    np.testing.assert_array_equal(made.factors[4:], 1.0)
    assert np.isnan(made.probability[4:]).all()
    assert made.values[5] == made.values[3]


def test_loss_weights_the_periods_after_the_one_it_could_have_happened_in() -> None:
    person, period = np.repeat([0, 1, 2, 3], [3, 3, 1, 2]), np.array([0, 1, 2, 0, 1, 2, 0, 0, 1])
    lost = np.array([0, 0, 0, 0, 0, 0, 1, 0, 1.0])
    x = np.array([[1.0], [0], [0], [0], [1], [0], [1], [1], [1]])
    made = tvw.censoring_weights(
        person, period, lost, x[:, :0], x, numerator_names=[], denominator_names=["l"]
    )  # fmt: skip
    np.testing.assert_array_equal(made.values[period == 0], 1.0)
    stay = (7 / 9) / (3 / 5)
    np.testing.assert_allclose(made.values[[1, 4]], [stay, 7 / 9], rtol=1e-4)  # separated: nobody with L = 0 is lost
    assert made.separated == ("l",)


def test_nobody_lost_or_everybody_treated_weighs_nothing() -> None:
    person, period, x = (
        np.repeat(np.arange(5), 4),
        np.tile(np.arange(4), 5),
        np.random.default_rng(1).normal(size=(20, 1)),
    )
    for what, make in ((0.0, tvw.censoring_weights), (1.0, tvw.treatment_weights)):
        made = make(
            person, period, np.full(20, what), x[:, :0], x, numerator_names=[], denominator_names=["l"]
        )  # fmt: skip
        np.testing.assert_array_equal(made.values, 1.0)


def test_a_covariate_that_tells_the_decision_for_sure_is_named() -> None:
    rng = np.random.default_rng(3)
    person, period = np.repeat(np.arange(100), 3), np.tile(np.arange(3), 100)
    health = rng.normal(size=300)
    made = tvw.treatment_weights(
        person, period, (health > 0).astype(float), np.zeros((300, 0)),
        np.column_stack([rng.normal(size=300), np.full(300, 0.1), health]),
        numerator_names=[], denominator_names=["other", "constant", "l"],
    )  # fmt: skip
    assert np.abs(tvw.estimation_influence(made, person, np.ones((300, 1)))).max() < 100  # nothing explodes
    assert made.separated == ("l",)
    assert np.isfinite(made.values).all()
    assert (np.minimum(made.probability, 1 - made.probability) < 0.01).mean() > 0.8


def test_collinear_and_constant_columns_change_no_weight() -> None:
    rng = np.random.default_rng(4)
    person, period = np.repeat(np.arange(200), 3), np.tile(np.arange(3), 200)
    health = rng.normal(size=600)
    treated = (rng.random(600) < longitudinal.expit(health)).astype(float)
    made = []
    for x in (health[:, None], np.column_stack([health, 2 * health - 1, np.ones(600)])):
        names = [str(j) for j in range(x.shape[1])]
        made.append(
            tvw.treatment_weights(
                person, period, treated, x[:, :0], x, numerator_names=[], denominator_names=names
            )
        )  # fmt: skip
    plain, more = made
    np.testing.assert_allclose(more.values, plain.values, rtol=1e-8)
    assert len(more.notes) == 2


def test_rows_out_of_order_are_refused() -> None:
    x = np.zeros((3, 0))
    for person, period in (([0, 1, 0], [0, 0, 1]), ([0, 0, 1], [1, 0, 0]), ([0, 0, 0], [0, 1, 1])):
        with pytest.raises(ValueError, match="sorted"):
            tvw.treatment_weights(person, period, [0, 1, 0], x, x, numerator_names=[], denominator_names=[])


def test_counts_are_repeated_persons() -> None:
    """A bootstrap as weights: who counts twice is there twice."""
    r = longitudinal.young(300, 1)
    often = np.random.default_rng(2).integers(0, 3, 300)[r.person]
    made = of_young(r, counts=often)
    copies = np.concatenate([np.flatnonzero(often > k) for k in range(2)])
    person = np.concatenate([r.person[often > k] + 1000 * k for k in range(2)])
    copied = Rows(**{name: getattr(r, name)[copies] for name in Rows.__dataclass_fields__} | {"person": person})
    np.testing.assert_allclose(made.values[copies], of_young(copied).values, rtol=1e-7)


def test_diagnostics_and_truncation() -> None:
    _, treatment, censoring = reference()
    d, w = pl.read_csv(REFERENCE / "marginal_structural.csv"), treatment.values * censoring.values
    shown = tvw.diagnostics(d["period"].to_numpy(), w)
    for row in shown.iter_rows(named=True):
        mine = w[d["period"].to_numpy() == row["period"]]
        assert row["persons"] == len(mine)
        assert row["mean"] == pytest.approx(mine.mean(), rel=1e-12)
        assert row["largest"] == mine.max()
        assert row["ess"] == pytest.approx(mine.sum() ** 2 / (mine**2).sum(), rel=1e-12)
        assert (mine > row["p99"]).mean() <= 0.01
    cut = tvw.truncate(w, 1, 99)
    np.testing.assert_allclose([cut.min(), cut.max()], np.quantile(w, [0.01, 0.99]), rtol=1e-12)
    np.testing.assert_array_equal(tvw.truncate(w, 0, 100), w)
    with pytest.raises(ValueError, match="percentiles"):
        tvw.truncate(w, 99, 1)


def havercroft(seed: int) -> dict[str, np.ndarray]:
    r = longitudinal.havercroft_didelez(3_000, seed)
    t = r.period.astype(float)
    made = tvw.treatment_weights(
        r.person, r.period, r.treated, t[:, None], np.column_stack([t, r.confounder - 500]), numerator_names=["t"],
        denominator_names=["t", "l"], at_risk=(r.period % 5 == 0) & (r.past == 0),
    )  # fmt: skip
    x = np.column_stack([(1 - r.treated) * t + r.treated * r.since, r.treated, r.treated * (t - r.since)])
    names = ["g1", "g2", "g3"]
    fit = binary_regression.fit
    return {
        "naive": fit(x, r.event, names=names).params,
        "conditional": fit(np.column_stack([x, r.confounder - 500]), r.event, names=[*names, "l"]).params[:4],
        "iptw": fit(x, r.event, names=names, weights=made.values).params,
        "iptw_1_99": fit(x, r.event, names=names, weights=tvw.truncate(made.values, 1, 99)).params,
    }


def test_havercroft_didelez() -> None:
    """Weighted: the truth within 3 Monte Carlo errors; naive, conditional and truncated weights: not."""
    found = [havercroft(seed) for seed in range(100, 124)]
    off = {}
    for method in found[0]:
        values = np.array([one[method] for one in found])
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        off[method] = np.abs(values.mean(axis=0) - longitudinal.GAMMA) / error
    assert off["iptw"].max() < 3, off
    for wrong in ("naive", "conditional"):
        assert off[wrong][[0, 1, 2]].min() > 10, off
    assert off["iptw_1_99"].max() > 3, off
