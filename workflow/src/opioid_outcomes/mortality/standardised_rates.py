"""``mortality.rate`` at one distribution of age and sex: what remains of a difference once ages are the same."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import polars as pl

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.mortality.contrasts import Contrast, Exposure, main_contrast
from opioid_outcomes.mortality.person_years import Amount
from opioid_outcomes.survival.smr import at_birthdays
from opioid_outcomes.survival.standardised import StandardisedRate, direct, log_ratio
from opioid_outcomes.units import DAYS_PER_YEAR

METHOD = "standardised"
LOWER_BOUNDS = (0, 35, 45, 55, 65, 75, 85)


def standardised_rates(person_time: pl.DataFrame, *, exposure: Exposure, top_coded_age: float) -> list[Estimate]:
    """Rates of the two groups a cohort can compare, and their ratio, directly standardised to the person-time of both.

    person_time: PERSON_TIME with the columns of ``mortality.age.aged``. Strata: sex and bands of age as it is along
    follow-up. Strata in which one group has no person-time leave both, and the note says what share they are.
    """
    contrast = main_contrast(exposure)
    if contrast is None:
        return []
    bounds = [bound for bound in (*LOWER_BOUNDS, top_coded_age) if bound <= top_coded_age]
    bounds = sorted(set(bounds[:-1] if top_coded_age > LOWER_BOUNDS[-1] else bounds))
    strata = _strata(person_time, contrast, np.array(bounds, dtype=float))
    both = (strata["years_1"] > 0) & (strata["years_0"] > 0)
    used, notes = strata.filter(both), _notes(bounds, strata, strata.filter(both), person_time)
    known = person_time.filter(pl.col("female").is_not_null() & pl.col("born").is_not_null())
    arms = [
        (
            Amount(
                known.filter(contrast.exposure == value)["person_id"].n_unique(),
                int(used[f"deaths_{value}"].sum()), float(np.sum(used[f"years_{value}"].to_numpy())),
            )
        )
        for value in (1, 0)
    ]  # fmt: skip
    total = Amount(
        known.filter(contrast.exposure.is_not_null())["person_id"].n_unique(),
        sum(arm.events for arm in arms), sum(arm.person_years for arm in arms),
    )  # fmt: skip
    standard = (used["years_1"] + used["years_0"]).to_numpy()
    rates = [
        direct(used[f"deaths_{value}"].to_numpy(), used[f"years_{value}"].to_numpy(), standard, per=1000)
        if used.height
        else None
        for value in (1, 0)
    ]
    outside = int(strata.filter(~both).select("deaths_1", "deaths_0").sum().sum_horizontal().sum())
    rows = [
        _rate(name, arm, rate, notes, smallest(*arm.cells(), outside))
        for name, arm, rate in zip(contrast.arms, arms, rates, strict=True)
    ]
    cell = smallest(*(cell for arm in arms for cell in arm.cells()), outside)
    return [*rows, _ratio(contrast, arms, rates, notes, _row(contrast.label, "log_rate_ratio", total, cell))]


def _strata(person_time: pl.DataFrame, contrast: Contrast, bounds: np.ndarray) -> pl.DataFrame:
    """By band of age and sex: band, female, and deaths and person-years of the groups 1 and 0."""
    rows = person_time.with_columns(group=contrast.exposure).filter(
        pl.col("group").is_not_null() & pl.col("female").is_not_null() & pl.col("born").is_not_null()
    )
    start, stop, born = (rows[name].to_numpy().astype(float) for name in ("start", "stop", "born"))
    pieces = at_birthdays(start, stop, born)
    last = np.ones(len(pieces.row), dtype=bool)
    last[:-1] = pieces.row[1:] != pieces.row[:-1]
    band = np.maximum(np.searchsorted(bounds, pieces.age, side="right") - 1, 0)
    female, group, death = (rows[name].to_numpy().astype(np.int64)[pieces.row] for name in ("female", "group", "death"))
    cell = (band * 2 + female) * 2 + group
    size = len(bounds) * 4
    years = np.bincount(cell, (pieces.stop - pieces.start) / DAYS_PER_YEAR, size).reshape(-1, 2)
    deaths = np.bincount(cell, np.where(last, death, 0), size).astype(np.int64).reshape(-1, 2)
    at = np.arange(len(bounds) * 2)
    return pl.DataFrame(
        {
            "band": at // 2, "female": at % 2, "deaths_1": deaths[:, 1], "years_1": years[:, 1],
            "deaths_0": deaths[:, 0], "years_0": years[:, 0],
        }
    )  # fmt: skip


def _notes(bounds: list[float], strata: pl.DataFrame, used: pl.DataFrame, person_time: pl.DataFrame) -> tuple[str, ...]:
    cuts = ", ".join(f"{bound:g}" for bound in bounds[1:])
    notes = [f"directly standardised to the sex and age (bands from {cuts}) of both groups' person-time"]
    whole, kept = (float(np.sum((part["years_1"] + part["years_0"]).to_numpy())) for part in (strata, used))
    if whole and kept < whole:
        share = 100 * (1 - kept / whole)
        told = f"{share:.0f} %" if share >= 1 else "under 1 %"
        notes.append(f"{told} of person-time, at ages and sexes without both groups, is left out")
    if person_time["female"].null_count():
        notes.append("persons whose sex is neither F nor M are left out")
    if person_time["born"].null_count():
        notes.append("persons of unknown age are left out")
    return tuple(notes)


def _row(contrast: str, scale: str, found: Amount, cell: int | None) -> Estimate:
    return Estimate(
        analysis="mortality.rate", method=METHOD, population="eligible persons, unweighted", outcome="death",
        contrast=contrast, scale=scale, **found.counts(), smallest_cell=cell,
        gate="not evaluable: no age and sex at which both groups are followed",
    )  # fmt: skip


def _rate(name: str, arm: Amount, rate: StandardisedRate | None, notes: tuple[str, ...], cell: int | None) -> Estimate:
    row = _row(name, "rate_per_1000py", arm, cell)
    if rate is None:
        return row
    return replace(
        row, estimate=rate.rate, ci_low=rate.ci_low, ci_high=rate.ci_high, se=rate.se, gate="pass",
        note="; ".join((*notes, "gamma limits (Fay and Feuer)")),
    )  # fmt: skip


def _ratio(
    contrast: Contrast, arms: list[Amount], rates: list[StandardisedRate | None], notes: tuple[str, ...], row: Estimate
) -> Estimate:
    first, second = rates
    if first is None or second is None:
        return row
    for name, arm in zip(contrast.arms, arms, strict=True):
        if not arm.events:
            return replace(row, gate=f"not evaluable: no deaths in group '{name}'")
    return replace(row, **asdict(log_ratio(first, second)), gate="pass", note="; ".join(notes))
