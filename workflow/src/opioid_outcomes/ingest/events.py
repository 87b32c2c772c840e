"""Rules about dated rows: whose they are, in which order days may stand, and what a score or a unit may be."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from opioid_outcomes.ingest.batch import Batch
from opioid_outcomes.ingest.people import People

# Highest score of each instrument and the factor that takes it to 0-10. PEG and BPI scores are means of 0-10 items.
HIGHEST = {"NRS": 10.0, "VAS100": 100.0, "PEG": 10.0, "BPI_severity": 10.0, "BPI_interference": 10.0, "VRS": 4.0}


def check(batch: Batch, people: People) -> Batch:
    """The rules of one dated table; of rows that say the same, the first is kept."""
    name = batch.table.name
    batch = people.reject_strangers(batch)
    if name in ("observation", "stays"):
        batch = batch.reject(("end_before_start", pl.col("end") < pl.col("start")))
    if name == "pain":
        batch = _on_ten(batch)
    if name == "opioid_use":
        batch = batch.reject(("not_0_or_1", ~pl.col("using").is_in([0, 1])))
    if name != "observation":
        batch = _after_death(batch, people)
    return batch.reject_duplicates()


def _on_ten(pain: Batch) -> Batch:
    """Scores on 0-10; 99 for "not asked" is out of range, not great pain."""
    highest = pl.col("scale").replace_strict(HIGHEST, default=None, return_dtype=pl.Float64)
    pain = pain.reject(("score_out_of_range", ~pl.col("score").is_between(0, highest)))
    return replace(pain, frame=pain.frame.with_columns(score=pl.col("score") * 10 / highest))


def _after_death(batch: Batch, people: People) -> Batch:
    if people.death is None or people.death.is_empty() or batch.frame.is_empty():
        return batch
    day = "start" if "start" in batch.table.names else "date"
    columns = batch.frame.columns
    frame = batch.frame.join(people.death, on="person_id", how="left", maintain_order="left")
    judged = replace(batch, frame=frame).reject(("after_death", pl.col(day) > pl.col("death")))
    return replace(judged, frame=judged.frame.select(columns))


def check_deaths(deaths: Batch, people: People) -> Batch:
    """One death each: the earliest that does not precede the first observed day."""
    columns = deaths.frame.columns
    deaths = people.reject_strangers(deaths)
    frame = deaths.frame.join(people.first_day, on="person_id", how="left", maintain_order="left")
    judged = replace(deaths, frame=frame).reject(("death_before_observation", pl.col("date") < pl.col("first_day")))
    judged = replace(judged, frame=judged.frame.select(columns)).reject_duplicates()
    earliest = (
        judged.sound().sort("person_id", "date", "source", "row").unique("person_id", keep="first", maintain_order=True)
    )
    marked = judged.frame.join(
        earliest.select("source", "row", pl.lit(True).alias("\0earliest")),
        on=["source", "row"],
        how="left",
        maintain_order="left",
    )
    judged = replace(judged, frame=marked).reject(("later_death", pl.col("\0earliest").is_null()))
    return replace(judged, frame=judged.frame.drop("\0earliest"))
