"""Checks of the table mappings: known tables and columns, each mapped once, and SQL that parses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from opioid_outcomes.config.cohorts import TableMapping
from opioid_outcomes.config.model import Config
from opioid_outcomes.config.nearest import suggestion
from opioid_outcomes.config.problems import KeyProblems
from opioid_outcomes.config.yaml_loader import Key

# What looks beyond its own row, as polars writes parsed expressions down: kinds are keys, names and texts are not.
# Searched as text, for a parsed sum of 5,000 characters is deeper than Python walks.
OVER_ROWS = re.compile(
    r'"(Agg|Over|Rolling|SubPlan|Explode|Quantile|Correlation)":|(?<!"Column":)(?<!"String":)"Len"(?!:)'
)
# The clock, which the parser reads at once and writes down as a constant; texts and quoted names are left aside.
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"(?!\s*\()")
CLOCK = re.compile(r"\b(current_(date|time|timestamp)|local(time|timestamp))\b|\bnow\b\"?\s*\(", re.IGNORECASE)
MAX_SQL = 5_000  # polars 2.1 dies of a stack overflow at 20,000 (10,000 chained operators)


def mappings(config: Config, problems: KeyProblems) -> None:
    """``cohorts.<c>.tables`` and ``privacy.waive``."""
    for index, waiver in enumerate(config.privacy.waive):
        if waiver.table not in _columns():
            what = f"there is no table `{waiver.table}`"
            problems.add(("privacy", "waive", index, "table"), what, suggestion(waiver.table, _columns()))
    for name, cohort in config.cohorts.items():
        key = ("cohorts", name, "tables")
        if cohort.tables and cohort.format != "tables":
            problems.add(key, f"format {cohort.format} needs no mapping", "take it out, or write format: tables")
            continue
        for table, mapping in cohort.tables.items():
            if table not in _columns():
                problems.add((*key, table), "there is no such table", suggestion(table, _columns()))
            else:
                _mapping(table, mapping, (*key, table), problems)


def _columns() -> dict[str, list[str]]:
    from opioid_outcomes.contracts.canonical import CANONICAL  # declares polars types

    return {name: table.names for name, table in CANONICAL.items()}


def _mapping(table: str, mapping: TableMapping, key: Key, problems: KeyProblems) -> None:
    parts: dict[str, Mapping[str, object]] = {
        "columns": mapping.columns,
        "recode": mapping.recode,
        "derive": mapping.derive,
    }
    seen: dict[str, str] = {}
    for part, entries in parts.items():
        for column in entries:
            here = (*key, part, column)
            if column in seen:
                problems.add(here, f"is given by `{seen[column]}` as well", "keep one of the two")
            elif column not in _columns()[table] and table != "persons":  # persons may have further columns
                problems.add(here, f"{table} has no such column", suggestion(column, _columns()[table]))
            seen[column] = part
    for column, recode in mapping.recode.items():
        if not recode.map:
            problems.add((*key, "recode", column, "map"), "is empty", "write source value: contract value")
    for column, expression in mapping.derive.items():
        _sql((*key, "derive", column), expression, problems)
    if mapping.where is not None:
        _sql((*key, "where"), mapping.where, problems)


def _sql(key: Key, expression: str, problems: KeyProblems) -> None:
    """Parses; of the library's message only what cannot hold a value of the expression is passed on."""
    if len(expression) > MAX_SQL:
        problems.add(key, f"is longer than {MAX_SQL:,} characters", "make the selection a column of the file")
        return
    if CLOCK.search(QUOTED.sub(" ", expression)):
        fixed = "write the day itself, as DATE '2020-01-31'; a result must not depend on the day it is made"
        problems.add(key, "reads the clock", fixed)
        return
    import polars as pl

    by_row = "write an expression over the columns of one row; count or select in a file of your own beforehand"
    try:
        if OVER_ROWS.search(pl.sql_expr(expression).meta.serialize(format="json")):
            problems.add(key, "counts, sums or compares over several rows, or selects from a table", by_row)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        if re.search(r"relation '.*' was not found", str(error)):
            problems.add(key, "selects from a table", by_row)
            return
        place = re.search(r"Column: (\d+)", str(error))
        function = re.search(r"unsupported function '(\w+)'", str(error))
        what = f"this SQL has no function {function[1]}" if function else "is no SQL expression"
        where = f" (at character {place[1]})" if place and not function else ""
        fix = "write an expression over the source columns, as \"age >= 20 AND sex = 'F'\"; names with spaces in quotes"
        problems.add(key, what + where, fix)
