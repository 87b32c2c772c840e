"""Dose in the cohort and its course since entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.trajectories.distribution import dose_distribution, dose_trajectory


def describe_trajectories(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the displays dose_distribution and dose_trajectory; returns one line of counts."""
    person_time = io.read_table(inputs["person_time"])
    distribution, trajectory = dose_distribution(person_time), dose_trajectory(person_time)
    io.write_frame(distribution, outputs["dose_distribution"])
    io.write_frame(trajectory, outputs["dose_trajectory"])
    return f"dose in {distribution.height} bands, {trajectory.height} months since entry"
