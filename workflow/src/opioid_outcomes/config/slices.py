"""What each step reads of the config: its slice, as the one string that decides whether it runs again.

A step is given its slice and nothing else, so it cannot read a key that would not rerun it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes.config import shipped
from opioid_outcomes.config.model import Config

WHOLE = tuple(Config.model_fields)

# what the pain trials read: eligible visits, strategies, windows, noise, and what is known at the visit
PAIN_TRIALS = (
    "hyperalgesia.escalation",
    "hyperalgesia.windows_days",
    "hyperalgesia.smallest_effect",
    "hyperalgesia.scale",
    "hyperalgesia.reliability",
    "hyperalgesia.error_sd",
    "hyperalgesia.step_mme",
    "covariates.baseline",
    "covariates.time_varying",
    "covariates.missing",
    "population.lookback_days",
)
# step -> dotted keys; `cohort` is the section of the step's own cohort, with `simulated` and `dropped_covariates`
# beside its keys
SLICES: dict[str, tuple[str, ...]] = {
    "simulate_cohort": ("cohort.path", "cohort.format", "cohort.simulate"),
    "ingest_cohort": (
        "cohort.format",
        "cohort.path",
        "cohort.date_basis",
        "cohort.tables",
        "privacy",
        "quality",
        "person_columns",
    ),
    "derive_exposure": (
        "exposure.mme_factors",
        "exposure.drug_dictionary",
        "exposure.carry_over_days",
        "exposure.stockpile_cap_days",
        "exposure.stays",
        "exposure.washout_days",
        "exposure.report_valid_days",
        "exposure.days_supply",
        "exposure.quantity",
        "exposure.strength",
        "exposure.ranges",
        "exposure.repaired_fills",
        "exposure.buprenorphine",
    ),
    "describe_episodes": ("exposure.gap_days", "exposure.gap_share"),
    "define_doses": (
        "exposure.mme_factors",
        "exposure.stockpile_cap_days",
        "exposure.stays",
        "exposure.definition_window_days",
        "exposure.threshold_rule",
    ),
    "find_dose_events": ("exposure.events", "exposure.mme_factors", "exposure.days_supply"),
    "explain_exposure": (
        "exposure.mme_factors",
        "exposure.drug_dictionary",
        "exposure.gap_days",
        "exposure.gap_share",
        "exposure.carry_over_days",
        "exposure.stockpile_cap_days",
        "exposure.stays",
        "exposure.washout_days",
        "exposure.days_supply",
        "exposure.quantity",
        "exposure.strength",
        "exposure.ranges",
        "exposure.repaired_fills",
        "exposure.buprenorphine",
        "exposure.events",
    ),
    "build_cohort": (
        "population",
        "covariates",
        "exposure.dose_bands",
        "cohort.dropped_covariates",
    ),
    "describe_trajectories": (),
    "classify_trajectories": (
        "trajectories.months",
        "trajectories.min_months",
        "trajectories.max_classes",
        "trajectories.curve",
        "trajectories.dose_scale",
        "trajectories.starts",
        "exposure.mme_factors",
        "study_seed",
    ),
    "estimate_trajectories": (
        "trajectories",
        "covariates.baseline",
        "covariates.missing",
        "exposure.long_term_definition",
        "exposure.mme_factors",
        "exposure.events.discontinuation_days",
        "exposure.events.taper_days",
        "population.lookback_days",
    ),
    "estimate_mortality": (
        "mortality.analyses",
        "mortality.horizons_days",
        "mortality.lags_days",
        "mortality.life_table",
        "mortality.top_coded_age",
        "covariates.baseline",
        "covariates.missing",
        "exposure.dose_bands",
        "cohort.date_basis",
        "cohort.country",
        "cohort.reference_year",
        "cohort.simulated",
        "study_seed",
    ),
    "emulate_trials": (
        "mortality.comparators",
        "mortality.encounter_window_days",
        "covariates.baseline",
        "population.exclude",
        "population.lookback_days",
        "population.max_followup_days",
        "population.study_end",
        "population.death_after_observation_days",
        "exposure.washout_days",
        "cohort.deaths_complete_until",
    ),
    "estimate_new_user": (
        "mortality.analyses",
        "mortality.horizons_days",
        "mortality.comparators",
        "mortality.weights",
        "mortality.penalty",
        "mortality.trim",
        "mortality.standard_error",
        "mortality.replicates",
        "mortality.truncation",
        "covariates",
        "population.lookback_days",
        "cohort.deaths_complete_until",
        "study_seed",
    ),
    "estimate_msm": (
        "mortality.analyses",
        "mortality.horizons_days",
        "mortality.standard_error",
        "mortality.truncation",
        "covariates",
        "population.lookback_days",
    ),
    "estimate_sustained": (
        "mortality.analyses",
        "mortality.horizons_days",
        "mortality.standard_error",
        "mortality.replicates",
        "mortality.truncation",
        "mortality.grace_days",
        "covariates",
        "population.lookback_days",
        "exposure.washout_days",
        "exposure.long_term_definition",
        "exposure.events.min_fall",
        "study_seed",
    ),
    "estimate_negative_controls": (
        "mortality.analyses",
        "mortality.negative_controls",
        "covariates.baseline",
        "covariates.missing",
    ),
    "estimate_addiction": (
        "study_seed",
        "addiction",
        "covariates.baseline",
        "covariates.missing",
        "exposure.dose_bands",
    ),
    "describe_target_trials": ("mortality", "population", "covariates", "exposure", "cohorts"),
    "estimate_hyperalgesia": (*PAIN_TRIALS, "hyperalgesia.standard_error", "hyperalgesia.replicates", "study_seed"),
    "estimate_blip": (*PAIN_TRIALS, "hyperalgesia.lags_months"),
    "estimate_corroboration": (*PAIN_TRIALS, "hyperalgesia.reduction", "cohort.date_basis"),
    "estimate_wrong_answers": PAIN_TRIALS,
    "estimate_pain": (
        "hyperalgesia.scale",
        "mortality.comparators",
        "covariates.baseline",
        "covariates.missing",
        "population.lookback_days",
        "exposure.long_term_definition",
    ),
    "calibrate_world": (*PAIN_TRIALS, "hyperalgesia.lags_months", "hyperalgesia.calibration.persons", "study_seed"),
    "gather_calibration": ("hyperalgesia.calibration.worlds",),
    "judge_hyperalgesia": (
        "hyperalgesia",
        "covariates.baseline",
        "covariates.time_varying",
        "covariates.missing",
    ),
    "synthesize_estimates": ("synthesis", "mortality.analyses"),
    "check": WHOLE,
    "disclose_results": WHOLE,
    "write_report": WHOLE,
}


def slice_of(config: Config, step: str, cohort: str | None = None) -> dict[str, Any]:
    """The slice of a step as plain nested values: its keys, the study's name and the cohort's name."""
    values = _values(config, cohort)
    chosen: dict[str, Any] = {}
    for dotted in SLICES[step]:
        source, target = values, chosen
        *sections, last = dotted.split(".")
        for section in sections:
            source, target = source[section], target.setdefault(section, {})
        target[last] = source[last]
    if SLICES[step] != WHOLE:
        chosen["study"] = config.study.name
    if cohort is not None:
        chosen["cohort_name"] = cohort
    return chosen


def person_columns(config: Config) -> list[str]:
    """Covariates that only a further column of ``persons``, or a measure, can give; each once, as in the config."""
    wanted = dict.fromkeys([*config.covariates.baseline, *config.covariates.time_varying])
    known = shipped.covariates()
    return [name for name in wanted if name not in known]


def user_files(config: Config, step: str) -> list[Path]:
    """The user's own code lists and factor tables that a step reads, so that editing one reruns it."""
    population, exposure = config.population, config.exposure
    named: dict[str, tuple[list[str | None], tuple[str, ...]]] = {
        "derive_exposure": ([exposure.mme_factors, exposure.drug_dictionary], shipped.mme_factors()),
        "define_doses": ([exposure.mme_factors], shipped.mme_factors()),
        "find_dose_events": ([exposure.mme_factors], shipped.mme_factors()),
        "classify_trajectories": ([exposure.mme_factors], shipped.mme_factors()),
        "estimate_trajectories": ([exposure.mme_factors], shipped.mme_factors()),
        "explain_exposure": ([exposure.mme_factors], shipped.mme_factors()),
        "build_cohort": (
            [population.chronic_pain_codes, *population.exclude, *population.censor_at],
            shipped.code_lists(),
        ),
        "emulate_trials": ([*population.exclude], shipped.code_lists()),
        "estimate_mortality": ([config.mortality.life_table], shipped.life_tables()),
        "estimate_negative_controls": ([*config.mortality.negative_controls], shipped.code_lists()),
        "estimate_addiction": ([config.addiction.codes], shipped.code_lists()),
    }
    names, known = named.get(step, ([], ()))
    return [Path(name) for name in names if name and name not in known and Path(name).is_file()]


def _values(config: Config, cohort: str | None) -> dict[str, Any]:
    values = config.model_dump(mode="json")
    values["person_columns"] = person_columns(config)
    values["study_seed"] = config.study.seed
    if cohort is not None:
        # whether the truth is known, for steps to which it is all one how a cohort was simulated
        simulated = values["cohorts"][cohort]["simulate"] is not None
        basis, baseline = values["cohorts"][cohort]["date_basis"], values["covariates"]["baseline"]
        dropped = [name for name in baseline if name == shipped.CALENDAR_YEAR and basis != "actual"]
        # calendar terms are told of actual dates only (ANALYSES 3): elsewhere no step hears of them
        values["covariates"]["baseline"] = [name for name in baseline if name not in dropped]
        values["cohort"] = values["cohorts"][cohort] | {"simulated": simulated, "dropped_covariates": dropped}
    return values
