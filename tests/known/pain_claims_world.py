"""People whose pain comes and goes by the week, who come when it hurts, and start, stop or seek help because it does.

Pain is a person's usual pain plus an AR(1) flare with the week as its step; what was planted is added to it. Everything
is decided on the last recorded score, so that what is recorded is enough to adjust for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

WEEK, WEEKS, KEPT = 7, 215, 0.9
DAYS = WEEK * WEEKS
LEVEL_SD, FLARE_SD = 1.2, 1.2


@dataclass
class Pains:
    """The flare of everybody, week by week, and the scores that were recorded."""

    rng: np.random.Generator
    level: np.ndarray
    flare: np.ndarray
    last: np.ndarray
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, people: int, seed: int) -> Pains:
        rng = np.random.default_rng(seed)
        level, flare = rng.normal(5, LEVEL_SD, people), rng.normal(0, FLARE_SD, people)
        return cls(rng, level, flare, level + flare, [])

    def week(self, day: int, effect: np.ndarray | float, often: float, by_pain: float) -> np.ndarray:
        """A week passes; who comes is recorded: the mask of those."""
        people = len(self.level)
        self.flare = KEPT * self.flare + self.rng.normal(0, FLARE_SD * np.sqrt(1 - KEPT**2), people)
        comes = self.rng.random(people) < often * np.exp(by_pain * (self.last - 5))
        self.last = np.where(comes, self.level + self.flare + effect, self.last)
        self.parts.append((np.flatnonzero(comes), np.full(int(comes.sum()), day), self.last[comes]))
        return comes

    def table(self) -> pl.DataFrame:
        person, day, score = (np.concatenate([part[k] for part in self.parts]) for k in range(3))
        return pl.DataFrame({"person_id": person, "date": day, "scale": "NRS", "score": score})


def cohort(people: int, exit_day: np.ndarray | int = DAYS, death: np.ndarray | int = 0) -> pl.DataFrame:
    return pl.DataFrame({"person_id": np.arange(people)}).with_columns(
        entry=pl.lit(0), exit=pl.lit(exit_day) if isinstance(exit_day, int) else pl.Series(exit_day),
        death=pl.lit(death) if isinstance(death, int) else pl.Series(death),
        survey_weight=pl.lit(None, pl.Float64), cluster=pl.lit(None, pl.String),
    )  # fmt: skip


def stretches(
    person: np.ndarray, start: np.ndarray, stop: np.ndarray, *, carry: int = 30
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """daily_dose and opioid_status of supply [start, stop) at 30 MME; carry-over ends within follow-up."""
    daily = pl.DataFrame({"person_id": person, "start": start, "stop": stop}).with_columns(
        mme=pl.lit(30.0), mme_incomplete=pl.lit(0)
    )
    later = daily.sort("person_id", "start").with_columns(
        following=pl.col("start").shift(-1).over("person_id").fill_null(DAYS)
    )
    ends = pl.min_horizontal(pl.col("stop") + carry, pl.lit(DAYS))
    on = later.select("person_id", "start", stop=ends, state=pl.lit("on"), on_since="start", supply_end="stop")
    off = later.select(
        "person_id", start=ends, stop="following", state=pl.lit("recent"), on_since=pl.lit(None, pl.Int64),
        supply_end="stop",
    ).filter(pl.col("start") < pl.col("stop"))  # fmt: skip
    return daily, pl.concat([on, off]).sort("person_id", "start")


def stopping(people: int, seed: int, *, effect: float) -> dict[str, pl.DataFrame]:
    """Sicker people stop; off opioids pain differs by ``effect``; who is in pain off them begins again sooner."""
    pains = Pains.of(people, seed)
    end = np.where(
        pains.rng.random(people) < 1 / (1 + np.exp(-1.5 * (pains.level - 5))),
        pains.rng.integers(400, 700, people),
        DAYS,
    )
    again = np.full(people, DAYS)
    for week in range(WEEKS):
        day = WEEK * week
        off = (end <= day) & (day < again)
        back = off & (day >= end + 42) & (pains.rng.random(people) < 0.01 * np.exp(0.5 * (pains.last - 5)))
        again = np.where(back, day, again)
        pains.week(day, np.where(off & ~back, effect, 0.0), 0.08, 0.3)
    who = np.arange(people)
    restarted = again < DAYS
    person = np.concatenate([who, who[restarted]])
    start = np.concatenate([np.zeros(people, dtype=np.int64), again[restarted]])
    stop = np.concatenate([end, np.full(int(restarted.sum()), DAYS)])
    daily, status = stretches(person, start, stop)
    return {"cohort": cohort(people), "pain": pains.table(), "daily_dose": daily, "opioid_status": status}


def starting(people: int, seed: int, *, effect: float) -> dict[str, pl.DataFrame]:
    """Opioids are begun at a peak of pain; a year later it is as it would have been, but for ``effect``.

    Some leave before, by what they said on the index date. Index dates are visits in weeks 30 to 60: the first of each
    person's in a comparator's hand, or the one at which opioids are begun.
    """
    pains = Pains.of(people, seed)
    index, arm = np.full(people, -1), np.zeros(people, dtype=np.int64)
    leaves, said = np.full(people, DAYS), np.full(people, 5.0)
    for week in range(WEEKS):
        day = WEEK * week
        started = (arm == 1) & (index < day)
        comes = pains.week(day, np.where(started, effect, 0.0), 0.15, 0.1) & (leaves > day)
        if 30 <= week < 60:
            begins = comes & (index < 0) & (pains.rng.random(people) < 1 / (1 + np.exp(2 - 0.8 * (pains.last - 5))))
            stays = comes & (index < 0) & ~begins & (pains.rng.random(people) < 0.3)
            arm[begins] = 1
            index[begins | stays] = day
            said = np.where(begins | stays, pains.last, said)
        gone = (pains.rng.random(people) < 0.003 * np.exp(0.4 * (said - 5))) & (week > 60)
        leaves = np.where(gone, np.minimum(leaves, day), leaves)
    chosen = index >= 0
    trials = pl.DataFrame({"person_id": np.flatnonzero(chosen), "index": index[chosen], "arm": arm[chosen]})
    trials = trials.with_columns(
        comparator=pl.lit("non_user"), trial=pl.col("index") // 30, days_since_entry=pl.col("index"),
        follow_up=pl.Series(leaves[chosen]) - pl.col("index"), event=pl.lit(0), cause=pl.lit(None, pl.String),
        sex=pl.Series(np.where(pains.rng.random(int(chosen.sum())) < 0.5, "F", "M")),
        survey_weight=pl.lit(None, pl.Float64), cluster=pl.lit(None, pl.String),
    )  # fmt: skip
    supplied = chosen & (arm == 1)
    daily, status = stretches(np.flatnonzero(supplied), index[supplied], np.full(int(supplied.sum()), DAYS))
    pain = pains.table().filter(pl.col("date") < pl.Series(leaves)[pl.Series(pains.table()["person_id"])])
    return {
        "cohort": cohort(people, leaves), "pain": pain, "daily_dose": daily, "opioid_status": status, "trials": trials,
    }  # fmt: skip


def therapies(people: int, seed: int, *, on: float, off: float) -> dict[str, pl.DataFrame]:
    """Exercise is sought when it hurts, and helps for 20 weeks by ``on`` or ``off`` opioids; sicker people are on."""
    pains = Pains.of(people, seed)
    using = pains.rng.random(people) < 1 / (1 + np.exp(-(pains.level - 5)))
    begun = np.full(people, -10_000)
    contacts = []
    for week in range(WEEKS):
        day = WEEK * week
        helped = (begun < day) & (day <= begun + 140)
        comes = pains.week(day, np.where(helped, np.where(using, on, off), 0.0), 0.15, 0.1)
        free = (day - begun) > 200
        chance = 1 / (1 + np.exp(5.5 - 0.8 * (pains.last - 5)))
        starts = comes & free & (pains.rng.random(people) < chance)
        begun = np.where(starts, day, begun)
        contacts.append((np.flatnonzero(starts), np.full(int(starts.sum()), day)))
    person, date = (np.concatenate([each[k] for each in contacts]) for k in range(2))
    daily, status = stretches(np.flatnonzero(using), np.zeros(int(using.sum()), int), np.full(int(using.sum()), DAYS))
    found = pl.DataFrame({"person_id": person, "date": date, "therapy": "exercise"})
    return {
        "cohort": cohort(people), "pain": pains.table(), "daily_dose": daily, "opioid_status": status,
        "therapies": found,
    }  # fmt: skip
