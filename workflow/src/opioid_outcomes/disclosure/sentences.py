"""Sentences as they may leave."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.disclosure.profile import Profile

PEOPLE = "people|persons|deaths|events|visits|users"


def blurred(column: str, profile: Profile) -> pl.Expr:
    """Sentences with small counts of people or deaths in them blurred."""
    if profile.threshold == 1:
        return pl.col(column)
    small = "|".join(str(count) for count in range(1, profile.threshold))
    return pl.col(column).str.replace_all(rf"\b(?:{small}) ({PEOPLE})\b", f"<{profile.threshold} $1")
