"""What the Snakefile asks of the config: the study, the promised outputs, the exit code."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opioid_outcomes.config.cohorts import Cohort
from opioid_outcomes.config.load import load_config
from opioid_outcomes.config.model import Config
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.displays import DISPLAYS, FIGURES
from opioid_outcomes.errors import USER_ERROR_EXIT, Problem, UserError, report_and_exit_code
from opioid_outcomes.ingest.sources import source_files

MISTAKES = "mistakes.txt"  # what users can mend, collected over the steps of a run
CANONICAL_TABLES = tuple(CANONICAL)
# Displays that are tables; the others are figures.
TABLES = (
    "attrition", "quality", "quality_rules", "exposure_ledger", "repair_sensitivity", "use_history", "episode_summary",
    "table_one", "dose_events", "long_term", "concurrent_use", "trajectory_models", "new_user_diagnostics",
    "missing_by_arm", "msm_truncation", "sustained_diagnostics", "proportional_hazards",
    "escalation_diagnostics", "noise_tipping",
)  # fmt: skip
PLAIN_CSV = ("attrition", "quality", "quality_rules")
DISPLAY_FRAMES = {name: f"{name}.csv" if name in PLAIN_CSV else f"displays/{name}.parquet" for name in DISPLAYS}
RELEASED_DISPLAYS = {name: f"{'tables' if name in TABLES else 'figures'}/{name}.csv" for name in DISPLAYS}

TARGET_TRIALS = "tables/target_trials.csv"  # the emulated trials, as the config has them
VERDICT = "verdict.json"
CALIBRATION = "tables/calibration.csv"  # how often the test errs, in cohorts simulated like the study's own
WORKED_EXAMPLE = "figures/exposure_example.csv"  # of nobody: how a history is read

REPLICATES_A_JOB = 50
DRAWN_FIGURES = tuple(f"figures/{name}.svg" for name in FIGURES)


@dataclass(frozen=True)
class Study:
    """The study of this run and the file that describes it."""

    path: Path
    config: Config


def load_study(workflow: Any) -> Study:
    """The config file of this run, read by our own loader; a user's mistake ends here with one message and exit 2."""
    try:
        return _load(workflow)
    except UserError as error:
        code = report_and_exit_code(error)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # Snakemake turns any exception of a Snakefile, SystemExit too, into a traceback and exit 1


def _load(workflow: Any) -> Study:
    settings = workflow.config_settings
    if settings.config:
        raise UserError(
            Problem("--config is not read", fix="write the value into the config file: the file is the one truth")
        )
    if not workflow.configfiles:
        raise UserError(
            Problem(
                "no config file",
                fix="run `snakemake --configfile my-study.yaml`, or from the project's folder, where the profile names"
                " the demo",
            )
        )
    if len(workflow.configfiles) > 1:
        raise UserError(Problem("more than one config file", fix="a study is one file: files are never merged"))
    path = Path(workflow.configfiles[0])
    return Study(path, load_config(path))


def contract_outputs(config: Config) -> list[str]:
    """Every file the contract promises for this study."""
    derived, reports = f"data/derived/{config.study.name}", f"reports/{config.study.name}"
    per_cohort = [f"canonical/{name}.parquet" for name in CANONICAL_TABLES]
    per_cohort += [
        "rejected.parquet", "quality.csv", "dispensings_clean.parquet", "daily_dose.parquet", "episodes.parquet",
        "mme_definitions.parquet", "dose_events.parquet", "long_term.parquet", "concurrent.parquet",
        "trajectories.parquet", "attrition.csv", "person_time.parquet", "panel.parquet", "new_user_trials.parquet",
    ]  # fmt: skip
    released = ["estimates.csv", "manifest.json", "config.resolved.yaml", "release.json", "tables/truth.csv"]
    released += [f"report.{kind}" for kind in config.report.formats]
    released += RELEASED_DISPLAYS.values()
    released += [*DRAWN_FIGURES, WORKED_EXAMPLE, TARGET_TRIALS, VERDICT, CALIBRATION]
    return [f"{derived}/{cohort}/{name}" for cohort in sorted(config.cohorts) for name in per_cohort] + [
        f"{reports}/{name}" for name in released
    ]


def calibration_batches(config: Config) -> list[str]:
    """Jobs into which the replicates of one world are split, so that they run beside each other: from, to (not in it).

    Each is named by its replicates, so that more of them leave those that are there.
    """
    count = config.hyperalgesia.calibration.replicates
    return [f"{first}to{min(first + REPLICATES_A_JOB, count)}" for first in range(0, count, REPLICATES_A_JOB)]


def raw_files(cohort: Cohort) -> list[str]:
    """The files that ingest reads and that are there; ingest itself says what is missing."""
    try:
        return [str(path) for path in source_files(cohort)]
    except UserError:
        return []


def forget_mistakes(logs: Path) -> None:
    (logs / MISTAKES).unlink(missing_ok=True)


def exit_after_mistakes(logs: Path, workflow: Any) -> None:
    """If steps of this run ended in users' mistakes: tell them last, where they are read, and exit 2.

    Otherwise Snakemake's own exit code 1 stands. The lock goes first, as the exit skips what would release it.
    """
    mistakes = logs / MISTAKES
    if mistakes.exists():
        workflow.persistence.unlock()
        sys.stdout.flush()
        print(f"\n{mistakes.read_text()}", file=sys.stderr, end="", flush=True)
        os._exit(USER_ERROR_EXIT)
