"""The door in: columns that say identity and values that look like it are refused before anything is analysed.

Only columns that are used are looked at; columns whose type the contract fixes are not searched for patterns (an NDC
looks like a telephone number). A finding is refused unless the config waives it with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from opioid_outcomes.config.privacy import Privacy
from opioid_outcomes.errors import Problem, UserError
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
NHS_WEIGHTS = (10, 9, 8, 7, 6, 5, 4, 3, 2)  # check digit modulo 11, NHS Data Dictionary "NHS NUMBER"
FREE_TEXT_LENGTH, FREE_TEXT_DISTINCT, FREE_TEXT_SPACED = 30, 0.5, 0.8


def check(read: TablesRead, privacy: Privacy) -> list[str]:
    """Refuses identity in used columns (``UserError``, all findings at once); returns what was waived."""
    waived = {(waiver.table, waiver.column.lower()): waiver.reason for waiver in privacy.waive}
    problems, said = [], []
    for mapped in read.mapped:
        for column, finding in _findings(mapped, read.frames[mapped.source.path]):
            table = mapped.table.name
            reason = waived.get((table, column.lower()))
            if reason is None:
                waiver = f"{{table: {table}, column: {column}, reason: ...}}"
                fix = f"leave it out, or waive it: privacy: {{waive: [{waiver}]}}"
                problems.append(Problem(finding, f"{mapped.source.path.name}, column {column} (table {table})", fix))
            else:
                said.append(f"Column {column} of {table} {finding}; waived: {reason}")
    if problems:
        raise UserError(*problems)
    return said


def _findings(mapped: Mapped, frame: pl.DataFrame) -> Iterator[tuple[str, str]]:
    for column in mapped.used():
        targets = [name for name, source in mapped.columns.items() if source == column]
        if word := identity_word(column, products=targets == ["product_name"]):
            yield column, f"is called {word}, which says identity"
            continue
        if _open(mapped, column, targets) and frame.schema[column] == pl.String:
            found = value_pattern(frame[column])
            if found:
                yield column, found


def _open(mapped: Mapped, column: str, targets: list[str]) -> bool:
    """Whether the column reaches a column whose type the contract leaves open."""
    table = mapped.table
    recoded = [name for name, rule in mapped.mapping.recode.items() if mapped.source.find(rule.column) == column]
    if recoded and not targets:
        return False  # only the map's own labels pass
    return any(name not in table.names or (table.name, name) in OPEN_TEXT for name in targets)


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
        return f"has {count} values that look like an NHS number"
    for pattern, expression in PATTERNS.items():
        count = int(filled.str.contains(expression).sum())
        if count:
            return f"has {count} values that look like {pattern}"
    length = filled.str.len_chars().median() or 0
    distinct = filled.n_unique() / len(filled)
    spaced = filled.str.contains(r"\S\s+\S").mean() or 0
    if length >= FREE_TEXT_LENGTH and distinct > FREE_TEXT_DISTINCT and spaced > FREE_TEXT_SPACED:  # type: ignore[operator]
        return "looks like free text: long, mostly distinct, with spaces"
    return None


def _nhs_numbers(values: pl.Series) -> int:
    digits = values.str.replace_all(r"[ -]", "")
    digits = digits.filter(digits.str.contains(r"^[0-9]{10}$"))
    if digits.is_empty():
        return 0
    frame = pl.DataFrame({"digits": digits})
    digit = [pl.col("digits").str.slice(place, 1).cast(pl.Int64) for place in range(10)]
    total = pl.sum_horizontal(digit[place] * weight for place, weight in enumerate(NHS_WEIGHTS))
    return frame.filter((11 - total % 11) % 11 == digit[9]).height
