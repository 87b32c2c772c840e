"""``mortality.stopping``: death after the end of supply, on a clock that never looks ahead (ANALYSES 4.7).

Time zero is cohort entry; time-varying exposure, so there is no immortal time. Who dies while supplied cannot refill,
and who refills is alive: a gap must not be read as a stop, or bridged, by what came after it (``stopping_clock``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.contrasts import UNKNOWN, Contrast, Exposure, Missing
from opioid_outcomes.mortality.group_rates import group_rate
from opioid_outcomes.mortality.hazard_ratio import adjusted_ratios, not_asked
from opioid_outcomes.mortality.stopping_clock import BANDS, CURRENT, LENGTHS, clock, named

ANALYSIS = "mortality.stopping"
METHODS = ("crude", "adjusted", "adjusted_full")
ENDS = ("crude", "adjusted_full")  # by length of therapy and lagged: what is between tells little, and costs a fit each
LAGS = (0, 30, 90)  # days, against terminal decline: opioids may be stopped because death is near


def stopping(
    status: pl.DataFrame, cohort: pl.DataFrame, baseline: Sequence[str], missing: Missing, *, exposure: Exposure
) -> list[Estimate]:
    """Hazard ratios of each band of days since supply ended against current supply, and the rate of each beside them.

    ``status``: OPIOID_STATUS of dispensings; ``cohort``: COHORT with the covariates of ``baseline``; days are integers.
    Crude, adjusted for age and sex, and for all of ``baseline``; crude and for all by length of therapy (compared with
    current supply that has lasted as long so far), and with the clock read 30 and 90 days ago. Never users are in no
    group. Cost: a Cox regression per row of the result.
    """
    if exposure != "time_varying":
        return [_not_asked(cohort, UNKNOWN[exposure])]
    if status.height and status["cumulative_mme"].null_count() == status.height:
        return [_not_asked(cohort, "reports tell whether opioids are used, not when supply ends")]
    rows: list[Estimate] = []
    for lag in LAGS:
        followed = person_time(status, cohort, baseline, lag=lag)
        only = ENDS if lag else METHODS
        rows += [_lagged(row, lag) for row in _bands(followed, None, baseline, missing, only)]
        if lag == 0:
            for length in LENGTHS:
                rows += _bands(followed, length, baseline, missing, ENDS)
    return rows


def _not_asked(cohort: pl.DataFrame, why: str) -> Estimate:
    people = cohort.select("person_id", "death", start=pl.lit(0), stop=pl.col("exit") - pl.col("entry"))
    return not_asked(people, against_current(BANDS[0]), analysis=ANALYSIS, why=why)


def _bands(
    followed: pl.DataFrame, length: tuple[int, int | None] | None, baseline: Sequence[str], missing: Missing,
    only: Sequence[str],
) -> Iterator[Estimate]:  # fmt: skip
    """Rates of current supply and of each band, and each band against current supply."""
    contrasts = [against_current(band, length) for band in BANDS]
    first = contrasts[0]
    yield group_rate(followed.filter(first.exposure == 0), first.arms[1], analysis=ANALYSIS)
    for contrast in contrasts:
        yield group_rate(followed.filter(contrast.exposure == 1), contrast.arms[0], analysis=ANALYSIS)
        for row in adjusted_ratios(
            followed, contrast, analysis=ANALYSIS, baseline=baseline, missing=missing, only=only
        ):
            yield replace(row, note=f"{_meaning(length)}; {row.note}" if row.note else _meaning(length))


def against_current(band: tuple[int, int | None], length: tuple[int, int | None] | None = None) -> Contrast:
    """One band of days since supply ended against current supply; with ``length`` both after as long a therapy."""
    after = f" after {named(length)} days of therapy" if length else ""
    same = pl.col("therapy") == named(length) if length else pl.lit(True)
    exposure = (
        pl.when(~same).then(None).when(pl.col("clock") == named(band)).then(1).when(pl.col("clock") == CURRENT).then(0)
    )
    return Contrast(f"{named(band)} days since stopping{after} vs {CURRENT}{after}", exposure)


def _meaning(length: tuple[int, int | None] | None) -> str:
    told = "days since the end of supply known on each day, no carry-over, no gap bridged by a later refill"
    return f"{told}; current supply that has lasted as long so far" if length else told


def _lagged(row: Estimate, lag: int) -> Estimate:
    if not lag:
        return row
    note = f"exposure as it was {lag} days before, against terminal decline"
    return replace(row, method=f"{row.method}_lag_{lag}", note=f"{note}; {row.note}" if row.note else note)


def person_time(status: pl.DataFrame, cohort: pl.DataFrame, baseline: Sequence[str], *, lag: int = 0) -> pl.DataFrame:
    """Follow-up by ``clock`` and ``therapy`` with deaths, covariates and the sampling design, for ``hazard_ratio``."""
    own = ["person_id", "death", "survey_weight", "stratum", "cluster", *dict.fromkeys(baseline)]
    last = (pl.col("person_id") != pl.col("person_id").shift(-1)).fill_null(value=True)
    return (
        clock(status, cohort, lag=lag)
        .join(cohort.select(own), on="person_id", maintain_order="left")
        .with_columns(pl.when(last).then("death").otherwise(0).cast(pl.Int64).alias("death"))
    )
