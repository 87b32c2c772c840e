"""New-user trials of a large cohort: processor time and memory of the trial table and of its estimates.

NEW_USER_PERSONS sets the size; the same is measured of a quarter of the people, as cost per person must not grow. The
floor is to read the canonical tables and sort each by person and day. Every measurement in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.derived import DAILY_DOSE, DISPENSINGS_CLEAN, OPIOID_STATUS
from opioid_outcomes.mortality.new_user import new_user
from opioid_outcomes.steps.new_user import choices_of, estimate_new_user
from opioid_outcomes.steps.trials import emulate_trials

pytestmark = pytest.mark.bench
PERSONS = int(os.environ.get("NEW_USER_PERSONS", "20000"))
DERIVED = {"dispensings_clean": DISPENSINGS_CLEAN, "opioid_status": OPIOID_STATUS, "daily_dose": DAILY_DOSE}
SHOWN = ("new_user_balance", "new_user_survival", "new_user_diagnostics", "missing_by_arm", "cause_incidence")
BASELINE = ["age", "pain", "depression"]
MOST_FLOORS = {"trials": 30, "itt": 60, "estimates": 100}  # processor time, in times of the floor
MOST_GROWTH = 1.5  # of the cost of a person from a quarter of the people to all
BYTES_PER_PERSON = {"trials": 40_000, "estimates": 60_000}  # above the process's own


def settings() -> dict[str, Any]:
    chosen = Mortality(comparators=["non_user"], horizons_days=[180, 365], analyses=["new_user"])
    return {
        "study": "s", "cohort_name": "c", "study_seed": 1, "mortality": chosen.model_dump(),
        "covariates": Covariates(baseline=BASELINE).model_dump(),
        "population": {"exclude": [], "lookback_days": 180, "max_followup_days": None, "study_end": None},
        "exposure": {"washout_days": 180}, "cohort": {"deaths_complete_until": None},
    }  # fmt: skip


def files(folder: Path) -> dict[str, Path]:
    return {name: folder / f"{name}.parquet" for name in (*CANONICAL, *DERIVED, "cohort", "trials")} | {
        "notes": folder / "notes.json"
    }


def make(folder: Path, persons: int) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "known"))
    from trial_world import World, observed

    cohort, tables = observed(World(per_year=0.03), persons, 5)
    for name, table in (CANONICAL | DERIVED).items():
        frame = tables.get(name, pl.DataFrame(schema=table.schema(pl.Int64())))
        io.write_table(frame, files(folder)[name], table, calendar=False)
    io.write_frame(cohort, files(folder)["cohort"])
    io.write_json(files(folder)["notes"], {"exposure": "time_varying", "deaths": 100, "deaths_after_observation": 0})


def floor(folder: Path) -> None:
    for name in CANONICAL:
        frame = pl.read_parquet(files(folder)[name])
        frame.sort("person_id", *(day for day in ("date", "start") if day in frame.columns))


def itt(folder: Path) -> None:
    trials = io.read_table(files(folder)["trials"])
    trials = trials.with_columns(survey_weight=pl.lit(None, pl.Float64), cluster=pl.lit(None, pl.String))
    chosen = settings()
    choices = choices_of(Mortality(**chosen["mortality"]), Covariates(**chosen["covariates"]), 1)
    assert any(row.gate == "pass" for row in new_user("non_user", trials, choices).rows)


def work(what: str, folder: Path) -> None:
    at = files(folder)
    if what == "floor":
        floor(folder)
    elif what == "trials":
        emulate_trials(at, {"trials": at["trials"]}, settings())
    elif what == "itt":
        itt(folder)
    else:
        shown = {name: folder / f"o_{name}.parquet" for name in ("estimates", *SHOWN)}
        estimate_new_user(at, shown, settings())


def measured(what: str, folder: Path) -> tuple[float, float]:
    """Processor seconds and bytes above what the process had when it began."""
    run = subprocess.run([sys.executable, __file__, what, folder], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    seconds, memory = (float(word) for word in run.stdout.split()[-2:])
    return seconds, memory


def test_cost_of_a_person_does_not_grow(tmp_path: Path) -> None:
    found: dict[int, dict[str, tuple[float, float]]] = {}
    for persons in (PERSONS // 4, PERSONS):
        folder = tmp_path / str(persons)
        folder.mkdir()
        make(folder, persons)
        found[persons] = {what: measured(what, folder) for what in ("floor", "trials", "itt", "estimates")}
        rows = io.read_table(files(folder)["trials"]).height
        told = (f"{what} {cpu:.2f} s, {memory / 1e6:.0f} MB" for what, (cpu, memory) in found[persons].items())
        print(f"\n{persons} people, {rows} index dates: {'; '.join(told)}")
    few, all_of_them = found[PERSONS // 4], found[PERSONS]
    for what, most in MOST_FLOORS.items():
        assert all_of_them[what][0] < most * all_of_them["floor"][0]
        assert all_of_them[what][0] / 4 < MOST_GROWTH * few[what][0]
    for what, bytes_each in BYTES_PER_PERSON.items():
        assert all_of_them[what][1] < bytes_each * PERSONS


def peak() -> int:
    """Most memory this process has held, in bytes; what the parent held is not its own."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    before = peak()
    began = time.process_time()
    work(sys.argv[1], Path(sys.argv[2]))
    print(time.process_time() - began, peak() - before)
