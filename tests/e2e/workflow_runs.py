"""Running the real workflow in a copy of the checkout, so that tests may edit config, inputs and code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "profiles", "workflow", "config")

STUDY = """
study: {name: small, title: Two small simulated cohorts}
cohorts:
  clinic:
    format: tables
    path: data/demo/clinic
    simulate: {world: hyperalgesia, persons: 400, seed: 1}
  claims:
    format: omop
    path: data/demo/claims
    simulate: {world: claims, persons: 400, seed: 2}
population: {lookback_days: 180, diagnosis_window_days: 365}
exposure: {carry_over_days: 30, gap_days: 25}
covariates: {baseline: [age, sex, pain]}
"""


@dataclass(frozen=True)
class Run:
    code: int
    output: str

    @property
    def steps(self) -> set[str]:
        """The steps that finished, as `[cohort] step`."""
        return {" ".join(found) for found in re.findall(r"^(\[\w+\]) (\w+):", self.output, re.MULTILINE)}


@dataclass(frozen=True)
class Checkout:
    """A copy of the checkout with a study of its own."""

    place: Path

    @classmethod
    def copied_to(cls, place: Path, study: str = STUDY, root: Path = ROOT) -> Checkout:
        place.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            source = root / part
            if source.is_dir():
                shutil.copytree(source, place / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, place / part)
        (place / "study.yaml").write_text(study)
        return cls(place)

    def copy(self, place: Path) -> Checkout:
        """Everything, results and Snakemake's memory of them included, times kept."""
        shutil.copytree(self.place, place, copy_function=shutil.copy2)
        return Checkout(place)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        package, cache = self.place / "workflow/src", self.place / "cache"
        return os.environ | {"PYTHONPATH": str(package), "XDG_CACHE_HOME": str(cache)}

    def snakemake(self, *arguments: str, configfile: str | None = "study.yaml", cwd: Path | None = None) -> Run:
        chosen = ["--configfile", configfile] if configfile else []
        done = subprocess.run(
            self.command(*arguments, *chosen), cwd=cwd or self.place, env=self.environment,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        return Run(done.returncode, done.stdout + done.stderr)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.place / file
        text = path.read_text()
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new))

    def would_run(self) -> set[str]:
        """The rules a bare run would run, and why it would not need to be asked."""
        listing = self.snakemake("--dry-run", "--quiet", "host", "reason").output
        return set(re.findall(r"^(?:local)?rule (\w+):", listing, re.MULTILINE)) - {"all"}
