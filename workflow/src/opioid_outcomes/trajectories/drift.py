"""``trajectory.drift``: does the dose of people on opioids climb, and does their pain fall meanwhile?

Descriptive (ANALYSES 1, C6): who stays on opioids is selected, and a dose that climbs while pain stays where it is has
other explanations than tolerance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.trajectories.monthly import MIN_DAYS, MONTH_DAYS, monthly_dose
from opioid_outcomes.units import DAYS_PER_YEAR

ANALYSIS = "trajectory.drift"
CONTRAST = "per year on opioids"
# Months of known dose with which a person has a slope that says anything of the dose's course, and of pain
FEWEST_MONTHS = 6
FEWEST_PAIN_MONTHS = 3
# People below which a mean of slopes is not estimated; said in words, as gates give no small numbers of people
FEWEST_PERSONS = 10
ESTIMAND = "mean over persons of each one's least-squares slope"


@dataclass(frozen=True)
class MeanSlope:
    """Mean of individual slopes, with t limits of that mean; ``between_sd`` their spread beyond their own noise."""

    persons: int
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p_value: float
    between_sd: float | None


def drift(
    person_time: pl.DataFrame, panel: pl.DataFrame, *, months: int, factors: str, flat_factor: float | None = None
) -> list[Estimate]:
    """Mean individual slope per year of dose, and of pain and dose among those whose pain is recorded in those months.

    person_time: contracts PERSON_TIME; panel: contracts PANEL (its pain is that of the month before); months: 30-day
    months since entry looked at; factors: the factor table's name; flat_factor: that of methadone where the table has
    one for each range of its dose and person_time is at this one instead, so that no slope is a step between factors.
    Slopes are over months with at least 15 days on opioids at a known dose; pain is the mean score of such a month,
    0-10. Three rows. Cost: one row per person and month on.
    """
    dose = monthly_dose(person_time).filter(pl.col("month") < months, pl.col("days_known") >= MIN_DAYS)
    dose = dose.filter(pl.len().over("person_id") >= FEWEST_MONTHS)
    # the panel of period k holds the mean pain of the 30 days before it: those of month k - 1
    pain = panel.filter(pl.col("pain").is_not_null()).select("person_id", "pain", month=pl.col("period") - 1)
    both = dose.join(pain, on=["person_id", "month"], how="inner", maintain_order="left")
    both = both.filter(pl.len().over("person_id") >= FEWEST_PAIN_MONTHS)
    same_people = dose.join(both, on="person_id", how="semi", maintain_order="left")
    without_pain = dose["person_id"].n_unique() - both["person_id"].n_unique()
    everybody = f"people on opioids at a known dose in at least {FEWEST_MONTHS} months"
    in_pain = f"{everybody}, with pain recorded in at least {FEWEST_PAIN_MONTHS} of them"
    window = f"0-{MONTH_DAYS * months}"

    flat = "" if flat_factor is None else f", methadone at {flat_factor:g} whatever its dose"
    dose_unit, pain_unit = f"MME/day (MME by {factors}{flat})", "points of 0-10"
    return [
        _row(dose, "mme", everybody, "dose", window=window, unit=dose_unit, apart=0),
        _row(same_people, "mme", in_pain, "dose", window=window, unit=dose_unit, apart=without_pain),
        _row(both, "pain", in_pain, "pain", window=window, unit=pain_unit, apart=0),
    ]


def _row(
    frame: pl.DataFrame, value: str, population: str, outcome: str, *, window: str, unit: str, apart: int
) -> Estimate:
    """One row; ``apart``: people by whom it differs from another row, which must not be few."""
    persons = frame["person_id"].n_unique()
    found = mean_slope(frame, value)
    row = Estimate(
        analysis=ANALYSIS, method="two_stage", population=population, outcome=outcome, contrast=CONTRAST, scale="slope",
        window=window, persons=persons, smallest_cell=smallest(persons, apart),
        gate=f"not evaluable: fewer than ten {population}",
    )  # fmt: skip
    if found is None:
        return row
    notes = [
        f"{ESTIMAND} over months with at least {MIN_DAYS} days on opioids at a known dose, in {unit} per year",
        "days of carry-over after a supply count at its dose",
    ]
    if found.between_sd is not None:
        notes.append(f"SD between persons {found.between_sd:.3g}, beyond the error of each slope")
    notes.append("descriptive: who stays on opioids is selected")
    return replace(
        row, estimate=found.estimate, se=found.se, ci_low=found.ci_low, ci_high=found.ci_high, p_value=found.p_value,
        gate="pass", note="; ".join(notes),
    )  # fmt: skip


def mean_slope(rows: pl.DataFrame, value: str) -> MeanSlope | None:
    """Mean over persons of the slope of ``value`` on years, by least squares in each; None below FEWEST_PERSONS.

    rows: person_id, month and ``value``, never null, at least two months a person, in any order. Persons count alike
    however many months they have, so that staying longer gives no weight: the mean of unbiased slopes is unbiased, its
    standard error their standard deviation over the root of their number (two-stage growth model; Verbeke & Molenberghs
    2000 ch. 3). between_sd: root of the variance of the slopes less the mean of their own error variances (moments).
    """
    years = pl.col("month") * MONTH_DAYS / DAYS_PER_YEAR
    centred = rows.sort("person_id", "month").select(
        "person_id",
        x=years - years.mean().over("person_id"),
        y=pl.col(value) - pl.col(value).mean().over("person_id"),
    )
    people = (
        centred.group_by("person_id", maintain_order=True)
        .agg(n=pl.len(), xx=(pl.col("x") ** 2).sum(), xy=(pl.col("x") * pl.col("y")).sum(), yy=(pl.col("y") ** 2).sum())
        .with_columns(slope=pl.col("xy") / pl.col("xx"))
        .with_columns(left=(pl.col("yy") - pl.col("slope") * pl.col("xy")).clip(lower_bound=0))
    )
    persons = people.height
    if persons < FEWEST_PERSONS:
        return None
    from scipy.stats import t

    slopes = people["slope"].to_numpy()
    estimate, variance = float(slopes.mean()), float(slopes.var(ddof=1))
    se = math.sqrt(variance / persons)
    half = float(t.ppf(0.975, persons - 1)) * se
    noise = people.filter(pl.col("n") > 2).select((pl.col("left") / (pl.col("n") - 2) / pl.col("xx")).mean()).item()
    return MeanSlope(
        persons=persons, estimate=estimate, se=se, ci_low=estimate - half, ci_high=estimate + half,
        p_value=float(2 * t.sf(abs(estimate) / se, persons - 1)) if se > 0 else math.nan,
        between_sd=None if noise is None else math.sqrt(max(variance - noise, 0.0)),
    )  # fmt: skip
