"""``mortality.cause``: cause-specific hazards of planted rates, on against off."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.cause_specific import cause_specific

N, DAYS = 6_000, 1_000
# Deaths a day (off, on)
RATES = {
    "opioid overdose: unintentional": (1e-5, 9e-5),
    "opioid overdose: self-harm": (1e-5, 3e-5),
    "cancer": (2e-4, 2e-4),
}


def person_time(seed: int = 1) -> pl.DataFrame:
    """Off for the first half, then two in three on; each cause's hazard constant within a state."""
    rng = np.random.default_rng(seed)
    starts = rng.random(N) < 2 / 3
    rows = []
    names = list(RATES)
    alive = np.ones(N, dtype=bool)
    for first, on in ((0, np.zeros(N, dtype=bool)), (DAYS // 2, starts)):
        rates = np.array([np.where(on, RATES[name][1], RATES[name][0]) for name in names])
        times = rng.exponential(1 / rates)
        dead = times.min(axis=0) < DAYS // 2
        stop = first + np.minimum(np.ceil(times.min(axis=0)), DAYS // 2).astype(int)
        kind = np.where(dead, np.array(names)[times.argmin(axis=0)], None)
        part = pl.DataFrame(
            {
                "person_id": np.arange(N), "start": first, "stop": stop, "death": dead.astype(int),
                "cause": pl.Series(kind.tolist(), dtype=pl.String), "on_opioid": on.astype(int),
            }
        )  # fmt: skip
        rows.append(part.filter(pl.Series(alive)))
        alive &= ~dead
    nothing = {name: pl.lit(None, pl.String) for name in ("stratum", "cluster")}
    frame = pl.concat(rows).sort("person_id", "start")
    return frame.with_columns(survey_weight=pl.lit(None, pl.Float64), use_state=pl.lit("on"), **nothing)


def row(rows: list[Estimate], cause: str, scale: str = "log_hr", contrast: str = "on vs off") -> Estimate:
    [found] = [
        r for r in rows if (r.outcome, r.scale, r.contrast, r.method) == (f"death:{cause}", scale, contrast, "crude")
    ]
    return found


def test_each_cause_has_its_planted_ratio_and_rates() -> None:
    found = cause_specific(person_time(), [], "indicator", exposure="time_varying")
    for cause, ratio in (("opioid overdose", 6.0), ("opioid overdose: unintentional", 9.0), ("cancer", 1.0)):
        told = row(found, cause)
        assert abs(told.estimate - np.log(ratio)) < 3 * told.se
    assert row(found, "opioid overdose").estimate > 3 * row(found, "opioid overdose").se
    on = row(found, "cancer", "rate_per_1000py", "on")
    assert on.estimate == pytest.approx(365_250 * 2e-4, rel=0.15)
    assert {r.outcome for r in found} == {
        "death:cancer", "death:opioid overdose", "death:opioid overdose: self-harm",
        "death:opioid overdose: unintentional",
    }  # fmt: skip


def test_unknown_causes_are_a_group_and_unrecorded_drugs_no_opioid_overdose() -> None:
    cause = pl.col("cause")
    some = person_time().with_columns(
        cause=pl.when(cause.str.starts_with("opioid")).then(pl.lit("overdose, drug not recorded"))
        .when(pl.col("person_id") % 2 == 0).then(cause)
    )  # fmt: skip
    found = cause_specific(some, [], "indicator", exposure="time_varying")
    assert row(found, "unknown cause").events > 100
    refused = [r for r in found if r.outcome == "death:opioid overdose"]
    assert [r.gate for r in refused] == ["not evaluable: the drugs of overdoses are not among the recorded causes"]


@pytest.mark.parametrize(
    ("dead", "why"), [(pl.col("death"), "no cause of any death is recorded"), (pl.lit(0), "no deaths")]
)
def test_without_causes_one_row_says_why(dead: pl.Expr, why: str) -> None:
    rows = person_time().with_columns(death=dead, cause=pl.lit(None, pl.String))
    [told] = cause_specific(rows, [], "indicator", exposure="time_varying")
    assert told.gate == f"not evaluable: {why}"
