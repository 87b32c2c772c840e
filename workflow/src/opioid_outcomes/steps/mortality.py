"""Stage ``estimate_mortality``: deaths on against off opioids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.cohort.person_time import band_labels
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.mortality import imputed
from opioid_outcomes.mortality.age import COMPLETED, aged, completed_years
from opioid_outcomes.mortality.baseline_use import baseline_use
from opioid_outcomes.mortality.cause_specific import cause_specific
from opioid_outcomes.mortality.contrasts import ON_OFF, Exposure, Missing
from opioid_outcomes.mortality.current_use import current_use
from opioid_outcomes.mortality.dose_response import dose_response
from opioid_outcomes.mortality.gates import name_unknown_use, unobserved_deaths_of, withheld
from opioid_outcomes.mortality.immortal_time import ever_against_never
from opioid_outcomes.mortality.proportionality import proportional_hazards
from opioid_outcomes.mortality.rates import rates
from opioid_outcomes.mortality.smr import reference, smr
from opioid_outcomes.mortality.standardised_rates import standardised_rates
from opioid_outcomes.mortality.stopping import stopping
from opioid_outcomes.mortality.survival_curves import survival_curves


def estimate_mortality(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Rates, hazard ratios and survival curves of one cohort; returns one line for the terminal, in counts."""
    person_time = io.read_table(inputs["person_time"]).sort("person_id", "start")
    notes = io.read_json(inputs["notes"])
    exposure: Exposure = notes["exposure"]
    chosen, covariates = Mortality(**settings["mortality"]), Covariates(**settings["covariates"])
    baseline = covariates.baseline
    missing: Missing = "complete" if covariates.missing == "complete" else "indicator"
    seed = settings["study_seed"]
    copies = imputed.copies_of_person_time(person_time, baseline, seed=seed) if covariates.missing == "mi" else []
    rows = []
    if "rate" in chosen.analyses:
        rows += rates(person_time, exposure=exposure)
    if {"rate", "smr"} & {*chosen.analyses}:
        rows += _by_age(person_time, inputs, chosen, settings["cohort"], exposure)
    rows += imputed.with_copies(
        lambda time: _adjusted(
            time, chosen, baseline, missing, exposure=exposure, bounds=settings["exposure"]["dose_bands"],
            contributing=notes.get("contributing_recorded", True),
        ),
        person_time, copies,
    )  # fmt: skip
    if "stopping" in chosen.analyses:
        status, cohort = (io.read_table(inputs[name]) for name in ("opioid_status", "cohort"))
        rows += imputed.with_copies(
            lambda people: stopping(status, people, baseline, missing, exposure=exposure), cohort,
            [imputed.with_values(cohort, copy, baseline) for copy in copies],
        )  # fmt: skip
    if settings["cohort"]["simulated"] and "current_use" in chosen.analyses and exposure == "time_varying":
        rows.append(ever_against_never(person_time))
    if exposure == "baseline":
        rows = name_unknown_use(rows, person_time)
    curves = survival_curves(person_time, chosen.horizons_days, exposure=exposure)
    gate = unobserved_deaths_of(notes)
    rows = withheld(rows, gate)
    if gate:
        curves = curves.clear()
    table = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    io.write_frame(curves, outputs["survival"])
    shown = not gate and "current_use" in chosen.analyses and exposure == "time_varying"
    doses, tests = DISPLAYS["dose_response"].empty(), DISPLAYS["proportional_hazards"].empty()
    if shown:
        doses = dose_response(person_time, baseline, missing)
        tests = proportional_hazards(person_time, ON_OFF, baseline, missing)
    io.write_frame(doses, outputs["dose_response"])
    io.write_frame(tests, outputs["proportional_hazards"])
    evaluable = sum(row.gate == "pass" for row in rows)
    return f"{evaluable} of {len(rows)} estimates evaluable"


def _adjusted(
    person_time: pl.DataFrame, chosen: Mortality, baseline: list[str], missing: Missing, *, exposure: Exposure,
    bounds: list[float], contributing: bool,
) -> list[estimates.Estimate]:  # fmt: skip
    """What adjusts for baseline covariates, on person-time as recorded or with imputed values."""
    rows: list[estimates.Estimate] = []
    if "current_use" in chosen.analyses:
        rows += current_use(
            person_time, baseline, missing, exposure=exposure, lags=chosen.lags_days, bands=band_labels(bounds)
        )
    if "baseline_use" in chosen.analyses:
        rows += baseline_use(person_time, baseline, missing, exposure=exposure)
    if "cause" in chosen.analyses:
        rows += cause_specific(person_time, baseline, missing, exposure=exposure, contributing=contributing)
    return rows


def _by_age(
    person_time: pl.DataFrame, inputs: dict[str, Path], chosen: Mortality, cohort: dict[str, Any], exposure: Exposure
) -> list[estimates.Estimate]:
    """What needs to know how old people are along follow-up: standardised rates, and SMRs."""
    people, persons, observation = (io.read_table(inputs[name]) for name in ("cohort", "persons", "observation"))
    rows = aged(person_time, people, persons, observation, calendar=io.is_calendar(inputs["observation"], "start"))
    found = []
    if "rate" in chosen.analyses:
        found += standardised_rates(rows, exposure=exposure, top_coded_age=chosen.top_coded_age)
    if "smr" in chosen.analyses:
        against = reference(
            chosen.life_table, country=cohort["country"], date_basis=cohort["date_basis"],
            reference_year=cohort["reference_year"], top_coded_age=chosen.top_coded_age,
        )  # fmt: skip
        found += smr(rows, against, exposure=exposure)
    if completed_years(persons):
        found = [replace(row, note="; ".join(filter(None, (row.note, COMPLETED)))) for row in found]
    return found
