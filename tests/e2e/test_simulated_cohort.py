"""From a simulated cohort's files to its person-time: what was planted is what the steps find, person by person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.config.load import load_config
from opioid_outcomes.config.slices import slice_of
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.simulate import cohort as simulated
from opioid_outcomes.simulate import deaths, worlds
from opioid_outcomes.simulate.drugs import OPIOIDS
from opioid_outcomes.simulate.people import CONFOUNDERS
from opioid_outcomes.simulate.world import WORLDS
from opioid_outcomes.steps.cohort import build_cohort
from opioid_outcomes.steps.exposure import derive_exposure
from opioid_outcomes.steps.ingest import ingest_cohort

PERSONS, SEED, WORLD = 800, 5, "mortality"
CONFIG = """
study: {{name: planted}}
cohorts: {{c: {{format: {format}, path: "{path}"}}}}
covariates: {{baseline: [age, sex, pain, depression, fibromyalgia, heart_failure, copd, diabetes, benzodiazepine]}}
"""


@pytest.fixture(scope="module", params=["tables", "omop"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """cohort, person_time, clean fills and daily dose of the simulated people, through ingest, exposure and cohort."""
    folder = tmp_path_factory.mktemp(request.param)
    worlds.write(folder / "raw", world=WORLD, persons=PERSONS, seed=SEED, format=request.param)
    (folder / "config.yaml").write_text(CONFIG.format(format=request.param, path=folder / "raw"), encoding="utf-8")
    config = load_config(folder / "config.yaml")

    def path(name: str) -> Path:
        return folder / f"{name}.{'csv' if name in ('quality', 'quality_rules', 'attrition') else 'parquet'}"

    def run(step: Any, inputs: list[str], outputs: list[str]) -> None:
        notes = {"notes": folder / f"{step.__name__}.json"}
        settings = slice_of(config, step.__name__, "c")
        step({name: path(name) for name in inputs}, {name: path(name) for name in outputs} | notes, settings)

    tables, exposure = list(CANONICAL), ["opioid_status", "daily_dose", "dispensings_clean"]
    run(ingest_cohort, [], [*tables, "rejected", "quality", "quality_rules"])
    run(derive_exposure, tables, [*exposure, "ledger", "repair_sensitivity"])
    run(
        build_cohort, [*tables, *exposure, "rejected", "quality"],
        ["attrition", "cohort", "person_time", "panel", "table_one"],
    )  # fmt: skip
    return {name: io.read_table(path(name)) for name in ("cohort", "person_time", "dispensings_clean", "daily_dose")}


@pytest.fixture(scope="module")
def planted() -> simulated.Cohort:
    return simulated.simulate(WORLDS[WORLD], PERSONS, SEED)


def test_entry_age_and_confounders(found: dict[str, pl.DataFrame], planted: simulated.Cohort) -> None:
    people = planted.people
    truth = pl.DataFrame(
        {"person_id": people.person_id, "entry_planted": people.start + people.entry, "age_planted": people.age}
        | {f"{name}_planted": people.conditions[name] for name in CONFOUNDERS}
    )
    both = found["cohort"].join(truth, on="person_id")
    assert both.height == found["cohort"].height > 0.8 * PERSONS
    for name in ("entry", *CONFOUNDERS):
        assert both[name].to_list() == both[f"{name}_planted"].to_list(), name
    assert both["age"].to_numpy() == pytest.approx(both["age_planted"].to_numpy(), abs=1e-9)


def test_days_on_opioids_and_deaths(found: dict[str, pl.DataFrame], planted: simulated.Cohort) -> None:
    """Every person's days on opioids, and every death's day and exposure, to the day."""
    cohort, time = found["cohort"].sort("person_id"), found["person_time"]
    row = np.searchsorted(planted.people.person_id, cohort["person_id"].to_numpy())
    on = deaths.on_days(planted.care.fills, PERSONS, int(planted.people.length.max()) + 60)
    first = planted.people.entry[row]
    length = (cohort["exit"] - cohort["entry"]).to_numpy()
    expected = [int(on[i, e : e + n].sum()) for i, e, n in zip(row, first, length, strict=True)]
    days = (
        time.filter(pl.col("on_opioid") == 1)
        .group_by("person_id")
        .agg((pl.col("stop") - pl.col("start")).sum().alias("days"))
    )
    counted = cohort.join(days, on="person_id", how="left", maintain_order="left")["days"].fill_null(0)
    assert counted.to_list() == expected
    assert sum(expected) > 100_000

    died = planted.deaths.day[row]
    end = time.group_by("person_id").agg(pl.col("death", "on_opioid", "stop").sort_by("stop").last()).sort("person_id")
    dead = end["death"].to_numpy() == 1
    assert dead.sum() > 50
    assert (end["stop"].to_numpy()[dead] == (died - first)[dead] + 1).all()
    assert (end["on_opioid"].to_numpy()[dead] == on[row, died][dead]).all()


def test_every_fill_has_its_dose_however_badly_recorded(
    found: dict[str, pl.DataFrame], planted: simulated.Cohort
) -> None:
    """Units a day of every analgesic fill, and MME/day where the drug has a factor; unknown is not zero."""
    fills, people = planted.care.fills, planted.people
    truth = pl.DataFrame(
        {
            "person_id": people.person_id[fills.person],
            "date": people.start[fills.person] + fills.day,
            "units": fills.units,
            "mme": fills.mme,
            "ingredient_given": np.array([product.ingredient for product in OPIOIDS])[fills.product],
        }
    )
    clean = found["dispensings_clean"].filter(pl.col("analgesic") == 1)
    both = clean.join(truth, on=["person_id", "date"], how="left")
    assert both.height == clean.height > 7_000
    assert both["ingredient"].cast(pl.String).to_list() == both["ingredient_given"].to_list()
    assert both["repair"].is_not_null().sum() > 50
    assert (both["quantity"] / both["days_supply"]).to_numpy() == pytest.approx(both["units"].to_numpy(), abs=1e-5)
    known = both.filter(pl.col("ingredient") != "buprenorphine")
    assert known["mme_per_day"].to_numpy() == pytest.approx(known["mme"].to_numpy(), abs=1e-3)
    unknown = both.filter(pl.col("ingredient") == "buprenorphine")
    assert unknown.height == unknown["mme_per_day"].null_count() > 50
    assert set(found["dispensings_clean"]["reason"].drop_nulls()) == {
        "buprenorphine", "cough", "injection", "opioid_use_disorder"
    }  # fmt: skip


def test_supply_is_held_in_hospital(found: dict[str, pl.DataFrame], planted: simulated.Cohort) -> None:
    """Days with supply of everybody, those in hospital included, to the day."""
    fills, people = planted.care.fills, planted.people
    died = np.where(planted.deaths.day >= 0, planted.deaths.day + 1, people.length)
    until = np.minimum(died, people.length)[fills.person]
    stop = np.minimum(np.minimum(fills.stop, fills.next_day), until)
    expected = np.bincount(people.person_id[fills.person], np.maximum(stop - fills.day, 0))
    days = found["daily_dose"].group_by("person_id").agg((pl.col("stop") - pl.col("start")).sum().alias("days"))
    supplied = np.zeros(len(expected))
    supplied[days["person_id"].to_numpy()] = days["days"].to_numpy()
    assert supplied.tolist() == expected.tolist()
    assert fills.held.sum() > 300
