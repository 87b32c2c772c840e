"""From raw persons to the analysed cohort: who was kept at each step, and how many were not."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import polars as pl

from opioid_outcomes.cohort.eligibility import Rule
from opioid_outcomes.contracts.derived import ATTRITION


def build(quality: pl.DataFrame, persons: int, rules: Sequence[Rule]) -> pl.DataFrame:
    """ATTRITION from the rows that became ``persons`` (``quality``, one row per source table) and the rules.

    Kept plus dropped of a step is what the step before kept; counts never rise.
    """
    rows = quality.filter(pl.col("into") == "persons")
    raw, left_out = int(rows["rows_in"].sum()), int(rows["not_selected"].sum())
    before = [
        Rule("in the input", raw),
        Rule("selected by the study's own mapping", raw - left_out),
        Rule("with an acceptable record as a person", persons),
    ]
    kept = [rule.kept for rule in (*before, *rules)]
    dropped = [0, *(a - b for a, b in itertools.pairwise(kept))]
    if min(dropped) < 0:
        raise ValueError("a step of the attrition keeps more people than the one before")
    return pl.DataFrame(
        {
            "step": range(len(kept)),
            "rule": [rule.text for rule in (*before, *rules)],
            "persons_kept": kept,
            "persons_dropped": dropped,
        },
        schema=ATTRITION.schema(),
    )
