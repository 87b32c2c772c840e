"""Cohorts for the sequential trials, told in a few rows: fills, contacts with care and deaths by person and day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.steps.exposure import doses_and_status, opioid_fills

STRENGTHS = {"morphine": 10.0, "oxycodone": 10.0, "codeine": 30.0, "tramadol": 50.0, "tapentadol": 50.0}

Fill = tuple[int, int, str, int]  # person, day, drug, days of supply


def table(name: str, rows: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    schema = CANONICAL[name].schema(pl.Int64())
    return pl.DataFrame([{key: row.get(key) for key in schema} for row in rows], schema=schema)


def dispensed(fills: Iterable[Fill]) -> pl.DataFrame:
    """Canonical dispensings; three units a day."""
    return table(
        "dispensings",
        (
            {
                "person_id": person, "date": day, "ingredient": drug, "route": "oral", "release": "IR",
                "strength": STRENGTHS.get(drug, 100.0), "strength_unit": "mg", "quantity": 3.0 * days,
                "days_supply": float(days),
            }
            for person, day, drug, days in fills
        ),
    )  # fmt: skip


def tables(
    people: Iterable[tuple[int, int, int]],
    fills: Iterable[Fill] = (),
    *,
    scores: Iterable[tuple[int, int, float]] = (),
    diagnoses: Iterable[tuple[int, int, str]] = (),
    stays: Iterable[tuple[int, int, int]] = (),
    deaths: Iterable[tuple[int, int]] = (),
    carry_over_days: int = 30,
) -> dict[str, pl.DataFrame]:
    """Canonical tables and exposure of people (id, first day observed, last day observed)."""
    made = {
        "persons": table("persons", ({"person_id": person, "sex": "F"} for person, _, _ in people)),
        "observation": table("observation", ({"person_id": p, "start": a, "end": b} for p, a, b in people)),
        "dispensings": dispensed(fills),
        "pain": table("pain", ({"person_id": p, "date": d, "scale": "NRS", "score": s} for p, d, s in scores)),
        "diagnoses": table(
            "diagnoses",
            ({"person_id": p, "date": d, "code": c, "vocabulary": "ICD10CM"} for p, d, c in diagnoses),
        ),
        "stays": table("stays", ({"person_id": p, "start": a, "end": b} for p, a, b in stays)),
        "deaths": table("deaths", ({"person_id": p, "date": d} for p, d in deaths)),
        "therapies": table("therapies", ()),
        "measurements": table("measurements", ()),
    }
    rules = Exposure(carry_over_days=carry_over_days)
    clean = opioid_fills(made["dispensings"], rules)[1]
    daily, _, status = doses_and_status(clean, made, rules)
    return made | {"dispensings_clean": clean, "daily_dose": daily, "opioid_status": status}


def cohort(people: Iterable[tuple[int, int, int, int]]) -> pl.DataFrame:
    """(id, entry, exit, death): COHORT as far as the trials read it."""
    frame = pl.DataFrame(list(people), schema=["person_id", "entry", "exit", "death"], orient="row")
    return frame.with_columns(
        pl.col("entry", "exit").cast(pl.Int32),
        cause=pl.when(pl.col("death") == 1).then(pl.lit("other")),
        exit_reason=pl.when(pl.col("death") == 1).then(pl.lit("death")).otherwise(pl.lit("end of observation")),
        survey_weight=pl.lit(None, pl.Float64),
        stratum=pl.lit(None, pl.String),
        cluster=pl.lit(None, pl.String),
    )
