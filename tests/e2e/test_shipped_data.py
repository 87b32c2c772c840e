"""What steps read of the shipped data is what reruns them: each opens the files that its stage declares."""

from __future__ import annotations

import pytest
from workflow_runs import Checkout

from opioid_outcomes.provenance import PACKAGE, STAGE_DATA

STUDY = """
study: {name: small}
cohorts:
  clinic:
    path: data/clinic
    country: us
    reference_year: 2008
    simulate: {world: mortality, persons: 150, seed: 1}
  claims:
    format: omop
    path: data/claims
    simulate: {world: claims, persons: 150, seed: 2}
population: {lookback_days: 90, diagnosis_window_days: 365}
covariates: {baseline: [age, sex, pain, depression, benzodiazepine], time_varying: [statin, diabetes]}
mortality: {negative_controls: [statin, ingrowing_nail], horizons_days: [365]}
"""
# Not of a whole run: `snakemake calibrate`, which reads covariates as estimate_hyperalgesia does
ON_DEMAND = {"calibration"}
# An interpreter that tells which files under data/ a step opens; the stage is the last module of steps/ it has loaded.
WATCH = """
import os, sys

STEPS, DATA = "opioid_outcomes.steps.", "opioid_outcomes/data/"

def watch(event, arguments):
    if event != "open" or DATA not in str(arguments[0]):
        return
    stage = next((name[len(STEPS):] for name in reversed(list(sys.modules)) if name.startswith(STEPS)), None)
    if stage is not None:
        with os.fdopen(os.open(WATCHED, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "a") as stream:
            stream.write(f"{stage} {str(arguments[0]).split(DATA)[1]}\\n")

sys.addaudithook(watch)
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Stage: the shipped files its steps opened in a whole run."""
    place = tmp_path_factory.mktemp("shipped")
    checkout = Checkout.copied_to(place / "study", STUDY)
    watched = place / "watched.txt"
    # found first on the path of the copied package
    (checkout.place / "workflow/src/sitecustomize.py").write_text(f"WATCHED = {str(watched)!r}\n{WATCH}")
    run = checkout.snakemake("--cores", "2")
    assert run.code == 0, run.output
    found: dict[str, set[str]] = {}
    for line in watched.read_text().splitlines():
        stage, name = line.split(" ", 1)
        found.setdefault(stage, set()).add(name)
    del found["disclosure"]  # whose manifest holds a hash of the whole package
    return found


def test_every_file_that_is_read_is_declared(read: dict[str, set[str]]) -> None:
    undeclared = {
        (stage, name)
        for stage, names in read.items()
        for name in names
        if not any(name == one or name.startswith(f"{one}/") for one in STAGE_DATA.get(stage, ()))
    }
    assert undeclared == set()


def test_everything_declared_is_read(read: dict[str, set[str]]) -> None:
    """Else an edit of data would rerun steps that never read them."""
    unread = {
        (stage, one)
        for stage, names in STAGE_DATA.items()
        if stage not in ON_DEMAND
        for one in names
        if not any(name == one or name.startswith(f"{one}/") for name in read.get(stage, set()))
    }
    assert unread == set()


def test_what_is_declared_exists() -> None:
    assert [name for names in STAGE_DATA.values() for name in names if not (PACKAGE / "data" / name).exists()] == []
