"""Hazard ratios and standardised risks: R's, their standard errors, and published worlds with a known answer."""

from __future__ import annotations

import json
from functools import cache

import longitudinal
import numpy as np
import pytest
from longitudinal import Floats, Rows
from longitudinal_weights import REFERENCE, of_young, reference
from scipy import stats

from opioid_outcomes.causal import marginal_structural as ms
from opioid_outcomes.causal import time_varying_weights as tvw
from opioid_outcomes.survival import binary_regression, cox

EXPECTED = json.loads((REFERENCE / "marginal_structural.json").read_text())


@cache
def r_data() -> tuple[dict[str, Floats], tvw.Weights, tvw.Weights]:
    d, treatment, censoring = reference()
    column = {name: d[name].to_numpy().astype(float) for name in d.columns}
    column["person"] = np.unique(column["id"], return_inverse=True)[1]
    return column, treatment, censoring


def pooled(c: dict[str, Floats], weights: Floats) -> binary_regression.BinaryFit:
    lived = np.where(c["died"] == 1, 30.0, c["stop"] - c["start"])
    x = np.column_stack([c[name] for name in ("period", "a", "age", "female")])
    return binary_regression.fit(
        x, c["died"], names=["period", "a", "age", "female"], weights=weights, cluster=c["person"], link="cloglog",
        offset=np.log(lived / 30),
    )  # fmt: skip


def weighted_cox(c: dict[str, Floats], weights: Floats) -> cox.CoxFit:
    x = np.column_stack([c[name] for name in ("a", "age", "female")])
    return cox.fit(
        c["start"], c["stop"], c["died"], x, names=["a", "age", "female"], weights=weights, cluster=c["person"]
    )


def test_weighted_cox_with_clusters_equals_coxph() -> None:
    c, treatment, censoring = r_data()
    fitted = weighted_cox(c, treatment.values * censoring.values)
    np.testing.assert_allclose(fitted.params, EXPECTED["cox"], rtol=1e-7)
    np.testing.assert_allclose(fitted.robust_covariance.ravel(), EXPECTED["cox_robust"], rtol=1e-6)
    known = ms.cox_influence(fitted, c["person"])
    np.testing.assert_allclose(ms.covariance(known), fitted.robust_covariance, rtol=1e-9)


def test_pooled_model_and_standardised_risks_equal_glm() -> None:
    c, treatment, censoring = r_data()
    fitted = pooled(c, treatment.values * censoring.values)
    np.testing.assert_allclose(fitted.params, EXPECTED["pooled"], rtol=1e-7)
    known = ms.pooled_influence(fitted, c["person"])
    np.testing.assert_allclose(ms.covariance(known).ravel(), EXPECTED["pooled_robust"], rtol=1e-6)
    risk = standardised(c, fitted, known)
    np.testing.assert_allclose(risk.risk.ravel(), EXPECTED["risk"], rtol=1e-8)
    np.testing.assert_allclose(risk.rmst.ravel(), EXPECTED["rmst"], rtol=1e-6)


def standardised(c: dict[str, Floats], fitted: binary_regression.BinaryFit, influence: Floats) -> ms.Standardised:
    periods = np.arange(10.0)
    strategies = np.stack([np.column_stack([periods, np.full(10, a)]) for a in (1.0, 0.0)])
    first = c["period"] == 0
    people = np.column_stack([c["age"][first], c["female"][first]])
    return ms.standardise(fitted.params, influence, strategies, people, horizons=[100, 300], length=30.0)


def everything(counts: Floats) -> Floats:
    """Risk differences, RMST differences and the log hazard ratio, all weights redone, people counting ``counts``."""
    c, _, _ = r_data()
    row = counts[c["person"].astype(int)]
    x = np.column_stack([c["period"], c["past"], c["age"], c["female"], c["l"]])
    treatment = tvw.treatment_weights(
        c["id"], c["period"], c["a"], x[:, :4], x, numerator_names=list("abcd"), denominator_names=list("abcde"),
        counts=row,
    )  # fmt: skip
    z = np.column_stack([c["a"], x])
    censoring = tvw.censoring_weights(
        c["id"], c["period"], c["lost"], z[:, :5], z, numerator_names=list("abcde"), denominator_names=list("abcdef"),
        counts=row,
    )  # fmt: skip
    weights = treatment.values * censoring.values * row
    fitted, hazards = pooled(c, weights), weighted_cox(c, weights)
    if (counts == 1).all():
        both = (treatment, censoring)
        people = c["person"].astype(int)
        influence = ms.pooled_influence(fitted, people, both)
        of_cox = ms.cox_influence(hazards, people, both)[:, 0]
        risk = standardised(c, fitted, influence)
        parts = (*np.subtract(*risk.risk_influence), *np.subtract(*risk.rmst_influence), of_cox)
        return np.column_stack(parts)
    periods, first = np.arange(10), c["period"] == 0
    values = []
    for a in (1.0, 0.0):
        hazard = np.exp(fitted.params[0] + fitted.params[1] * periods + fitted.params[2] * a)
        people = np.exp(np.column_stack([c["age"][first], c["female"][first]]) @ fitted.params[3:])
        fine = np.linspace(0, 10, 10_001)
        cumulative = np.interp(fine, np.arange(11), np.concatenate([[0], np.cumsum(hazard)]))
        curve = np.average(np.exp(-np.outer(people, cumulative)), axis=0, weights=counts)
        area = np.concatenate([[0], np.cumsum((curve[1:] + curve[:-1]) / 2)]) * 0.03
        values.append(
            np.concatenate([1 - np.interp([100 / 30, 10], fine, curve), np.interp([100 / 30, 10], fine, area)])
        )
    return np.append(values[0] - values[1], hazards.params[0])


@pytest.mark.parametrize("person", [0, 17, 301])
def test_influence_is_the_derivative_in_a_persons_count_with_all_weights_redone(person: int) -> None:
    influence = everything(np.ones(500))[person]
    step = 1e-4
    up, down = np.ones(500), np.ones(500)
    up[person], down[person] = 1 + step, 1 - step
    slope = (everything(up) - everything(down)) / (2 * step)
    np.testing.assert_allclose(influence[4], slope[4], rtol=1e-4)  # of the log hazard ratio
    # the pooled model's bread is its expected information, as R's glm: near the slope, not equal to it
    np.testing.assert_allclose(influence[:4], slope[:4], rtol=1e-2)


def hazard_ratios(r: Rows) -> Floats:
    """Log hazard ratio by weights, naively, and given the confounder."""
    made = of_young(r)
    start = r.period.astype(float)
    given = np.column_stack([r.treated, r.confounder])
    return np.array([
        cox.fit(start, r.stop, r.event, r.treated[:, None], names=["a"], weights=made.values).params[0],
        cox.fit(start, r.stop, r.event, r.treated[:, None], names=["a"]).params[0],
        cox.fit(start, r.stop, r.event, given, names=["a", "l"]).params[0],
    ])  # fmt: skip


def test_young() -> None:
    """e^0.3 = 1.35 by weights; the naive and the conditional model do not come near."""
    found = np.array([hazard_ratios(longitudinal.young(6_000, seed, frailty=1.5)) for seed in range(10)])
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(10)
    assert abs(mean[0] - 0.3) < 3 * error[0]
    assert error[0] < 0.02
    assert (mean[1:] - 0.3 > 0.1).all()


def keogh(r: Rows, *, weighted: bool) -> Floats:
    """Survival at 1..5, always then never, by a pooled model with hazards by visit, treatment and its history."""
    x = np.column_stack([r.past, r.confounder])
    made = tvw.treatment_weights(
        r.person, r.period, r.treated, x[:, :1], x, numerator_names=["past"], denominator_names=["past", "l"],
        strata=r.period == 0,
    )  # fmt: skip
    history = np.zeros((r.person.max() + 1, 10))
    history[r.person, 5 + r.period] = r.treated
    before = np.column_stack([history[r.person, 5 + r.period - j] for j in range(1, 5)])
    design = histories(r.period, r.treated, before)
    fitted = binary_regression.fit(
        design, r.event, names=[str(j) for j in range(design.shape[1])], link="cloglog",
        weights=made.values if weighted else None,
    )  # fmt: skip
    visits = np.arange(5)
    ever = (visits[:, None] >= np.arange(1, 5)).astype(float)
    strategies = np.stack([histories(visits, np.ones(5), ever), histories(visits, np.zeros(5), 0 * ever)])
    people = np.zeros((int(r.person.max()) + 1, 0))
    nothing = np.zeros((len(people), 1 + design.shape[1]))
    risk = ms.standardise(fitted.params, nothing, strategies, people, horizons=visits + 1.0, length=1.0)
    return 1 - risk.risk


def histories(visit: np.ndarray, treated: Floats, before: Floats) -> Floats:
    at = (visit[:, None] == np.arange(1, 5)).astype(float)
    return np.column_stack([at, treated, at * treated[:, None], before, before[:, :1] * at[:, 1:]])


def test_keogh_seaman() -> None:
    """Survival within 0.01 of the truth at all five visits under both strategies; unweighted off by 0.04."""
    worlds = [longitudinal.keogh_seaman(20_000, seed) for seed in range(5)]
    truth = np.array([longitudinal.KEOGH_ALWAYS, longitudinal.KEOGH_NEVER])
    right, naive = (np.mean([keogh(r, weighted=w) for r in worlds], axis=0) for w in (True, False))
    np.testing.assert_allclose(right, truth, atol=0.01)
    assert np.abs(naive - truth).max() > 0.03


def test_use_without_effect() -> None:
    """Use on the first day finds nothing; "any use in the period" makes a drug without effect protective."""
    found = []
    for seed in range(8):
        r, any_use = longitudinal.use_without_effect(5_000, seed)
        start = r.period * 30.0
        found.append(
            [cox.fit(start, r.stop, r.event, use[:, None], names=["a"]).params[0] for use in (r.treated, any_use)]
        )
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(8)
    assert abs(mean[0]) < 3 * error[0]
    assert mean[1] < -0.1
    assert mean[1] < -5 * error[1]


def test_following() -> None:
    person, treated = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 0, 1, 1.0])
    assert ms.following(person, treated, 1).tolist() == [True, True, False, False, False, True]
    assert ms.following(person, treated, 0).tolist() == [False, False, False, True, False, False]


def test_risk_ratio_has_its_own_standard_error_and_limits_by_its_logarithm() -> None:
    influence = np.array([[[0.01, -0.01, 0.0]], [[0.0, 0.004, -0.004]]])
    risk = ms.Standardised(np.array([1.0]), np.array([[0.2], [0.1]]), np.zeros((2, 1)), influence, 0 * influence)
    ratio = risk.risk_ratio(0)
    se = np.sqrt(((influence[0, 0] / 0.2 - influence[1, 0] / 0.1) ** 2).sum())
    assert (ratio.estimate, ratio.se) == pytest.approx((2.0, 2.0 * se))
    assert ratio.ci_high / ratio.estimate == pytest.approx(np.exp(1.959964 * se))
    assert ratio.p_value == pytest.approx(2 * stats.norm.sf(np.log(2.0) / se))
    assert ratio.ci_low * ratio.ci_high == pytest.approx(4.0)
    assert risk.risk_difference(0).estimate == pytest.approx(0.1)


def test_horizons_beyond_the_periods_are_refused() -> None:
    with pytest.raises(ValueError, match="horizons"):
        ms.standardise(np.zeros(2), np.zeros((3, 2)), np.zeros((2, 4, 1)), np.zeros((3, 0)), horizons=[5.0], length=1.0)
