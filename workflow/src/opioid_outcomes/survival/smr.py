"""Deaths beside those expected of a general population: Lexis splitting, standardised mortality ratio, excess rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.life_table import LifeTable, Whole
from opioid_outcomes.survival.rates import exact_limits
from opioid_outcomes.survival.risk_sets import Floats
from opioid_outcomes.units import DAYS_PER_YEAR

AT_ONCE = 250_000  # rows split at a time: some 100 MB
EPOCH = np.datetime64("1970-01-01")


@dataclass(frozen=True)
class Pieces:
    """Stretches cut at birthdays: the row each comes from, its start and stop, and the completed years of age."""

    row: Whole
    start: Floats
    stop: Floats
    age: Whole


def at_birthdays(start: Floats, stop: Floats, born: Floats) -> Pieces:
    """Stretches (start, stop] in days on a clock on which a person is 0 years old at ``born``, cut at each birthday.

    A year of age has 365.25 days. Shapes (n,); pieces follow the order of the rows. Lengths add up to stop - start but
    for rounding. Cost O(pieces).
    """
    first = np.floor((start - born) / DAYS_PER_YEAR).astype(np.int64)
    last = np.maximum(np.ceil((stop - born) / DAYS_PER_YEAR).astype(np.int64) - 1, first)
    row, step = _repeated(last - first + 1)
    age = first[row] + step
    return Pieces(
        row,
        np.where(step == 0, start[row], born[row] + age * DAYS_PER_YEAR),
        np.where(age == last[row], stop[row], born[row] + (age + 1) * DAYS_PER_YEAR),
        age,
    )


def at_new_years(start: Floats, stop: Floats) -> tuple[Whole, Floats, Floats, Whole]:
    """Stretches in days since 1970-01-01 cut at each 1 January: row, start, stop and calendar year of the pieces."""
    if not len(start):
        return np.empty(0, np.int64), start, stop, np.empty(0, np.int64)
    years = np.arange(_year(start.min()), _year(stop.max()) + 2)
    new_years = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    first = np.searchsorted(new_years, start, side="right") - 1
    last = np.maximum(np.searchsorted(new_years, stop, side="left") - 1, first)
    row, step = _repeated(last - first + 1)
    at = first[row] + step
    begins = np.where(step == 0, start[row], new_years[at])
    ends = np.where(at == last[row], stop[row], new_years[at + 1])
    return row, begins, ends, years[at]


def expected(
    start: npt.ArrayLike, stop: npt.ArrayLike, born: npt.ArrayLike, sex: Whole, table: LifeTable, *,
    year: int | None = None,
) -> Floats:  # fmt: skip
    """Deaths expected in each stretch at the rates of ``table``, (n,): sum over its Lexis cells of years x rate.

    start, stop, born: days on one clock, which is days since 1970-01-01 unless ``year`` names one calendar year for
    all time. sex: index into ``table.sexes``. Exact within rates that are constant in a cell. Equal to R's pyears with
    a rate table of type 2, 1, 3 (which turns years on 1 January, not on birthdays as type 4 does).

    Berry G. Biometrics 1983;39:173. Cost O(cells touched), rows in chunks; no loop over people.
    """
    begins, ends, births = (np.asarray(value, dtype=float) for value in (start, stop, born))
    deaths = np.zeros(len(begins))
    for low in range(0, len(begins), AT_ONCE):
        chunk = slice(low, low + AT_ONCE)
        pieces = at_birthdays(begins[chunk], ends[chunk], births[chunk])
        row, span, ages = pieces.row, pieces.stop - pieces.start, pieces.age
        if year is None:
            inner, first, last, years = at_new_years(pieces.start, pieces.stop)
            row, span, ages = row[inner], last - first, ages[inner]
        else:
            years = np.full(len(row), year)
        rates = table.rates.ravel()[table.cells(ages.astype(float), sex[chunk][row], years)]
        deaths[chunk] = np.bincount(row, span / DAYS_PER_YEAR * rates, len(begins[chunk]))
    return deaths


@dataclass(frozen=True)
class Ratio:
    """Observed over expected events, with 95 % limits and standard error."""

    estimate: float
    ci_low: float
    ci_high: float
    se: float


def standardised_mortality_ratio(observed: int, expected_deaths: float) -> Ratio:
    """O / E with exact Poisson limits for O, E taken as known (METHODS C6; Breslow & Day 1987, 2.13). E > 0.

    With no deaths the lower limit is 0.
    """
    low, high = exact_limits(observed)
    return Ratio(
        observed / expected_deaths, low / expected_deaths, high / expected_deaths, observed**0.5 / expected_deaths
    )


def excess_rate(observed: int, expected_deaths: float, person_years: float, per: float = 1000.0) -> Ratio:
    """(O - E) / person-years, times ``per``, with the exact limits of O. person_years > 0."""
    low, high = (limit - expected_deaths for limit in exact_limits(observed))
    unit = per / person_years
    return Ratio((observed - expected_deaths) * unit, low * unit, high * unit, observed**0.5 * unit)


def _repeated(times: Whole) -> tuple[Whole, Whole]:
    """Row of each of ``times`` repetitions, and which repetition it is (0, 1, ...)."""
    row = np.repeat(np.arange(len(times)), times)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)


def _year(day: float) -> int:
    return int((EPOCH + np.timedelta64(int(np.floor(day)), "D")).astype("datetime64[Y]").astype(np.int64)) + 1970
