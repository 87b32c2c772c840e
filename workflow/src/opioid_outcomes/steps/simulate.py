"""Step ``simulate_cohort``: a cohort with known truth, where real files would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes.simulate import worlds


def simulate_cohort(inputs: dict[str, Any], outputs: dict[str, Any], settings: dict[str, Any]) -> str:
    """Write the simulated cohort's folder; ``outputs["truth"]`` is its ``truth.json``, written last."""
    cohort = settings["cohort"]
    simulate = cohort["simulate"]
    folder = Path(outputs["truth"]).parent
    worlds.write(folder, simulate["world"], simulate["persons"], simulate["seed"], format=cohort["format"])
    return f"simulated {simulate['persons']:,} people in the world {simulate['world']} ({cohort['format']})"
