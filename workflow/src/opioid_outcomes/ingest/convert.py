"""From what a source column holds to the contract's types, as expressions. What cannot be read becomes null."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from opioid_outcomes.contracts.columns import DTYPES, Column
from opioid_outcomes.errors import Problem, UserError

EXACT = 2**53  # beyond it a floating number no longer tells whole numbers apart
ISO_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}($|[T ])"
# "1-2", "30 to 60", "1 or 2", "5 \u2013 10": two plain numbers; a hyphen, an en or em dash, or a word between them
RANGE = r"^([0-9]+(?:\.[0-9]+)?)\s*(?:-|\u2013|\u2014|to|or)\s*([0-9]+(?:\.[0-9]+)?)$"
THOUSANDS = r"^[1-9][0-9]{0,2}(?:,[0-9]{3})+$"  # a comma anywhere else may be a decimal one
# Words that may follow an amount; a strength has none, as its unit has a column of its own.
DOSAGE_WORDS = {
    "quantity": r"\s*(?:tabs?|tablets?|caps?|capsules?|patch|patches|ml)\.?$",
    "days_supply": r"\s*days?\.?$",
}
WIDEST_RANGE = 10.0  # of an amount: nobody is told to take 5 to 325
# Two strengths further apart are a combination: 5-325 is oxycodone with paracetamol. The closest partners of licensed
# opioid combinations that rise are 60-300 (codeine with paracetamol), 5 times; 8-2 and 50-0.5 (with naloxone) descend.
WIDEST_STRENGTH = 4.0
FLOATING = r"^[+-]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?$"


@dataclass(frozen=True)
class Days:
    """How days are written, and which are possible."""

    calendar: bool
    first: int
    last: int

    @classmethod
    def of(cls, calendar: bool, last_year: int) -> Days:
        """Dates from 1900 to the end of a year (shifted dates may lie far ahead), or offsets within 137 years."""
        if not calendar:
            return cls(False, -50_000, 50_000)
        epoch = date(1970, 1, 1)
        return cls(True, (date(1900, 1, 1) - epoch).days, (date(last_year, 12, 31) - epoch).days)


def whole(number: pl.Expr) -> pl.Expr:
    """Whole numbers as Int64; others become null."""
    integer = number.cast(pl.Int64, strict=False)
    return pl.when(integer == number).then(integer)


def number(name: str, dtype: pl.DataType) -> pl.Expr:
    values = pl.col(name)
    if dtype == pl.String:
        values = values.str.strip_chars()
    elif dtype.is_temporal():
        return pl.lit(None, dtype=pl.Float64)
    values = values.cast(pl.Float64, strict=False)
    return pl.when(values.is_finite()).then(values)


def amounts(values: pl.Series, name: str) -> tuple[pl.Series, pl.Series] | None:
    """What texts of an amount of a dispensing say that are no plain number; None if there are none.

    name: quantity, days_supply or strength. Returns the only number ("60 tabs", "1,000"), or the lower end of a range
    of two rising numbers ("1-2 tabs"), and the upper end; null elsewhere. Two numbers further apart than the ends of a
    range are no amount: of strengths they are a combination.
    """
    if values.dtype != pl.String:
        return None
    unread = values.str.strip_chars().cast(pl.Float64, strict=False).is_null() & values.is_not_null()
    if not unread.any():
        return None
    text: pl.Expr = pl.when(unread).then(values.str.strip_chars().str.to_lowercase())
    thousands: pl.Expr = pl.lit(None, pl.Float64)
    if name in DOSAGE_WORDS:
        text = text.str.replace(DOSAGE_WORDS[name], "")
        thousands = pl.when(text.str.contains(THOUSANDS)).then(
            text.str.replace_all(",", "").cast(pl.Float64, strict=False)
        )
    number = text.cast(pl.Float64, strict=False)
    only = pl.coalesce(thousands, pl.when(number.is_finite()).then(number))
    low, high = (text.str.extract(RANGE, end).cast(pl.Float64) for end in (1, 2))
    if name == "strength":
        near = (low > 0) & (high <= WIDEST_STRENGTH * low)
    else:
        near = (low == 0) | (high <= WIDEST_RANGE * low)
    ranged = (low <= high) & near
    found = pl.select(low=pl.when(ranged).then(low).otherwise(only), high=pl.when(ranged).then(high))
    return found["low"], found["high"]


def day(name: str, dtype: pl.DataType, days: Days) -> pl.Expr:
    """Int32 days since 1970-01-01 (a time of day is dropped), or the study's own offset."""
    values = pl.col(name)
    if not days.calendar:
        return whole(number(name, dtype)).cast(pl.Int32, strict=False)
    if dtype == pl.String:
        text = values.str.strip_chars()
        iso = pl.when(text.str.contains(ISO_DAY)).then(text.str.slice(0, 10))
        return iso.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32)
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        at_the_place = values.dt.date() if dtype != pl.Date else values  # casting would take the day in UTC
        return at_the_place.cast(pl.Int32)
    return pl.lit(None, dtype=pl.Int32)


def written_as_floats(values: pl.Series, column: Column, days: Days) -> bool:
    """Whether whole numbers of the contract (counts, offsets, years) stand in the source as 17.0."""
    if column.kind not in ("int", "day") or (column.kind == "day" and days.calendar):
        return False
    if values.dtype == pl.String:
        return bool(values.str.contains(r"^\s*[+-]?[0-9]+\.0*\s*$").any())
    return values.dtype.is_float() and values.drop_nulls().len() > 0


def text(name: str, dtype: pl.DataType) -> pl.Expr:
    """Text as it is; whole floating numbers without ``.0``."""
    values = pl.col(name)
    if dtype == pl.String:
        return values
    if dtype.is_float():
        return pl.coalesce(whole(values).cast(pl.String), values.cast(pl.String))
    return values.cast(pl.String)


def category(name: str, dtype: pl.DataType, column: Column) -> pl.Expr:
    known = {value.lower(): value for value in column.values}
    label = text(name, dtype).str.strip_chars().str.to_lowercase()
    return label.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.String)


def typed(name: str, column: Column, dtype: pl.DataType, days: Days) -> pl.Expr:
    """The expression that reads a source column as a column of the contract (ids are read by ``ids``)."""
    if column.kind == "day":
        return day(name, dtype, days)
    if column.kind == "float":
        return number(name, dtype)
    if column.kind == "int":
        return whole(number(name, dtype))
    if column.kind == "category":
        return category(name, dtype, column)
    return text(name, dtype).cast(DTYPES["text"])


def ids(values: pl.Series, where: str) -> tuple[pl.Series, list[str]]:
    """Ids, exact: Int64 from a numeric column, trimmed text from a text column; and warnings.

    From a floating column, or from text written from one (``17.0``), ids become whole numbers; those that are not
    whole, larger than 2^53 or in scientific notation have lost digits, or may have, and are refused. Text with a
    leading zero was never a number: then all of it stays text.
    """
    if values.dtype.is_integer():
        as_int = values.cast(pl.Int64, strict=False)
        return (as_int if as_int.null_count() == values.null_count() else values.cast(pl.String)), []
    if values.dtype.is_float():
        numbers = values.fill_nan(None)
    else:
        trimmed = values.cast(pl.String).str.strip_chars()
        trimmed = pl.select(pl.when(trimmed != "").then(trimmed)).to_series()
        filled = trimmed.drop_nulls()
        pointed = filled.str.contains(r"^[+-]?[0-9]+\.0*$").any()
        scientific = filled.str.contains(r"^[+-]?[0-9](\.[0-9]+)?[eE][+-]?[0-9]+$").any()
        if not ((pointed or scientific) and filled.str.contains(FLOATING).all()):
            return trimmed, []
        if scientific:
            raise _inexact(where, "are in scientific notation, which drops digits")
        numbers = trimmed.cast(pl.Float64)
    integers = numbers.cast(pl.Int64, strict=False)
    if not (integers == numbers).all() or (numbers.abs() > EXACT).any():
        raise _inexact(where, "come from a floating column and are not whole numbers up to 2^53")
    warnings = [f"{where}: ids came as floating numbers and were read as whole numbers."] if len(numbers) else []
    return integers, warnings


def _inexact(where: str, what: str) -> UserError:
    return UserError(Problem(f"ids {what}", where, "export the ids as text or as 64-bit integers"))


def are_whole(values: pl.Series) -> bool:
    """Whether every id is a whole number in canonical form (no leading zeros), so that Int64 keeps it exact."""
    if values.dtype == pl.Int64:
        return True
    filled = values.drop_nulls()
    return (
        len(filled) > 0
        and bool(filled.str.contains(r"^(0|-?[1-9][0-9]{0,18})$").all())
        and filled.cast(pl.Int64, strict=False).null_count() == 0
    )


def as_ids(values: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Ids in the cohort's one type. Text that is no canonical whole number becomes null among whole ids."""
    if values.dtype == dtype:
        return values
    if dtype == pl.String:
        return values.cast(pl.String)
    integers = values.cast(pl.Int64, strict=False)
    same = integers.cast(pl.String) == values
    return pl.select(pl.when(same).then(integers)).to_series()


def further(values: pl.Series) -> pl.Series:
    """A further column of persons: numbers if everything is a number, else text."""
    if values.dtype == pl.String:
        trimmed = values.str.strip_chars()
        numbers = trimmed.cast(pl.Float64, strict=False)
        all_numbers = numbers.null_count() == values.null_count() and numbers.is_finite().all()
        return numbers if len(numbers) and all_numbers and numbers.null_count() < len(numbers) else trimmed
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        return values.cast(pl.Float64).fill_nan(None)
    return values.cast(pl.String)
