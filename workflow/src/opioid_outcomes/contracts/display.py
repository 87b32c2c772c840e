"""What a display says of itself, so that disclosure can judge it without knowing what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl


@dataclass(frozen=True)
class Display:
    """One display.

    ``kind`` picks the disclosure rule: cells (row by row), bands (cells, in which bands of few people are told with
    their neighbours), ledger (cell by cell), a survival curve, or attrition. ``numbers``: the keys that are numbers;
    the others are texts. ``families``: keys within which rows add up to a total that is known, so that one hidden row
    would be a subtraction away. ``nested``: of two counts the second is a part of the first, so that their difference
    is a group too. ``parts``: a count with the values that rest on it alone: where it is small, only these go and the
    row stays; it need not be published. ``inside``: a count, and two values of the first key, the people counted in
    the row of the second being among those in that of the first: rows differ by a group too. Where it is few, the row
    of the second is hidden, or if the count has ``parts``, told as the first, and marked. ``alone``: counts that go
    alone where rows so differ, as what else the row holds differs by the people whom ``behind`` counts. ``shares``: a
    value, and the counts of which it may be the share; without a second count, of the total of the first family.
    ``quantiles``: values that rest on few people, shown only with twice the threshold behind them. ``whole``: values
    told as whole numbers, because finer ones give a count back. ``unlisted``: a count and keys: rows with the same keys
    are not listed at all where the count of all of them is small, as their keys alone would tell of the few.
    ``folded``: a key that is told as *other* in hidden rows, one in each of the first family's, for the same reason; a
    family of which nothing may be shown is not listed. ``behind``: the count of the people behind the values, published
    or not; default the last of ``counts``. ``base``: a count that is the same in all rows of a group but for people
    whose value is missing, the count of people behind a row that may equal it, and the group's key.
    """

    name: str
    keys: tuple[str, ...]
    counts: tuple[str, ...]
    values: tuple[str, ...]
    description: str
    kind: Literal["cells", "bands", "ledger", "curve", "attrition"] = "cells"
    person_years: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    families: tuple[tuple[str, ...], ...] = ()
    nested: tuple[tuple[str, str], ...] = ()
    parts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    inside: tuple[tuple[str, str, str], ...] = ()
    alone: tuple[str, ...] = ()
    shares: tuple[tuple[str, str, str | None], ...] = ()
    quantiles: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    unlisted: tuple[str, tuple[str, ...]] | None = None
    folded: str | None = None
    behind: str | None = None
    base: tuple[str, str, str] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.keys, *self.counts, *self.person_years, *self.values)

    @property
    def unpublished(self) -> tuple[str, ...]:
        """Counts that disclosure judges by and that never leave."""
        judged = dict.fromkeys([*([self.behind] if self.behind else []), *(count for count, _ in self.parts)])
        return tuple(name for name in judged if name not in self.counts)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Types of the columns that a step writes."""
        keys: dict[str, pl.DataType] = {
            name: pl.Float64() if name in self.numbers else pl.String() for name in self.keys
        }
        counts = dict.fromkeys([*self.counts, *self.unpublished], pl.Int64())
        return keys | counts | dict.fromkeys([*self.person_years, *self.values], pl.Float64())

    def empty(self) -> pl.DataFrame:
        """The display of a cohort that has nothing to show."""
        return pl.DataFrame(schema=self.schema)
