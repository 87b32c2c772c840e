"""Stage ``judge_hyperalgesia``: the verdict, from what was released."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.config.shipped import DATA
from opioid_outcomes.contracts.estimates import SCHEMA
from opioid_outcomes.hyperalgesia import calibration, escalation, verdict
from opioid_outcomes.hyperalgesia.calibrate.replicates import CHARACTERISTICS, LAGS
from opioid_outcomes.hyperalgesia.noise import ASSUMED
from opioid_outcomes.hyperalgesia.verdict import POOLED, VERDICTS, Verdict

# Columns of the released table of error rates; what its cohort was like stays with the data
RATES = {
    "cohort": pl.String(), "world": pl.String(), "persons": pl.Int64(), "replicates": pl.Int64(),
    **dict.fromkeys((*VERDICTS, *(f"{name}_{lag}" for lag in LAGS for name in CHARACTERISTICS)), pl.Float64()),
    calibration.CONFIG: pl.String(),
}  # fmt: skip

NO_POOLED = "no pooled study is simulated"
SHOWN = ("sd", "reliability", "source", "note")  # of the error of a score


def judge_hyperalgesia(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes ``verdict.json``, and the error rates of the test in cohorts like those judged.

    inputs: the released ``estimates``, ``facts`` of every cohort (in a folder of its name). The study's own table of
    error rates stands beside these folders if it was made; shipped tables count too. Each cohort is judged on its own;
    all together on the pooled rows, from three cohorts on whose effect at long lag was released, and never calibrated:
    no pooled study was simulated.
    """
    options = Hyperalgesia(**settings["hyperalgesia"])
    released = pl.read_csv(inputs["estimates"], schema=pl.Schema(SCHEMA))
    made = inputs["facts"][0].parent.parent / calibration.OWN_TABLE
    tables = _rates([*([made] if made.exists() else []), *sorted((DATA / "calibration").glob("*.csv"))])
    judged: dict[str, dict[str, Any]] = {}
    shown = []
    for path in sorted(inputs["facts"], key=lambda path: path.parent.name):
        cohort, facts = path.parent.name, io.read_json(path)
        rates = _of_cohort(tables, facts, settings)
        own = released.filter(pl.col("cohort") == cohort)
        why = calibration.lacking(rates, facts, settings)
        found = _judge(own, options, calibrated=why is None)
        assumed = (facts.get("noise") or {}).get("source") == ASSUMED
        found = replace(found, assumed=assumed)
        noise = _shown(facts.get("noise")) if _some_pain_told(own) else None
        judged[cohort] = found.record() | {"uncalibrated": why, "noise": noise}
        shown.append(_released(rates, cohort))
    pooled = verdict.poolable(released, options.windows_days)
    if not pooled.is_empty():
        judged[POOLED] = _judge(pooled, options, calibrated=False).record() | {"uncalibrated": NO_POOLED, "noise": None}
    io.write_json(outputs["verdict"], judged)
    io.write_frame(pl.concat([pl.DataFrame(schema=RATES), *shown]), outputs["calibration"])
    return "; ".join(f"{name}: {record['consistent_with']}" for name, record in judged.items())


def _judge(rows: pl.DataFrame, options: Hyperalgesia, *, calibrated: bool) -> Verdict:
    return verdict.judge(rows, options.windows_days, smallest_effect=options.smallest_effect, calibrated=calibrated)


def _some_pain_told(rows: pl.DataFrame) -> bool:
    """Whether an escalation was released: no number is of fewer people than the disclosure profile lets out."""
    told = rows.filter(pl.col("analysis") == escalation.ANALYSIS, pl.col("estimate").is_not_null())
    return not told.is_empty()


def _shown(noise: dict[str, Any] | None) -> dict[str, Any] | None:
    """The error of a score in as many figures as its sentence tells; not its variance, which is told by them."""
    if noise is None:
        return None
    return {
        name: round(value, 2) if isinstance(value, float) else value
        for name, value in noise.items()
        if name in SHOWN
    }  # fmt: skip


def _rates(paths: list[Path]) -> list[pl.DataFrame]:
    """The tables of error rates there are, the study's own first."""
    return [pl.read_csv(path.read_bytes(), comment_prefix="#") for path in paths]


def _of_cohort(tables: list[pl.DataFrame], facts: dict[str, Any], settings: dict[str, Any]) -> pl.DataFrame:
    """The error rates of the first table that tells them of a cohort; if none does in full, of the first that holds."""
    own = {name: facts[name] for name in calibration.FACTS if name in facts}
    if len(own) < len(calibration.FACTS):
        return pl.DataFrame()
    holding = [found for table in tables if (found := calibration.matching(table, own, settings)).height]
    whole = [found for found in holding if calibration.lacking(found, own, settings) is None]
    return next(iter([*whole, *holding]), pl.DataFrame())


def _released(rates: pl.DataFrame, cohort: str) -> pl.DataFrame:
    """Without what the cohort was like, except how many people were simulated (to two digits)."""
    if rates.is_empty():
        return pl.DataFrame(schema=RATES)
    named = rates.with_columns(cohort=pl.lit(cohort), persons=pl.col(calibration.SIMULATED))
    return named.select(pl.col(name).cast(kind) for name, kind in RATES.items())
