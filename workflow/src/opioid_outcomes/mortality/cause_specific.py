"""``mortality.cause``: hazards of each cause of death, on against off opioids; other causes end follow-up.

Cause-specific hazard ratios answer whether people on opioids die of a cause at a higher rate while alive; how many more
die of it is told by the risks of the new-user design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from opioid_outcomes.cohort.causes import OPIOID_OVERDOSE, groups_in, main_group
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.contrasts import ON_OFF, Exposure, Missing
from opioid_outcomes.mortality.current_use import UNKNOWN
from opioid_outcomes.mortality.group_rates import group_rate
from opioid_outcomes.mortality.hazard_ratio import adjusted_ratios, not_asked

ANALYSIS = "mortality.cause"
NO_CAUSES = "no cause of any death is recorded"


def cause_specific(
    person_time: pl.DataFrame, baseline: Sequence[str], missing: Missing, *, exposure: Exposure,
    contributing: bool = True,
) -> list[Estimate]:  # fmt: skip
    """Per cause group: rates on and off and the hazard ratio, crude and adjusted; unknown causes are a group.

    Opioid overdoses are told together and by intent, where ``contributing`` causes are recorded.
    """
    if exposure != "time_varying":
        return [not_asked(person_time, ON_OFF, analysis=ANALYSIS, why=UNKNOWN[exposure])]
    if not person_time["cause"].is_not_null().any():
        nothing = NO_CAUSES if person_time["death"].sum() else "no deaths"
        return [not_asked(person_time, ON_OFF, analysis=ANALYSIS, why=nothing)]
    rows: list[Estimate] = []
    cause, died = pl.col("cause"), pl.col("death") == 1
    dead = person_time.filter(died)["cause"]
    for group, why in groups_in(dead, contributing=contributing).items():
        if why:
            refused = not_asked(person_time, ON_OFF, analysis=ANALYSIS, why=why)
            rows.append(replace(refused, outcome=f"death:{group}"))
        else:
            rows += _of_one_cause(person_time, main_group(cause) == group, f"death:{group}", baseline, missing)
    for intent in sorted(name for name in dead.drop_nulls().unique() if name.startswith(f"{OPIOID_OVERDOSE}: ")):
        rows += _of_one_cause(
            person_time, (cause == intent).fill_null(value=False), f"death:{intent}", baseline, missing
        )
    return rows


def _of_one_cause(
    person_time: pl.DataFrame, of_cause: pl.Expr, outcome: str, baseline: Sequence[str], missing: Missing
) -> list[Estimate]:
    person_time = person_time.with_columns(((pl.col("death") == 1) & of_cause).cast(pl.Int64).alias("death"))
    arms = [
        group_rate(person_time.filter(pl.col("on_opioid") == value), name, analysis=ANALYSIS, outcome=outcome)
        for name, value in (("on", 1), ("off", 0))
    ]
    ratios = adjusted_ratios(person_time, ON_OFF, analysis=ANALYSIS, baseline=baseline, missing=missing)
    note = "cause-specific: deaths of other causes end follow-up"
    return [*arms, *(replace(row, outcome=outcome, note=f"{note}; {row.note}" if row.note else note) for row in ratios)]
