"""Table 1 and attrition against hand calculation."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from opioid_outcomes.cohort import attrition, table_one
from opioid_outcomes.cohort.eligibility import Rule
from opioid_outcomes.contracts.displays import DISPLAYS


def cohort(weights: list[float | None] | None = None, **columns: list[Any]) -> pl.DataFrame:
    n = len(next(iter(columns.values())))
    return pl.DataFrame(
        {
            "person_id": range(n),
            "baseline_user": [1, 1, 0, 0, None][:n],
            "survey_weight": weights or [None] * n,
            **columns,
        },
        schema_overrides={"survey_weight": pl.Float64, "person_id": pl.Int64},
    )


def time(*rows: tuple[int, int, int, int | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["person_id", "start", "stop", "on_opioid"], orient="row")


def row(table: pl.DataFrame, variable: str, group: str, level: str = "") -> dict[str, Any]:
    return table.filter((pl.col("variable") == variable) & (pl.col("group") == group) & (pl.col("level") == level)).row(
        0, named=True
    )


EMPTY_TIME = time((0, 0, 1, 0)).clear()


def test_baseline_exposure_compares_people() -> None:
    table = table_one.build(cohort(age=[40.0, 60.0, 30.0, 40.0, 90.0]), EMPTY_TIME, ["age"], "baseline")
    assert table.columns == list(DISPLAYS["table_one"].columns)
    user, other, everybody = (row(table, "age", group) for group in ("baseline user", "non user", "all"))
    assert (everybody["persons"], everybody["of_persons"], everybody["mean"]) == (5, 5, 52.0)
    assert (user["persons"], user["mean"], user["sd"]) == (2, 50.0, pytest.approx(math.sqrt(200)))
    assert (other["persons"], other["mean"], other["sd"]) == (2, 35.0, pytest.approx(math.sqrt(50)))
    assert user["smd"] == pytest.approx(15 / math.sqrt((200 + 50) / 2))
    assert other["smd"] is None
    assert everybody["smd"] is None


def test_time_varying_exposure_weights_people_by_their_days() -> None:
    """Person 0 is on for 30 days and off for 70, person 1 on for 10; person 2 is in treatment only: in neither."""
    data = cohort(age=[40.0, 60.0, 30.0], copd=[1, 0, 0])
    spans = time((0, 0, 30, 1), (0, 30, 100, 0), (1, 0, 10, 1), (2, 0, 50, None))
    table = table_one.build(data, spans, ["age", "copd"], "time_varying")
    on, off = row(table, "age", "on"), row(table, "age", "off")
    assert (on["persons"], on["mean"]) == (2, pytest.approx((30 * 40 + 10 * 60) / 40))
    assert (off["persons"], off["mean"], off["sd"]) == (1, 40.0, None)
    share = row(table, "copd", "on", "yes")
    assert (share["persons"], share["of_persons"], share["share"]) == (1, 2, 0.75)


def test_sampling_weights_enter_shares() -> None:
    data = cohort(weights=[3.0, 1.0, 1.0, 1.0], copd=[1, 0, 1, 0])
    table = table_one.build(data, EMPTY_TIME, ["copd"], "baseline")
    assert row(table, "copd", "baseline user", "yes")["share"] == 0.75
    assert row(table, "copd", "all", "yes")["share"] == pytest.approx(4 / 6)
    assert row(table, "copd", "all", "yes")["persons"] == 2


def test_missing_is_a_level_of_its_own_and_leaves_the_others() -> None:
    table = table_one.build(cohort(copd=[1, None, 0, 0]), EMPTY_TIME, ["copd"], "baseline")
    known, missing = row(table, "copd", "baseline user", "yes"), row(table, "copd", "baseline user", "missing")
    assert (known["persons"], known["of_persons"], known["share"]) == (1, 1, 1.0)
    assert (missing["persons"], missing["of_persons"], missing["share"]) == (1, 2, 0.5)


def test_a_covariate_nobody_has_is_missing_only() -> None:
    data = cohort(pain=[None] * 4).with_columns(pl.col("pain").cast(pl.Float64))
    table = table_one.build(data, EMPTY_TIME, ["pain"], "baseline")
    assert table["level"].unique().to_list() == ["missing"]
    assert table["share"].to_list() == [1.0, 1.0, 1.0]


def test_levels_of_few_people_are_not_named() -> None:
    data = pl.DataFrame({"person_id": range(36), "race": ["a"] * 12 + ["b"] * 12 + [f"rare {i}" for i in range(12)]})
    data = data.with_columns(pl.lit(None, pl.Float64).alias("survey_weight"), pl.lit(1).alias("baseline_user"))
    table = table_one.build(data, EMPTY_TIME, ["race"], "none")
    sexes = table_one.build(data.rename({"race": "sex"}), EMPTY_TIME, ["sex"], "none")
    assert sexes.height == 14  # a vocabulary of the contract needs no hiding of its labels
    assert table.select("level", "persons", "share").rows() == [
        ("a", 12, 1 / 3),
        ("b", 12, 1 / 3),
        ("other", 12, 1 / 3),
    ]


def test_nobody_at_all() -> None:
    table = table_one.build(cohort(age=[1.0]).clear(), EMPTY_TIME, ["age"], "time_varying")
    assert table.is_empty()
    assert table.columns == list(DISPLAYS["table_one"].columns)


class TestAttrition:
    QUALITY = pl.DataFrame(
        {"table": ["persons", "observation"], "into": ["persons", "observation"], "rows_in": [100, 500],
         "canonical": [85, 500], "rejected": [15, 0], "merged": [0, 0], "not_selected": [10, 0]}
    )  # fmt: skip

    def test_telescopes_from_raw_rows_to_the_cohort(self) -> None:
        table = attrition.build(self.QUALITY, 85, [Rule("first", 80), Rule("second", 80), Rule("third", 3)])
        assert table["persons_kept"].to_list() == [100, 90, 85, 80, 80, 3]
        assert table["persons_dropped"].to_list() == [0, 10, 5, 5, 0, 77]
        kept, dropped = table["persons_kept"], table["persons_dropped"]
        assert (kept + dropped).to_list()[1:] == kept.to_list()[:-1]
        assert table["step"].to_list() == [0, 1, 2, 3, 4, 5]

    def test_refuses_counts_that_rise(self) -> None:
        with pytest.raises(ValueError, match="keeps more"):
            attrition.build(self.QUALITY, 85, [Rule("first", 80), Rule("second", 81)])
