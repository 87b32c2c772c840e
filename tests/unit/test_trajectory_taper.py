"""trajectory.taper: the rows, their counts and gates; courses are in tests/spec/test_taper_spec.py."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.trajectories.taper import taper

DOSES = {"person_id": pl.Int64, "start": pl.Int64, "stop": pl.Int64, "mme": pl.Float64}


def cohort_of(ends: dict[str, list[int]], followed: int = 400) -> list[Estimate]:
    """People whose taper is known on day 0: relapse and stopping on the days given, deaths likewise, others neither."""
    relapse, stopped, death = (ends.get(name, []) for name in ("relapse", "stopped", "death"))
    kinds = ["relapse"] * len(relapse) + ["stopped"] * len(stopped) + ["death"] * len(death)
    kinds += ["none"] * len(ends.get("none", []))
    days = [*relapse, *stopped, *death, *ends.get("none", [])]
    doses = []
    for person, (kind, day) in enumerate(zip(kinds, days, strict=True)):
        end = {"relapse": day - 7, "stopped": day - 90, "death": day, "none": followed}[kind]
        doses.append((person, -100, end, 45.0))
        if kind == "relapse":
            doses.append((person, end, followed, 60.0))
    died = [kind == "death" for kind in kinds]
    leaves = [day if kind in ("death", "none") else followed for kind, day in zip(kinds, days, strict=True)]
    ids = pl.Series("person_id", range(len(kinds)), pl.Int64)
    events = ids.to_frame().with_columns(event=pl.lit("taper"), date=-60, follow_up_from=0, mme_before=60.0)
    off = ids.to_frame().filter(pl.Series([kind == "stopped" for kind in kinds], dtype=pl.Boolean))
    at = pl.Series(stopped, dtype=pl.Int32)
    events = pl.concat(
        [events, off.with_columns(event=pl.lit("discontinuation"), date=at - 90, follow_up_from=at, mme_before=45.0)]
    )
    cohort = ids.to_frame().with_columns(
        entry=pl.lit(-200), exit=pl.Series(leaves, dtype=pl.Int32), death=pl.Series(died, dtype=pl.Int64)
    )
    return taper(
        events, cohort,
        pl.DataFrame(doses, schema=DOSES, orient="row").sample(fraction=1, shuffle=True, seed=1),
        ids.to_frame().with_columns(start=pl.lit(-300), end=pl.lit(followed - 1)),
        stop_days=90, taper_days=60, factors="cdc_2022",
    )  # fmt: skip


def test_shares_of_people_all_followed_are_proportions() -> None:
    rows = cohort_of({"relapse": [20] * 30, "stopped": [100] * 20, "death": [50] * 12, "none": [400] * 38})
    assert [row.outcome for row in rows] == ["relapse", "stopped", "death", "success"]
    assert [row.estimate for row in rows] == pytest.approx([0.30, 0.20, 0.12, 0.58])
    assert [row.events for row in rows] == [30, 20, 12, 58]
    assert rows[0].se == pytest.approx(np.sqrt(0.3 * 0.7 / 100))
    assert rows[0].ci_low == pytest.approx(0.2204, abs=1e-4)  # 1 - S^exp(z se / (S |log S|)), S = 0.7
    assert rows[0].ci_high == pytest.approx(0.4002, abs=1e-4)
    assert {row.persons for row in rows} == {100}
    assert {row.window for row in rows} == {"0-365"}
    assert rows[0].person_years == pytest.approx((30 * 20 + 20 * 100 + 12 * 50 + 38 * 365) / 365.25)
    assert rows[3].se == pytest.approx(np.sqrt(0.58 * 0.42 / 100))
    assert rows[3].ci_low == pytest.approx(0.4772, abs=1e-4)  # S^exp(z se / (S |log S|)), S = 0.58
    assert rows[3].ci_high == pytest.approx(0.6696, abs=1e-4)
    assert "cdc_2022" in rows[0].note
    assert "success: neither relapse nor death, so still on less or stopped" in rows[3].note
    assert "a taper that ends in no dose within about 60 days is a discontinuation" in rows[3].note
    assert "already stopped when the taper was ascertained, left out: none" in rows[0].note


def test_who_has_no_outcome_is_told_by_what_the_shares_leave() -> None:
    """Three people have none of the outcomes: every share would give them away."""
    rows = cohort_of({"relapse": [20] * 30, "stopped": [100] * 20, "death": [50] * 12, "none": [400] * 3})
    assert [row.smallest_cell for row in rows] == [3, 3, 3, 3]
    few_deaths = cohort_of({"relapse": [20] * 30, "stopped": [100] * 20, "death": [50] * 4, "none": [400] * 30})
    assert [row.smallest_cell for row in few_deaths] == [30, 20, 4, 4]
    # success and stopping leave who stays on less, of whom nobody could be told: the few who stop tell nothing else
    few_stops = cohort_of({"relapse": [20] * 30, "stopped": [100] * 4, "death": [50] * 12, "none": [400] * 30})
    assert [row.smallest_cell for row in few_stops] == [30, 4, 12, 12]


def test_an_outcome_that_does_not_occur_is_0_without_limits() -> None:
    rows = cohort_of({"relapse": [20] * 30, "none": [400] * 30})
    assert [(row.estimate, row.ci_low, row.gate) for row in rows[1:3]] == [(0.0, None, "pass")] * 2
    nobody_fails = cohort_of({"stopped": [100] * 20, "none": [400] * 30})[3]
    assert (nobody_fails.estimate, nobody_fails.se, nobody_fails.ci_low) == (1.0, None, None)


def test_success_relapse_and_death_add_up_to_one_where_people_leave() -> None:
    """Success is a probability, not a count: who leave after 200 days count as those left do."""
    ends = {
        "relapse": [20] * 15 + [300] * 15,
        "stopped": [250] * 20,
        "death": [50] * 12,
        "none": [200] * 30 + [400] * 8,
    }
    relapse, stopped, death, success = (row.estimate or 0.0 for row in cohort_of(ends))
    assert success + relapse + death == pytest.approx(1, abs=1e-12)
    assert success == pytest.approx((1 - 27 / 100) * (1 - 15 / 43), abs=1e-12)
    assert stopped < success
    assert cohort_of(ends)[3].events == 58  # without relapse or death for as long as they are followed


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        ({}, "nobody has a taper in follow-up"),
        ({"relapse": [20] * 9}, "fewer than ten people have a taper in follow-up"),
        ({"none": [400] * 30}, "neither relapse, stopping nor death occurs"),
        ({"relapse": [20] * 20, "none": [200] * 30}, "nobody without an outcome is followed for 365 days"),
    ],
)
def test_what_cannot_be_estimated_says_why(ends: dict[str, list[int]], why: str) -> None:
    rows = cohort_of(ends)
    assert [row.gate for row in rows] == [f"not evaluable: {why}"] * 4
    assert [row.estimate for row in rows] == [None] * 4


def tapers_that_last(rng: np.random.Generator, persons: int, hazard: float) -> dict[str, pl.DataFrame]:
    """Tapers on day 0 that have lasted the 60 days by which they are ascertained; the old dose comes back at random."""
    back = np.floor(rng.exponential(1 / hazard, persons)).astype(int)
    back = back[back >= 60]
    leaves = rng.integers(150, 900, len(back))
    ids = pl.DataFrame({"person_id": np.arange(len(back))})
    low = ids.with_columns(start=pl.lit(0, pl.Int64), stop=pl.Series(np.minimum(back, leaves)), mme=40.0)
    old = ids.with_columns(start=pl.Series(back), stop=pl.Series(leaves), mme=60.0)
    return {
        "dose_events": ids.with_columns(event=pl.lit("taper"), date=0, follow_up_from=60, mme_before=60.0),
        "cohort": ids.with_columns(entry=0, exit=pl.Series(leaves), death=0),
        "daily_dose": pl.concat([low, old.filter(pl.col("start") < pl.col("stop"))]),
        "observation": ids.with_columns(start=-400, end=pl.Series(leaves) - 1),
    }


def test_known_truth_which_counting_from_the_taper_itself_misses() -> None:
    """Nobody can relapse in the 60 days that make a taper: counted from its first day, they are immortal time."""
    rng, hazard, reps = np.random.default_rng(20260105), 0.002, 30
    truth = 1 - np.exp(-hazard * 359)  # the seventh day at the old dose falls on day 365 or before
    found, naive, errors = [], [], []
    for _ in range(reps):
        tables = tapers_that_last(rng, 1500, hazard)
        row = taper(**tables, stop_days=90, taper_days=60, factors="f")[0]
        found.append(row.estimate)
        errors.append(row.se)
        tables["dose_events"] = tables["dose_events"].with_columns(follow_up_from=0)
        naive.append(taper(**tables, stop_days=90, taper_days=60, factors="f")[0].estimate)
    spread = np.std(found, ddof=1)
    assert abs(np.mean(found) - truth) < 3 * spread / np.sqrt(reps)
    assert np.mean(errors) == pytest.approx(spread, rel=0.4)
    assert np.mean(naive) < truth - 0.04
