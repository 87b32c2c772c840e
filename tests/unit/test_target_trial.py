"""The emulated trials are written out from the config: what the config says is what is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from opioid_outcomes.config.load import load_config
from opioid_outcomes.config.slices import slice_of
from opioid_outcomes.steps.target_trials import describe_target_trials

CONFIG = """
study: {name: s}
cohorts:
  registry: {format: tables, path: data, deaths_complete_until: 2020-12-31}
population: {min_age: 21, lookback_days: 200, exclude: [cancer]}
exposure: {washout_days: 270, carry_over_days: 14}
covariates: {baseline: [age, copd], time_varying: [hospital_days]}
mortality:
  {comparators: [non_user, nsaid], horizons_days: [90, 365], weights: att, encounter_window_days: 3, grace_days: 60}
"""
ITEMS = [
    "6a",
    "6b",
    "6c",
    "6d",
    "6e",
    "6f",
    "6g",
    "6h",
    "7a",
    "7b",
    "7c",
    "7d",
    "7e",
    "7f",
    "7g(i)",
    "7g(ii)",
    "7h(i)",
    "7h(ii)",
]


def written(tmp_path: Path, config: str = CONFIG) -> pl.DataFrame:
    path = tmp_path / "c.yaml"
    path.write_text(config)
    settings: dict[str, Any] = slice_of(load_config(path), "describe_target_trials")
    describe_target_trials({}, {"trials": tmp_path / "t.csv"}, settings)
    return pl.read_csv(tmp_path / "t.csv")


def test_every_trial_has_every_item_and_every_item_its_words(tmp_path: Path) -> None:
    table = written(tmp_path)
    trials = table["trial"].unique(maintain_order=True).to_list()
    assert trials == [
        "new user vs non user", "new user vs nsaid", "start and stay vs never", "taper vs maintain", "stop vs maintain",
    ]  # fmt: skip
    assert table.null_count().sum_horizontal().item() == 0
    for trial in trials:
        items = [item.split(" ")[0] for item in table.filter(pl.col("trial") == trial)["item"]]
        assert [item for item in items if item[0] in "67"] == ITEMS
        assert {"1a", "1b", "5", "8", "18", "19"} < set(items)


@pytest.mark.parametrize(
    ("trial", "item", "words"),
    [
        ("new user vs non user", "6a", ["21 years", "270 observed days", "No cancer on record"]),
        ("new user vs non user", "7b", ["at most 3 days after a contact", "14 days"]),
        ("new user vs nsaid", "6a", ["Neither arm was dispensed"]),
        ("new user vs nsaid", "6f", ["90, 365 days", "(ATT)"]),
        ("new user vs nsaid", "7d", ["in registry: the day up to which deaths are known"]),
        ("new user vs nsaid", "7g(ii)", ["age, copd", "hospital days"]),
        ("taper vs maintain", "6b", ["within 60 days"]),
    ],
)
def test_the_config_is_in_the_words(tmp_path: Path, trial: str, item: str, words: list[str]) -> None:
    table = written(tmp_path).filter(pl.col("trial") == trial, pl.col("item").str.starts_with(item))
    for word in words:
        assert word in table["text"].item()


def test_censoring_after_entry_is_told_where_follow_up_ends(tmp_path: Path) -> None:
    told = written(tmp_path, CONFIG.replace("exclude: [cancer]", "exclude: [cancer], censor_at: [palliative_care]"))
    items = told.filter(pl.col("item").str.starts_with("7d"))["text"].to_list()
    assert sum("the first record of palliative care" in text for text in items) >= 2


def test_analyses_not_asked_for_emulate_nothing(tmp_path: Path) -> None:
    table = written(tmp_path, CONFIG.replace("{comparators", "{analyses: [rate], comparators"))
    assert table.is_empty()
