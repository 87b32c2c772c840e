"""The inputs of a study checked in memory: every row is read, nothing is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from opioid_outcomes.errors import Problem, UserError

if TYPE_CHECKING:
    from opioid_outcomes.config.model import Config


def check_study(config: Config) -> list[str]:
    """A line of counts for each cohort; ``UserError`` with the problems of all of them."""
    lines: list[str] = []
    problems: list[Problem] = []
    for name, cohort in config.cohorts.items():
        plan = cohort.simulate
        if plan is not None and not (Path(cohort.path) / "truth.json").is_file():
            lines.append(f"{name}: will be simulated (world {plan.world}, {plan.persons:,} persons)")
            continue
        try:
            lines.append(check_cohort(name, config))
        except UserError as error:
            problems += [replace(problem, what=f"cohort {name}: {problem.what}") for problem in error.problems]
    if problems:
        raise UserError(*problems)
    return lines


def check_cohort(name: str, config: Config) -> str:
    """One line of counts; ``UserError`` for what must be mended. Rows that would merely be rejected are counted."""
    from opioid_outcomes.config.slices import slice_of
    from opioid_outcomes.ingest.accounting import summary
    from opioid_outcomes.ingest.run import read_cohort

    settings = slice_of(config, "ingest_cohort", name)
    read = read_cohort(
        config.cohorts[name],
        name,
        privacy=config.privacy,
        quality=config.quality,
        person_columns=settings["person_columns"],
    )
    return f"{name}: {summary(read.ingested.quality)}"
