"""Use in the cohort: current, past, new and prevalent, for how long, and how much (display ``use_history``)."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.units import DAYS_PER_YEAR

STATES = ("on", "recent", "former", "never", "treatment", "unknown")
FIRST_USE = {"new": 1, "prevalent": 0, "not_known": None}
CUMULATIVE = "cumulative_mme"


def use_history(
    person_time: pl.DataFrame, cohort: pl.DataFrame, status: pl.DataFrame, daily: pl.DataFrame
) -> pl.DataFrame:
    """measure, item, persons, person_years, median; always the same rows in the same order.

    Item state: persons ever in each state of use in follow-up, and their time in it; median of on: days since start,
    carry-over included, when each person's last stretch on in follow-up ends. Item first_use: persons by what their
    first day on in follow-up belongs to; median of new: naive days before it. Item dose: persons ever on in follow-up
    with a day of known dose since observation began; median MME of their supply until follow-up ends, days of unknown
    dose left out.

    ``person_time``, ``cohort``: PERSON_TIME, COHORT; ``status``: OPIOID_STATUS; ``daily``: daily dose (person_id,
    start, stop, mme); days are integers, the cohort's and those of the last two on one calendar. Medians of none are
    null. O(n log n).
    """
    on = person_time.filter(pl.col("on_opioid") == 1).sort("person_id", "start")
    length = (pl.col("days_since_start") + pl.col("stop") - pl.col("start")).last()
    since_start = on.group_by("person_id", maintain_order=True).agg(length)["days_since_start"].median()
    rows = [*_states(person_time, since_start), *_first_uses(on, cohort, status), _cumulative(on, cohort, daily)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


SCHEMA = {
    "measure": pl.String(), "item": pl.String(), "persons": pl.Int64(), "person_years": pl.Float64(),
    "median": pl.Float64(),
}  # fmt: skip
Row = tuple[str, str, int, float | None, float | None]


def _states(person_time: pl.DataFrame, since_start: object) -> list[Row]:
    found = person_time.group_by(pl.col("use_state").cast(pl.String)).agg(
        persons=pl.col("person_id").n_unique(), days=(pl.col("stop") - pl.col("start")).sum()
    )
    by_state = {state: (persons, days) for state, persons, days in found.iter_rows()}
    counted = {state: by_state.get(state, (0, 0)) for state in STATES}
    return [
        (state, "state", persons, days / DAYS_PER_YEAR, _number(since_start) if state == "on" else None)
        for state, (persons, days) in counted.items()
    ]


def _first_uses(on: pl.DataFrame, cohort: pl.DataFrame, status: pl.DataFrame) -> list[Row]:
    first = on.group_by("person_id", maintain_order=True).first()
    began = (pl.col("entry") + pl.col("start") - pl.col("days_since_start")).cast(pl.Int64)
    naive = (
        first.join(cohort.select("person_id", "entry"), on="person_id", how="left", maintain_order="left")
        .select("person_id", "new_user", began=began)
        .join(
            status.filter(pl.col("start") == pl.col("on_since")).select(
                "person_id", "naive_days", began=pl.col("on_since").cast(pl.Int64)
            ),
            on=["person_id", "began"], how="left", maintain_order="left",
        )
        .filter(pl.col("new_user") == 1)["naive_days"]
        .median()
    )  # fmt: skip
    counts = {
        label: first.filter(pl.col("new_user").eq_missing(pl.lit(value, pl.Int64))).height
        for label, value in FIRST_USE.items()
    }
    return [(label, "first_use", n, None, _number(naive) if label == "new" else None) for label, n in counts.items()]


def _cumulative(on: pl.DataFrame, cohort: pl.DataFrame, daily: pl.DataFrame) -> Row:
    supplied = (
        daily.join(cohort.select("person_id", "exit"), on="person_id", maintain_order="left")
        .join(on.select("person_id"), on="person_id", how="semi", maintain_order="left")
        .with_columns(until=pl.min_horizontal("stop", "exit"))
        .filter(pl.col("mme").is_not_null(), pl.col("start") < pl.col("until"))
        .with_columns(days=(pl.col("until") - pl.col("start")).cast(pl.Float64))
        .sort("person_id", "start")  # a fixed order of adding
        .group_by("person_id", maintain_order=True)
        .agg(mme=(pl.col("mme") * pl.col("days")).sum())
    )
    return CUMULATIVE, "dose", supplied.height, None, _number(supplied["mme"].median())


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
