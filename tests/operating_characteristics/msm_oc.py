"""Time-varying confounding in which the hazard under any course of use is known.

One number decides when each person dies under any course of use, and shows in a marker of illness: the device of
Havercroft & Didelez 2012 (Stat Med 31:4190). The marker makes people start and go on; use lowers it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from found import Found, normal
from scipy.special import ndtri

from opioid_outcomes.causal import marginal_structural as ms
from opioid_outcomes.causal import time_varying_weights as tvw
from opioid_outcomes.survival import binary_regression, cox

PEOPLE, INTERVALS, HORIZON = 1500, 15, 12.0
LOG_RATIO, BASE = float(np.log(1.6)), 0.02  # an interval; the hazard is 0.02 exp(log 1.6 treated), exactly


@dataclass(frozen=True)
class Rows:
    person: np.ndarray
    period: np.ndarray
    treated: np.ndarray
    past: np.ndarray
    marker: np.ndarray
    stop: np.ndarray
    event: np.ndarray


def lived(rng: np.random.Generator) -> Rows:
    borne = rng.exponential(size=PEOPLE)
    nearness = -ndtri(-np.expm1(-borne))
    past, used = np.zeros(PEOPLE), np.zeros(PEOPLE)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("treated", "past", "marker", "stop", "event")}
    for k in range(INTERVALS):
        marker = 0.5 * nearness - 0.8 * past + rng.standard_normal(PEOPLE)
        treated = (rng.random(PEOPLE) < 1 / (1 + np.exp(1.5 - 0.6 * marker - 2.0 * past))).astype(float)
        rate = BASE * np.exp(LOG_RATIO * treated)
        event = (borne > used) & (borne <= used + rate)
        stop = np.where(event, k + (borne - used) / rate, k + 1.0)
        alive = borne > used
        for name, value in zip(columns, (treated, past, marker, stop, event), strict=True):
            columns[name].append(np.where(alive, value, np.nan))
        past, used = treated, used + rate
    table = {name: np.stack(values, axis=1) for name, values in columns.items()}
    person, period = np.nonzero(~np.isnan(table["treated"]))
    return Rows(person, period, **{name: values[person, period] for name, values in table.items()})


def replicate(rng: np.random.Generator) -> list[Found]:
    rows = lived(rng)
    late = np.minimum(rows.period, 2)[:, None] / 2.0  # the first intervals are unlike the others
    numerator = np.column_stack([late, rows.past])
    made = tvw.treatment_weights(
        rows.person, rows.period, rows.treated, numerator, np.column_stack([numerator, rows.marker]),
        numerator_names=["late", "past"], denominator_names=["late", "past", "marker"],
    )  # fmt: skip
    treated, both = rows.treated[:, None], np.column_stack([rows.treated, rows.marker])
    found = []
    for name, x, weights in (
        ("Cox, weighted; SE with the weights' own", treated, made.values),
        ("Cox, weighted; SE as if weights were known", treated, made.values),
        ("Cox, crude", treated, None),
        ("Cox, marker as a covariate", both, None),
    ):
        fit = cox.fit(
            rows.period.astype(float), rows.stop, rows.event, x, names=["treated", "marker"][: x.shape[1]],
            weights=weights, cluster=rows.person,
        )  # fmt: skip
        variance = fit.robust_covariance
        if name.endswith("own"):
            variance = ms.covariance(ms.cox_influence(fit, rows.person, (made,)))
        se = float(np.sqrt(variance[0, 0]))
        found.append(
            normal("log HR, treated vs not (MSM)", name, LOG_RATIO, float(fit.params[0]), se, wrong=weights is None)
        )
    return [*found, *standardised(rows, made)]


def standardised(rows: Rows, made: tvw.Weights) -> list[Found]:
    """Always against never by a weighted pooled complementary log-log model; and by the same one unweighted."""
    truth = float(np.exp(-BASE * HORIZON) - np.exp(-BASE * np.exp(LOG_RATIO) * HORIZON))
    strategies = np.zeros((2, INTERVALS, 1))
    strategies[0] = 1.0
    found = []
    for name, weights in (("pooled model, weighted", made), ("pooled model, unweighted", None)):
        fit = binary_regression.fit(
            rows.treated[:, None], rows.event, names=["treated"], weights=None if weights is None else weights.values,
            cluster=rows.person, link="cloglog",
        )  # fmt: skip
        influence = ms.pooled_influence(fit, rows.person, () if weights is None else (weights,))
        risks = ms.standardise(fit.params, influence, strategies, np.zeros((PEOPLE, 0)), horizons=[HORIZON], length=1.0)
        number = risks.risk_difference(0)
        found.append(
            normal(
                "risk difference, always vs never (MSM)", name, truth, number.estimate, number.se, wrong=weights is None
            )
        )
    return found
