"""The inputs of a study checked in memory: every row is read, nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from opioid_outcomes.errors import Problem, UserError

if TYPE_CHECKING:
    import polars as pl

    from opioid_outcomes.config.model import Config


def check_study(config: Config) -> list[str]:
    """Counts of each cohort and what it cannot give; ``UserError`` with the problems of all cohorts and own tables."""
    lines: list[str] = []
    problems = _problems_of_tables(config)
    for name, cohort in config.cohorts.items():
        plan = cohort.simulate
        if plan is not None and not (Path(cohort.path) / "truth.json").is_file():
            lines.append(f"{name}: will be simulated (world {plan.world}, {plan.persons:,} persons)")
            continue
        try:
            lines.append(check_cohort(name, config))
        except UserError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise UserError(*problems)
    return lines


def _problems_of_tables(config: Config) -> list[Problem]:
    """Code lists, factors and products are read as the steps will read them: the user's own may be anything."""
    from opioid_outcomes.cohort import codelists
    from opioid_outcomes.exposure import mme, products
    from opioid_outcomes.mortality import smr

    exposure = config.exposure
    readers: list[Callable[[], object]] = [
        *(partial(codelists.load, name) for name in _code_lists(config)),
        partial(mme.factors, exposure.mme_factors),
        partial(products.dictionary, exposure.drug_dictionary),
        partial(smr.load, config.mortality.life_table),
        *(partial(_read_control, name) for name in config.mortality.negative_controls),
    ]
    problems: list[Problem] = []
    for read in readers:
        try:
            read()
        except UserError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    return problems


def _code_lists(config: Config) -> list[str]:
    return [config.population.chronic_pain_codes, *config.population.exclude, config.addiction.codes]


def _read_control(name: str) -> object:
    """A list of negative controls, read as its step will: drugs or codes."""
    from opioid_outcomes.cohort import codelists
    from opioid_outcomes.config import shipped
    from opioid_outcomes.exposure import drug_classes

    if name in shipped.drug_classes():
        return name
    if name not in shipped.code_lists() and drug_classes.lists_drugs(Path(name)):
        return drug_classes.own_class(Path(name))
    return codelists.load(name)


def check_cohort(name: str, config: Config) -> str:
    """A line of counts, and under it the rows rejected by rule, what is missing and what to beware of.

    ``UserError`` for what must be mended.
    """
    from opioid_outcomes import io
    from opioid_outcomes.config.slices import slice_of
    from opioid_outcomes.ingest.accounting import summary
    from opioid_outcomes.ingest.run import read_cohort
    from opioid_outcomes.steps.exposure import forecast

    settings = slice_of(config, "ingest_cohort", name)
    read = read_cohort(
        config.cohorts[name],
        name,
        privacy=config.privacy,
        quality=config.quality,
        person_columns=settings["person_columns"],
    )
    ingested = read.ingested
    if config.population.entry == "chronic_pain" and ingested.tables["diagnoses"].is_empty():
        what = "there are no diagnoses, so that nobody can enter on one of chronic pain"
        fix = (
            "give table diagnoses (OMOP: condition_occurrence), or set population.entry: first_observation if "
            "everybody in persons has chronic pain"
        )
        raise UserError(Problem(what, f"cohorts.{name}", fix))
    exposure = forecast(ingested.tables, config.exposure)
    told = [
        *_rejections(ingested.quality_rules),
        *read.costs,
        *exposure["costs"],
        *read.warnings,
        *exposure["warnings"],
        *io.encoding_warnings([*_code_lists(config), config.mortality.life_table, *config.mortality.negative_controls]),
    ]
    return "\n    ".join([f"{name}: {summary(ingested.quality)}", *told])


def _rejections(rules: pl.DataFrame) -> list[str]:
    """For each table with rejected rows their number by rule, most frequent first: for the user's own eyes."""
    import polars as pl

    from opioid_outcomes.ingest.accounting import NOT_SELECTED

    rules = rules.filter(~pl.col("rule").is_in(NOT_SELECTED)).sort("table", -pl.col("rows"), "rule")
    told = pl.concat_str(pl.col("rule"), pl.lit(" "), pl.col("rows")).str.join(", ")
    by_table = rules.group_by("table", maintain_order=True).agg(told)
    return [f"{table}: rows rejected by {by_rule}" for table, by_rule in by_table.iter_rows()]
