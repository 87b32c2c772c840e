"""Shares of several cohorts pooled as numerators and denominators (ANALYSES 4): parts and whole, weighted alike.

With weights of its own for each cause a pooled share could lie outside those of all cohorts, so all causes have the
weights of the whole: inverse variances of the difference in all deaths, those of random effects from three cohorts on.

The rows of a cohort hold d_j with variance v_j and s_j = d_j / D with variance w_j, but neither V = var(D) nor
c_j = cov(d_j, D). They follow from them, as w_j is that of the delta method from the same covariance:
D^2 w_j = v_j + s_j^2 V - 2 s_j c_j. Divided by 2 s_j and added up over all causes, of which sum s_j = 1 and
sum c_j = V, that is V = sum (v_j - D^2 w_j) / s_j; and then each c_j. Cohorts whose rows contradict it are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes.causal.contrasts import fieller
from opioid_outcomes.contracts.estimates import INTERNAL
from opioid_outcomes.survival import normal
from opioid_outcomes.survival.risk_sets import Floats
from opioid_outcomes.synthesis import meta_analysis
from opioid_outcomes.synthesis.cohorts import ESTIMAND, caveats, total

PARTS, SHARES = "mortality.cause", "mortality.overdose_share"
OF_ONE_WHOLE = ["method", "population", "contrast", "window", "spec"]
ROUNDING = 1e-6  # relative; what is lost to floats in solving for covariances is far less
SMALLEST = 1e-6  # share by which can be divided
OTHER_WAY = "not evaluable: the cohorts' differences in all deaths do not point the same way"
NOT_TOLD = "not evaluable: the pooled difference in all deaths is not told apart from none"


@dataclass(frozen=True)
class Share:
    """A pooled share with its limits (Fieller); p_value: of the part. NaN where the whole may be 0."""

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p_value: float
    other_way: bool  # the part has the other sign than the whole, told apart from 0


def share_rows(estimates: pl.DataFrame, study: str) -> pl.DataFrame:
    """One row for each cause whose share and difference passed their gates in two cohorts or more.

    estimates: rows of ``estimates.csv`` of all cohorts. Cost O(rows).
    """
    own = ["cohort", "outcome", *OF_ONE_WHOLE]
    told = estimates.filter(gate="pass").filter(pl.col("se").is_finite() & (pl.col("se") > 0))
    parts = told.filter(analysis=PARTS, scale="risk_difference").select(*own, part="estimate", part_se="se")
    usable = told.filter(analysis=SHARES, scale="share").join(parts, on=own, how="inner", maintain_order="left")
    of_cohorts = [_solved(group) for _, group in usable.group_by("cohort", *OF_ONE_WHOLE, maintain_order=True)]
    solved = [group for group in of_cohorts if group is not None]
    rows: list[dict[str, Any]] = []
    if solved:
        for _, wholes in pl.concat(solved).group_by(OF_ONE_WHOLE, maintain_order=True):
            rows += _of_one_whole(wholes, estimates, study)
    return pl.DataFrame(rows, schema=INTERNAL)


def _solved(causes: pl.DataFrame) -> pl.DataFrame | None:
    """The causes of a cohort with whole, whole_variance and covariance; None where they are not all there."""
    share, part = causes["estimate"].to_numpy(), causes["part"].to_numpy()
    if abs(share.sum() - 1) > ROUNDING or (np.abs(share) < SMALLEST).any():
        return None
    whole, variance = part.sum(), causes["part_se"].to_numpy() ** 2
    if not np.allclose(part, share * whole, rtol=ROUNDING, atol=0):
        return None
    of_shares = whole**2 * causes["se"].to_numpy() ** 2
    of_whole = ((variance - of_shares) / share).sum()
    covariance = (variance + share**2 * of_whole - of_shares) / (2 * share)
    if not of_whole > 0 or (covariance**2 > variance * of_whole * (1 + ROUNDING)).any():
        return None
    return causes.with_columns(
        whole=pl.lit(whole), whole_variance=pl.lit(of_whole), covariance=pl.Series(covariance, dtype=pl.Float64)
    )


def _of_one_whole(wholes: pl.DataFrame, estimates: pl.DataFrame, study: str) -> list[dict[str, Any]]:
    groups = [
        group.sort("cohort")
        for _, group in wholes.group_by("outcome", maintain_order=True)
        if group["cohort"].n_unique() == len(group) > 1
    ]
    alike = wholes["whole"].sign().n_unique() == 1
    found = [_pooled(group) for group in groups] if alike else []
    other_way = next((group["outcome"][0] for group, one in zip(groups, found, strict=False) if one.other_way), None)
    rows = []
    for place, group in enumerate(groups):
        gate = OTHER_WAY
        if alike:
            gate = "pass" if np.isfinite(found[place].ci_low) else NOT_TOLD
        if other_way is not None:
            gate = f"not evaluable: {other_way.removeprefix('death:')} differs the other way"
        rows.append(_row(group, found[place] if gate == "pass" else None, gate, estimates, study))
    return rows


def _pooled(group: pl.DataFrame) -> Share:
    names = ("part", "whole", "whole_variance", "covariance")
    part, whole, of_whole, covariance = (group[name].to_numpy() for name in names)
    return pool_shares(part, whole, (group["part_se"].to_numpy() ** 2, of_whole), covariance)


def pool_shares(part: Floats, whole: Floats, variances: tuple[Floats, Floats], covariance: Floats) -> Share:
    """Pooled part over pooled whole of k >= 2 independent cohorts, both with the weights of the whole.

    part, whole, covariance and each of variances (of the part, of the whole): (k,). From three cohorts on the error is
    at least what the cohorts' residuals part - share x whole show (as Hartung & Knapp), and limits are those of t.
    """
    from scipy.stats import t

    of_part, of_whole = variances
    cohorts = len(part)
    everything = meta_analysis.pool(whole, np.sqrt(of_whole))
    weights = 1 / (of_whole + (everything.tau2 or 0.0))
    weights = weights / weights.sum()
    above, below = float((weights * part).sum()), float((weights * whole).sum())
    errors = [float((weights**2 * values).sum()) for values in (of_part, of_whole, covariance)]
    share = above / below
    spread = errors[0] + share**2 * errors[1] - 2 * share * errors[2]
    factor, reach = 1.0, normal.Z
    if cohorts > 2:
        residual = float((weights * (part - share * whole) ** 2).sum()) / (cohorts - 1)
        factor, reach = max(1.0, residual / spread), float(t.ppf(0.975, cohorts - 1))
    wider = factor * (reach / normal.Z) ** 2  # as the limits are taken at those of the normal distribution
    low, high = fieller(above, below, (wider * errors[0], wider * errors[1]), wider * errors[2])
    if everything.ci_low <= 0 <= everything.ci_high:
        low = high = float("nan")
    z = above / (factor * errors[0]) ** 0.5
    p = normal.p_value(z, 1.0) if cohorts == 2 else float(2 * t.sf(abs(z), cohorts - 1))
    return Share(share, (factor * spread) ** 0.5 / abs(below), low, high, p, share < 0 and abs(z) > reach)


def _row(
    group: pl.DataFrame, found: Share | None, gate: str, estimates: pl.DataFrame, study: str
) -> dict[str, Any]:  # fmt: skip
    first, cohorts = group.row(0, named=True), group["cohort"].to_list()
    note = (
        f"pooled difference by cause / pooled difference in all deaths, each of {len(cohorts)} cohorts"
        f" ({', '.join(cohorts)}) weighted by the error of the latter; limits by Fieller"
    )
    numbers = {name: getattr(found, name, None) for name in ("estimate", "ci_low", "ci_high", "se", "p_value")}
    return (
        {name: first[name] for name in ESTIMAND}
        | numbers
        | {
            "study": study, "cohort": "pooled", "gate": gate, "smallest_cell": group["smallest_cell"].min(),
            **{name: total(group[name]) for name in ("persons", "events", "person_years")},
            "note": "; ".join([note, *caveats(group, estimates)]),
        }
    )  # fmt: skip
