"""Check: the config has been read by then; now every row of the inputs is, and nothing is written."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.config.model import Config
from opioid_outcomes.ingest.check import check_study


def check(inputs: dict[str, Any], outputs: dict[str, Any], settings: dict[str, Any]) -> str:
    """Counts of what was read; all problems of the inputs of all cohorts at once."""
    config = Config.model_validate({name: settings[name] for name in Config.model_fields if name in settings})
    return "\n".join(["config and inputs are good", *check_study(config)])
