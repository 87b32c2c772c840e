"""What the sources record of simulated care: neutral frames that both formats write in their own words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.simulate.care import Care
from opioid_outcomes.simulate.deaths import Deaths
from opioid_outcomes.simulate.drugs import BENZODIAZEPINE, PRODUCTS
from opioid_outcomes.simulate.people import CHRONIC_PAIN, CONDITIONS, EXCLUDING, People
from opioid_outcomes.simulate.world import World

UNKNOWN_PERSON = 99  # an id that no person has: ids begin at 100,000
IMPOSSIBLE_SCORE = 99.0


@dataclass(frozen=True)
class Records:
    """Frames with person_id and calendar days (days since 1970-01-01)."""

    persons: pl.DataFrame  # person_id, sex, birth_year
    observation: pl.DataFrame  # person_id, start, end
    dispensings: pl.DataFrame  # person_id, date, product (index in PRODUCTS), quantity, days_supply
    diagnoses: pl.DataFrame  # person_id, date, code (ICD-10-CM)
    pain: pl.DataFrame  # person_id, date, score (0-10), vas (recorded on a 0-100 scale)
    visits: pl.DataFrame  # person_id, date: outpatient visits, at which pain is asked
    deaths: pl.DataFrame  # person_id, date, cause, contributing


def build(people: People, care: Care, deaths: Deaths, world: World, rng: np.random.Generator) -> Records:
    """Everything up to death or the last observed day, with the few errors that real files have."""
    until = np.where(deaths.day >= 0, np.minimum(deaths.day, people.length - 1), people.length - 1)
    observation = _observation(people, until, rng)
    dispensings = _dispensings(people, care, until, rng)
    diagnoses = _diagnoses(people, until, rng)
    pain = _pain(people, care, until, rng)
    return Records(
        pl.DataFrame(
            {
                "person_id": people.person_id,
                "sex": np.where(people.male == 1, "M", "F"),
                "birth_year": people.birth_year,
            }
        ),
        observation,
        dispensings,
        diagnoses,
        pain if world.records_pain else pain.clear(),
        pain.select("person_id", "date").unique(maintain_order=True),
        _deaths(people, deaths),
    )


def _observation(people: People, until: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """One period a person; a few come in two touching halves, as when an insurance plan is renewed."""
    start, end = people.start, people.start + until
    half = start + until // 2
    split = rng.random(people.n) < 0.02
    return pl.DataFrame(
        {
            "person_id": np.concatenate([people.person_id, people.person_id[split]]),
            "start": np.concatenate([start, half[split] + 1]),
            "end": np.concatenate([np.where(split, half, end), end[split]]),
        }
    ).sort("person_id", "start")


def _dispensings(people: People, care: Care, until: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    fills = care.fills
    quantity = fills.units * fills.days_supply
    # Only long-term fills lose a field, and never a person's first two: what is missing can be told from the others.
    follows = np.zeros(len(fills.day), dtype=bool)
    follows[2:] = (fills.person[2:] == fills.person[:-2]) & (fills.days_supply[2:] >= 28)
    lost = np.where(follows, rng.random(len(fills.day)), 1.0)
    opioids = pl.DataFrame(
        {
            "person": fills.person,
            "day": fills.day,
            "product": fills.product,
            "quantity": np.where(lost < 0.003, np.nan, np.round(quantity, 6)),
            "days_supply": np.where((lost >= 0.003) & (lost < 0.012), np.nan, fills.days_supply.astype(float)),
        }
    )
    frame = _alive(pl.concat([opioids, _other_drugs(people, rng)]), until)
    frame = frame.with_columns(pl.col("quantity", "days_supply").fill_nan(None))
    frame = _named(frame, people)
    strangers = frame.head(3).with_columns(person_id=pl.lit(UNKNOWN_PERSON, dtype=pl.Int64))
    return pl.concat([frame, strangers]).sort("person_id", "date", "product", maintain_order=True)


def _other_drugs(people: People, rng: np.random.Generator) -> pl.DataFrame:
    """Benzodiazepines from the day on record; ibuprofen, gabapentin and sertraline for some."""
    everybody = np.arange(people.n)
    users = {
        BENZODIAZEPINE: (people.conditions["benzodiazepine"] == 1, people.recorded["benzodiazepine"]),
        BENZODIAZEPINE + 1: (rng.random(people.n) < 0.3, rng.integers(0, 400, people.n)),
        BENZODIAZEPINE + 2: (rng.random(people.n) < 0.15, rng.integers(0, 400, people.n)),
        BENZODIAZEPINE + 3: (
            (people.conditions["depression"] == 1) & (rng.random(people.n) < 0.6), people.recorded["depression"],
        ),
    }  # fmt: skip
    parts = []
    for product, (uses, first) in users.items():
        for fill in range(4):
            who = everybody[uses]
            parts.append(
                pl.DataFrame(
                    {
                        "person": who,
                        "day": first[who] + 45 * fill + (rng.integers(0, 10, len(who)) if fill else 0),
                        "product": np.full(len(who), product),
                        "quantity": np.full(len(who), 30.0 * PRODUCTS[product].start),
                        "days_supply": np.full(len(who), 30.0),
                    }
                )
            )
    return pl.concat(parts)


def _diagnoses(people: People, until: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    everybody = np.arange(people.n)
    pain_code = np.array(CHRONIC_PAIN)[people.pain_code]
    parts = [
        (everybody, people.first, pain_code),
        (everybody[people.second >= 0], people.second[people.second >= 0], pain_code[people.second >= 0]),
    ]
    for year in range(1, 6):  # later visits for the same pain
        again = everybody[(people.second >= 0) & (rng.random(people.n) < 0.7)]
        parts.append((again, people.second[again] + 365 * year + rng.integers(-60, 60, len(again)), pain_code[again]))
    for name, code in CONDITIONS.items():
        who = everybody[people.conditions[name] == 1]
        parts.append((who, people.recorded[name][who], np.full(len(who), code)))
    for name, code in EXCLUDING.items():
        who = everybody[people.excluded[name] == 1]
        parts.append((who, people.entry[who] - 20, np.full(len(who), code)))
    names = ("person", "day", "code")
    frame = pl.DataFrame(
        {name: np.concatenate(part) for name, part in zip(names, zip(*parts, strict=True), strict=True)}
    )
    return _named(_alive(frame, until), people).sort("person_id", "date", "code")


def _pain(people: People, care: Care, until: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    person, visit = np.nonzero(~np.isnan(care.score))
    vas = rng.random(people.n) < 0.05
    frame = pl.DataFrame(
        {"person": person, "day": care.day[person, visit], "score": care.score[person, visit], "vas": vas[person]}
    )
    frame = _alive(frame, until)
    errors = frame.filter(~pl.col("vas")).head(2000).gather_every(400)
    frame = pl.concat(
        [frame, errors, errors.with_columns(day=pl.col("day") + 1, score=pl.lit(IMPOSSIBLE_SCORE))]
    )  # the first are entered twice, the second stand for "not asked"
    return _named(frame, people).sort("person_id", "date", "score", maintain_order=True)


def _deaths(people: People, deaths: Deaths) -> pl.DataFrame:
    dead = deaths.day >= 0
    return pl.DataFrame(
        {
            "person_id": people.person_id[dead],
            "date": (people.start + deaths.day)[dead],
            "cause": deaths.cause[dead],
            "contributing": deaths.contributing[dead],
        }
    ).with_columns(pl.col("cause", "contributing").replace("", None))


def _alive(frame: pl.DataFrame, until: np.ndarray) -> pl.DataFrame:
    """Rows up to each person's last recorded day."""
    return frame.filter(frame["day"].to_numpy() <= until[frame["person"].to_numpy()])


def _named(frame: pl.DataFrame, people: People) -> pl.DataFrame:
    """Own days and row numbers of people become calendar days and ids."""
    person = frame["person"].to_numpy()
    return frame.select(
        pl.Series("person_id", people.person_id[person]),
        pl.Series("date", people.start[person]) + pl.col("day"),
        pl.exclude("person", "day"),
    )
