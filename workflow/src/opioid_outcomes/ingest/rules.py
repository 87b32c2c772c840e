"""The rules of the canonical tables: every row becomes canonical, or is rejected by a named rule, or is merged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from opioid_outcomes.cohort.covariate_names import refuse_unknown
from opioid_outcomes.contracts.canonical import CANONICAL, PERSONS
from opioid_outcomes.ingest import accounting, convert, events, people
from opioid_outcomes.ingest.batch import Batch, assemble
from opioid_outcomes.ingest.convert import Days
from opioid_outcomes.ingest.people import People
from opioid_outcomes.ingest.raw import Raw

LAST_YEAR = 2300  # dates shifted for privacy reach 2212 (MIMIC-IV)


@dataclass(frozen=True)
class Ingested:
    """One cohort, validated. ``tables`` has every canonical table, days as Int32; the rest is its accounting."""

    tables: dict[str, pl.DataFrame]
    rejected: pl.DataFrame  # table, row, rule
    quality: pl.DataFrame  # table, into, rows_in, canonical, rejected, merged, not_selected
    quality_rules: pl.DataFrame  # table, rule, rows
    warnings: list[str] = field(default_factory=list)


def canonicalise(
    raws: list[Raw],
    *,
    calendar: bool,
    person_columns: list[str],
    max_rejected_share: float,
    last_year: int = LAST_YEAR,
) -> Ingested:
    """Types, units and vocabularies of the contract, with every row accounted for.

    ``calendar``: dates rather than day offsets. ``person_columns``: covariates that persons (or measurements) must
    offer. More than ``max_rejected_share`` of a table's selected rows rejected, or all of them, is a ``UserError``
    naming table, rules and counts. Cost: a few passes and one sort per table.
    """
    days = Days.of(calendar, last_year)
    warnings: list[str] = []
    batches = {}
    for table in CANONICAL.values():
        batches[table.name], said = assemble(table, [raw for raw in raws if raw.into == table.name], days)
        warnings += said
    id_dtype: pl.DataType = pl.Int64() if convert.are_whole(batches["persons"].frame["person_id"]) else pl.String()
    batches = {name: batch.with_id_type(id_dtype) for name, batch in batches.items()}

    persons = people.check_persons(batches["persons"], batches["observation"], days)
    known = People.of(persons, batches["observation"])
    deaths = events.check_deaths(batches["deaths"], known)
    known = known.with_deaths(deaths)
    done: dict[str, Batch] = {"persons": persons, "deaths": deaths}
    for name, batch in batches.items():
        if name not in done:
            done[name] = events.check(batch, known)
    done["observation"], merged = people.merge_periods(done["observation"])

    quality = accounting.quality(raws, done, merged)
    rejected = accounting.rejected(raws, done)
    rules = accounting.rules(rejected)
    accounting.stop_if_too_many(raws, quality, done, max_rejected_share)
    warnings += [*_said_of(done), *accounting.repeated(quality, rules)]
    tables = {name: batch.canonical() for name, batch in done.items()}
    tables["persons"], said = people.top_code(tables["persons"], tables["observation"], calendar)
    further = [name for name in tables["persons"].columns if name not in PERSONS.names]
    refuse_unknown(person_columns, further, tables["measurements"]["measure"].unique().to_list())
    return Ingested(tables, rejected, quality, rules, warnings + said)


def _said_of(done: dict[str, Batch]) -> Iterable[str]:
    if done["pain"].frame.filter(pl.col("rule").is_null() & (pl.col("scale") == "VRS")).height:
        yield "Verbal pain ratings (VRS, 0-4) were multiplied by 2.5 to lie on the 0-10 scale."
