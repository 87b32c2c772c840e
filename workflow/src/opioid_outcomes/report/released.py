"""What the report may read: the released files of one study and the resolved config. Nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes.config.model import Config
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import SCHEMA
from opioid_outcomes.io import read_json
from opioid_outcomes.report.words import POOLED, Scale, scale_of, scales

TRUTH_COLUMNS = {
    "cohort": pl.String(), "analysis": pl.String(), "method": pl.String(), "outcome": pl.String(),
    "contrast": pl.String(), "window": pl.String(), "scale": pl.String(), "truth": pl.Float64(),
    "estimate": pl.Float64(), "se": pl.Float64(), "z": pl.Float64(), "description": pl.String(),
}  # fmt: skip
EXAMPLE_COLUMNS = {
    "lane": pl.String(), "label": pl.String(), "start": pl.Float64(), "stop": pl.Float64(), "value": pl.Float64(),
}  # fmt: skip


@dataclass(frozen=True)
class Released:
    """One study as released: rows as dictionaries, in the order of the files."""

    config: Config
    release: dict[str, Any]
    manifest: dict[str, Any]
    estimates: list[dict[str, Any]]
    displays: dict[str, list[dict[str, Any]]]
    truth: list[dict[str, Any]] = field(default_factory=list)
    example: list[dict[str, Any]] = field(default_factory=list)  # how the history of a person who never was is read
    trials: list[dict[str, Any]] = field(default_factory=list)  # the emulated trials, item by item
    verdict: dict[str, Any] = field(default_factory=dict)  # of each cohort, and of all
    calibration: list[dict[str, Any]] = field(default_factory=list)  # how often each verdict, in simulated worlds

    @property
    def title(self) -> str:
        return self.config.study.title or self.config.study.name

    @property
    def cohorts(self) -> list[str]:
        """Cohorts in the order of the config."""
        return [name for name in self.config.cohorts if name in self.release["cohorts"]] or list(self.config.cohorts)

    @property
    def cohorts_and_pooled(self) -> list[str]:
        return [*self.cohorts, POOLED]

    @property
    def threshold(self) -> int:
        return int(self.release.get("threshold") or 0)

    @property
    def rounding(self) -> int:
        """Counts are multiples of this."""
        return int(self.release.get("rounding") or 1)

    @property
    def rounded(self) -> bool:
        return self.rounding > 1

    @property
    def rates_of(self) -> str:
        """Which counts rates are computed from, where it is not the exact ones."""
        return (
            " Rates and their exact Poisson limits are those of the rounded counts shown, not of the exact ones."
            if self.rounded
            else ""
        )

    @property
    def rule(self) -> str:
        """The sentence under each table and figure."""
        return str(self.release.get("rule", ""))

    @property
    def scales(self) -> dict[str, Scale]:
        return scales(self.config.hyperalgesia.step_mme)

    def scale(self, row: dict[str, Any]) -> Scale:
        """How the estimate of this row is printed, in the unit of its own analysis and outcome."""
        return scale_of(row, self.config.hyperalgesia.step_mme)

    def about(self, cohort: str) -> dict[str, Any]:
        return dict(self.release["cohorts"].get(cohort, {}))

    def display(self, name: str, cohort: str) -> list[dict[str, Any]]:
        return [row for row in self.displays.get(name, []) if row["cohort"] == cohort]

    @property
    def exposures(self) -> set[str]:
        """How the cohorts know exposure: ``time_varying``, ``baseline`` (one interview) or ``none``."""
        return {str(self.about(name).get("exposure", "time_varying")) for name in self.cohorts}

    def rows(self, **wanted: str) -> list[dict[str, Any]]:
        """Estimates of the main specification whose columns have the wanted values, cohorts in the config's order."""
        order = {name: place for place, name in enumerate(self.cohorts_and_pooled)}
        chosen = [
            row
            for row in self.estimates
            if row["spec"] == "main" and all(row[name] == value for name, value in wanted.items())
        ]
        return sorted(chosen, key=lambda row: order.get(row["cohort"], len(order)))


def read(
    config: Config,
    *,
    release: Path,
    manifest: Path,
    estimates: Path,
    displays: Sequence[Path],
    truth: Path | None,
    example: Path | None = None,
    trials: Path | None = None,
    verdict: Path | None = None,
    calibration: Path | None = None,
) -> Released:
    """Read the released files. A display without a file, or with no rows, is simply absent."""
    return Released(
        config=config,
        release=read_json(release),
        manifest=read_json(manifest),
        estimates=_csv(estimates, SCHEMA),
        displays={path.stem: _display(path) for path in displays},
        truth=_csv(truth, TRUTH_COLUMNS) if truth else [],
        example=_csv(example, EXAMPLE_COLUMNS) if example else [],
        trials=_csv(trials, dict.fromkeys(("trial", "item", "text"), pl.String())) if trials else [],
        verdict=read_json(verdict) if verdict else {},
        calibration=pl.read_csv(calibration).to_dicts() if calibration else [],
    )


def _display(path: Path) -> list[dict[str, Any]]:
    display = DISPLAYS[path.stem]
    schema: dict[str, pl.DataType] = {"cohort": pl.String(), "suppressed": pl.Int64(), "deviation": pl.Float64()}
    for name in display.columns:
        is_text = name in display.keys and name not in display.numbers
        schema[name] = pl.String() if is_text else pl.Float64()
    return _csv(path, schema)


def _csv(path: Path, schema: dict[str, pl.DataType]) -> list[dict[str, Any]]:
    """Rows of a CSV with the declared types. An empty text is an empty text, an empty number is missing."""
    text = pl.read_csv(path, infer_schema=False, empty_string_is_null=False)
    typed = [
        pl.col(name) if dtype == pl.String() else pl.col(name).replace("", None).cast(pl.Float64).cast(dtype)
        for name, dtype in schema.items()
        if name in text.columns
    ]
    return text.select(typed).to_dicts()
