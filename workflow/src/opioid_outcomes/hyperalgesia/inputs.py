"""From the tables of a cohort to what the pain trials ask of it, or the reason why there is nothing to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from opioid_outcomes.cohort.covariates import Sources
from opioid_outcomes.hyperalgesia import histories, scales
from opioid_outcomes.hyperalgesia.histories import Histories

# Canonical and derived tables that are read
TABLES = (
    "persons", "dispensings", "diagnoses", "pain", "measurements", "stays", "daily_dose", "opioid_status", "cohort",
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """``histories`` of the cohort, or the ``gate`` of every row that needs them.

    covariates: names of what is adjusted for at the visit. scale: of the pain scores. note: scores left out.
    """

    histories: Histories | None
    gate: str | None
    covariates: list[str]
    missing: str
    scale: str | None
    note: str

    def of(self) -> Histories:
        """The histories where there is no gate."""
        if self.histories is None:
            raise ValueError("there are no histories")
        return self.histories


def known(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], *, doses: bool = True) -> Known:
    """What is known of pain, dose and covariates, on one scale.

    ``tables``: those of TABLES; without ``persons`` the covariates are those of the cohort table. ``settings``: the
    step's slice, of which hyperalgesia.scale, covariates and population.lookback_days are read. Covariates at the
    visit are the baseline ones and those updated over time; the pain covariate is left to the terms of pain. doses:
    whether a dose must be known on some day; what asks for being on opioids or off them does without (buprenorphine).
    """
    wanted = settings["covariates"]
    names = list(dict.fromkeys([*wanted["baseline"], *wanted.get("time_varying", [])]))
    names = [name for name in names if name != "pain"]
    cohort = tables["cohort"]
    chosen = scales.choose(tables["pain"], cohort, settings["hyperalgesia"]["scale"])
    gate = _nothing(tables) or (_no_doses(tables) if doses else None) or chosen.gate
    found = None
    if gate is None:
        sources = _sources(tables, cohort) if "persons" in tables else None
        found = histories.build(
            cohort, chosen.pain, tables["daily_dose"], tables["opioid_status"], sources=sources,
            lookback=settings["population"]["lookback_days"] if sources else 0,
        )  # fmt: skip
    return Known(found, gate, names, wanted["missing"], chosen.scale, chosen.note)


def _nothing(tables: Mapping[str, pl.DataFrame]) -> str | None:
    if tables["cohort"].is_empty():
        return "not evaluable: nobody is eligible"
    if tables["pain"].is_empty():
        return "not evaluable: no pain scores"
    if tables["daily_dose"].is_empty():
        return "not evaluable: nobody has a dispensing that gives a daily dose"
    return None


def _no_doses(tables: Mapping[str, pl.DataFrame]) -> str | None:
    if tables["daily_dose"].filter(pl.col("mme").is_not_null(), pl.col("mme_incomplete") == 0).is_empty():
        return "not evaluable: the dose is unknown on every day with supply"
    return None


def _sources(tables: Mapping[str, pl.DataFrame], cohort: pl.DataFrame) -> Sources:
    """What covariates are read from, by the person's index in the cohort."""
    persons = histories.numbered(cohort)

    def mine(table: pl.DataFrame) -> pl.DataFrame:
        found = table.join(persons, on="person_id", how="inner", maintain_order="left")
        return found.drop("person_id").rename({"person": "person_id"}).select(table.columns)

    people = tables["persons"]
    if "age" in cohort.columns and "age" not in people.columns:
        people = people.join(cohort.select("person_id", "age"), on="person_id", how="left")
    # measurements of everybody, the others' as nobody's: which measures there are is asked of all
    measurements = (
        tables["measurements"]
        .join(persons, on="person_id", how="left", maintain_order="left")
        .with_columns(person_id=pl.col("person").fill_null(-1))
    )
    return Sources(
        persons=mine(people),
        **{name: mine(tables[name]) for name in ("diagnoses", "dispensings", "pain", "stays", "daily_dose")},
        measurements=measurements,
    )
