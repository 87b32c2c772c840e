"""What follows a taper, as a table: one person's doses, and the event and day that come of them.

Everybody enters on day 0 and tapers from 60 MME/day; the taper is ascertained on day 100, from which days count.
"""

from __future__ import annotations

import polars as pl
import pytest

from opioid_outcomes.trajectories.taper import courses

# what happens, doses (start, stop, MME/day), exit, died, observed to (inclusive), event, after how many days
CASES = [
    ("stays on the lower dose to the end of a year", [(100, 700, 45.0)], 700, False, 699, "none", 365),
    ("stays on the lower dose until observation ends", [(100, 300, 45.0)], 300, False, 299, "none", 200),
    ("a week at the old dose is a relapse on its last day", [(100, 150, 45.0), (150, 157, 60.0)], 700, False, 699,
     "relapse", 57),
    ("above the old dose counts too", [(100, 150, 45.0), (150, 200, 90.0)], 700, False, 699, "relapse", 57),
    ("the old dose but for rounding counts", [(100, 150, 45.0), (150, 200, 59.99999999)], 700, False, 699,
     "relapse", 57),
    ("a week in pieces of different dose counts", [(100, 150, 45.0), (150, 153, 60.0), (153, 157, 75.0)], 700, False,
     699, "relapse", 57),
    ("six days of overlap are no relapse", [(100, 150, 45.0), (150, 156, 105.0), (156, 700, 45.0)], 700, False, 699,
     "none", 365),
    ("two times four days are none either", [(100, 150, 45.0), (150, 154, 60.0), (154, 160, 45.0), (160, 164, 60.0),
     (164, 700, 45.0)], 700, False, 699, "none", 365),
    ("a dose that is back on the day the taper is known counts from that day on", [(100, 130, 60.0)], 700, False, 699,
     "relapse", 7),
    ("days before the taper is known are not counted", [(95, 106, 60.0), (106, 700, 45.0)], 700, False, 699,
     "none", 365),
    ("unknown dose is no relapse, and no stop", [(100, 700, None)], 700, False, 699, "none", 365),
    ("90 days without supply are a stop on the last of them", [(100, 120, 45.0)], 700, False, 699, "stopped", 110),
    ("89 days are not, 90 the next time are", [(100, 120, 45.0), (209, 220, 45.0)], 700, False, 699, "stopped", 210),
    ("what comes after a stop changes nothing", [(100, 120, 45.0), (210, 250, 60.0)], 700, False, 699, "stopped", 110),
    ("90 days that observation does not see to the end are no stop", [(100, 120, 45.0)], 209, False, 208, "none", 109),
    ("90 days that it just sees are", [(100, 120, 45.0)], 210, False, 209, "stopped", 110),
    ("death", [(100, 150, 45.0)], 150, True, 149, "death", 50),
    ("death in the 90 days is no stop", [(100, 120, 45.0)], 180, True, 179, "death", 80),
    ("death on the last of the 90 days neither", [(100, 120, 45.0)], 210, True, 209, "death", 110),
    ("death some days after observation ends", [(100, 150, 45.0)], 160, True, 149, "death", 60),
    ("a gap while observation has ended is no stop before death", [(100, 120, 45.0)], 230, True, 205, "death", 130),
    ("relapse before death", [(100, 107, 60.0)], 107, True, 106, "relapse", 7),
    ("what comes after a year is not looked at", [(100, 460, 45.0), (460, 480, 60.0)], 700, False, 699, "none", 365),
    ("on the last day of the year it is", [(100, 458, 45.0), (458, 480, 60.0)], 700, False, 699, "relapse", 365),
]  # fmt: skip
NAMES = ("none", "relapse", "stopped", "death")


def discontinued(doses: list[tuple[int, int, float | None]], last: int) -> list[int]:
    """Ends of supply that nothing follows for 90 days observed and survived, as dose events have them."""
    starts = [start for start, _, _ in doses[1:]] + [last + 90]
    return [stop for (_, stop, _), start in zip(doses, starts, strict=True) if start - stop >= 90 and stop + 90 <= last]


def one(doses: list[tuple[int, int, float | None]], leaves: int, died: bool, observed: int) -> dict[str, pl.DataFrame]:
    dose = {"person_id": pl.Int64, "start": pl.Int32, "stop": pl.Int32, "mme": pl.Float64}
    events = {
        "person_id": pl.Int64,
        "event": pl.String,
        "date": pl.Int32,
        "follow_up_from": pl.Int32,
        "mme_before": float,
    }
    off = discontinued(doses, min(observed + 1, leaves - 1 if died else leaves))
    return {
        "dose_events": pl.DataFrame(
            [(1, "taper", 40, 100, 60.0), *((1, "discontinuation", day, day + 90, 45.0) for day in off)],
            schema=events,
            orient="row",
        ),
        "cohort": pl.DataFrame(
            {"person_id": [1], "entry": [0], "exit": [leaves], "death": [int(died)]},
            schema_overrides={"entry": pl.Int32, "exit": pl.Int32},
        ),
        "daily_dose": pl.DataFrame([(1, *each) for each in doses], schema=dose, orient="row"),
        "observation": pl.DataFrame(
            {"person_id": [1], "start": [-400], "end": [observed]},
            schema_overrides={"start": pl.Int32, "end": pl.Int32},
        ),
    }


@pytest.mark.parametrize(
    ("history", "event", "after"), [pytest.param(case[1:5], *case[5:], id=case[0]) for case in CASES]
)
def test_event_after_a_taper(
    history: tuple[list[tuple[int, int, float | None]], int, bool, int], event: str, after: int
) -> None:
    doses, *follow_up = history
    before_taper = (0, min(start for start, _, _ in doses), 60.0)
    found = courses(**one([before_taper, *doses], *follow_up))
    assert [(NAMES[cause], time) for cause, time in zip(found.cause, found.time, strict=True)] == [(event, after)]
    assert found.stopped_before == 0


NOT_AT_RISK = [
    ("stopped before the taper was known", {"daily_dose": [(0, 8, 60.0)]}, 1),
    ("taper known before entry", {"entry": 101}, 0),
    ("taper known after the end of follow-up", {"exit": 100}, 0),
    ("another event", {"event": "escalation"}, 0),
    ("not in the cohort", {"person_id": 2}, 0),
]


@pytest.mark.parametrize(("change", "stopped"), [pytest.param(*case[1:], id=case[0]) for case in NOT_AT_RISK])
def test_not_at_risk(change: dict[str, object], stopped: int) -> None:
    tables = one([(0, 100, 60.0), (100, 700, 45.0)], 700, False, 699)
    if "daily_dose" in change:
        tables = one(change["daily_dose"], 700, False, 699)  # type: ignore[arg-type]
    elif "event" in change:
        tables["dose_events"] = tables["dose_events"].with_columns(event=pl.lit(change["event"]))
    else:
        ((name, value),) = change.items()
        tables["cohort"] = tables["cohort"].with_columns(pl.lit(value).cast(tables["cohort"][name].dtype).alias(name))
    found = courses(**tables)
    assert (len(found.time), found.stopped_before) == (0, stopped)


def test_the_first_taper_counts_and_a_gap_long_over_does_not() -> None:
    doses: list[tuple[int, int, float | None]] = [
        (-300, -200, 60.0),
        (0, 100, 60.0),
        (100, 200, 45.0),
        (200, 250, 60.0),
        (250, 700, 30.0),
    ]
    tables = one(doses, 700, False, 699)
    later = tables["dose_events"].with_columns(follow_up_from=pl.lit(320, pl.Int32))
    tables["dose_events"] = pl.concat([later, tables["dose_events"]])
    found = courses(**tables)
    assert (found.time.tolist(), found.cause.tolist()) == ([107], [1])


def test_days_without_known_supply_are_no_stop_where_a_dispensing_of_unknown_supply_makes_it_no_event() -> None:
    tables = one([(0, 100, 60.0), (100, 120, 45.0)], 700, False, 699)
    tables["dose_events"] = tables["dose_events"].filter(pl.col("event") == "taper")
    found = courses(**tables)
    assert (found.time.tolist(), found.cause.tolist()) == ([365], [0])
