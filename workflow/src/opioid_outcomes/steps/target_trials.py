"""Stage ``describe_target_trials``: the emulated trials, as the config has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.mortality.target_trial import target_trials


def describe_target_trials(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Each trial's components, item by item (TARGET 2025); of nobody, so it may leave as it is."""
    table = target_trials(settings)
    io.write_frame(table, outputs["trials"])
    return f"{table['trial'].n_unique()} trials described"
