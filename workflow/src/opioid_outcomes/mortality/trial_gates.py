"""Whether the arms of a trial may be compared: read before any outcome by arm (ANALYSES 4, gates)."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from opioid_outcomes.causal import overlap
from opioid_outcomes.mortality.trial_arms import Arms, Weighting, words

LARGEST_SMD = 0.1
FEWEST_EFFECTIVE = 50
FEWEST_DEATHS = 10
MOST_OUTSIDE = 0.05  # of iptw
LEAST_EQUIPOISE = 0.2  # of active comparators (Walker et al. 2013 Comp Eff Res 3:11 ask for half of the scores)


@dataclass(frozen=True)
class Judged:
    """ess: by arm, [0] comparators. mdrr: smallest hazard ratio that the deaths would show (power 80 %)."""

    ess: tuple[float, float]
    outside: float
    equipoise: float
    mdrr: float
    largest_smd: float
    gate: str


def judge(arms: Arms, deaths: int, weighting: Weighting, *, active: bool) -> Judged:
    """Diagnostics of the arms and the gate; ``deaths``: of people in either arm, all together."""
    ess = tuple(overlap.effective_sample_size(arms.final[arms.of(arm)]) for arm in (0, 1))
    known = arms.balance.filter(pl.col("smd_after").is_not_null()).sort(pl.col("smd_after").abs(), descending=True)
    worst, name = (abs(known["smd_after"][0]), known["covariate"][0]) if known.height else (0.0, "")
    outside, equipoise = overlap.outside(arms.score), overlap.equipoise(arms.score, arms.arm)
    share = float(arms.arm.mean())
    gate = "pass"
    if deaths == 0:
        gate = "not evaluable: no deaths"
    elif deaths < FEWEST_DEATHS:
        gate = "not evaluable: fewer than ten deaths"
    elif min(ess) < FEWEST_EFFECTIVE:
        gate = "fail: effective sample size of an arm is under 50"
    elif worst >= LARGEST_SMD:
        gate = f"fail: max |SMD| {worst:.2f}{words([name])} is not under 0.1"
    elif weighting == "iptw" and outside >= MOST_OUTSIDE:
        gate = "fail: 5 % or more of the propensity scores lie outside 0.01-0.99"
    elif active and equipoise < LEAST_EQUIPOISE:
        gate = "fail: fewer than 20 % of the scores are in equipoise"
    return Judged(
        (ess[0], ess[1]), outside, equipoise, overlap.minimal_detectable_ratio(deaths, share), worst, gate
    )  # fmt: skip
