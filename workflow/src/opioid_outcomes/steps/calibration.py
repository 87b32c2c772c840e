"""Stages ``calibrate_world`` and ``gather_calibration``: how often the test errs, in cohorts like the study's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def calibrate_world(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes one row per replicate."""
    raise NotImplementedError


def gather_calibration(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the table of all cohorts and worlds."""
    raise NotImplementedError
