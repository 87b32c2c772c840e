"""The door in: columns that say identity and values that look like it are refused before anything is analysed.

Only columns that are used are looked at. Values are searched as they come in, recoded and derived ones too, except
where the contract fixes their type (an NDC looks like a telephone number). A finding is refused unless the config
waives it with a reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from opioid_outcomes.config.privacy import Privacy
from opioid_outcomes.counts import about
from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.ingest.raw import Raw
from opioid_outcomes.ingest.tables import Mapped, TablesRead

IDENTITY = (
    "name", "surname", "forename", "firstname", "lastname", "mrn", "ssn", "social security", "nhs number", "nhs no",
    "birth date", "date of birth", "dob", "birthdate", "e mail", "email", "phone", "telephone", "mobile", "fax",
    "address", "street", "postcode", "postal code", "zip", "zipcode", "ip", "url", "device", "account", "licence",
    "license", "note", "notes", "text", "comment", "comments",
)  # fmt: skip
OPEN_TEXT = {("measurements", "measure"), ("therapies", "therapy"), ("changes", "reason")}
PATTERNS = {
    "an e-mail address": r"[\w.+-]+@[\w-]+\.[a-zA-Z]{2,}",
    "a telephone number": r"^\s*(\+\d{1,3}[ .-]?)?(\(\d{2,5}\)[ .-]?|\d{2,5}[ .-])\d{3,4}[ .-]\d{3,4}\s*$",
    "a social security number": r"^\s*\d{3}-\d{2}-\d{4}\s*$",
    "a UK postcode": r"^\s*[A-Za-z]{1,2}\d[A-Za-z\d]?\s*\d[ABD-HJLNP-UW-Zabd-hjlnp-uw-z]{2}\s*$",
    "an IP address": r"^\s*((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)\s*$",
    "a web address": r"(?i)\b(https?://|www\.)\S+",
}
NATIONAL_NUMBERS = {
    "a social security number": PATTERNS["a social security number"],
    "a UK national insurance number": r"(?i)^\s*[A-CEGHJ-PR-TW-Z]{2}( ?\d{2}){3} ?[A-D]\s*$",
}
NHS_WEIGHTS = (10, 9, 8, 7, 6, 5, 4, 3, 2)  # check digit modulo 11, NHS Data Dictionary "NHS NUMBER"
MANY_IDS = 11  # fewer numbers are consecutive by chance
FREE_TEXT_LENGTH, FREE_TEXT_DISTINCT, FREE_TEXT_SPACED = 30, 0.5, 0.8


@dataclass(frozen=True)
class Finding:
    """What looks like identity: in which column of which table, and in what the user knows it as."""

    table: str
    column: str
    place: str
    what: str


def check(read: TablesRead, privacy: Privacy) -> list[str]:
    """Refuses identity in used columns (``UserError``, all findings at once); returns what was waived."""
    found = [
        Finding(mapped.table.name, column, mapped.source.path.name, what)
        for mapped, raw in zip(read.mapped, read.raws, strict=True)
        for column, what in _findings(mapped, raw).items()
    ]
    return [*_refuse(found, privacy), *_ordered_ids(read.raws)]


def check_ids(raws: list[Raw], privacy: Privacy) -> list[str]:
    """The same for the persons' ids alone: of a CDM's other columns only codes and numbers are read."""
    found = [
        Finding("persons", "person_id", raw.table, what)
        for raw in raws
        if raw.into == "persons" and (what := national_number(raw.frame["person_id"]))
    ]
    return [*_refuse(found, privacy), *_ordered_ids(raws)]


def _refuse(found: list[Finding], privacy: Privacy) -> list[str]:
    waived = {(waiver.table, waiver.column.lower()): waiver.reason for waiver in privacy.waive}
    problems, said = [], []
    for one in found:
        reason = waived.get((one.table, one.column.lower()))
        if reason is None:
            waiver = f"{{table: {one.table}, column: {one.column}, reason: ...}}"
            fix = f"leave it out (replace ids by others), or waive it: privacy: {{waive: [{waiver}]}}"
            problems.append(Problem(one.what, f"{one.place}, column {one.column} (table {one.table})", fix))
        else:
            said.append(f"Column {one.column} of {one.table} {one.what}; waived: {reason}")
    if problems:
        raise UserError(*problems)
    return said


def _findings(mapped: Mapped, raw: Raw) -> dict[str, str]:
    """What is wrong with a table, by source column (by canonical column where that is recoded or derived)."""
    found: dict[str, str] = {}
    for column in mapped.used():
        targets = [name for name, source in mapped.columns.items() if source == column]
        if word := identity_word(column, products=targets == ["product_name"]):
            found[column] = f"is called {word}, which says identity"
    table = mapped.table
    for name in raw.frame.columns:
        if table.name == "persons" and name == "person_id":
            finding = national_number(raw.frame[name])
        elif (name not in table.names or (table.name, name) in OPEN_TEXT) and raw.frame.schema[name] == pl.String:
            finding = value_pattern(raw.frame[name])
        else:
            continue
        if finding:
            found.setdefault(mapped.columns.get(name, name), finding)
    return found


def _ordered_ids(raws: list[Raw]) -> list[str]:
    """Consecutive ids tell in which order people came, and how many came between two of them."""
    ids = next(raw for raw in raws if raw.into == "persons").frame["person_id"]
    numbers = ids.cast(pl.Int64, strict=False).drop_nulls().unique().sort()
    if len(numbers) < MANY_IDS or numbers[-1] - numbers[0] + 1 != len(numbers):
        return []
    return [
        "The persons' ids are consecutive numbers: if people were numbered as they came, replace them by random ones."
    ]


def identity_word(column: str, *, products: bool = False) -> str | None:
    """The first word of identity in a column's name, by whole words: ``ip_address`` but not ``shipping``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column)
    words = f" {re.sub(r'[^a-z0-9]+', ' ', parted.lower()).strip()} "
    for word in IDENTITY:
        if f" {word} " in words and not (products and word == "name"):
            return word
    return None


def value_pattern(values: pl.Series) -> str | None:
    """What a text column's values look like, with a count, if they look like identity or free text."""
    filled = values.drop_nulls()
    if filled.is_empty():
        return None
    if count := _nhs_numbers(filled):
        return f"has {about(count)} values that look like an NHS number"
    for pattern, expression in PATTERNS.items():
        count = int(filled.str.contains(expression).sum())
        if count:
            return f"has {about(count)} values that look like {pattern}"
    length = filled.str.len_chars().median() or 0
    distinct = filled.n_unique() / len(filled)
    spaced = filled.str.contains(r"\S\s+\S").mean() or 0
    if length >= FREE_TEXT_LENGTH and distinct > FREE_TEXT_DISTINCT and spaced > FREE_TEXT_SPACED:  # type: ignore[operator]
        return "looks like free text: long, mostly distinct, with spaces"
    return None


def national_number(ids: pl.Series) -> str | None:
    """What persons' ids look like, if like national numbers.

    One number of ten digits in eleven passes for an NHS number by chance: most of the ids must.
    """
    filled = ids.drop_nulls().cast(pl.String).str.replace(r"\.0*$", "")  # from a floating column
    for pattern, expression in NATIONAL_NUMBERS.items():
        if count := int(filled.str.contains(expression).sum()):
            return f"has {about(count)} ids that look like {pattern}"
    count = _nhs_numbers(filled)
    return f"has {about(count)} ids that look like an NHS number" if count > len(filled) / 2 else None


def _nhs_numbers(values: pl.Series) -> int:
    digits = values.str.replace_all(r"[ -]", "")
    digits = digits.filter(digits.str.contains(r"^[0-9]{10}$"))
    if digits.is_empty():
        return 0
    frame = pl.DataFrame({"digits": digits})
    digit = [pl.col("digits").str.slice(place, 1).cast(pl.Int64) for place in range(10)]
    total = pl.sum_horizontal(digit[place] * weight for place, weight in enumerate(NHS_WEIGHTS))
    return frame.filter((11 - total % 11) % 11 == digit[9]).height
