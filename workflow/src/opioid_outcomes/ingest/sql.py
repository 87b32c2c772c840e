"""``where``, ``derive`` and ``recode``: what a study's config may do to its source columns.

Expressions are polars SQL, parsed and never evaluated as code. Text columns in which everything is a plain number are
numbers there; a code with a leading zero keeps its column text.
"""

from __future__ import annotations

import re

import polars as pl

from opioid_outcomes.config.cohorts import Recode
from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.ingest.headers import DATE
from opioid_outcomes.ingest.readers import ROW, Source

LEAST_SHOWN = 11  # a category label may be named in a message only where so many people carry it (CONTRACT 7)
MOST_WORDS, LONG_NUMBER = 3, re.compile(r"[0-9]{5}")  # beyond them a label may be a note or somebody's number
INTEGER = r"^[+-]?(0|[1-9][0-9]{0,17})$"
NUMBER = r"^[+-]?(0|[1-9][0-9]{0,14})?(\.[0-9]*)?([eE][+-]?[0-9]+)?$"
CAST_TO_DATE = re.compile(r"(\bAS\s+|::\s*)(DATE|TIME|TIMESTAMP|DATETIME)", re.IGNORECASE)
TEXT_TO_DATE = "text becomes a date by DATE(column) or STRPTIME(column, '%d/%m/%Y'), not by CAST"
EXAMPLE = "write an SQL expression over the file's columns, e.g. RIDAGEYR >= 20"


def parse(expression: str, where: str) -> pl.Expr:
    try:
        return pl.sql_expr(expression)
    except BaseException as error:  # a panic of the parser is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise UserError(Problem("is not an SQL expression", where, EXAMPLE)) from None


def columns_of(expression: str, where: str) -> list[str]:
    """The identifiers of an expression, as written."""
    return sorted(set(parse(expression, where).meta.root_names()))


def evaluate(expression: str, frame: pl.DataFrame, source: Source, where: str) -> pl.Series:
    """One value per row. What the library says about a failure may quote a value: only its kind is passed on."""
    parsed = parse(expression, where)
    names = {name: source.find(name) for name in set(parsed.meta.root_names())}
    try:
        view = frame.select(ROW, *(numeric(frame[found]).alias(name) for name, found in names.items() if found))
        result = view.with_columns(parsed.alias("\0result"))["\0result"]
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        fix = (
            TEXT_TO_DATE
            if CAST_TO_DATE.search(expression)
            else "check the columns' types (CAST them) and that all dates are written as given"
        )
        raise UserError(Problem(f"cannot be computed ({type(error).__name__})", where, fix)) from None
    return result


def condition(expression: str, frame: pl.DataFrame, source: Source, where: str) -> pl.Series:
    """Which rows an SQL condition selects; unknown (NULL) does not select."""
    result = evaluate(expression, frame, source, where)
    if result.dtype != pl.Boolean:
        raise UserError(Problem("is not a condition: it is neither true nor false", where, EXAMPLE))
    return result.fill_null(False)


def numeric(values: pl.Series) -> pl.Series:
    """A text column as numbers where every value is plainly one, else as it is."""
    if values.dtype != pl.String or values.null_count() == len(values):
        return values
    text = values.str.strip_chars()
    if text.str.contains(INTEGER).all():
        return text.cast(pl.Int64)
    if text.str.contains(NUMBER).all():
        numbers = text.cast(pl.Float64, strict=False)
        if numbers.null_count() == values.null_count():
            return numbers
    return values


def labels(values: pl.Series) -> pl.Series:
    """Values as the labels a recode names: numbers without a trailing ``.0``, text trimmed."""
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        return pl.select(
            pl.when(values == whole).then(whole.cast(pl.String)).otherwise(values.cast(pl.String))
        ).to_series()
    return values.cast(pl.String).str.strip_chars()


def labels_of_many(labels: pl.Series, persons: pl.Series) -> list[str]:
    """The labels that many people carry and that read as a category: no date, no long number, no sentence."""
    carried = pl.DataFrame({"label": labels, "person": persons}).drop_nulls().unique()
    frequent = carried.group_by("label").len("persons").filter(pl.col("persons") >= LEAST_SHOWN)["label"]
    return [
        label
        for label in frequent.sort().to_list()
        if not (DATE.search(label) or LONG_NUMBER.search(label) or len(label.split()) > MOST_WORDS)
    ]


def recode(rule: Recode, values: pl.Series, persons: pl.Series | None, where: str) -> tuple[pl.Series, list[str]]:
    """The column translated, and warnings. A map that matches no row is a mistake.

    Missing stays missing, unless the map names it (as ``""``). ``persons``: whose the values are, if a message may
    name labels.
    """
    found = labels(values)
    keys = list(rule.map)
    plain = found.str.replace(r"^(-?[0-9]+)\.0+$", "${1}")  # 5.0 in the file, 5 in the config
    found = plain.zip_with(~found.is_in(keys) & plain.is_in(keys), found)
    hit = found.is_in(keys).fill_null("" in rule.map)
    if len(found) and not hit.any() and found.null_count() < len(found):
        shown = [] if persons is None else labels_of_many(found, persons)[:20]
        known = f"; the file has: {', '.join(map(repr, shown))}" if shown else ""
        raise UserError(
            Problem(f"recode of column {rule.column} matches no row{known}", where, "correct the labels of `map`")
        )
    warnings = []
    unused = [key for key in keys if key and not found.eq(key).any()]
    if unused and len(found):
        warnings.append(f"{where}: recode label(s) {', '.join(map(repr, unused))} match no row.")
    dtype = _type_of([*rule.map.values(), rule.default])
    to = [None if target is None else str(target) if dtype == pl.String else target for target in rule.map.values()]
    default = str(rule.default) if dtype == pl.String and rule.default is not None else rule.default
    key = pl.col("value").fill_null("")
    translated = (
        pl.DataFrame({"value": found})
        .select(
            pl.when(pl.Series(hit))
            .then(key.replace_strict(keys, pl.Series(to, dtype=dtype), default=None, return_dtype=dtype))
            .when(pl.col("value").is_not_null())
            .then(pl.lit(default, dtype=dtype))
        )
        .to_series()
    )
    return translated, warnings


def _type_of(targets: list[str | int | float | None]) -> pl.DataType:
    """Text if any target is, else whole or floating numbers."""
    given = [target for target in targets if target is not None]
    if any(isinstance(target, str) for target in given):
        return pl.String()
    return pl.Int64() if all(isinstance(target, int) for target in given) else pl.Float64()
