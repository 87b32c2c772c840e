"""What a result rests on: the code a step runs, its slice of the config, the versions, the inputs."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from opioid_outcomes.config.model import Config
from opioid_outcomes.config.slices import slice_of
from opioid_outcomes.steps import STAGES

PACKAGE = Path(__file__).parent
NAME = PACKAGE.name
# Shipped data (under data/) that a stage reads without naming it in an import.
STAGE_DATA = {
    "ingest": ("drugs/opioids.csv", "drug_classes.csv"),
    "exposure": ("mme", "drugs"),
    "definitions": ("mme",),
    "events": ("mme", "drug_classes.csv"),
    "example": ("mme", "drugs"),
    "cohort": ("codelists", "drug_classes.csv"),
    "trajectories": ("mme",),
    "trajectory_estimates": ("mme", "codelists", "drug_classes.csv"),
    "trials": ("codelists", "drug_classes.csv"),
    "new_user": ("codelists", "drug_classes.csv"),
    "msm": ("codelists", "drug_classes.csv"),
    "sustained": ("codelists", "drug_classes.csv"),
    "negative_controls": ("codelists", "drug_classes.csv"),
    "addiction": ("codelists",),
    "hyperalgesia": ("codelists", "drug_classes.csv"),
    "blip": ("codelists", "drug_classes.csv"),
    "corroboration": ("codelists", "drug_classes.csv"),
    "wrong_answers": ("codelists", "drug_classes.csv"),
    "pain": ("codelists", "drug_classes.csv"),
    "calibration": ("codelists", "drug_classes.csv"),
    "verdict": ("calibration",),
    "mortality": ("life_tables",),
    "report": ("report", "mme"),
}
REPORTED_VERSIONS = (
    "opioid-outcomes", "polars", "numpy", "scipy", "pandas", "statsmodels", "snakemake", "altair", "vl-convert-python",
    "typst",
)  # fmt: skip


def step_fingerprint(config: Config, step: str, cohort: str | None, files: Sequence[str] = ()) -> str:
    """All that a rerun of a step depends on, as one canonical text: its slice of the config, the code it runs, and size
    and time of the study's own files (one replaced by an older file holds something else and is not newer).
    """
    stamps = [[file, (stat := Path(file).stat()).st_size, stat.st_mtime_ns] for file in files]
    settings, code = slice_of(config, step, cohort), code_hash(STAGES[step])
    return canonical_json({"study": config.study.name, "settings": settings, "code": code, "files": stamps})


def canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


@cache
def code_hash(stage: str) -> str:
    """Hash of the module of a stage, of everything of ours that it imports, and of the shipped data it reads."""
    digest = hashlib.sha256()
    for path in sorted(import_closure(PACKAGE / "steps" / f"{stage}.py")) + _data_files(stage):
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _data_files(stage: str) -> list[Path]:
    found: list[Path] = []
    for name in STAGE_DATA.get(stage, ()):
        place = PACKAGE / "data" / name
        found += [place] if place.is_file() else (path for path in place.rglob("*") if path.is_file())
    return sorted(found)


def import_closure(module: Path) -> set[Path]:
    """The files of this package that a module reaches by static imports, itself included."""
    seen: set[Path] = set()
    waiting = [module]
    while waiting:
        path = waiting.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        waiting += _imported(path)
    return seen


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    found: list[Path] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += (place for name in node.names for place in _places(name.name))
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += _places(node.module)
            found += (place for name in node.names for place in _places(f"{node.module}.{name.name}"))
    return tuple(found)


def _places(dotted: str) -> list[Path]:
    parts = dotted.split(".")
    if parts[0] != NAME:
        return []
    place = PACKAGE.joinpath(*parts[1:])
    return [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def versions() -> dict[str, str]:
    """The versions a number may depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in REPORTED_VERSIONS}


def package_hash() -> str:
    """Hash of the whole package, code and shipped data."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
