"""Stages ``calibrate_world`` and ``gather_calibration``: how often the test errs, in cohorts like the study's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.hyperalgesia import calibration, confounders, noise, trial, visits
from opioid_outcomes.hyperalgesia import inputs as reading
from opioid_outcomes.hyperalgesia.calibrate import replicates, source
from opioid_outcomes.hyperalgesia.calibrate.replicates import SCHEMA, Setting

FACTS = {f"{calibration.PREFIX}{name}": pl.Float64() for name in calibration.FACTS}
MADE_FOR = {**FACTS, calibration.SIMULATED: pl.Float64(), calibration.CONFIG: pl.String()}


def calibrate_world(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes one row per replicate of one cohort and world, which stand in the output's place and name (world-0to50).

    A cohort that cannot be simulated has one row that says why.
    """
    world, batch = outputs["replicates"].stem.rsplit("-", 1)
    cohort, options = settings["cohort_name"], Hyperalgesia(**settings["hyperalgesia"])
    made = _setting(inputs, settings, options, world)
    if isinstance(made, str):
        io.write_frame(_empty_facts(replicates.skipped(cohort, world, made)), outputs["replicates"])
        return f"{world}: skipped: {made}"
    setting, made_for = made
    first, last = (int(number) for number in batch.split("to"))
    rows = replicates.run(setting, range(first, last), cohort=cohort)
    rows = rows.with_columns(pl.lit(value, MADE_FOR[name]).alias(name) for name, value in made_for.items())
    io.write_frame(rows, outputs["replicates"])
    return f"{world}: {last - first} cohorts of {setting.persons} people assessed"


def gather_calibration(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the table of all cohorts and worlds: how often each verdict, bias and coverage, and for whom it holds."""
    rows = pl.concat([pl.read_parquet(path) for path in sorted(inputs["replicates"])])
    simulated = rows.filter(pl.col("why").is_null())
    worlds = settings["hyperalgesia"]["calibration"]["worlds"]
    lines = [
        {"cohort": cohort, "world": world, **replicates.characteristics(chosen)}
        | {name: chosen[name][0] for name in MADE_FOR}
        for cohort in sorted(simulated["cohort"].unique().to_list())
        for world in worlds
        if (chosen := simulated.filter(pl.col("cohort") == cohort, pl.col("world") == world)).height
    ]
    table = pl.DataFrame(lines, infer_schema_length=None) if lines else pl.DataFrame(schema={"cohort": pl.String()})
    io.write_frame(table.with_columns(pl.col(pl.Float64).round(6)), outputs["table"])
    skipped = rows.filter(pl.col("why").is_not_null()).select("cohort", "why").unique(maintain_order=True)
    told = [f"{cohort} skipped: {why}" for cohort, why in skipped.iter_rows()]
    return "; ".join([f"{len(lines)} worlds of {simulated['cohort'].n_unique()} cohorts", *told])


def _setting(
    inputs: Mapping[str, Path], settings: dict[str, Any], options: Hyperalgesia, world: str
) -> tuple[Setting, dict[str, float | str]] | str:
    """What to simulate, with what it is made for; or why it cannot be."""
    known = reading.known({name: io.read_table(inputs[name]) for name in reading.TABLES}, settings)
    if known.gate is not None:
        return known.gate.removeprefix("not evaluable: ")
    histories, rule = known.of(), options.escalation
    decided = visits.eligible(histories, stable_days=rule.stable_days)
    error = noise.of(histories, decided, options, scale=known.scale)
    made = source.build(
        histories, options, error_variance=error.variance, baseline=known.covariates, missing=known.missing
    )
    if isinstance(made, str):
        return made
    terms = confounders.build(
        decided, histories, baseline=known.covariates, missing=known.missing, min_rise=rule.min_rise,
        min_mme=rule.min_mme,
    )  # fmt: skip
    facts = calibration.facts(histories, trial.escalations(decided, terms, histories, rule), error)
    seed = replicates.seed_of(settings["study_seed"], settings["cohort_name"], world)
    setting = Setting(made, world, options, error.variance, seed)
    made_for: dict[str, float | str] = {f"{calibration.PREFIX}{name}": value for name, value in facts.items()}
    made_for[calibration.SIMULATED] = calibration.significant(setting.persons)
    return setting, made_for | {calibration.CONFIG: calibration.fingerprint(settings)}


def _empty_facts(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in MADE_FOR.items()).select(
        *SCHEMA, *MADE_FOR
    )
