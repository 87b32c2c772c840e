"""Format ``tables``: a study's own files, mapped by its config to the canonical tables' columns."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from opioid_outcomes.config.cohorts import Cohort, TableMapping
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.columns import Table
from opioid_outcomes.errors import Problem, Problems, UserError
from opioid_outcomes.ingest import sql
from opioid_outcomes.ingest.headers import nearest, suggest
from opioid_outcomes.ingest.raw import Raw
from opioid_outcomes.ingest.readers import ROW, Source, open_source
from opioid_outcomes.ingest.sources import table_file

REQUIRED_TABLES = ("persons", "observation")
# A source that truly lacks one of these says so (derive: {quantity: "NULL"}), so that an oversight stays an error.
NEEDED = {
    "persons": (("person_id",), ("sex",), ("birth_year", "age_at_entry")),
    "observation": (("person_id",), ("start",), ("end",)),
    "dispensings": (("person_id",), ("date",), ("code", "ingredient", "product_name"), ("quantity",), ("days_supply",)),
    "opioid_use": (("person_id",), ("date",), ("using",)),
    "diagnoses": (("person_id",), ("date",), ("code",), ("vocabulary",)),
    "pain": (("person_id",), ("date",), ("scale",), ("score",)),
    "deaths": (("person_id",), ("date",)),
    "measurements": (("person_id",), ("date",), ("measure",), ("value",)),
    "stays": (("person_id",), ("start",), ("end",)),
    "therapies": (("person_id",), ("date",), ("therapy",)),
    "changes": (("person_id",), ("date",), ("reason",)),
}
# What is missing of exposure is said where it is derived: reports of use may take the place of dispensings.
COSTS = {
    "diagnoses": "There are no diagnoses: conditions can neither qualify, exclude nor be adjusted for.",
    "pain": "There are no pain scores: the hyperalgesia analyses cannot be made.",
    "deaths": "There are no deaths: mortality cannot be estimated.",
}


@dataclass(frozen=True)
class Mapped:
    """One canonical table and where each of its columns comes from."""

    table: Table
    mapping: TableMapping
    source: Source
    where: str
    columns: dict[str, str]  # canonical (or further persons) column: source column, read as it is

    def used(self) -> list[str]:
        """Source columns that the table needs."""
        names = set(self.columns.values()) | {rule.column for rule in self.mapping.recode.values()}
        for key, expression in self.expressions().items():
            names |= set(sql.columns_of(expression, f"{self.where}.{key}"))
        return sorted({found for name in names if (found := self.source.find(name))})

    def expressions(self) -> dict[str, str]:
        derived = {f"derive.{name}": expression for name, expression in self.mapping.derive.items()}
        return derived | ({"where": self.mapping.where} if self.mapping.where else {})

    def suggest(self, name: str) -> str:
        """What the file has instead of a column."""
        asked_for = {*self.table.names, *self.columns, *self.mapping.columns.values()}
        asked_for |= {rule.column for rule in self.mapping.recode.values()}
        for key, expression in self.expressions().items():
            with suppress(UserError):  # told where identifiers are checked
                asked_for |= set(sql.columns_of(expression, key))
        return suggest(name, self.source.names, asked_for)


@dataclass(frozen=True)
class TablesRead:
    """What a cohort of format ``tables`` holds, before the rules."""

    raws: list[Raw]
    mapped: list[Mapped]
    warnings: list[str]
    costs: list[str]


def read(cohort: Cohort, cohort_name: str, person_columns: list[str]) -> TablesRead:
    """Reads every table of a cohort; each file is opened and read once, and only the columns that are used."""
    folder = Path(cohort.path)
    if not folder.is_dir():
        raise UserError(Problem("no such folder", str(folder), f"correct cohorts.{cohort_name}.path"))
    files = {table: path for table in CANONICAL if (path := table_file(cohort, table))}
    problems = Problems()
    for table in REQUIRED_TABLES:
        if table not in files:
            fix = f"add {table}.csv, or map it: cohorts.{cohort_name}.tables.{table}.file"
            problems.add(f"table {table} is missing", where=str(folder), fix=fix)
    problems.raise_if_any()
    sources = {path: open_source(path) for path in sorted(set(files.values()))}
    mapped = []
    for name, path in files.items():
        try:
            mapped.append(_map(CANONICAL[name], cohort, cohort_name, sources[path], person_columns))
        except UserError as error:
            problems.found.extend(error.problems)
    problems.raise_if_any()
    frames = {
        path: source.read(sorted({name for one in mapped if one.source is source for name in one.used()}))
        for path, source in sources.items()
    }
    for path, frame in frames.items():
        empty = [table for table in REQUIRED_TABLES if files[table] == path]
        if frame.is_empty() and empty:
            problems.add(f"has a header and no rows (table {empty[0]})", where=str(path), fix="export it again")
    problems.raise_if_any()
    warnings = [warning for source in sources.values() for warning in source.warnings]
    raws = []
    for one in mapped:
        raw, said = _select(one, frames[one.source.path])
        raws.append(raw)
        warnings += said
    return TablesRead(raws, mapped, warnings, [cost for table, cost in COSTS.items() if table not in files])


def _map(table: Table, cohort: Cohort, cohort_name: str, source: Source, person_columns: list[str]) -> Mapped:
    """Finds every column; all that is wrong with one table is said at once."""
    mapping = cohort.tables.get(table.name, TableMapping())
    where = f"cohorts.{cohort_name}.tables.{table.name}"
    problems = Problems()
    given = [*mapping.columns, *mapping.recode, *mapping.derive]
    for name in sorted({name for name in given if given.count(name) > 1}):
        problems.add("is given twice among columns, recode and derive", where=f"{where}.{name}", fix="keep one")
    for name in given:
        if name not in table.names and table.name != "persons":
            problems.add("is no column of this table", where=f"{where}.{name}", fix=nearest(name, table.names))
    columns: dict[str, str] = {}
    result = Mapped(table, mapping, source, where, columns)
    for name in dict.fromkeys([*table.names, *mapping.columns, *(person_columns if table.name == "persons" else [])]):
        if name in mapping.recode or name in mapping.derive:
            continue
        found = source.find(mapping.columns.get(name, name))
        if found is not None:
            columns[name] = found
        elif name in mapping.columns:
            missing = f"no column {mapping.columns[name]} in {source.path.name}"
            problems.add(missing, where=f"{where}.columns.{name}", fix=result.suggest(mapping.columns[name]))
    _check_identifiers(result, problems)
    have = {*columns, *mapping.recode, *mapping.derive}
    for choice in NEEDED[table.name]:
        if not have & set(choice):
            fix = f"{result.suggest(choice[0])} (columns: {{{choice[0]}: ...}})"
            problems.add(f"table {table.name} has no column {' or '.join(choice)}", where=str(source.path), fix=fix)
    problems.raise_if_any()
    return result


def _check_identifiers(mapped: Mapped, problems: Problems) -> None:
    names = {f"recode.{name}": [rule.column] for name, rule in mapped.mapping.recode.items()}
    for key, expression in mapped.expressions().items():
        try:
            names[key] = sql.columns_of(expression, f"{mapped.where}.{key}")
        except UserError as error:
            problems.found.extend(error.problems)
    for key, used in names.items():
        for name in used:
            if mapped.source.find(name) is None:
                missing = f"no column {name} in {mapped.source.path.name}"
                problems.add(missing, where=f"{mapped.where}.{key}", fix=mapped.suggest(name))


def _select(mapped: Mapped, frame: pl.DataFrame) -> tuple[Raw, list[str]]:
    """The table's columns and selected rows; a recode is judged on all rows of the file."""
    values = {name: frame[source] for name, source in mapped.columns.items()}
    warnings: list[str] = []
    for name, rule in mapped.mapping.recode.items():
        column = frame[mapped.source.find(rule.column) or ""]
        values[name], said = sql.recode(rule, column, _persons(mapped, name, frame), f"{mapped.where}.recode.{name}")
        warnings += said
    for name, expression in mapped.mapping.derive.items():
        values[name] = sql.evaluate(expression, frame, mapped.source, f"{mapped.where}.derive.{name}")
    selected = pl.select(pl.repeat(True, frame.height)).to_series()
    if mapped.mapping.where:
        selected = sql.condition(mapped.mapping.where, frame, mapped.source, f"{mapped.where}.where")
        if frame.height and not selected.any():
            raise UserError(Problem("selects no row", f"{mapped.where}.where", "check the labels it compares with"))
    rows = frame[ROW].alias("row")
    result = pl.DataFrame([rows, *(column.alias(name) for name, column in values.items())])
    left_out = ["row", "person_id"] if mapped.table.name == "persons" else ["row"]
    excluded = result.filter(~selected).select(*left_out, rule=pl.lit("where", dtype=pl.String))
    return Raw(mapped.table.name, mapped.table.name, result.filter(selected), excluded), warnings


def _persons(mapped: Mapped, recoded: str, frame: pl.DataFrame) -> pl.Series | None:
    """Whose the rows are, if that is known and the recoded column holds labels: neither ids nor days."""
    personal = {column.name for column in mapped.table.columns if column.kind in ("id", "day")}
    source = mapped.source.find(mapped.mapping.recode[recoded].column)
    if recoded in personal or source in {mapped.columns.get(name) for name in personal}:
        return None
    return frame[mapped.columns["person_id"]] if "person_id" in mapped.columns else None
