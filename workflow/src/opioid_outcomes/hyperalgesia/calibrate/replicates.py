"""Simulated cohorts put to the test one after another, and what the test's errors add up to."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import assessment, confounders, escalation, verdict, visits
from opioid_outcomes.hyperalgesia.calibrate import cohorts, truth, worlds
from opioid_outcomes.hyperalgesia.calibrate.cohorts import Draws
from opioid_outcomes.hyperalgesia.calibrate.source import Source
from opioid_outcomes.hyperalgesia.calibrate.truth import Truth
from opioid_outcomes.hyperalgesia.calibrate.worlds import World
from opioid_outcomes.hyperalgesia.person_days import Floats
from opioid_outcomes.hyperalgesia.verdict import VERDICTS

LAGS = ("short", "long")
# By lag, of the replicates of a world (``characteristics``)
CHARACTERISTICS = (
    "truth", "bias", "bias_se", "sd", "mean_se", "coverage", "coverage_se", "bias_corrected", "evaluable",
)  # fmt: skip
TRUTH = 1_000_000_000  # stream of the truth's random numbers, beyond those of the replicates
NUMBERS = ("estimate", "se", "ci_low", "ci_high", "truth", "corrected")
SCHEMA: dict[str, pl.DataType] = {
    "cohort": pl.String(), "world": pl.String(), "replicate": pl.Int64(), "verdict": pl.String(),
    **{f"{name}_{lag}": pl.Float64() for lag in LAGS for name in NUMBERS}, "why": pl.String(),
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """A world in which cohorts like one of the study's are simulated, and the seed of it."""

    source: Source
    name: str
    options: Hyperalgesia
    error_variance: float
    seed: tuple[int, ...]

    @property
    def world(self) -> World:
        return worlds.of(self.name, assessment.lags(self.options)[-1])

    @property
    def persons(self) -> int:
        """As many as make decisions in the study, up to the most that are simulated."""
        return min(self.source.size, self.options.calibration.persons)


def seed_of(study_seed: int, cohort: str, world: str) -> tuple[int, ...]:
    """The same for the same study, cohort and world, whatever else is simulated and on however many cores."""
    return study_seed, zlib.crc32(cohort.encode()), zlib.crc32(world.encode())


def run(setting: Setting, replicates: Iterable[int], *, cohort: str) -> pl.DataFrame:
    """One row per replicate, columns as ``SCHEMA``: its verdict, and by lag the primary estimate and the truth.

    Cost: the truth (three lives of 40,000 people, not needed in a world without effect), and for each replicate a
    simulated cohort and ``assessment.assess``.
    """
    known = truth.of(setting.source, setting.world, setting.options, seed=[*setting.seed, TRUTH])
    rows = [_row(setting, known, replicate) for replicate in replicates]
    return pl.DataFrame(rows, schema=SCHEMA).with_columns(cohort=pl.lit(cohort))


def skipped(cohort: str, world: str, why: str) -> pl.DataFrame:
    """A row that says why nothing was simulated."""
    return pl.DataFrame([{"cohort": cohort, "world": world, "why": why}], schema=SCHEMA)


def assessed(setting: Setting, replicate: int) -> list[Estimate]:
    """The rows of one simulated cohort."""
    options, rule = setting.options, setting.options.escalation
    draws = Draws.of(setting.source, setting.persons, np.random.default_rng([*setting.seed, replicate]))
    lived = cohorts.live(setting.source, setting.world, draws, rule, step_mme=options.step_mme)
    histories = cohorts.as_histories(lived)
    decided = visits.eligible(histories, stable_days=rule.stable_days)
    if len(decided.person) == 0:
        return []
    history = confounders.build(
        decided, histories, baseline=[], missing="indicator", min_rise=rule.min_rise, min_mme=rule.min_mme
    )
    terms = setting.source.carried.join(history, lived.row(decided.person, decided.day))
    return assessment.assess(decided, terms, histories, options, error_variance=setting.error_variance)


def _row(setting: Setting, known: Truth, replicate: int) -> dict[str, object]:
    options = setting.options
    rows = assessed(setting, replicate)
    frame = estimates.frame(rows, study="", cohort="")
    judged = verdict.judge(
        frame, options.windows_days, smallest_effect=options.smallest_effect, calibrated=False
    ).verdict
    told: dict[str, object] = {"world": setting.name, "replicate": replicate, "verdict": judged}
    for lag, span in zip(LAGS, _spans(options), strict=True):
        label = f"{span[0]}-{span[1]}"
        primary, corrected = (_primary(rows, method, label) for method in verdict.BOUNDS)
        for name in ("estimate", "se", "ci_low", "ci_high"):
            told[f"{name}_{lag}"] = None if primary is None else getattr(primary, name)
        told[f"corrected_{lag}"] = None if corrected is None else corrected.estimate
        told[f"truth_{lag}"] = float(known.per_step[options.windows_days.index(span)])
    return told


def _spans(options: Hyperalgesia) -> tuple[tuple[int, int], tuple[int, int]]:
    lags = assessment.lags(options)
    return lags[0], lags[-1]


def _primary(rows: list[Estimate], method: str, label: str) -> Estimate | None:
    """The effect per step, if it may be read."""
    asked = escalation.ANALYSIS, method, label, verdict.PER_STEP
    found = [row for row in rows if (row.analysis, row.method, row.window, row.scale) == asked and row.gate == "pass"]
    return found[0] if found else None


def characteristics(replicates: pl.DataFrame) -> dict[str, float | int | None]:
    """Of the replicates of one cohort and world: how often each verdict, and by lag of the primary estimate bias,
    spread and coverage of 95 % limits among those with an estimate, each with its Monte Carlo error (``_se``)."""
    count = replicates.height
    told: dict[str, float | int | None] = {"replicates": count}
    told |= {name: float((replicates["verdict"] == name).sum()) / count for name in VERDICTS}
    for lag in LAGS:
        seen = replicates.filter(pl.col(f"estimate_{lag}").is_finite())
        error = (seen[f"estimate_{lag}"] - seen[f"truth_{lag}"]).to_numpy()
        covered = (
            seen.select(pl.col(f"truth_{lag}").is_between(pl.col(f"ci_low_{lag}"), pl.col(f"ci_high_{lag}")))
            .to_series()
            .to_numpy()
            .astype(float)
        )
        corrected = (replicates[f"corrected_{lag}"] - replicates[f"truth_{lag}"]).drop_nulls().to_numpy()
        told |= {
            f"truth_{lag}": _mean(replicates[f"truth_{lag}"].drop_nulls().to_numpy()),
            f"bias_{lag}": _mean(error), f"bias_se_{lag}": _error(error), f"sd_{lag}": _spread(error),
            f"mean_se_{lag}": _mean(seen[f"se_{lag}"].to_numpy()),
            f"coverage_{lag}": _mean(covered), f"coverage_se_{lag}": _error(covered),
            f"bias_corrected_{lag}": _mean(corrected), f"evaluable_{lag}": seen.height / count,
        }  # fmt: skip
    return told


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _spread(values: Floats) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _error(values: Floats) -> float | None:
    """Monte Carlo error of a mean."""
    spread = _spread(values)
    return None if spread is None else spread / math.sqrt(len(values))
