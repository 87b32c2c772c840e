"""Why events carry ``follow_up_from``: a world in which a rise of dose does nothing, and dying is as likely always.

Counted from the rise, those who escalated seem to die less, as only who survives the window has the event. Counted from
the end of the window they die as everybody does.
"""

import numpy as np
import polars as pl

from opioid_outcomes.config.exposure import DoseEvents
from opioid_outcomes.exposure import events

PEOPLE, HAZARD, RISE, END = 20_000, 0.004, 100, 300


def rate(death: np.ndarray, start: np.ndarray, days: int) -> tuple[float, float]:
    """Deaths per day in the ``days`` from ``start``, of those alive then, and its standard error."""
    time = np.minimum(death - start, days)
    died = int((death - start < days).sum())
    return died / time.sum(), np.sqrt(died) / time.sum()


def test_follow_up_from_the_date_of_an_escalation_is_immortal_time() -> None:
    person = np.arange(PEOPLE)
    death = np.ceil(np.random.default_rng(20261120).exponential(1 / HAZARD, PEOPLE)).astype(np.int32)
    days = {"start": pl.Int32, "stop": pl.Int32}
    stretches = [
        pl.DataFrame({"person_id": person, "start": start, "stop": stop, "mme": mme}, schema_overrides=days)
        for start, stop, mme in ((0, RISE, 50.0), (RISE, END, 80.0))
    ]
    daily = (
        pl.concat(stretches)
        .with_columns(stop=pl.min_horizontal("stop", pl.lit(death).gather(pl.col("person_id")) + 1))
        .filter(pl.col("start") < pl.col("stop"))
        .with_columns(mme_incomplete=pl.lit(0))
    )
    observation = pl.DataFrame(
        {"person_id": person, "start": 0, "end": END}, schema_overrides={"start": pl.Int32, "end": pl.Int32}
    )
    deaths = pl.DataFrame({"person_id": person, "date": death})
    fills = pl.DataFrame(
        schema={"person_id": pl.Int64, "date": pl.Int32, "days_supply": pl.Float64, "analgesic": pl.Int64}
    )
    found = events.find(daily, observation, deaths, fills, rules=DoseEvents()).filter(event="escalation")
    theirs = death[found["person_id"].to_numpy()]
    assert 10_000 < found.height < 14_000

    naive, naive_se = rate(theirs, found["date"].to_numpy(), 60)
    sound, sound_se = rate(theirs, found["follow_up_from"].to_numpy(), 60)
    assert abs(sound - HAZARD) < 4 * sound_se
    assert naive < HAZARD - 10 * naive_se  # half the days from the rise on had to be survived
