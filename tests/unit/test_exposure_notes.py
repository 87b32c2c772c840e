"""Sentences on exposure."""

import polars as pl

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.exposure import notes


def test_fills_set_aside_are_counted_with_the_days_for_which_use_is_unknown() -> None:
    fills = pl.DataFrame({"person_id": range(40), "date": 0, "reason": ["repaired_dropped"] * 30 + [None] * 10})
    (told,) = notes._about_dropped(fills, Exposure(carry_over_days=0))
    assert told == "Repaired fills are set aside: about 30; from the date of each use is unknown for 1 day."
    assert notes._about_dropped(fills.tail(10), Exposure()) == []
