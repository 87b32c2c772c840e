"""Which pain scale is analysed: points of different scales are not the same, so scores are of one scale only."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from opioid_outcomes.counts import about

# Share of the scores in follow-up that may be on other scales, and be left out, where none is configured
MOST_ON_OTHERS = 0.1


@dataclass(frozen=True)
class Chosen:
    """``pain``: the scores of the one ``scale``; ``gate``: why there is none, else None; ``note``: what it cost."""

    pain: pl.DataFrame
    scale: str | None
    gate: str | None = None
    note: str = ""


def choose(pain: pl.DataFrame, cohort: pl.DataFrame, configured: str | None) -> Chosen:
    """The configured scale, else the commonest in follow-up unless more than a tenth of the scores there are on others.

    pain: canonical; cohort: person_id, entry, exit. Of two scales equally common the first by name. Scores of people
    outside the cohort, and where there are any in follow-up those outside it, do not count.
    """
    mine = pain.join(cohort.select("person_id", "entry", "exit"), on="person_id")
    followed = mine.filter(pl.col("entry") <= pl.col("date"), pl.col("date") < pl.col("exit"))
    found = dict((mine if followed.is_empty() else followed).select(pl.col("scale").cast(pl.String).value_counts())
                 .unnest("scale").sort("scale").iter_rows())  # fmt: skip
    if not found:
        return Chosen(pain.clear(), configured, "not evaluable: no pain scores")
    scale = configured or max(found, key=lambda name: found[name])
    others = sum(count for name, count in found.items() if name != scale)
    if scale not in found:
        return Chosen(pain.clear(), scale, f"not evaluable: no pain scores on the scale {scale}")
    if configured is None and others > MOST_ON_OTHERS * sum(found.values()):
        gate = f"fail: pain is recorded on several scales ({', '.join(found)}): choose one with hyperalgesia.scale"
        return Chosen(pain.clear(), None, gate)
    note = f"scores on other scales left out: {about(others)}" if others else ""
    return Chosen(pain.filter(pl.col("scale").cast(pl.String) == scale), scale, note=note)
