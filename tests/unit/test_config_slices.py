"""Slices: a step reruns for what it reads and for nothing else."""

import ast
import json
import subprocess
import sys
from typing import Any

import pytest

from opioid_outcomes.config.addiction import Addiction
from opioid_outcomes.config.base import Section
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.load import section_of
from opioid_outcomes.config.model import Config
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.config.slices import SLICES, WHOLE, person_columns, slice_of, user_files
from opioid_outcomes.provenance import PACKAGE, canonical_json
from opioid_outcomes.steps import STAGES

COHORT_STEPS = [
    "simulate_cohort", "ingest_cohort", "derive_exposure", "describe_episodes", "define_doses", "find_dose_events",
    "build_cohort", "describe_trajectories", "classify_trajectories", "estimate_trajectories", "estimate_mortality",
    "emulate_trials", "estimate_new_user", "estimate_msm", "estimate_sustained", "estimate_negative_controls",
    "estimate_addiction", "estimate_hyperalgesia", "estimate_blip", "estimate_corroboration", "estimate_wrong_answers",
    "estimate_pain", "calibrate_world",
]  # fmt: skip
PAIN_TRIALS = {
    "estimate_hyperalgesia", "estimate_blip", "estimate_corroboration", "estimate_wrong_answers", "calibrate_world",
}  # fmt: skip
JUDGE = "judge_hyperalgesia"
MORTALITY = {
    "estimate_mortality", "estimate_new_user", "estimate_msm", "estimate_sustained", "estimate_negative_controls",
}  # fmt: skip


def slice_json(study: Config, step: str, cohort: str | None = None) -> str:
    return canonical_json(slice_of(study, step, cohort))


def config(**sections: Any) -> Config:
    cohorts = {"a": {"path": "x", "simulate": {"world": "null"}}, "b": {"path": "y", "date_basis": "actual"}}
    return Config.model_validate({"cohorts": cohorts} | sections)


@pytest.mark.parametrize("step", COHORT_STEPS)
def test_another_cohort_does_not_change_a_slice(step: str) -> None:
    more = config(cohorts={"a": {"path": "x", "simulate": {"world": "null"}}, "c": {"path": "z"}})
    assert slice_json(more, step, "a") == slice_json(config(), step, "a")


@pytest.mark.parametrize("step", COHORT_STEPS)
def test_two_cohorts_have_two_slices(step: str) -> None:
    assert slice_json(config(), step, "a") != slice_json(config(), step, "b")


def test_swapping_two_values_changes_the_slice() -> None:
    one = config(exposure={"gap_days": 30, "carry_over_days": 60})
    other = config(exposure={"gap_days": 60, "carry_over_days": 30})
    assert slice_json(one, "derive_exposure", "a") != slice_json(other, "derive_exposure", "a")


# further steps that describe the emulated trials, whose words are cheap and hold many keys
TOLD = "describe_target_trials"
REACHES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("report", {"formats": ["html"]}, set()),
    ("study", {"title": "new"}, set()),
    ("disclosure", {"profile": "none", "reason": "public"}, set()),
    ("exposure", {"gap_days": 7}, {"describe_episodes", "explain_exposure", TOLD}),
    ("exposure", {"dose_bands": [50]}, {"build_cohort", "estimate_mortality", "estimate_addiction", TOLD}),
    ("exposure", {"threshold_rule": "above"}, {"define_doses", TOLD}),
    ("exposure", {"report_valid_days": 90}, {"derive_exposure", TOLD}),
    (
        "exposure", {"washout_days": 90},
        {"derive_exposure", "explain_exposure", "emulate_trials", "estimate_sustained", TOLD},
    ),
    ("exposure", {"events": {"min_mme": 10}}, {"find_dose_events", "explain_exposure", TOLD}),
    ("exposure", {"events": {"min_fall": 0.5}}, {"find_dose_events", "explain_exposure", "estimate_sustained", TOLD}),
    (
        "exposure", {"long_term_definition": "d180"},
        {"estimate_trajectories", "estimate_sustained", "estimate_pain", TOLD},
    ),
    (
        "study", {"seed": 1},
        {
            "classify_trajectories", "estimate_mortality", "estimate_new_user", "estimate_sustained",
            "estimate_addiction", "estimate_hyperalgesia", "calibrate_world",
        },
    ),
    ("trajectories", {"starts": 5}, {"classify_trajectories", "estimate_trajectories"}),
    ("trajectories", {"analyses": ["taper"]}, {"estimate_trajectories"}),
    ("quality", {"max_rejected_share": 0.5}, {"ingest_cohort"}),
    ("mortality", {"analyses": ["rate"]}, MORTALITY | {"synthesize_estimates", TOLD}),
    ("mortality", {"horizons_days": [365]}, MORTALITY - {"estimate_negative_controls"} | {TOLD}),
    ("mortality", {"lags_days": [0]}, {"estimate_mortality", TOLD}),
    ("mortality", {"life_table": "mine.csv"}, {"estimate_mortality", TOLD}),
    ("mortality", {"top_coded_age": 80}, {"estimate_mortality", TOLD}),
    ("mortality", {"comparators": ["nsaid"]}, {"emulate_trials", "estimate_new_user", "estimate_pain", TOLD}),
    ("mortality", {"encounter_window_days": 30}, {"emulate_trials", TOLD}),
    ("mortality", {"weights": "att"}, {"estimate_new_user", TOLD}),
    ("mortality", {"penalty": 1}, {"estimate_new_user", TOLD}),
    ("mortality", {"trim": "crump"}, {"estimate_new_user", TOLD}),
    ("mortality", {"standard_error": "bootstrap"}, {"estimate_new_user", "estimate_msm", "estimate_sustained", TOLD}),
    ("mortality", {"replicates": 60}, {"estimate_new_user", "estimate_sustained", TOLD}),
    ("mortality", {"truncation": [1, 99]}, {"estimate_new_user", "estimate_msm", "estimate_sustained", TOLD}),
    ("mortality", {"grace_days": 30}, {"estimate_sustained", TOLD}),
    ("mortality", {"negative_controls": ["statin"]}, {"estimate_negative_controls", TOLD}),
    ("addiction", {"codes": "mine.csv"}, {"estimate_addiction"}),
    ("addiction", {"lag_days": 30}, {"estimate_addiction"}),
    ("synthesis", {"pool": False}, {"synthesize_estimates"}),
    ("hyperalgesia", {"step_mme": 10}, PAIN_TRIALS | {JUDGE}),
    ("hyperalgesia", {"scale": "NRS"}, PAIN_TRIALS | {"estimate_pain", JUDGE}),
    ("hyperalgesia", {"lags_months": 6}, {"estimate_blip", "calibrate_world", JUDGE}),
    ("hyperalgesia", {"standard_error": "bootstrap"}, {"estimate_hyperalgesia", JUDGE}),
    ("hyperalgesia", {"reduction": {"from_day": 43}}, {"estimate_corroboration", JUDGE}),
    (
        "hyperalgesia", {"calibration": {"worlds": ["null"], "replicates": 2}},
        {"gather_calibration", JUDGE},  # what is simulated of the other worlds, and the first replicates, stay
    ),
    ("hyperalgesia", {"calibration": {"persons": 100}}, {"calibrate_world", JUDGE}),
    (
        "covariates", {"baseline": ["sex", "age"]},
        {"build_cohort", "estimate_trajectories", "emulate_trials", "estimate_addiction", "estimate_pain", JUDGE, TOLD}
        | MORTALITY
        | PAIN_TRIALS,
    ),
    (
        "covariates", {"time_varying": ["nsaid"]},
        {"build_cohort", "estimate_new_user", "estimate_msm", "estimate_sustained", JUDGE, TOLD} | PAIN_TRIALS,
    ),
    (
        "covariates", {"missing": "mi"},
        {"build_cohort", "estimate_trajectories", "estimate_addiction", "estimate_pain", JUDGE, TOLD}
        | MORTALITY
        | PAIN_TRIALS,
    ),
    ("population", {"exclude": []}, {"build_cohort", "emulate_trials", TOLD}),
    ("population", {"censor_at": ["palliative_care"]}, {"build_cohort", TOLD}),
    ("population", {"max_followup_days": 365}, {"build_cohort", "emulate_trials", TOLD}),
    (
        "population", {"lookback_days": 90},
        {
            "build_cohort", "estimate_trajectories", "emulate_trials", "estimate_new_user", "estimate_msm",
            "estimate_sustained", "estimate_pain", TOLD,
        }
        | PAIN_TRIALS,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("section", "keys", "steps"), REACHES)
def test_a_change_reaches_exactly_the_steps_that_read_it(section: str, keys: dict[str, Any], steps: set[str]) -> None:
    before, after = config(), config(**{section: keys})
    changed = {
        step
        for step in SLICES
        if slice_json(before, step, "a" if step in COHORT_STEPS else None)
        != slice_json(after, step, "a" if step in COHORT_STEPS else None)
    }
    assert changed == steps | {"check", "disclose_results", "write_report"}  # those read the whole config


OF_A_COHORT: list[tuple[dict[str, Any], set[str]]] = [
    ({"country": "us"}, {"estimate_mortality"}),
    ({"date_basis": "actual"}, {"ingest_cohort", "estimate_mortality", "estimate_corroboration"}),
    ({"reference_year": 2008}, {"estimate_mortality"}),
    ({"deaths_complete_until": "2020-01-31"}, {"emulate_trials", "estimate_new_user"}),
    ({"simulate": {"world": "null", "seed": 7}}, {"simulate_cohort"}),  # the files tell the rest, by their time
    ({"simulate": None}, {"simulate_cohort", "estimate_mortality"}),  # the trap stands beside a known truth only
]


@pytest.mark.parametrize(("keys", "steps"), OF_A_COHORT)
def test_a_cohorts_own_keys_reach_exactly_the_steps_that_read_them(keys: dict[str, Any], steps: set[str]) -> None:
    one = {"path": "x", "simulate": {"world": "null"}}
    before, after = config(cohorts={"a": one}), config(cohorts={"a": one | keys})
    assert {step for step in COHORT_STEPS if slice_json(before, step, "a") != slice_json(after, step, "a")} == steps


READS_SECTION = {
    "estimate_mortality": Mortality, "estimate_new_user": Mortality, "estimate_msm": Mortality,
    "estimate_sustained": Mortality, "estimate_negative_controls": Mortality, "estimate_addiction": Addiction,
}  # fmt: skip


@pytest.mark.parametrize(("step", "section"), READS_SECTION.items())
@pytest.mark.parametrize("variable", ["chosen", "covariates"])
def test_a_step_declares_the_keys_of_a_section_that_it_reads_and_no_more(
    step: str, section: type[Section], variable: str
) -> None:
    """A section validated back from a part of its keys would give the default of the others, without a word."""
    model = Covariates if variable == "covariates" else section
    name = model.__name__.lower()
    code = ast.parse((PACKAGE / "steps" / f"{STAGES[step]}.py").read_text(encoding="utf-8"))
    read = {
        node.attr
        for node in ast.walk(code)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == variable
    }
    slice_ = slice_of(config(), step, "a")[name]
    assert read & set(model.model_fields) == set(slice_)


def test_a_slice_holds_what_is_declared_and_no_more() -> None:
    chosen = slice_of(config(), "build_cohort", "b")
    assert chosen["exposure"] == {"dose_bands": [20.0, 50.0, 90.0]}
    assert set(chosen) == {"exposure", "population", "covariates", "cohort", "study", "cohort_name"}
    assert chosen["cohort"] == {"dropped_covariates": []}
    assert (chosen["study"], chosen["cohort_name"]) == ("study", "b")


def test_calendar_year_stands_in_the_slices_of_cohorts_with_actual_dates_only() -> None:
    """Cohort a has shifted dates, b actual ones; every step of a cohort hears the same."""
    given = config(covariates={"baseline": ["age", "calendar_year"]})
    for cohort, baseline, dropped in (("a", ["age"], ["calendar_year"]), ("b", ["age", "calendar_year"], [])):
        for step in COHORT_STEPS:
            assert slice_of(given, step, cohort).get("covariates", {}).get("baseline", baseline) == baseline
        assert slice_of(given, "build_cohort", cohort)["cohort"]["dropped_covariates"] == dropped


def test_the_string_is_canonical() -> None:
    text = slice_json(config(), "estimate_hyperalgesia", "a")
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_sections_validate_back() -> None:
    chosen = json.loads(slice_json(config(), "estimate_hyperalgesia", "a"))
    model = type(config().hyperalgesia)
    assert model(**chosen["hyperalgesia"]) == config().hyperalgesia  # what is not in the slice has its default here


def test_person_columns_are_the_covariates_nothing_else_gives() -> None:
    baseline = ["age", "smoking", "depression", "benzodiazepine", "prior_mme", "race"]
    given = config(
        covariates={"baseline": baseline, "time_varying": ["opioid_misuse", "smoking", "depression", "phq9"]}
    )
    assert person_columns(given) == ["smoking", "race", "opioid_misuse", "phq9"]


def test_a_users_own_files_are_inputs_of_the_steps_that_read_them(tmp_path: Any) -> None:
    codes, factors = tmp_path / "codes.csv", tmp_path / "factors.csv"
    codes.touch()
    factors.touch()
    assert user_files(config(population={"censor_at": [str(codes)]}), "build_cohort") == [codes]
    mine = config(population={"exclude": ["cancer", str(codes)]}, exposure={"mme_factors": str(factors)})
    assert user_files(mine, "build_cohort") == [codes]
    assert user_files(mine, "derive_exposure") == [factors]
    assert user_files(mine, "classify_trajectories") == [factors]
    assert user_files(mine, "emulate_trials") == [codes]
    assert user_files(mine, "estimate_mortality") == []
    own = {"life_table": str(factors), "negative_controls": ["statin", "ingrowing_nail", str(codes)]}
    mine = config(mortality=own, addiction={"codes": str(codes)})
    assert user_files(mine, "estimate_mortality") == [factors]
    assert user_files(mine, "estimate_negative_controls") == [codes]
    assert user_files(mine, "estimate_addiction") == [codes]
    assert user_files(config(), "estimate_mortality") == []
    assert user_files(config(), "build_cohort") == []


# read by the last steps (the whole config)
READ_AT_THE_END = {
    "study.name", "study.title", "study.seed", "disclosure.profile", "disclosure.reason", "report.formats",
}  # fmt: skip


def leaves(model: type[Section], prefix: str = "") -> dict[str, bool]:
    """Dotted key: whether it is reserved for a later version."""
    found: dict[str, bool] = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        available = extra["available"] if isinstance(extra, dict) else None
        inner, _ = section_of(field.annotation)
        if inner is not None and available is None:
            found |= leaves(inner, f"{prefix}{name}.")
        else:
            found[prefix + name] = available == [field.get_default(call_default_factory=True)]
    return found


def test_every_key_is_read_by_a_step_or_reserved() -> None:
    """A key that is accepted and then ignored would be a lie to whoever set it."""
    read = {
        dotted.replace("cohort.", "cohorts.") for keys in SLICES.values() if keys != WHOLE for dotted in keys
    } | READ_AT_THE_END
    ignored = [
        key
        for key, reserved in leaves(Config).items()
        if not reserved and not any(key == one or key.startswith(f"{one}.") for one in read)
    ]
    assert ignored == []


def test_parsing_the_workflow_does_not_pay_for_polars() -> None:
    code = (
        "import sys; import opioid_outcomes.config.load, opioid_outcomes.config.slices;"
        "print([name for name in ('polars', 'numpy', 'pandas') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
