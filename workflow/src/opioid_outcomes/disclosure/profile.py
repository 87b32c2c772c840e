"""What may leave: thresholds and rounding, and the sentence printed under every table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Profile:
    """A disclosure profile. ``threshold``: the smallest count of people that may be shown (0 always may);
    ``base``: counts and person-years are rounded to a multiple of it (1: nothing is touched)."""

    name: str
    threshold: int
    base: int
    rule: str

    def small(self, column: str) -> pl.Expr:
        """Whether a count is positive but below the threshold."""
        return pl.col(column).is_between(1, self.threshold - 1).fill_null(value=False)

    def rounded(self, column: str) -> pl.Expr:
        """The count as it may be shown: halves go up, and what may be shown never rounds to what may not."""
        if self.base == 1:
            return pl.col(column)
        nearest = ((pl.col(column) / self.base + 0.5).floor() * self.base).cast(pl.Int64)
        shown = pl.when(pl.col(column) >= self.threshold).then(pl.max_horizontal(nearest, pl.lit(self.lowest)))
        return shown.otherwise(nearest).alias(column)

    def held(self, counts: np.ndarray) -> np.ndarray:
        """Counts as they may be shown, 0 as long as they may not."""
        nearest = (2 * counts + self.base) // (2 * self.base) * self.base
        return np.where(counts >= self.threshold, np.maximum(nearest, self.lowest), 0)

    @property
    def lowest(self) -> int:
        """The smallest count shown, but for 0."""
        return -(-self.threshold // self.base) * self.base

    @property
    def withheld_small(self) -> str:
        return f"withheld: 1 to {self.threshold - 1} people or deaths behind it"

    @property
    def withheld_to_protect(self) -> str:
        return f"withheld to protect a number of 1 to {self.threshold - 1}"


PROFILES = {
    profile.name: profile
    for profile in (
        # CMS cell size suppression policy (ResDAC node 1506): no cell of 1 to 10
        Profile(
            "cms11", 11, 5,
            "Counts of 1 to 10 people are not shown (<11) nor anything computed from them; other counts and"
            " person-years are rounded to 5.",
        ),
        Profile("none", 1, 1, "No disclosure control was applied."),
    )
}  # fmt: skip
