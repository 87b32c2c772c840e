"""What the sources record of simulated care: neutral frames that both formats write in their own words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.simulate import comedication, measures, mess, morbidity
from opioid_outcomes.simulate.care import THERAPIES, Care
from opioid_outcomes.simulate.deaths import Deaths
from opioid_outcomes.simulate.draws import FLARE_SD, KEPT_A_MONTH, NEVER
from opioid_outcomes.simulate.drugs import (
    BENZODIAZEPINE,
    GABAPENTIN,
    IBUPROFEN,
    INJECTION,
    PRODUCTS,
    SERTRALINE,
    SYRUP,
    TREATMENT,
    UNLISTED,
)
from opioid_outcomes.simulate.people import CHRONIC_PAIN, CONDITIONS, EXCLUDING, MONTH, People
from opioid_outcomes.simulate.world import World

UNKNOWN_PERSON = 99  # an id that no person has: ids begin at 100,000
IMPOSSIBLE_SCORE = 99.0
AGAIN_SHARE = 0.04  # of visits after which the score is asked again within days
REASONS = ("policy", "formulary", "prescriber")  # of dose changes that no pain has asked for


@dataclass(frozen=True)
class Records:
    """Frames with person_id and calendar days (days since 1970-01-01)."""

    persons: pl.DataFrame  # person_id, sex, birth_year
    observation: pl.DataFrame  # person_id, start, end
    dispensings: pl.DataFrame  # person_id, date, product (index in PRODUCTS), and amounts of ``mess.recorded``
    diagnoses: pl.DataFrame  # person_id, date, code (ICD-10-CM)
    pain: pl.DataFrame  # person_id, date, score (0-10), vas (recorded on a 0-100 scale)
    visits: pl.DataFrame  # person_id, date: outpatient visits, at which pain is asked
    stays: pl.DataFrame  # person_id, start, end (day of discharge), in hospital
    deaths: pl.DataFrame  # person_id, date, cause, contributing
    measurements: pl.DataFrame  # person_id, date, measure, value
    therapies: pl.DataFrame  # person_id, date, therapy
    changes: pl.DataFrame  # person_id, date, reason


@dataclass(frozen=True)
class Streams:
    """Of random numbers: what is added to one leaves what comes of the others as it was."""

    main: np.random.Generator
    later: np.random.Generator  # other medicines and diagnoses as care goes on
    again: np.random.Generator  # scores asked again, and the reasons of changes


def build(  # noqa: PLR0917
    people: People, care: Care, deaths: Deaths, world: World, streams: Streams, noise: measures.Noise
) -> Records:
    """Everything up to death or the last observed day, with the few errors that real files have."""
    rng, later = streams.main, streams.later
    until = np.where(deaths.day >= 0, np.minimum(deaths.day, people.length - 1), people.length - 1)
    observation = _observation(people, until, rng)
    dispensings = _dispensings(people, care, until, rng, later)
    diagnoses = _diagnoses(people, care, until, rng, later)
    pain = _pain(people, care, until, rng)
    again = _again(people, care, world, until, pain, streams.again)
    measured = _measurements(people, care, until, noise)
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
        pl.concat([pain, again]).sort("person_id", "date", maintain_order=True) if world.records_pain else pain.clear(),
        pain.select("person_id", "date").unique(maintain_order=True),
        _stays(people, care, until),
        _deaths(people, deaths),
        measured if world.records_pain else measured.clear(),
        _therapies(people, care, until),
        _changes(people, care, until, streams.again),
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


def _dispensings(
    people: People, care: Care, until: np.ndarray, rng: np.random.Generator, later: np.random.Generator
) -> pl.DataFrame:
    opioids = mess.recorded(care.fills, rng)
    others = _other_drugs(people, care, rng)
    given = _whole_supply(comedication.draw(people, care, later))
    frame = _alive(pl.concat([opioids, others, given], how="diagonal"), until)
    frame = _named(frame, people)
    strangers = frame.head(3).with_columns(person_id=pl.lit(UNKNOWN_PERSON, dtype=pl.Int64))
    return pl.concat([frame, strangers]).sort("person_id", "date", "product", maintain_order=True)


def _other_drugs(people: People, care: Care, rng: np.random.Generator) -> pl.DataFrame:
    """What does not count as opioid use; benzodiazepines from the day on record.

    Treatment of opioid use disorder is for people who take no opioid for pain: it would end that use, and with it the
    planted comparison of on and off.
    """
    everybody = np.arange(people.n)
    anytime = rng.integers(0, 400, people.n)
    never = ~np.isin(everybody, care.fills.person)

    def some(share: float) -> np.ndarray:
        return rng.random(people.n) < share

    sad = people.conditions["depression"] == 1
    users: dict[int, tuple[np.ndarray, np.ndarray, int, int]] = {  # who, first day, number of fills, days between them
        BENZODIAZEPINE: (people.conditions["benzodiazepine"] == 1, people.recorded["benzodiazepine"], 8, 45),
        IBUPROFEN: (some(0.3), anytime, 4, 45),
        GABAPENTIN: (some(0.2), anytime[::-1], 12, 35),
        SERTRALINE: (sad & some(0.6), people.recorded["depression"], 4, 45),
        SYRUP: (some(0.05), anytime + 90, 2, 300),
        INJECTION: (some(0.04), anytime + 60, 2, 250),
        TREATMENT: (never & some(0.015), anytime, 12, 28),
        **{product: (some(0.01), anytime, 3, 30) for product in UNLISTED},
    }
    parts = []
    for product, (uses, first, fills, between) in users.items():
        given = PRODUCTS[product]
        for fill in range(fills):
            who = everybody[uses]
            parts.append(
                pl.DataFrame(
                    {
                        "person": who,
                        "day": first[who] + between * fill + (rng.integers(0, 10, len(who)) if fill else 0),
                        "product": np.full(len(who), product),
                        "quantity": np.full(len(who), float(given.days * given.start)),
                        "days_supply": np.full(len(who), float(given.days)),
                    }
                )
            )
    return pl.concat(parts)


def _whole_supply(given: comedication.Given) -> pl.DataFrame:
    days = np.array([float(product.days) for product in PRODUCTS])[given.product]
    units = np.array([product.start for product in PRODUCTS])[given.product]
    return pl.DataFrame(
        {
            "person": given.person,
            "day": given.day,
            "product": given.product,
            "quantity": days * units,
            "days_supply": days,
        }
    )


def _stays(people: People, care: Care, until: np.ndarray) -> pl.DataFrame:
    """In hospital up to the last recorded day at most."""
    person, visit = np.nonzero(care.admission < NEVER)
    day = care.admission[person, visit]
    left = np.minimum(care.stay_days[person, visit], until[person] + 1 - day)
    frame = _named(_alive(pl.DataFrame({"person": person, "day": day, "days": left}), until), people)
    return frame.select("person_id", start="date", end=pl.col("date") + pl.col("days")).sort("person_id", "start")


def _diagnoses(
    people: People, care: Care, until: np.ndarray, rng: np.random.Generator, later: np.random.Generator
) -> pl.DataFrame:
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
    parts.append(morbidity.draw(people, care, later))
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


def _again(  # noqa: PLR0917
    people: People, care: Care, world: World, until: np.ndarray, pain: pl.DataFrame, rng: np.random.Generator
) -> pl.DataFrame:
    """Scores asked again one to three days after a visit: their differences tell how far a score errs."""
    person, visit = np.nonzero(~np.isnan(care.pain) & (rng.random(care.pain.shape) < AGAIN_SHARE))
    days = rng.integers(1, 4, len(person))
    kept = KEPT_A_MONTH ** (days / MONTH)
    # the flare goes on as it does between visits
    level = people.mean_pain[person]
    felt = (
        level
        + kept * (care.pain[person, visit] - level)
        + FLARE_SD * np.sqrt(1 - kept**2) * rng.standard_normal(len(person))
    )
    score = np.clip(np.rint(felt + world.noise * rng.standard_normal(len(person))), 0, 10)
    frame = _named(
        _alive(pl.DataFrame({"person": person, "day": care.day[person, visit] + days, "score": score}), until), people
    )
    scale = pain.group_by("person_id").agg(pl.col("vas").first())
    return frame.join(scale, on="person_id", how="left", maintain_order="left").select(pain.columns)


def _measurements(people: People, care: Care, until: np.ndarray, noise: measures.Noise) -> pl.DataFrame:
    found, made = measures.values(people, care, noise), measures.made(noise)
    parts = []
    for name, value in found.items():
        person, visit = np.nonzero(made[name] & ~np.isnan(value))
        part = pl.DataFrame({"person": person, "day": care.day[person, visit], "value": value[person, visit]})
        parts.append(part.with_columns(measure=pl.lit(name)))
    frame = _named(_alive(pl.concat(parts), until), people)
    return frame.select("person_id", "date", "measure", "value").sort("person_id", "date", "measure")


def _therapies(people: People, care: Care, until: np.ndarray) -> pl.DataFrame:
    person, visit = np.nonzero(care.therapy >= 0)
    kind = np.array(THERAPIES)[care.therapy[person, visit]]
    frame = pl.DataFrame({"person": person, "day": care.day[person, visit], "therapy": kind})
    return _named(_alive(frame, until), people)


def _changes(people: People, care: Care, until: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    person, visit = np.nonzero(care.reduced)
    reason = np.array(REASONS)[rng.integers(0, len(REASONS), len(person))]
    frame = pl.DataFrame({"person": person, "day": care.day[person, visit], "reason": reason})
    return _named(_alive(frame, until), people)


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
