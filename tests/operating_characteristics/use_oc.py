"""Use that changes over time: current use, days since stopping, and deaths against those of a population."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from found import Found, normal

from opioid_outcomes.survival import cox, smr
from opioid_outcomes.survival.life_table import LifeTable
from opioid_outcomes.units import DAYS_PER_YEAR

PEOPLE, END = 1500, 1460
NEVER = 10**6
BASE = 8e-5  # a day
RATIO, AFTER_STOPPING, STOPPING_DAYS = 1.6, 3.0, 90


def periods_of_use(x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """First day and end of supply of up to six periods of use, (n, 6); who has the covariate starts sooner."""
    wait = rng.exponential(700 * np.exp(-0.7 * x[:, None]), (len(x), 6))
    wait[:, 0] *= np.where(rng.random(len(x)) < 0.3, 0.02, 1.0)
    last = rng.exponential(150.0, wait.shape) + 10
    start = np.floor(np.cumsum(wait, axis=1) + np.cumsum(last, axis=1) - last)
    return start, np.floor(start + last) + 1


def stretches(cuts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Person, start and stop of the pieces between rising cuts (n, k) within [0, END)."""
    edges = np.sort(np.clip(np.column_stack([np.zeros(len(cuts)), cuts, np.full(len(cuts), END)]), 0, END), axis=1)
    person, place = np.nonzero(np.diff(edges, axis=1) > 0)
    return person, edges[person, place], edges[person, place + 1]


def inside(person: np.ndarray, start: np.ndarray, first: np.ndarray, end: np.ndarray) -> np.ndarray:
    return ((start[:, None] >= first[person]) & (start[:, None] < end[person])).any(axis=1)


def deaths(person: np.ndarray, length: np.ndarray, hazard: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Per piece the day of the death in it, counted from its start; nan for none. Pieces are in order."""
    borne = rng.exponential(size=person.max() + 1)
    total = np.cumsum(hazard * length)
    before = total - hazard * length
    first = np.concatenate([[True], np.diff(person) != 0])
    left = borne[person] - (before - before[first][np.cumsum(first) - 1])
    return np.where((left > 0) & (left <= hazard * length), np.ceil(left / hazard), np.nan)


def lived(person: np.ndarray, death: np.ndarray) -> np.ndarray:
    """Pieces that begin before the person has died."""
    dead = np.cumsum(~np.isnan(death)) - ~np.isnan(death)
    first = np.concatenate([[True], np.diff(person) != 0])
    return np.asarray(dead == dead[first][np.cumsum(first) - 1])


@dataclass(frozen=True)
class Followed:
    """Pieces of follow-up as far as people lived, and their covariates."""

    person: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    died: np.ndarray
    on: np.ndarray
    sick: np.ndarray
    age: np.ndarray


def users(rng: np.random.Generator) -> Followed:
    sick, age = (rng.random(PEOPLE) < 0.4).astype(float), rng.standard_normal(PEOPLE)
    first, end = periods_of_use(sick + 0.3 * age, rng)
    end = end + 30
    person, start, stop = stretches(np.column_stack([first, end]))
    on = inside(person, start, first, end).astype(float)
    risk = 0.8 * sick + 0.5 * age
    death = deaths(person, stop - start, BASE * np.exp(risk[person]) * RATIO**on, rng)
    kept = lived(person, death)
    person, stop = person[kept], np.where(np.isnan(death), stop, start + np.nan_to_num(death))[kept]
    return Followed(person, start[kept], stop, ~np.isnan(death[kept]), on[kept], sick[person], age[person])


def current_use(rng: np.random.Generator) -> list[Found]:
    """Current use, on against off, baseline covariates; crude; and ever against never counted from entry."""
    seen = users(rng)
    ever = (np.bincount(seen.person, seen.on, PEOPLE) > 0)[seen.person].astype(float)
    by = {
        "Cox, covariates": [seen.on, seen.sick, seen.age],
        "Cox, crude": [seen.on],
        "ever vs never from entry": [ever, seen.sick, seen.age],
    }
    found = []
    for name, columns in by.items():
        fit = cox.fit(
            seen.start, seen.stop, seen.died, np.column_stack(columns), names=["use", "sick", "age"][: len(columns)],
            cluster=seen.person,
        )  # fmt: skip
        se = float(np.sqrt(fit.robust_covariance[0, 0]))
        wrong = name != "Cox, covariates"
        found.append(normal("log HR, on vs off", name, float(np.log(RATIO)), float(fit.params[0]), se, wrong=wrong))
    return found


def stopping(rng: np.random.Generator) -> list[Found]:
    """90 days after supply ends against supply, on a clock from the past; and with gaps bridged by later refills."""
    x = (rng.random(PEOPLE) < 0.4).astype(float)
    first, end = periods_of_use(x, rng)
    first = np.column_stack([np.zeros(PEOPLE), np.maximum(first, 20)])  # everybody is supplied at entry
    end = np.column_stack([np.minimum(rng.exponential(200, PEOPLE) + 1, first[:, 1]), end])
    end = np.floor(np.minimum(end, np.column_stack([first[:, 1:], np.full(PEOPLE, NEVER)])))
    back = np.column_stack([first[:, 1:], np.full(PEOPLE, NEVER)])
    late = np.minimum(end + STOPPING_DAYS, back)
    person, start, stop = stretches(np.column_stack([first, end, late]))
    supplied, recent = inside(person, start, first, end), inside(person, start, end, late)
    hazard = BASE * np.exp(0.8 * x[person]) * np.where(recent, AFTER_STOPPING, 1.0)
    death = deaths(person, stop - start, 3 * hazard, rng)
    truth = float(np.log(AFTER_STOPPING))
    kept = lived(person, death)
    ended = np.where(np.isnan(death), stop, start + np.nan_to_num(death))
    last = np.zeros(PEOPLE)
    np.maximum.at(last, person[kept], np.where(np.isnan(death), stop, start)[kept])
    bridged = recent & inside(person, start, end, np.where(back <= np.minimum(late, last[:, None]), back, -1))
    found = []
    for name, current in (("Cox, clock from the past", supplied), ("Cox, gaps bridged by refills", supplied | bridged)):
        off, gone = ~current & recent, ~current & ~recent
        columns = np.column_stack([off, gone, x[person]]).astype(float)
        fit = cox.fit(
            start[kept], ended[kept], ~np.isnan(death[kept]), columns[kept], names=["recent", "later", "sick"],
            cluster=person[kept],
        )  # fmt: skip
        se = float(np.sqrt(fit.robust_covariance[0, 0]))
        found.append(
            normal("log HR, 0-90 days after stopping", name, truth, float(fit.params[0]), se, wrong="past" not in name)
        )
    return found


SMR = 1.5
AGES = np.arange(40.0, 100.0)
TABLE = LifeTable(
    AGES, ("F", "M"), np.array([2010]), np.exp(-9.5 + 0.09 * AGES)[:, None, None] * np.array([1, 1.4])[:, None]
)


def ratio_to_population(rng: np.random.Generator) -> list[Found]:
    """Deaths over those expected at the rates of a table by age and sex; and at those of the age at entry, for ever."""
    age, male = rng.uniform(45, 75, PEOPLE), (rng.random(PEOPLE) < 0.5).astype(np.int64)
    born = -age * DAYS_PER_YEAR
    pieces = smr.at_birthdays(np.zeros(PEOPLE), rng.uniform(900, 3000, PEOPLE), born)
    rates = TABLE.rates.ravel()
    hazard = SMR * rates[TABLE.cells(pieces.age.astype(float), male[pieces.row], np.full(len(pieces.row), 2010))]
    death = deaths(pieces.row, pieces.stop - pieces.start, hazard / DAYS_PER_YEAR, rng)
    kept = lived(pieces.row, death)
    stop = np.zeros(PEOPLE)
    np.maximum.at(
        stop, pieces.row[kept], np.where(np.isnan(death), pieces.stop, pieces.start + np.nan_to_num(death))[kept]
    )
    observed = int((~np.isnan(death[kept])).sum())
    right = float(smr.expected(np.zeros(PEOPLE), stop, born, male, TABLE, year=2010).sum())
    at_entry = rates[TABLE.cells(np.floor(age), male, np.full(PEOPLE, 2010))]
    frozen = float((at_entry * stop / DAYS_PER_YEAR).sum())
    found = []
    for name, expected in (("age as it rises, exact limits", right), ("age at entry for ever", frozen)):
        ratio = smr.standardised_mortality_ratio(observed, expected)
        found.append(
            Found("SMR", name, SMR, ratio.estimate, ratio.se, ratio.ci_low, ratio.ci_high, wrong=expected is frozen)
        )
    return found
