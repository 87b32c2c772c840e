"""First diagnosis of opioid use disorder in follow-up, by dose and duration of use some time before.

Hazards while alive and undiagnosed: death and the end of follow-up end it, so that the ratios are of cause-specific
hazards (death competes). Exposure is that of ``lag_days`` before each day: a disorder is recorded after it began.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.contrasts import UNKNOWN, Contrast, Exposure, Missing
from opioid_outcomes.mortality.group_rates import group_rate
from opioid_outcomes.mortality.hazard_ratio import adjusted_ratios, not_asked
from opioid_outcomes.mortality.person_time_cuts import cut, lagged

DOSE, DURATION = "addiction.dose", "addiction.duration"
OUTCOME = "opioid_use_disorder"
# Days of the present uninterrupted use; 90 days of use is the common bound of long-term therapy (METHODS B3)
DURATIONS = ((0, 90), (90, 365), (365, None))


def until_diagnosis(person_time: pl.DataFrame, cohort: pl.DataFrame, diagnosed: pl.DataFrame) -> pl.DataFrame:
    """PERSON_TIME up to the first diagnosis, ``death`` 1 where that ends it; without who was diagnosed before entry.

    diagnosed: person_id, date, of every diagnosis. A diagnosis on calendar day entry + k is an event at k + 1.
    """
    first = (
        cohort.select("person_id", "entry")
        .join(diagnosed.group_by("person_id").agg(pl.col("date").min()), on="person_id")
        .select("person_id", (pl.col("date") - pl.col("entry") + 1).cast(pl.Int64).alias("diagnosis"))
    )
    rows = person_time.join(first, on="person_id", how="left", maintain_order="left").filter(
        pl.col("diagnosis").is_null() | (pl.col("diagnosis") > 0),
        pl.col("diagnosis").is_null() | (pl.col("start") < pl.col("diagnosis")),
    )
    reached = (pl.col("diagnosis") <= pl.col("stop")).fill_null(value=False)
    return rows.with_columns(
        pl.when(reached).then("diagnosis").otherwise("stop").alias("stop"),
        reached.cast(pl.Int64).alias("death"),
        pl.lit(None, pl.String).alias("cause"),
    ).select(person_time.columns)


def by_dose(
    followed: pl.DataFrame, bands: Sequence[str], baseline: Sequence[str], missing: Missing, *, exposure: Exposure,
    lag_days: int,
) -> list[Estimate]:  # fmt: skip
    """Rates by band of daily dose ``lag_days`` before, and hazard ratios against the lowest band; off beside.

    followed: as ``until_diagnosis`` gives it.
    """
    groups = {"off": pl.col("on_opioid") == 0}
    on = pl.col("on_opioid") == 1
    groups |= {f"{band} MME": on & (pl.col("dose_band") == band) for band in bands}
    rows = _compared(
        lagged(followed, lag_days), groups, f"{bands[0]} MME", analysis=DOSE, baseline=baseline, missing=missing,
        exposure=exposure,
    )  # fmt: skip
    return [_told(row, lag_days) for row in rows]


def by_duration(
    followed: pl.DataFrame, baseline: Sequence[str], missing: Missing, *, exposure: Exposure, lag_days: int
) -> list[Estimate]:
    """Rates by days since the present use began, ``lag_days`` before, and hazard ratios against the first 90 days."""
    since, on = pl.col("days_since_start"), pl.col("on_opioid") == 1
    groups = {"off": pl.col("on_opioid") == 0}
    for first, beyond in DURATIONS:
        name = f"{first + 1 if first else 0}-{beyond} days on" if beyond else f"over {first} days on"
        groups[name] = on & (since >= first) & (since < beyond if beyond else pl.lit(value=True))
    pieces = cut(lagged(followed, lag_days), "days_since_start", [first for first, _ in DURATIONS if first])
    rows = _compared(
        pieces, groups, list(groups)[1], analysis=DURATION, baseline=baseline, missing=missing, exposure=exposure
    )
    return [_told(row, lag_days) for row in rows]


def _compared(
    rows: pl.DataFrame, groups: dict[str, pl.Expr], reference: str, *, analysis: str, baseline: Sequence[str],
    missing: Missing, exposure: Exposure,
) -> Iterator[Estimate]:  # fmt: skip
    """The rate of each group, and each against ``reference``."""
    others = [name for name in groups if name != reference]
    contrasts = [
        Contrast(f"{name} vs {reference}", pl.when(groups[name]).then(1).when(groups[reference]).then(0))
        for name in others
    ]
    if exposure != "time_varying":
        yield not_asked(rows, contrasts[-1], analysis=analysis, why=UNKNOWN[exposure])
        return
    for name, inside in groups.items():
        yield group_rate(rows.filter(inside), name, analysis=analysis)
    for contrast in contrasts:
        yield from adjusted_ratios(rows, contrast, analysis=analysis, baseline=baseline, missing=missing)


def _told(row: Estimate, lag_days: int) -> Estimate:
    """The row of this outcome: where the survival engine says deaths, these are first diagnoses."""
    how = f"exposure {lag_days} days before; cause-specific: death ends follow-up" if row.scale == "log_hr" else ""
    note = "; ".join(filter(None, [how, row.note.replace("deaths", "diagnoses")]))
    return replace(
        row, outcome=OUTCOME, gate=row.gate.replace("deaths", "diagnoses"), note=note,
        population=row.population.replace("eligible persons", "eligible persons never diagnosed before"),
    )  # fmt: skip
