"""Sustained strategies, by example: stretches of opioid status in, days on which each person leaves a strategy out.

Status: (start, stop, state, mme, supply_end); day 0 is time zero, and INF never.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.mortality.sustained_sample import thinned
from opioid_outcomes.mortality.sustained_strategies import start_or_never, taper_or_stop
from opioid_outcomes.mortality.sustained_times import time_zeros

INF = float("inf")
Stretch = tuple[int, int, str, float | None, int | None]
SCHEMA = {"start": pl.Int32, "stop": pl.Int32, "state": pl.String, "mme": pl.Float64, "supply_end": pl.Int32}
GRACE = 90


def status(rows: list[Stretch]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").with_columns(person_id=pl.lit("p"))


def cohort(end: int = 400) -> pl.DataFrame:
    return pl.DataFrame({"person_id": ["p"], "entry": [0], "exit": [end], "death": [0], "exit_reason": ["study end"]})


@dataclass(frozen=True)
class StartCase:
    what: str
    status: list[Stretch]
    stay: float | None  # day on which start and stay is left; None: not eligible
    never: float | None = None


STARTS = [
    StartCase("who never uses leaves start and stay when grace ends", [], 90, INF),
    StartCase(
        "who starts leaves never on that day, and staying on the first day off, after carry-over",
        [(20, 80, "on", 30, 50), (80, 400, "recent", 0, 50)], 80, 20,
    ),
    StartCase("a start on the day of time zero is one", [(0, 400, "on", 30, 370)], INF, 0),
    StartCase("a start on the last day of grace is one", [(89, 400, "on", 30, 370)], INF, 89),
    StartCase("the day after is too late", [(90, 400, "on", 30, 370)], 90, 90),
    StartCase(
        "a gap that a later refill ends is a stop when it is known: what comes later changes nothing",
        [(10, 70, "on", 30, 40), (70, 71, "recent", 0, 40), (71, 400, "on", 30, 390)], 70, 10,
    ),
    StartCase(
        "treatment of opioid use disorder leaves both, once started",
        [(10, 70, "on", 30, 40), (70, 400, "treatment", 0, 390)], 70, 10,
    ),
    StartCase("unknown use leaves never", [(10, 40, "unknown", None, 10), (40, 400, "recent", 0, 10)], 90, 10),
    StartCase("who used within the washout is not eligible", [(-200, 400, "former", 0, -100)], None),
    StartCase("who used before it is", [(-400, 400, "former", 0, -180)], 90, INF),
    StartCase("who is on the day before is not eligible", [(-10, 400, "on", 30, 400)], None),
]  # fmt: skip


@pytest.mark.parametrize("case", STARTS, ids=lambda case: case.what)
def test_start_and_stay_or_never(case: StartCase) -> None:
    question = start_or_never(status(case.status), cohort(), grace=GRACE, washout=180)
    stay, never = question.strategies
    first = question.people["zero"].to_numpy() == 0
    found = (stay.left[first].tolist(), never.left[first].tolist())
    assert found == (([], []) if case.stay is None else ([case.stay], [case.never]))


@dataclass(frozen=True)
class LongTermCase:
    what: str
    status: list[Stretch]
    taper: float = 90
    stop: float = 90
    maintain: float = INF
    eligible: bool = True
    met: list[int] = field(default_factory=lambda: [0])


LONG_TERM = [
    LongTermCase("the dose never changes", [(-100, 400, "on", 100, 500)]),
    LongTermCase(
        "a fall by 30 % shows in the mean of 30 days when half of these are at the new dose, not before",
        [(-100, 10, "on", 100, 500), (10, 400, "on", 70, 500)], taper=INF, maintain=24,
    ),
    LongTermCase(
        "a fall by 10 % is none", [(-100, 10, "on", 100, 500), (10, 400, "on", 90, 500)],
    ),
    LongTermCase(
        "a rise by a half leaves maintaining when the mean is up by more than 15 %",
        [(-100, 10, "on", 100, 500), (10, 400, "on", 150, 500)], maintain=19,
    ),
    LongTermCase(
        "some days of two fills at once are no rise",
        [(-100, 10, "on", 100, 500), (10, 14, "on", 200, 500), (14, 400, "on", 100, 500)],
    ),
    LongTermCase(
        "back at the old dose leaves tapering when the mean is above the mark again",
        [(-100, 10, "on", 100, 500), (10, 110, "on", 50, 500), (110, 400, "on", 100, 500)], taper=131, maintain=18,
    ),
    LongTermCase(
        "a taper after grace comes too late", [(-100, 100, "on", 100, 500), (100, 400, "on", 50, 500)], maintain=108,
    ),
    LongTermCase(
        "stopping is off from the end of carry-over, a taper five days later, and both last",
        [(-100, 40, "on", 100, 10), (40, 400, "recent", 0, 10)], taper=INF, stop=INF, maintain=40,
    ),
    LongTermCase(
        "on again leaves stopping",
        [(-100, 40, "on", 100, 10), (40, 60, "recent", 0, 10), (60, 400, "on", 100, 390)],
        stop=60, taper=85, maintain=40,
    ),
    LongTermCase(
        "an unknown dose leaves maintaining: it cannot be told",
        [(-100, 50, "on", 100, 500), (50, 400, "on", None, 500)], maintain=50, taper=INF,
    ),
    LongTermCase(
        "who is not on when the definition is met is left out", [(-100, 400, "former", 0, -100)], eligible=False
    ),
    LongTermCase("nor who has an unknown dose", [(-10, 400, "on", None, 500)], eligible=False),
    LongTermCase("who has been a long-term user before entry is there", [(-100, 400, "on", 100, 500)], met=[-5]),
    LongTermCase("who becomes one later is not, yet", [(-100, 400, "on", 100, 500)], eligible=False, met=[5]),
    LongTermCase(
        "nor who had another dose 90 days ago",
        [(-100, -50, "on", 70, 500), (-50, 400, "on", 100, 500)], eligible=False,
    ),
    LongTermCase("nor who began since", [(-40, 400, "on", 100, 500)], eligible=False),
]  # fmt: skip


@pytest.mark.parametrize("case", LONG_TERM, ids=lambda case: case.what)
def test_taper_stop_and_maintain(case: LongTermCase) -> None:
    long_term = pl.DataFrame({"person_id": ["p"] * len(case.met), "definition": "d", "met": case.met})
    tapering, stopping = taper_or_stop(
        status(case.status), cohort(), long_term, definition="d", grace=GRACE, share=0.15, longest=400
    )
    first = tapering.people["zero"].to_numpy() == 0
    strategies = (tapering.strategies[0], stopping.strategies[0], tapering.strategies[1])
    # what happens when follow-up has ended is nothing
    found = [np.where(strategy.left < 400, strategy.left, INF)[first].tolist() for strategy in strategies]
    assert found == ([[case.taper], [case.stop], [case.maintain]] if case.eligible else [[], [], []])


def test_each_block_without_opioids_is_a_time_zero_until_the_start_and_again_after_the_washout() -> None:
    rows: list[Stretch] = [(100, 130, "on", 30, 130), (130, 400, "recent", 0, 130)]
    question = start_or_never(status(rows), cohort(), grace=GRACE, washout=180)
    assert question.people["zero"].to_list() == [0, 30, 60, 90, 330, 360, 390]
    assert question.people["since"].to_list() == question.people["zero"].to_list()
    assert question.people["time"].to_list() == [400, 370, 340, 310, 70, 40, 10]
    stay, never = question.strategies
    assert stay.left.tolist()[:5] == [90, 100, 70, 40, 90]
    assert never.left.tolist() == [100, 70, 40, 10, INF, INF, INF]


def test_each_block_of_stable_therapy_is_one_and_a_new_dose_is_stable_after_ninety_days() -> None:
    rows: list[Stretch] = [(-100, 100, "on", 100, 500), (100, 400, "on", 50, 500)]
    long_term = pl.DataFrame({"person_id": ["p"], "definition": "d", "met": [0]})
    tapering, stopping = taper_or_stop(
        status(rows), cohort(), long_term, definition="d", grace=GRACE, share=0.15, longest=400
    )
    assert tapering.people["zero"].to_list() == [0, 30, 60, 90, 210, 240, 270, 300, 330, 360, 390]
    assert tapering.people["zero"].to_list() == stopping.people["zero"].to_list()
    begins = tapering.strategies[0].begins
    assert begins is not None
    assert begins.tolist()[:4] == [108, 78, 48, 18]
    assert (begins >= tapering.people["time"].to_numpy())[4:].all()
    dose = tapering.dose_before(np.arange(len(begins)), tapering.people["zero"].to_numpy())
    assert dose.tolist()[:6] == pytest.approx([100, 100, 100, 100, 50, 50])


def test_of_many_blocks_one_in_so_many_is_taken_whoever_begins() -> None:
    people = pl.concat([cohort().with_columns(person_id=pl.lit(f"p{k:02d}")) for k in range(30)])
    zeros, one_in = time_zeros(people, most=100)
    assert one_in == 5
    assert (zeros["many"] == 5).all()
    assert abs(zeros.height - 30 * 14 / 5) < 5
    assert sorted(set(zeros["since"])) == list(range(0, 400, 30))


def test_those_who_begin_are_kept_and_the_others_count_for_those_left_out() -> None:
    rows: list[Stretch] = [(200, 400, "on", 30, 500)]
    question = start_or_never(status(rows), cohort(), grace=GRACE, washout=180)
    everybody = question.people["zero"].to_list()
    assert everybody == [0, 30, 60, 90, 120, 150, 180]
    thin = thinned(question, [0, 1, 30, 60, 90, 120, 150, 180], most=30)
    assert thin.people.filter(pl.col("many") == 1)["zero"].to_list() == [120, 150, 180]
    others = thin.people.filter(pl.col("many") > 1)
    assert others["zero"].to_list() == [0, 60]
    assert others["many"].to_list() == [2, 2]
    assert "one in 3 time zeros" in thin.meaning
