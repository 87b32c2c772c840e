"""What types cannot say: choices of later versions, names that are taken, and what keys must agree on."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from opioid_outcomes.config import shipped, tables
from opioid_outcomes.config.base import Section
from opioid_outcomes.config.model import Config
from opioid_outcomes.config.nearest import suggestion
from opioid_outcomes.config.problems import KeyProblems
from opioid_outcomes.config.study import NAME
from opioid_outcomes.config.wording import NAME_RULE, as_yaml
from opioid_outcomes.config.yaml_loader import Key
from opioid_outcomes.simulate.world import WORLDS

TAKEN = ("pooled", "main")
MAX_OFFSET = 50_000  # days: as far from day 0 as a cohort's own may lie
DAYS_A_LAG = 30  # lags_months: a month of hyperalgesia.blip
LOGS = "logs"  # stands beside the cohorts' folders


Check = Callable[[Config, KeyProblems], None]


def fields(section: Section, key: Key = ()) -> Iterator[tuple[Key, Any, Any]]:
    """Every key of a config below ``section``, with its value and how it is declared."""
    for name, field in type(section).model_fields.items():
        value, here = getattr(section, name), (*key, name)
        yield here, value, field
        if isinstance(value, Section):
            yield from fields(value, here)
        elif isinstance(value, dict):
            for inner, one in value.items():
                if isinstance(one, Section):
                    yield from fields(one, (*here, inner))


def availability(config: Config, problems: KeyProblems) -> None:
    """What this version cannot do is refused, never accepted and ignored."""
    for key, value, field in fields(config):
        extra = field.json_schema_extra
        if not isinstance(extra, dict) or "available" not in extra:
            continue
        available = extra["available"]
        assert isinstance(available, list)
        if value in available or (isinstance(value, list) and all(item in available for item in value)):
            continue
        choices = ", ".join(as_yaml(choice) for choice in available)
        alone = available == [field.get_default(call_default_factory=True)]
        fix = f"leave it out (it stays {choices})" if alone else f"available: {choices}"
        problems.add(key, "this choice is not in this version", fix)


def names(config: Config, problems: KeyProblems) -> None:
    if config.study.name in TAKEN:
        problems.add(("study", "name"), f"`{config.study.name}` is taken", "choose another name")
    for name in config.cohorts:
        if name in TAKEN or name == LOGS:
            problems.add(("cohorts", name), "this name is taken by the results", "choose another name")
        elif not re.fullmatch(NAME, name):
            problems.add(("cohorts", name), "is no valid name for a cohort", NAME_RULE)


def no_repeats(config: Config, problems: KeyProblems) -> None:
    for key, value, _ in fields(config):
        if isinstance(value, list) and any(item in value[:index] for index, item in enumerate(value)):
            problems.add(key, "lists something twice", "name each once")


def order(config: Config, problems: KeyProblems) -> None:
    bands = config.exposure.dose_bands
    if any(low >= high for low, high in pairwise(bands)):
        problems.add(("exposure", "dose_bands"), "the bounds do not rise", "write them rising, as [20, 50, 90]")
    windows = config.hyperalgesia.windows_days
    if any(start > end for start, end in windows):
        problems.add(("hyperalgesia", "windows_days"), "a window ends before it starts", "write [first day, last day]")
    elif any(before[1] >= after[0] for before, after in pairwise(windows)):
        fix = "order them so that each starts after the one before has ended, as [[1, 30], [31, 90]]"
        problems.add(("hyperalgesia", "windows_days"), "windows overlap or are out of order", fix)
    else:
        _verdict_in_reach(config, problems)
    horizons = config.mortality.horizons_days
    if horizons[0] <= 0 or any(low >= high for low, high in pairwise(horizons)):
        problems.add(("mortality", "horizons_days"), "the horizons do not rise from above 0", "write them rising")
    low, high = config.mortality.truncation[0], config.mortality.truncation[-1]
    if low >= high:
        problems.add(("mortality", "truncation"), "the percentiles do not rise", "write them rising, as [1, 99]")


def _verdict_in_reach(config: Config, problems: KeyProblems) -> None:
    """A first window with days that count, and a lag of the structural model inside the last one: else no verdict of
    hyperalgesia could come of any data. (One window alone is a choice: the report says that nothing is concluded.)"""
    options = config.hyperalgesia
    end = options.windows_days[0][1]
    if options.escalation.grace_days > end:
        what = "lasts beyond the first of windows_days, so that no score in it counts"
        fix = f"write at most {end}, or begin windows_days with a later window"
        problems.add(("hyperalgesia", "escalation", "grace_days"), what, fix)
    first, last = options.windows_days[-1]
    least = -(-max(first, 1) // DAYS_A_LAG)  # month
    if DAYS_A_LAG * least > last:
        what = "no month after a step (day 30, 60, 90, ...) lies in the last window, and the verdict asks for one"
        problems.add(("hyperalgesia", "windows_days"), what, "make the last window longer")
    elif options.lags_months < least:
        what = "ends before the last of windows_days, for which the verdict asks"
        problems.add(("hyperalgesia", "lags_months"), what, f"write at least {least}")


def days(config: Config, problems: KeyProblems) -> None:
    """Dates are ISO dates, or whole numbers where the cohort counts days."""
    bases = {cohort.date_basis == "offset" for cohort in config.cohorts.values()}
    if bases == {True, False} and (config.population.study_start, config.population.study_end) != (None, None):
        key = ("population", "study_end" if config.population.study_start is None else "study_start")
        problems.add(key, "some cohorts count days and others have dates", "run them as two studies")
    elif bases:
        for name in ("study_start", "study_end"):
            _day(("population", name), getattr(config.population, name), bases == {True}, problems)
    for name, cohort in config.cohorts.items():
        _day(
            ("cohorts", name, "deaths_complete_until"),
            cohort.deaths_complete_until,
            cohort.date_basis == "offset",
            problems,
        )
    start, end = config.population.study_start, config.population.study_end
    if type(start) is type(end) and start is not None and start > end:  # type: ignore[operator]
        problems.add(("population", "study_end"), "lies before study_start", "exchange them, or leave one out")


def _day(key: Key, value: str | int | None, offset: bool, problems: KeyProblems) -> None:
    if isinstance(value, int) and not offset:
        problems.add(key, "a day number needs date_basis: offset", "write a date, as 2020-01-31")
    elif isinstance(value, int) and abs(value) > MAX_OFFSET:
        problems.add(key, "is out of range", f"write a number from {-MAX_OFFSET} to {MAX_OFFSET}")
    elif isinstance(value, str) and offset:
        problems.add(key, "with date_basis: offset days are whole numbers", "write the day's number")
    elif isinstance(value, str):
        try:
            readable = date.fromisoformat(value).isoformat() == value
        except ValueError:
            readable = False
        if not readable:
            problems.add(key, "is no date", "write year-month-day, as 2020-01-31")


def contradictions(config: Config, problems: KeyProblems) -> None:
    disclosure = config.disclosure
    if disclosure.profile == "none" and not (disclosure.reason or "").strip():
        fix = "say why nothing needs protecting (public or simulated data), or write profile: cms11"
        problems.add(("disclosure", "reason"), "profile none needs a reason", fix)
    if shipped.CALENDAR_YEAR in config.covariates.time_varying:
        what = "calendar_year goes up with time itself, whatever happens to people"
        problems.add(("covariates", "time_varying"), what, "put it in covariates.baseline")
    for name, cohort in config.cohorts.items():
        if config.privacy.safe_harbor and cohort.date_basis == "actual":
            fix = "Safe Harbor data hold no true dates: correct one of the two"
            problems.add(("cohorts", name, "date_basis"), "contradicts privacy.safe_harbor: true", fix)
        if cohort.format == "omop" and cohort.date_basis == "offset":
            problems.add(("cohorts", name, "date_basis"), "OMOP data have dates", "write shifted or actual")
        if cohort.format == "omop" and cohort.path.lower().endswith(".duckdb"):
            fix = "export its tables to a folder of CSV or Parquet files"
            problems.add(("cohorts", name, "path"), "reading a database is not in this version", fix)


def simulated(config: Config, problems: KeyProblems) -> None:
    """Worlds exist, and a folder that is simulated into belongs to one cohort."""
    for name, cohort in config.cohorts.items():
        if cohort.simulate is not None and cohort.simulate.world not in WORLDS:
            what = f"there is no world `{cohort.simulate.world}`"
            problems.add(("cohorts", name, "simulate", "world"), what, suggestion(cohort.simulate.world, WORLDS))
    owners: dict[str, list[str]] = {}
    for name, cohort in config.cohorts.items():
        owners.setdefault(os.path.abspath(cohort.path), []).append(name)
    for sharing in owners.values():
        writing = [name for name in sharing if config.cohorts[name].simulate]
        if len(sharing) > 1 and writing:
            other = next(name for name in sharing if name != writing[-1])
            what = f"is simulated into the folder of cohort {other}"
            problems.add(("cohorts", writing[-1], "path"), what, "give each its own path")


def braces(config: Config, problems: KeyProblems) -> None:
    """Snakemake takes {...} in a path for a wildcard."""
    population, exposure = config.population, config.exposure
    paths: dict[Key, str | None] = {
        ("population", "chronic_pain_codes"): population.chronic_pain_codes,
        **{("population", "exclude", index): name for index, name in enumerate(population.exclude)},
        **{("population", "censor_at", index): name for index, name in enumerate(population.censor_at)},
        ("exposure", "mme_factors"): exposure.mme_factors,
        ("exposure", "drug_dictionary"): exposure.drug_dictionary,
        ("addiction", "codes"): config.addiction.codes,
        ("mortality", "life_table"): config.mortality.life_table,
        **{("mortality", "negative_controls", index): n for index, n in enumerate(config.mortality.negative_controls)},
    }
    for name, cohort in config.cohorts.items():
        paths["cohorts", name, "path"] = cohort.path
        paths |= {("cohorts", name, "tables", table, "file"): one.file for table, one in cohort.tables.items()}
    for key, path in paths.items():
        if path is not None and re.search("[{}]", path):
            problems.add(key, "holds a brace, { or }", "rename the file or folder: a workflow cannot read such a path")


def names_or_paths(config: Config, problems: KeyProblems) -> None:
    """Code lists and factor tables are a shipped name or the user's own file."""
    population, exposure = config.population, config.exposure
    _name_or_path(("population", "chronic_pain_codes"), population.chronic_pain_codes, shipped.code_lists(), problems)
    for key in ("exclude", "censor_at"):
        for index, name in enumerate(getattr(population, key)):
            _name_or_path(("population", key, index), name, shipped.code_lists(), problems)
    _name_or_path(("exposure", "mme_factors"), exposure.mme_factors, shipped.mme_factors(), problems)
    _name_or_path(("addiction", "codes"), config.addiction.codes, shipped.code_lists(), problems)
    _name_or_path(("mortality", "life_table"), config.mortality.life_table, shipped.life_tables(), problems)
    controls = (*shipped.code_lists(), *shipped.drug_classes())
    for index, name in enumerate(config.mortality.negative_controls):
        _name_or_path(("mortality", "negative_controls", index), name, controls, problems)
    if exposure.drug_dictionary is not None:
        _name_or_path(("exposure", "drug_dictionary"), exposure.drug_dictionary, (), problems)


def _name_or_path(key: Key, name: str, known: tuple[str, ...], problems: KeyProblems) -> None:
    if name in known or Path(name).is_file():
        return
    fix = f"shipped: {', '.join(known)}; or the path of a CSV" if known else "check the path"
    what = f"`{name}` is neither shipped nor a file" if known else f"there is no file `{name}`"
    problems.add(key, what, fix)


CHECKS: tuple[Check, ...] = (
    names,
    availability,
    no_repeats,
    order,
    days,
    contradictions,
    simulated,
    braces,  # before the files are looked for: of two problems of one key the first stands
    names_or_paths,
    tables.mappings,
)
