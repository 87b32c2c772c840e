"""What ties a table of error rates to a study: the cohort it was made for, and the config it was made with."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.config.shipped import CALENDAR_YEAR
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.noise import Noise
from opioid_outcomes.hyperalgesia.trial import Trial

# Keys of the section that the verdict depends on; how its errors are found (calibration), and whether a bootstrap
# stands beside the sandwich, are not among them
KEYS = (
    "escalation", "windows_days", "smallest_effect", "scale", "reliability", "error_sd", "step_mme", "lags_months",
)  # fmt: skip
FACTS = (
    "people", "decisions", "raised_people", "decisions_per_person", "median_gap_days", "pain_mean", "pain_sd",
    "median_mme", "error_sd",
)  # fmt: skip
PREFIX = "like_"  # of the columns that hold the facts of the cohort a table was made for
CONFIG = "config"
OWN_TABLE = "calibration.csv"  # of ``snakemake calibrate``, among the study's derived files
DIFFERENCE = 0.1  # by which a fact may differ, of the larger
NEEDED = ("null", "relief", "tolerance", "hyperalgesia", "noisy_null")  # worlds without which errors are not known
FEWEST_REPLICATES = 100  # in each: the limits of a share of 5 % are 2 to 11 %
LEAST_SIZE = 0.75  # of the study's people, or of the most that are simulated
SIMULATED = f"{PREFIX}simulated"
UNLIKE = "no cohort like it was simulated with these settings"
DIGITS = 2  # significant: no count of a few people stands in a table


def facts(histories: Histories, trial: Trial, noise: Noise) -> dict[str, float]:
    """What a cohort must have in common with the one that was simulated, to two significant digits.

    People and decisions of the trial, people who raised, decisions of one person, days between two scores of one
    person (median), mean and SD of pain at the decisions, median dose (MME/day), SD of a score's error. Empty if there
    is no decision.
    """
    visits = trial.visits
    if len(visits.person) == 0:
        return {}
    people = np.unique(visits.person)
    scores = histories.pain
    gaps = np.diff(scores.day)[(np.diff(scores.person) == 0) & np.isin(scores.person[1:], people)]
    values = (
        len(people), len(visits.person), len(np.unique(visits.person[trial.taken])), len(visits.person) / len(people),
        float(np.median(gaps)) if len(gaps) else 0.0, float(visits.pain.mean()), float(visits.pain.std()),
        float(np.median(visits.dose)), noise.sd,
    )  # fmt: skip
    return {name: significant(float(value)) for name, value in zip(FACTS, values, strict=True)}


def significant(value: float) -> float:
    """The value to ``DIGITS`` significant digits."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    return round(value, DIGITS - 1 - math.floor(math.log10(abs(value))))


def fingerprint(settings: Mapping[str, Any]) -> str:
    """Hash of what the verdict depends on in the config: keys of ``hyperalgesia``, and the covariates.

    ``settings`` holds the sections ``hyperalgesia`` and ``covariates``. Calendar years have no say: whether they are
    used is the cohort's own.
    """
    chosen = Hyperalgesia(**settings["hyperalgesia"]).model_dump(mode="json", include=set(KEYS))
    covariates = {
        name: [each for each in value if each != CALENDAR_YEAR] if isinstance(value, list) else value
        for name, value in settings["covariates"].items()
        if name in ("baseline", "time_varying", "missing")
    }
    text = json.dumps({"hyperalgesia": chosen, "covariates": covariates}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def matching(table: pl.DataFrame, facts: Mapping[str, float], settings: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of a table of error rates that hold for a cohort with these facts under this config; none if none do.

    They are those of one cohort of the table: the first, by name, that was simulated with this config and all of whose
    facts are within 10 % of the given ones.
    """
    if table.is_empty() or not facts:
        return table.clear()
    same = table.filter(pl.col(CONFIG) == fingerprint(settings))
    alike = same.filter(*(_near(name, facts[name]) for name in FACTS))
    cohorts = sorted(alike["cohort"].unique().to_list())
    return alike.filter(pl.col("cohort") == cohorts[0]) if cohorts else table.clear()


def lacking(rows: pl.DataFrame, facts: Mapping[str, float], settings: Mapping[str, Any]) -> str | None:
    """Why the rows that hold for a cohort (``matching``) do not tell how often its verdict errs; None if they do."""
    if rows.is_empty():
        return UNLIKE
    absent = [world for world in NEEDED if world not in rows["world"].to_list()]
    if absent:
        return f"not simulated: {', '.join(world.replace('_', ' ') for world in absent)}"
    least = int(rows.filter(pl.col("world").is_in(NEEDED))["replicates"].min() or 0)  # type: ignore[arg-type]
    if least < FEWEST_REPLICATES:
        return f"{least} cohorts simulated in a world; error rates take {FEWEST_REPLICATES}"
    most = Hyperalgesia(**settings["hyperalgesia"]).calibration.persons
    size = rows[SIMULATED].min()
    if size is None or float(size) < LEAST_SIZE * min(facts["people"], most):  # type: ignore[arg-type]
        return "the simulated cohorts were of far fewer people"
    return None


def covers(table: pl.DataFrame, facts: Mapping[str, float], settings: Mapping[str, Any]) -> bool:
    """Whether a table of error rates holds for a cohort with these facts under this config."""
    return not matching(table, facts, settings).is_empty()


def _near(name: str, value: float) -> pl.Expr:
    column = pl.col(f"{PREFIX}{name}")
    larger = pl.max_horizontal(column.abs(), pl.lit(abs(value)))
    return (column - value).abs() <= DIFFERENCE * larger
