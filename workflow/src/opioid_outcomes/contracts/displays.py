"""Displays: the frames behind tables and figures, and which of their columns are counts of people.

A display leaves only through ``disclosure``, which reads these declarations: in a row in which any count is small,
the counts and the values go together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Display:
    """One display.

    ``kind`` picks the disclosure rule: cells (row by row), ledger (cell by cell), a survival curve, or attrition.
    ``families``: keys within which rows add up to a total that is known, so that one hidden row would be a subtraction
    away. ``shares``: a value, and the counts of which it may be the share. ``quantiles``: values that rest on few
    people, shown only with twice the threshold behind them. ``behind``: a further count, never published, of the
    people behind the values; default the last of ``counts``. ``base``: a count that is the same in all rows of a group
    but for people whose value is missing, the count of people behind a row that may equal it, and the group's key.
    """

    name: str
    keys: tuple[str, ...]
    counts: tuple[str, ...]
    values: tuple[str, ...]
    description: str
    kind: Literal["cells", "ledger", "curve", "attrition"] = "cells"
    person_years: tuple[str, ...] = ()
    families: tuple[tuple[str, ...], ...] = ()
    shares: tuple[tuple[str, str, str], ...] = ()
    quantiles: tuple[str, ...] = ()
    behind: str | None = None
    base: tuple[str, str, str] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.keys, *self.counts, *self.person_years, *self.values)


DISPLAYS: dict[str, Display] = {
    display.name: display
    for display in (
        Display(
            "attrition", ("step", "rule"), ("persons_kept", "persons_dropped"), (),
            "from raw persons to the analysed cohort", kind="attrition",
        ),
        Display(
            "quality", ("table", "into"), ("rows_in", "canonical", "rejected", "merged", "not_selected"), (),
            "what became of every input row", kind="ledger",
        ),
        Display("quality_rules", ("table", "rule"), ("rows",), (), "rows rejected, by rule", families=(("table",),)),
        Display(
            "exposure_ledger", ("item", "label"), ("fills", "persons"), (),
            "fills by ingredient, by reason kept apart, by repair, and products not recognised", families=(("item",),),
        ),
        Display(
            "table_one", ("variable", "level", "statistic", "group"), ("persons", "of_persons"),
            ("mean", "sd", "share", "smd"),
            "covariates by exposure; smd is set on the rows of the exposed group",
            families=(("variable", "statistic", "group"), ("variable", "statistic", "level")),
            shares=(("share", "persons", "of_persons"),), base=("of_persons", "persons", "group"),
        ),
        Display(
            "survival", ("exposure", "group", "day"), ("at_risk", "entered", "events", "left"),
            ("survival", "ci_low", "ci_high", "weighted"),
            "survival by current or baseline exposure; entered, events, left are cumulative; weighted: 1 if the"
            " people are", kind="curve",
        ),
        Display(
            "dose_distribution", ("dose_band",), ("persons",), ("share_of_time",),
            "person-time on opioids by dose band", person_years=("person_years",), families=((),),
        ),
        Display(
            "dose_trajectory", ("month",), ("persons", "persons_on"),
            ("share_on", "p25", "median", "p75", "mean"),
            "monthly mean MME/day among people on opioids, by month since entry",
            quantiles=("p25", "median", "p75"), behind="persons_with_dose",
            shares=(("share_on", "persons_on", "persons"),),
        ),
        Display(
            "pain_escalation", ("arm", "month"), ("persons",), ("mean", "ci_low", "ci_high"),
            "mean pain by 30-day month before and after the decision, by arm",
        ),
    )
}  # fmt: skip

# The figures the report draws, by the names of their files.
FIGURES = (
    "attrition", "dose_distribution", "dose_trajectory", "survival", "hazard_ratios", "pain_escalation",
    "escalation_contrasts",
)  # fmt: skip
