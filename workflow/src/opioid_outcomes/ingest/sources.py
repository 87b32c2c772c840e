"""Which files a cohort is read from. Imported while a workflow is parsed, so it stays light: no polars here."""

from __future__ import annotations

from pathlib import Path

from opioid_outcomes.config.cohorts import Cohort
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.errors import Problem, UserError

ENDINGS = (".csv", ".csv.gz", ".parquet", ".sas7bdat", ".dta", ".xpt")
OMOP_TABLES = (
    "person", "observation_period", "drug_exposure", "drug_strength", "concept", "concept_ancestor",
    "condition_occurrence", "measurement", "observation", "death", "visit_occurrence",
)  # fmt: skip


def stem_of(path: Path) -> str | None:
    """The file's name without a known ending, in lower case; None for a file of another kind."""
    name = path.name.lower()
    for ending in ENDINGS:
        if name.endswith(ending) and name != ending:
            return name.removesuffix(ending)
    return None


def files_of(folder: Path, table: str) -> list[Path]:
    """What in the folder is named after a table, with any known ending and in any letter case."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if stem_of(path) == table.lower())


def table_file(cohort: Cohort, table: str) -> Path | None:
    """The file that holds a contract table; None where nothing in the folder is it and no config names one."""
    folder = Path(cohort.path)
    mapping = cohort.tables.get(table)
    if mapping and mapping.file:
        path = folder / mapping.file
        if not path.is_file():
            raise UserError(Problem("no such file", f"{path} (table {table})", "correct `file`, or put the file there"))
        return path
    found = files_of(folder, table)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(
            Problem(
                f"{len(found)} files could be table {table}: {names}",
                str(folder),
                f"keep one, or name it in the config: tables: {{{table}: {{file: {found[0].name}}}}}",
            )
        )
    if not found and mapping:
        raise UserError(
            Problem(
                f"the config maps table {table}, and no file is named {table} with any of {', '.join(ENDINGS)}",
                str(folder),
                f"name its file: tables: {{{table}: {{file: ...}}}}",
            )
        )
    return found[0] if found else None


def source_files(cohort: Cohort) -> list[Path]:
    """The existing files that reading the cohort depends on, sorted; never raises."""
    folder = Path(cohort.path)
    if cohort.format == "omop":
        return sorted(path for table in OMOP_TABLES for path in files_of(folder, table) if path.is_file())
    named = {folder / mapping.file for mapping in cohort.tables.values() if mapping.file}
    by_name = {
        path
        for table in CANONICAL
        if not (table in cohort.tables and cohort.tables[table].file)
        for path in files_of(folder, table)
    }
    return sorted(path for path in named | by_name if path.is_file())
