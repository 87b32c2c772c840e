"""From a cohort's files to canonical tables in memory: read, the door, the rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from opioid_outcomes.config.cohorts import Cohort
from opioid_outcomes.config.privacy import Privacy, Quality
from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.ingest import privacy as door
from opioid_outcomes.ingest import tables
from opioid_outcomes.ingest.rules import LAST_YEAR, Ingested, canonicalise

LAST_ACTUAL_YEAR = 2100


@dataclass(frozen=True)
class Read:
    """One cohort's tables with what the report must say about them."""

    ingested: Ingested
    calendar: bool
    warnings: list[str]
    costs: list[str]


def read_cohort(cohort: Cohort, name: str, *, privacy: Privacy, quality: Quality, person_columns: list[str]) -> Read:
    """Reads, checks and standardises every row of a cohort; writes nothing. ``UserError`` for what must be mended."""
    try:
        return _read(cohort, name, privacy=privacy, quality=quality, person_columns=person_columns)
    except UserError as error:
        raise UserError(*(_of_cohort(problem, name) for problem in error.problems)) from None


def _of_cohort(problem: Problem, name: str) -> Problem:
    """Files and tables do not say whose they are; keys of the config do."""
    is_key = problem.where.startswith(f"cohorts.{name}.")
    return problem if is_key else replace(problem, where=", ".join(filter(None, (f"cohort {name}", problem.where))))


def _read(cohort: Cohort, name: str, *, privacy: Privacy, quality: Quality, person_columns: list[str]) -> Read:
    calendar = cohort.date_basis != "offset"
    if cohort.format == "omop":
        from opioid_outcomes.ingest import omop

        source = omop.read(Path(cohort.path))
        raws, warnings, costs = source.raws, source.warnings + door.check_ids(source.raws, privacy), source.costs
    else:
        found = tables.read(cohort, name, person_columns)
        warnings = found.warnings + door.check(found, privacy)
        raws, costs = found.raws, found.costs
    ingested = canonicalise(
        raws,
        calendar=calendar,
        person_columns=person_columns,
        max_rejected_share=quality.max_rejected_share,
        last_year=LAST_ACTUAL_YEAR if cohort.date_basis == "actual" else LAST_YEAR,
    )
    return Read(ingested, calendar, warnings + ingested.warnings, costs)
