"""Check: the config has been read by then; now every row of the inputs is, and nothing is written."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.config.model import Config
from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.ingest.check import check_cohort


def check(inputs: dict[str, Any], outputs: dict[str, Any], settings: dict[str, Any]) -> str:
    """All problems of the inputs of all cohorts at once; counts where rows would merely be rejected."""
    config = Config.model_validate({name: settings[name] for name in Config.model_fields if name in settings})
    problems: list[Problem] = []
    summaries: list[str] = []
    for name in sorted(config.cohorts):
        try:
            summaries.append(check_cohort(name, config))
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*problems)
    return "config and inputs are good\n" + "\n".join(summaries)
