"""``mortality.smr``: deaths of each state of opioid use beside those of the general population of the same country."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.mortality.contrasts import Exposure, main_contrast
from opioid_outcomes.mortality.person_years import Amount, amount
from opioid_outcomes.survival import life_table
from opioid_outcomes.survival.life_table import LifeTable, LifeTableFailure
from opioid_outcomes.survival.smr import excess_rate, expected, standardised_mortality_ratio
from opioid_outcomes.units import DAYS_PER_YEAR

ANALYSIS = "mortality.smr"
POPULATION = "general population"
COLUMNS = ("age", "sex", "year", "rate")
SEXES = ("F", "M")
# A shipped table is named by its country.
COUNTRIES = {"us": ("us", "usa", "united states", "united states of america")}


@dataclass(frozen=True)
class Reference:
    """What a cohort is compared with. ``year``: the one that all its time stands for; None where dates are actual.

    ``top_coded_age``: from it on, ages are one group, and person-time has no rate of its own.
    """

    table: LifeTable
    name: str
    year: int | None
    top_coded_age: float


def load(name_or_path: str) -> LifeTable:
    """A life table: a shipped one by name, or a user's CSV with columns age (years; the rate holds until the next age
    listed), sex (F, M), year, rate (deaths per person-year). UserError if it is none."""
    is_shipped = name_or_path in shipped.life_tables()
    path = shipped.DATA / "life_tables" / f"{name_or_path}.csv" if is_shipped else Path(name_or_path)
    fix = "columns age, sex (F or M), year, rate (deaths per person-year); or a shipped table: " + ", ".join(
        shipped.life_tables()
    )
    if not path.is_file():
        raise UserError(Problem(f"no life table '{name_or_path}'", "mortality.life_table", f"give a CSV with {fix}"))
    frame = io.read_text_table(path, COLUMNS).with_columns(
        *(pl.col(name).cast(pl.Float64, strict=False) for name in ("age", "rate")),
        pl.col("year").cast(pl.Int64, strict=False),
        pl.col("sex").str.to_uppercase(),
    )
    for name in COLUMNS:
        if frame[name].null_count():
            raise UserError(Problem(f"the life table has rows whose {name} is missing or no number", str(path), fix))
    if sorted(frame["sex"].unique()) != sorted(SEXES):
        raise UserError(Problem("the life table needs rates of both sexes, F and M, and no others", str(path), fix))
    try:
        return life_table.from_columns(*(frame[name].to_list() for name in COLUMNS))
    except LifeTableFailure as failure:
        raise UserError(Problem(f"the life table cannot be used: {failure}", str(path), fix)) from None


def reference(
    table_name: str, *, country: str | None, date_basis: str, reference_year: int | None, top_coded_age: float
) -> Reference | str:
    """The population to compare with, or the gate that says why there is none and what would make one."""
    own = table_name not in shipped.life_tables()
    if not own and (country or "").strip().casefold() not in COUNTRIES.get(table_name, (table_name,)):
        told = f"the cohort's country ({country}) is not" if country else "the cohort's country is not declared to be"
        return (
            f"not evaluable: {told} that of the life table '{table_name}': set country of the cohort, or give"
            " mortality.life_table a table of its country"
        )
    if date_basis != "actual" and reference_year is None:
        return (
            "not evaluable: dates are not actual ones, so the calendar years are not known: set reference_year of the"
            " cohort to the year that its time stands for"
        )
    year = None if date_basis == "actual" else reference_year
    return Reference(load(table_name), "the life table given" if own else table_name.upper(), year, top_coded_age)


def smr(person_time: pl.DataFrame, against: Reference | str, *, exposure: Exposure) -> list[Estimate]:
    """SMR and excess deaths per 1000 person-years of everybody and of each group the cohort can compare. Unweighted.

    person_time: PERSON_TIME with the columns of ``mortality.age.aged``. The groups are each compared with the general
    population at their own ages, so their ratios cannot be compared with each other.
    """
    contrast = main_contrast(exposure)
    if isinstance(against, str):
        row = _row("all", "smr", amount(person_time), gate=against)
        return [row]
    known, notes = _comparable(person_time, against)
    groups = {"all": pl.col("start").is_not_null()}
    if contrast:
        groups |= {name: contrast.exposure == value for name, value in zip(contrast.arms, (1, 0), strict=True)}
    rows: list[Estimate] = []
    for name, exposed in groups.items():
        inside = exposed.fill_null(False)
        rows += _of_group(name, known.filter(inside), person_time.filter(inside), notes)
    return rows


def _comparable(person_time: pl.DataFrame, against: Reference) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Person-time that has a rate, cut at the ages at which rates begin and end, with ``expected`` deaths; and what
    was left out, in words without numbers of people."""
    youngest, oldest = float(against.table.ages[0]), against.top_coded_age
    first, last = (pl.col("born") + age * DAYS_PER_YEAR for age in (youngest, oldest))
    with_sex = person_time.filter(pl.col("female").is_not_null() & pl.col("born").is_not_null())
    rows = with_sex.with_columns(
        begins=pl.max_horizontal(pl.col("start").cast(pl.Float64), first),
        ends=pl.min_horizontal(pl.col("stop").cast(pl.Float64), last),
    ).filter(pl.col("begins") < pl.col("ends"))
    rows = rows.with_columns(death=pl.when(pl.col("ends") == pl.col("stop")).then("death").otherwise(0))
    entered = rows["entered"].to_numpy().astype(float)
    clock = np.zeros(rows.height) if against.year is not None else entered
    sex = np.where(rows["female"].to_numpy() == 1, *(against.table.sexes.index(name) for name in SEXES))
    begins, ends, births = (rows[name].to_numpy() + clock for name in ("begins", "ends", "born"))
    deaths = expected(begins, ends, births, sex, against.table, year=against.year)
    notes = _notes(person_time, against, rows, clock)
    return rows.with_columns(pl.Series("expected", deaths)), notes


def _notes(person_time: pl.DataFrame, against: Reference, rows: pl.DataFrame, clock: np.ndarray) -> tuple[str, ...]:
    year = f"of {against.year}" if against.year is not None else "of the calendar year"
    notes = [
        f"deaths at the rates of the {POPULATION} ({against.name}) of the same age and sex {year} are those expected",
        f"person-time from age {against.top_coded_age:g} on is left out, as older ages are one group",
    ]
    if person_time["female"].null_count():
        notes.append("persons whose sex is neither F nor M are left out")
    if person_time["born"].null_count():
        notes.append("persons of unknown age are left out")
    if against.table.ages[0] > 0:
        notes.append(f"person-time before age {against.table.ages[0]:g} has no rate and is left out")
    if rows.height:
        last = against.year
        if last is None:
            day = float((rows["ends"].to_numpy() + clock).max()) - 1
            last = int(np.datetime64(int(day), "D").astype("datetime64[Y]").astype(int)) + 1970
        if last > against.table.years[-1]:
            notes.append(f"years after {against.table.years[-1]} take its rates, the last known")
    return tuple(notes)


def _of_group(name: str, rows: pl.DataFrame, everything: pl.DataFrame, notes: tuple[str, ...]) -> Iterator[Estimate]:
    """SMR and excess rate of one group."""
    days = float(np.sum(rows["ends"].to_numpy() - rows["begins"].to_numpy()))
    found = Amount(rows["person_id"].n_unique(), int(rows["death"].sum() or 0), days / DAYS_PER_YEAR)
    expected_deaths = float(np.sum(rows["expected"].to_numpy()))
    left_out = everything.join(rows.select("person_id").unique(), on="person_id", how="anti")["person_id"].n_unique()
    cell = smallest(*found.cells(), left_out, int(everything["death"].sum() or 0) - found.events)
    apart = "each group is compared at its own ages: not to be compared with the ratio of another group"
    for scale, method in (("smr", "indirect"), ("rate_per_1000py", "excess")):
        row = replace(_row(name, scale, found, method=method), smallest_cell=cell)
        if not everything.height or not found.person_years:
            yield replace(row, gate="not evaluable: nobody is followed in this group at ages with a rate")
        elif not expected_deaths:
            yield replace(row, gate="not evaluable: no deaths are expected in this group")
        else:
            numbers = (
                standardised_mortality_ratio(found.events, expected_deaths)
                if scale == "smr"
                else excess_rate(found.events, expected_deaths, found.person_years)
            )
            what = "observed over expected deaths" if scale == "smr" else "deaths beyond those expected"
            note = "; ".join((what, *notes, "exact Poisson limits", apart))
            yield replace(row, **asdict(numbers), gate="pass", note=note)


def _row(name: str, scale: str, found: Amount, *, method: str = "indirect", gate: str = "pass") -> Estimate:
    return Estimate(
        analysis=ANALYSIS, method=method, population="eligible persons, unweighted", outcome="death",
        contrast=f"{name} vs {POPULATION}", scale=scale, **found.counts(), gate=gate,
    )  # fmt: skip
