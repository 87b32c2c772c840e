"""The codebook: what every table of input and output holds, printed from the contracts."""

from __future__ import annotations

import textwrap

from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.columns import Column, Table
from opioid_outcomes.contracts.derived import DERIVED
from opioid_outcomes.contracts.display import Display
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import DESCRIPTIONS, SCALES, SCHEMA

WIDTH = 118
KINDS = {
    "id": "text or whole number",
    "day": "date, or whole number with date_basis: offset",
    "int": "whole number",
    "float": "number",
    "text": "text",
    "category": "text",
}

INPUT = """\
INPUT with format: tables, and after ingest data/derived/<study>/<cohort>/canonical/
(a row that lacks what is never missing is rejected and counted; a missing sex becomes U)"""


def text() -> str:
    """Input tables, tables kept with the data, tables that may leave, and estimates.csv."""
    parts = [
        INPUT,
        *(_table(table) for table in CANONICAL.values()),
        "OUTPUT, one row per person or less: never leaves data/derived/<study>/<cohort>/",
        *(_table(table) for table in DERIVED.values()),
        "OUTPUT that may leave: reports/<study>/tables/ and figures/, with cohort and suppressed (1: cells hidden)",
        *(_display(display) for display in DISPLAYS.values()),
        "OUTPUT that may leave: reports/<study>/estimates.csv",
        _estimates(),
    ]
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    head = f"{table.name}{' (optional)' if table.optional else ''}: a row is {table.row}"
    lines = [_line(column.name, KINDS[column.kind], _meaning(column)) for column in table.columns]
    caveats = [_wrapped(f"Beware: {table.caveats}", "  ")] if table.caveats else []
    return "\n".join([_wrapped(head, ""), *lines, *caveats])


def _meaning(column: Column) -> str:
    choices = f" ({', '.join(column.values)})" if column.values else ""
    return f"{column.description}{choices}{'; never missing' if column.required else ''}"


def _display(display: Display) -> str:
    groups = {
        "key": display.keys,
        "count of people or events": display.counts,
        "person-time": display.person_years,
        "number": display.values,
    }
    lines = [_line(name, kind, "") for kind, names in groups.items() for name in names]
    return "\n".join([_wrapped(f"{display.name}: {display.description}", ""), *lines])


def _estimates() -> str:
    kinds = {name: "number" if dtype.is_numeric() else "text" for name, dtype in SCHEMA.items()}
    lines = [_line(name, kind, DESCRIPTIONS[name]) for name, kind in kinds.items()]
    return "\n".join(["estimates: a row is one number", *lines, _wrapped(f"Scales: {', '.join(SCALES)}", "  ")])


def _line(name: str, kind: str, meaning: str) -> str:
    return _wrapped(f"{name:<18} {f'[{kind}] {meaning}'.strip()}", "  ", hanging=21)


def _wrapped(line: str, indent: str, hanging: int = 4) -> str:
    return textwrap.fill(line, WIDTH, initial_indent=indent, subsequent_indent=" " * hanging)
