"""``mortality.current_use``: death on against off opioids, as use changes over time. Descriptive, not causal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.contrasts import KINDS_OF_OFF, ON_OFF, UNKNOWN, Contrast, Exposure, Missing
from opioid_outcomes.mortality.group_rates import group_rate
from opioid_outcomes.mortality.hazard_ratio import adjusted_ratios, not_asked
from opioid_outcomes.mortality.person_time_cuts import cut, lagged

ANALYSIS = "mortality.current_use"
# Days since the present use began, as Ray 2016 and METHODS C4 split them: [0, 30), [30, 180), [180, ...)
SINCE_START = ((0, 30), (30, 180), (180, None))


def current_use(
    person_time: pl.DataFrame, baseline: Sequence[str], missing: Missing, *, exposure: Exposure,
    lags: Sequence[int] = (0,), bands: Sequence[str] = (),
) -> list[Estimate]:  # fmt: skip
    """Hazard ratios on against off, crude and adjusted, with the rate of each group beside those that are split.

    Against each kind of off; by days since the present use began (window), new and prevalent users apart, by band of
    current dose (``bands``, labels of dose_band), and with exposure as it was ``lags`` days before. One row saying why
    where use over time is not known. Cost: a Cox regression per row.
    """
    if exposure != "time_varying":
        return [not_asked(person_time, ON_OFF, analysis=ANALYSIS, why=UNKNOWN[exposure])]
    rows: list[Estimate] = []
    for contrast in (ON_OFF, *KINDS_OF_OFF):
        rows += adjusted_ratios(person_time, contrast, analysis=ANALYSIS, baseline=baseline, missing=missing)
    for lag in (lag for lag in lags if lag):
        moved = adjusted_ratios(lagged(person_time, lag), ON_OFF, analysis=ANALYSIS, baseline=baseline, missing=missing)
        rows += [_noted(row, f"exposure as it was {lag} days before", f"_lag_{lag}") for row in moved]
    return [*rows, *_by_time_on(person_time, baseline, missing), *_by_user(person_time, bands, baseline, missing)]


def _by_time_on(person_time: pl.DataFrame, baseline: Sequence[str], missing: Missing) -> Iterator[Estimate]:
    """By days since the present use began; who is on for another time is in neither group."""
    pieces = cut(person_time, "days_since_start", [first for first, _ in SINCE_START if first])
    since, on = pl.col("days_since_start"), pl.col("on_opioid")
    for first, beyond in SINCE_START:
        inside = (since >= first) & (since < beyond if beyond else pl.lit(True))
        window = f"{first + 1 if first else 0}-{beyond or ''}"
        for row in _of_group(pieces, "on", (on == 1) & inside, baseline, missing):
            yield _noted(replace(row, window=window), "window: days since the present use began")


def _by_user(
    person_time: pl.DataFrame, bands: Sequence[str], baseline: Sequence[str], missing: Missing
) -> Iterator[Estimate]:
    """New and prevalent users apart, and by band of current dose, each against off."""
    on = pl.col("on_opioid") == 1
    groups = {"new user on": on & (pl.col("new_user") == 1), "prevalent user on": on & (pl.col("new_user") == 0)}
    groups |= {f"on at {band} MME": on & (pl.col("dose_band") == band) for band in bands}
    for name, inside in groups.items():
        yield from _of_group(person_time, name, inside, baseline, missing)


def _of_group(
    person_time: pl.DataFrame, name: str, inside: pl.Expr, baseline: Sequence[str], missing: Missing
) -> Iterator[Estimate]:
    """The rate of a group of time on, and its hazard ratios against off; one refusal where nobody is in it."""
    contrast = Contrast(f"{name} vs off", pl.when(inside).then(1).when(pl.col("on_opioid") == 0).then(0))
    group = person_time.filter(inside)
    yield group_rate(group, name, analysis=ANALYSIS)
    if group.is_empty():
        yield not_asked(group, contrast, analysis=ANALYSIS, why=f"nobody in group '{name}'")
        return
    yield from adjusted_ratios(person_time, contrast, analysis=ANALYSIS, baseline=baseline, missing=missing)


def _noted(row: Estimate, note: str, suffix: str = "") -> Estimate:
    return replace(row, method=f"{row.method}{suffix}", note=f"{note}; {row.note}" if row.note else note)
