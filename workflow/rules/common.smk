# The study, and what all rules need of it. They hold no logic; each hands its step the slice of the config it reads.
import re
from pathlib import Path

from opioid_outcomes import workflow_plan
from opioid_outcomes.config import slices
from opioid_outcomes.provenance import step_fingerprint

STUDY = workflow_plan.load_study(workflow)
CONFIG = STUDY.config
COHORTS = sorted(CONFIG.cohorts)
DERIVED = f"data/derived/{CONFIG.study.name}"
REPORTS = f"reports/{CONFIG.study.name}"
COHORT = f"{DERIVED}/{{cohort}}"
LOGS = f"{DERIVED}/logs"
STEP = "../scripts/step.py"
OWN_CALIBRATION = f"{DERIVED}/calibration.csv"
SIMULATED = {
    cohort.path: name for name, cohort in CONFIG.cohorts.items() if cohort.simulate
}


wildcard_constraints:
    cohort="[a-z0-9][a-z0-9_-]*",
    folder="|".join(re.escape(path) for path in SIMULATED) or "(?!)",


# Read only by those who ask Snakemake for containers: the interpreter into which requirements.lock is installed.
container: "docker://python:3.11"


def for_step(name):
    """The one param of a rule: what its step reads of the config, and a fingerprint of the code it runs.

    Snakemake compares params as a set of values without names, so all of it is one canonical text.
    """

    def param(wildcards):
        cohort = SIMULATED.get(
            getattr(wildcards, "folder", None), getattr(wildcards, "cohort", None)
        )
        return step_fingerprint(CONFIG, name, cohort, own_files(name, cohort))

    return param


def own_files(step, cohort):
    """The study's own files that a step reads: raw tables, code lists, factor tables. Simulated tables have no say."""
    if step == "ingest_cohort" and not CONFIG.cohorts[cohort].simulate:
        return workflow_plan.raw_files(CONFIG.cohorts[cohort])
    if step == "judge_hyperalgesia":
        # no input: a change of config would else calibrate again, for hours, unasked
        return [OWN_CALIBRATION] if Path(OWN_CALIBRATION).exists() else []
    return [str(path) for path in slices.user_files(CONFIG, step)]


def raw_files(wildcards):
    """What ingest reads. A simulated cohort is complete when its truth is written."""
    cohort = CONFIG.cohorts[wildcards.cohort]
    if cohort.simulate:
        return f"{cohort.path}/truth.json"
    return own_files("ingest_cohort", wildcards.cohort)


def canonical(*tables):
    return {
        name: f"{COHORT}/canonical/{name}.parquet"
        for name in tables or workflow_plan.CANONICAL_TABLES
    }


def pain_trial_inputs():
    """What the pain trials of a cohort read."""
    return canonical(
        "persons",
        "observation",
        "dispensings",
        "diagnoses",
        "pain",
        "measurements",
        "stays",
        "therapies",
        "changes",
        "deaths",
    ) | {
        "daily_dose": f"{COHORT}/daily_dose.parquet",
        "opioid_status": f"{COHORT}/opioid_status.parquet",
        "cohort": f"{COHORT}/cohort.parquet",
        "notes": f"{COHORT}/cohort_notes.json",
    }


def of_every_cohort(pattern):
    """The files of all cohorts, for the rules of the whole study."""
    return [pattern.replace("{cohort}", cohort) for cohort in COHORTS]


def frames_to_release():
    """The frame behind every display, of every cohort."""
    return {
        name: of_every_cohort(f"{COHORT}/{path}")
        for name, path in workflow_plan.DISPLAY_FRAMES.items()
    }


def released_displays():
    """Where each display stands once it may leave."""
    return {
        name: f"{REPORTS}/{path}"
        for name, path in workflow_plan.RELEASED_DISPLAYS.items()
    }


def truth_files():
    return [f"{folder}/truth.json" for folder in sorted(SIMULATED)]


def report_files():
    files = {kind: f"{REPORTS}/report.{kind}" for kind in CONFIG.report.formats}
    return files | {
        "figures": [f"{REPORTS}/{path}" for path in workflow_plan.DRAWN_FIGURES]
    }


def calibration_batches():
    """The replicates of every cohort and world, in batches that run beside each other."""
    return [
        f"{DERIVED}/calibration/{cohort}/{world}-{batch}.parquet"
        for cohort in COHORTS
        for world in CONFIG.hyperalgesia.calibration.worlds
        for batch in workflow_plan.calibration_batches(CONFIG)
    ]


def contract_outputs():
    """Everything the contract promises: a missing intermediate must never hide behind a finished report."""
    return workflow_plan.contract_outputs(CONFIG)
