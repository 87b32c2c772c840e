"""Current and past use, new and prevalent users, naive days and cumulative dose, on histories done by hand."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.trajectories.use_history import use_history

ENTRY = {1: 1000, 2: 2000, 3: 0, 4: 500}  # day of entry, as the calendar has it
FOLLOWED = {1: 400, 2: 100, 3: 50, 4: 30}  # days

# person, start, stop, on_opioid, use_state, days_since_start, new_user: days since entry
PERSON_TIME = [
    # 1: on from 10 days before entry, new then; off; on again as prevalent user, twice cut
    (1, 0, 60, 1, "on", 10, 1), (1, 60, 150, 0, "recent", None, None), (1, 150, 200, 0, "former", None, None),
    (1, 200, 250, 1, "on", 0, 0), (1, 250, 400, 1, "on", 50, 0),
    # 2: never, then new; then in treatment
    (2, 0, 40, 0, "never", None, None), (2, 40, 70, 1, "on", 0, 1), (2, 70, 100, None, "treatment", None, None),
    # 3: on throughout, begun 20 days after observation began: new or not, nobody knows
    (3, 0, 50, 1, "on", 20, None),
    # 4: never
    (4, 0, 30, 0, "never", None, None),
]  # fmt: skip
STATUS = [  # person, start, on_since, naive_days: calendar
    (1, 990, 990, 300), (1, 1030, 990, 300), (1, 1060, None, None), (1, 1200, 1200, 110), (1, 1250, 1200, 110),
    (2, 2040, 2040, 200), (3, -20, -20, 20),
]  # fmt: skip
DAILY = [  # person, start, stop, mme: calendar
    (1, 990, 1000, 20.0),  # 200 before entry
    (1, 1000, 1030, None), (1, 1200, 1500, 10.0),  # 2,000 until follow-up ends on day 1400
    (2, 2040, 2070, 50.0), (3, -20, 60, None), (4, 530, 560, 90.0),  # 4: only after follow-up
]  # fmt: skip


def tables(people: tuple[int, ...] = (1, 2, 3, 4)) -> tuple[pl.DataFrame, ...]:
    names = ["person_id", "start", "stop", "on_opioid", "use_state", "days_since_start", "new_user"]
    cohort = [(person, ENTRY[person], ENTRY[person] + FOLLOWED[person]) for person in ENTRY]
    made = (
        pl.DataFrame(PERSON_TIME, schema=names, orient="row"),
        pl.DataFrame(cohort, schema=["person_id", "entry", "exit"], orient="row"),
        pl.DataFrame(STATUS, schema=["person_id", "start", "on_since", "naive_days"], orient="row"),
        pl.DataFrame(DAILY, schema=["person_id", "start", "stop", "mme"], orient="row"),
    )
    return tuple(frame.filter(pl.col("person_id").is_in(people)) for frame in made)


def test_each_measure_counts_who_it_says() -> None:
    found = use_history(*tables())
    assert found.with_columns(pl.col("person_years") * 365.25).rows() == [
        ("on", "state", 3, 60 + 200 + 30 + 50, 70.0),  # last stretches end after 200, 30 and 70 days on
        ("recent", "state", 1, 90, None),
        ("former", "state", 1, 50, None),
        ("never", "state", 2, 70, None),
        ("treatment", "state", 1, 30, None),
        ("unknown", "state", 0, 0, None),
        ("new", "first_use", 2, None, 250.0),  # 300 and 200 naive days: of the first use, which began before entry
        ("prevalent", "first_use", 0, None, None),
        ("not_known", "first_use", 1, None, None),
        ("cumulative_mme", "dose", 2, None, 1850.0),  # 2,200 and 1,500; 3 has no known dose and no zero
    ]


def test_the_order_of_rows_changes_nothing() -> None:
    assert use_history(*(frame.reverse() for frame in tables())).equals(use_history(*tables()))


def test_of_nobody_and_of_people_never_on_there_are_the_same_rows() -> None:
    nobody, never = use_history(*tables(())), use_history(*tables((4,)))
    assert nobody.schema == never.schema
    assert nobody["persons"].sum() == 0
    assert dict(never.select("measure", "persons").iter_rows()) == {**dict.fromkeys(nobody["measure"], 0), "never": 1}
    assert never["median"].null_count() == never.height
