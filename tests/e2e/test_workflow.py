"""The workflow as its users run it: from nothing to a report, again, after a change, after a failure, after a stop."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pytest
from workflow_runs import Checkout

EXPOSURE = {"derive_exposure", "describe_episodes", "define_doses", "find_dose_events"}
COHORT = {"build_cohort", "describe_trajectories", "classify_trajectories"}
MORTALITY = {
    "estimate_mortality", "estimate_new_user", "estimate_msm", "estimate_sustained", "estimate_negative_controls",
}  # fmt: skip
PAIN_TRIALS = {"estimate_hyperalgesia", "estimate_blip", "estimate_corroboration", "estimate_wrong_answers"}
ANALYSES = MORTALITY | PAIN_TRIALS | {"estimate_trajectories", "emulate_trials", "estimate_addiction", "estimate_pain"}
RELEASE = {"disclose_results", "judge_hyperalgesia", "write_report"}
AFTER = {"synthesize_estimates", "explain_exposure", "describe_target_trials"} | RELEASE


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A study run to its report on two cores."""
    checkout = Checkout.copied_to(tmp_path_factory.mktemp("workflow") / "finished")
    run = checkout.snakemake("--cores", "2")
    assert run.code == 0, run.output
    assert "[clinic] ingest_cohort" in run.output
    assert "[small] write_report" in run.output
    return checkout


@pytest.fixture
def study(finished: Checkout, tmp_path: Path) -> Checkout:
    """The finished study, free to be changed."""
    return finished.copy(tmp_path / "study")


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


def test_every_promised_output_is_there_and_estimates_have_the_contracts_columns(finished: Checkout) -> None:
    reports = finished.place / "reports/small"
    for name in ("report.html", "report.pdf", "estimates.csv", "manifest.json", "config.resolved.yaml"):
        assert (reports / name).stat().st_size > 0, name
    estimates = pl.read_csv(reports / "estimates.csv")
    columns = (
        "study,cohort,analysis,method,population,outcome,contrast,window,scale,estimate,ci_low,ci_high,se,p_value,"
        "persons,events,person_years,spec,gate,note"
    )
    assert ",".join(estimates.columns) == columns
    assert set(estimates["cohort"]) == {"clinic", "claims", "pooled"}
    mortality = {f"mortality.{name}" for name in ("rate", "current_use", "new_user", "msm", "sustained", "stopping")}
    assert mortality | {"addiction.dose", "hyperalgesia.escalation"} <= set(estimates["analysis"])
    assert list((reports / "figures").glob("*.svg")), "figures"


def test_every_input_row_is_accounted_for(finished: Checkout) -> None:
    for cohort in ("clinic", "claims"):
        derived = finished.place / "data/derived/small" / cohort
        quality = pl.read_csv(derived / "quality.csv")
        assert (quality["rows_in"] == quality["canonical"] + quality["rejected"] + quality["merged"]).all()
        assert pl.read_parquet(derived / "rejected.parquet").height == quality["rejected"].sum()
        assert quality["rows_in"].sum() > 10_000


def test_derived_tables_are_for_their_owner_only(finished: Checkout) -> None:
    assert (finished.place / "data/derived/small").stat().st_mode & 0o077 == 0


def test_one_core_gives_the_same_bytes(finished: Checkout, tmp_path: Path) -> None:
    alone = Checkout.copied_to(tmp_path / "alone", root=finished.place)
    run = alone.snakemake("--cores", "1")
    assert run.code == 0, run.output
    assert hashes(alone.place / "reports/small") == hashes(finished.place / "reports/small")


def test_nothing_changed_nothing_runs(study: Checkout) -> None:
    assert study.would_run() == set()
    run = study.snakemake()
    assert run.code == 0
    assert "Nothing to be done" in run.output


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("title: Two small simulated cohorts", "title: Other words", RELEASE),
        ("gap_days: 25", "gap_days: 26", {"describe_episodes", "explain_exposure", "describe_target_trials"} | RELEASE),
        ("carry_over_days: 30", "carry_over_days: 29", EXPOSURE | COHORT | ANALYSES | AFTER),
        ("lookback_days: 180", "max_followup_days: 3000, lookback_days: 180", COHORT | ANALYSES | AFTER),
        ("covariates: {", "trajectories: {analyses: [drift]}\ncovariates: {", {"estimate_trajectories"} | AFTER),
        ("lookback_days: 180", "lookback_days: 179", COHORT | ANALYSES | AFTER),
        ("covariates: {", "hyperalgesia: {step_mme: 10}\ncovariates: {", PAIN_TRIALS | AFTER),
        ("covariates: {", "mortality: {analyses: [rate]}\ncovariates: {", MORTALITY | AFTER),
        ("covariates: {", "mortality: {weights: att}\ncovariates: {", {"estimate_new_user"} | AFTER),
        ("covariates: {", "mortality: {lags_days: [0]}\ncovariates: {", {"estimate_mortality"} | AFTER),
        ("covariates: {", "addiction: {lag_days: 30}\ncovariates: {", {"estimate_addiction"} | AFTER),
    ],
)  # fmt: skip
def test_a_changed_value_reruns_what_depends_on_it(study: Checkout, old: str, new: str, expected: set[str]) -> None:
    study.edit("study.yaml", old, new)
    assert study.would_run() == expected


def test_swapped_values_of_two_keys_rerun(study: Checkout) -> None:
    study.edit("study.yaml", "carry_over_days: 30, gap_days: 25", "carry_over_days: 25, gap_days: 30")
    assert "derive_exposure" in study.would_run()


def test_edited_code_reruns_what_uses_it(study: Checkout) -> None:
    package = "workflow/src/opioid_outcomes"
    with (study.place / package / "mortality/smr.py").open("a") as stream:
        stream.write("\n# edited\n")
    assert study.would_run() == {"estimate_mortality"} | AFTER


def test_after_a_failure_a_bare_run_fails_again_and_then_finishes(study: Checkout) -> None:
    pain = study.place / "data/demo/clinic/pain.csv"
    good = pain.read_bytes()
    pain.write_bytes(good.replace(b"person_id", b"who", 1))
    (study.place / "data/derived/small/clinic/canonical/pain.parquet").unlink()
    for _ in range(2):
        run = study.snakemake()
        assert run.code == 2, run.output
        assert "Traceback" not in run.output
        assert "pain" in run.output
        assert "nothing to be done" not in run.output.lower()
    pain.write_bytes(good)
    run = study.snakemake()
    assert run.code == 0, run.output
    assert study.would_run() == set()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_resumes(tmp_path: Path, how: signal.Signals) -> None:
    checkout = Checkout.copied_to(tmp_path / "stopped")
    process = subprocess.Popen(
        checkout.command("--cores", "2", "--configfile", "study.yaml"), cwd=checkout.place,
        env=checkout.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    truth = checkout.place / "data/demo/clinic/truth.json"
    for _ in range(600):
        if truth.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    assert process.poll() is None, "the run ended before it could be stopped"
    os.killpg(process.pid, how)
    process.wait(timeout=60)
    if how == signal.SIGKILL:
        locked = checkout.snakemake()
        assert locked.code != 0
        assert checkout.snakemake("--unlock").code == 0
    run = checkout.snakemake()
    assert run.code == 0, run.output
    assert (checkout.place / "reports/small/report.html").exists()


def test_works_from_another_directory(finished: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = finished.snakemake("--directory", str(elsewhere))
    assert run.code == 0, run.output
    assert hashes(elsewhere / "reports/small") == hashes(finished.place / "reports/small")


def test_check_reads_everything_and_writes_only_logs(finished: Checkout, tmp_path: Path) -> None:
    study = finished.copy(tmp_path / "checked")
    before = hashes(study.place / "data") | hashes(study.place / "reports")
    run = study.snakemake("check")
    assert run.code == 0, run.output
    after = hashes(study.place / "data") | hashes(study.place / "reports")
    changed = {name for name in after if after[name] != before.get(name)}
    assert all("logs/" in name for name in changed), changed


def test_the_demo_is_what_a_bare_run_runs(finished: Checkout) -> None:
    run = finished.snakemake("--dry-run", configfile=None)
    assert run.code == 0, run.output
    listing = finished.snakemake("--dry-run", "--quiet", "host", configfile=None).output
    assert "reports/demo/report.html" in listing


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "study=x", "--configfile", "study.yaml"], "the file is the one truth"),
        (["--configfile", "study.yaml", "config/config.yaml"], "more than one config file"),
        (["--configfile", "bad.yaml"], "did you mean"),
    ],
)
def test_a_users_mistake_is_one_message_and_exit_2(study: Checkout, arguments: list[str], says: str) -> None:
    (study.place / "bad.yaml").write_text((study.place / "study.yaml").read_text().replace("covariates:", "covariate:"))
    run = study.snakemake(*arguments, configfile=None)
    assert run.code == 2, run.output
    assert says in run.output.lower()
    assert "Traceback" not in run.output


def test_manifest_names_inputs_versions_and_seeds(finished: Checkout) -> None:
    manifest = json.loads((finished.place / "reports/small/manifest.json").read_text())
    assert manifest["seeds"] == {"study": 20260101, "clinic": 1, "claims": 2}
    pain = finished.place / "data/demo/clinic/pain.csv"
    listed = {entry["file"]: entry["sha256"] for entry in manifest["inputs"] if entry["cohort"] == "clinic"}
    assert listed["pain.csv"] == hashlib.sha256(pain.read_bytes()).hexdigest()
    assert {"polars", "numpy", "opioid-outcomes"} <= set(manifest["versions"])
    assert str(finished.place) not in json.dumps(manifest)
