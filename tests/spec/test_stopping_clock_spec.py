"""The clock of stopping, by example: stretches of opioid status in, bands of follow-up out. Entry is day 0.

Status: (start, stop, state, on_since, supply_end); pieces: (start, stop, clock, therapy) in days since entry.
"""

from dataclasses import dataclass

import polars as pl
import pytest

from opioid_outcomes.mortality.stopping_clock import clock

Stretch = tuple[int, int, str, int | None, int | None]
Piece = tuple[int, int, str | None, str | None]
SCHEMA = {"start": pl.Int32, "stop": pl.Int32, "state": pl.String, "on_since": pl.Int32, "supply_end": pl.Int32}
UP_TO_90, TO_A_YEAR = "up to 90", "91-365"


@dataclass(frozen=True)
class ClockCase:
    what: str
    status: list[Stretch]
    pieces: list[Piece]
    exit: int = 100
    lag: int = 0


CASES = [
    ClockCase(
        "nobody has stopped who never used",
        [],
        [(0, 100, None, None)],
    ),
    ClockCase(
        "the clock starts on the first day without supply, not when carry-over ends; its bands hold both their days",
        [(10, 60, "on", 10, 30), (60, 121, "recent", None, 30), (121, 600, "former", None, 30)],
        [
            (0, 10, None, None),
            (10, 30, "current supply", UP_TO_90),
            (30, 61, "0-30", UP_TO_90),
            (61, 121, "31-90", UP_TO_90),
            (121, 211, "91-180", UP_TO_90),
            (211, 431, "181-400", UP_TO_90),
            (431, 600, "over 400", UP_TO_90),
        ],
        exit=600,
    ),
    ClockCase(
        "a refill sets the clock back from its own day on: the days before it stay days since stopping",
        [(0, 50, "on", 0, 30), (50, 100, "on", 0, 110)],
        [(0, 30, "current supply", UP_TO_90), (30, 50, "0-30", UP_TO_90), (50, 90, "current supply", UP_TO_90),
         (90, 100, "current supply", TO_A_YEAR)],
    ),
    ClockCase(
        "therapy before stopping ends with supply, and not with carry-over",
        [(0, 100, "on", -20, 70)],
        [(0, 70, "current supply", UP_TO_90), (70, 100, "0-30", UP_TO_90)],
    ),
    ClockCase(
        "therapy that has lasted 91 days does so on its 91st day",
        [(0, 100, "on", -20, 100)],
        [(0, 70, "current supply", UP_TO_90), (70, 100, "current supply", TO_A_YEAR)],
    ),
    ClockCase(
        "treatment of opioid use disorder, unknown use, and what follows them off are in no band",
        [(0, 20, "on", 0, 40), (20, 50, "treatment", None, 50), (50, 70, "recent", None, 50), (70, 80, "on", 70, 90),
         (80, 90, "unknown", None, 90), (90, 100, "on", 90, 120)],
        [(0, 20, "current supply", UP_TO_90), (20, 70, None, None), (70, 80, "current supply", UP_TO_90),
         (80, 90, None, None), (90, 100, "current supply", UP_TO_90)],
    ),
    ClockCase(
        "after the last observed day the last band holds: nobody could have seen a refill",
        [(0, 40, "on", 0, 30)],
        [(0, 30, "current supply", UP_TO_90), (30, 70, "0-30", UP_TO_90)],
        exit=70,
    ),
    ClockCase(
        "lagged, each day has the band of 30 days before, from before entry too",
        [(-60, 10, "on", -60, -20), (10, 100, "recent", None, -20)],
        [(0, 10, "current supply", UP_TO_90), (10, 41, "0-30", UP_TO_90), (41, 100, "31-90", UP_TO_90)],
        lag=30,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_clock(case: ClockCase) -> None:
    status = pl.DataFrame(case.status, schema=SCHEMA, orient="row").with_columns(person_id=pl.lit("p"))
    cohort = pl.DataFrame({"person_id": ["p"], "entry": [0], "exit": [case.exit]})
    found = clock(status, cohort, lag=case.lag).select("start", "stop", "clock", "therapy")
    assert found.rows() == case.pieces


def test_the_present_does_not_change_when_the_future_does() -> None:
    """Status up to day 50 is the same whatever comes: so is the clock."""
    past = [(0, 30, "on", 0, 30), (30, 50, "on", 0, 30)]
    futures = [[(50, 100, "on", 0, 80)], [(50, 60, "on", 0, 30), (60, 100, "recent", None, 30)], []]
    found = []
    for future in futures:
        status = pl.DataFrame(past + future, schema=SCHEMA, orient="row").with_columns(person_id=pl.lit("p"))
        cohort = pl.DataFrame({"person_id": ["p"], "entry": [0], "exit": [100 if future else 50]})
        pieces = clock(status, cohort).filter(pl.col("start") < 50)
        found.append(pieces.with_columns(pl.col("stop").clip(0, 50)).rows())
    assert found[0] == found[1] == found[2]
