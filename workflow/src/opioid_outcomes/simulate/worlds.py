"""Cohorts with known truth: the worlds, and the folder that holds one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.simulate import omop, tables, truth
from opioid_outcomes.simulate.cohort import simulate
from opioid_outcomes.simulate.world import WORLDS

WRITERS = {"tables": tables.write, "omop": omop.write}
CLAIM = ".simulated"  # stands in every folder that a simulation has filled, and in no other


def write(path: Path, world: str, persons: int, seed: int, format: str = "tables") -> list[dict[str, Any]]:
    """Write a simulated cohort to ``path`` and return its truth.

    Both formats hold the same people for the same seed. The truth is also written to ``truth.json``, last, one entry
    per number: analysis, method (the one expected to recover it), outcome, contrast, window, scale, truth, se (Monte
    Carlo error of the truth; 0 when exact), description, and population where it is that of one only.
    Cost: about 10 s for 5,000 people.
    """
    if world not in WORLDS:
        raise UserError(Problem(f"there is no world {world!r}", "simulate.world", f"choose one of {', '.join(WORLDS)}"))
    if format not in WRITERS:
        raise UserError(Problem(f"cannot write format {format!r}", "format", f"choose one of {', '.join(WRITERS)}"))
    if persons < 1:
        raise UserError(Problem("nobody to simulate", "simulate.persons", "ask for at least 1 person"))
    try:
        _claim(path)
    except OSError as error:
        fix = "name a folder that can be made and written"
        raise UserError(Problem(f"cannot be written ({error.strerror})", str(path), fix)) from None
    cohort = simulate(WORLDS[world], persons, seed)
    WRITERS[format](cohort.records, path)
    known = truth.of(cohort)
    io.write_json(path / "truth.json", known)
    return known


def _claim(path: Path) -> None:
    """Make the folder a simulation's, emptied of what an earlier one wrote; a folder of other files is left alone."""
    if path.exists() and any(path.iterdir()) and not (path / CLAIM).exists():
        fix = "name a new folder, or one that an earlier simulation has filled"
        raise UserError(Problem("the folder holds files that no simulation wrote", str(path), fix))
    path.mkdir(parents=True, exist_ok=True)
    (path / CLAIM).touch()
    for written in (*path.glob("*.csv"), path / "truth.json"):
        written.unlink(missing_ok=True)
