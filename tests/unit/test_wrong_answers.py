"""METHODS D2: what is commonly done, in four worlds, gives the wrong answers it is known for, and says so."""

from __future__ import annotations

from pathlib import Path

import pain_world
import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia.inputs import TABLES
from opioid_outcomes.steps.wrong_answers import analyse, estimate_wrong_answers

SLOPE, WITHIN, LAGGED, CHANGE, CRUDE = "slope", "within", "lagged", "change", "crude"
KEYS = {
    ("hyperalgesia.naive", "crude", "slope"): SLOPE,
    ("hyperalgesia.naive", "crude", "mean_difference"): CRUDE,
    ("hyperalgesia.within_person", "fixed_effects", "slope"): WITHIN,
    ("hyperalgesia.within_person", "fixed_effects_lagged", "slope"): LAGGED,
    ("hyperalgesia.within_person", "pre_post", "mean_difference"): CHANGE,
}
# the table: pooled slope, within person, with the score before, change after 1 and 6 months, unadjusted likewise
D2 = {
    "null": (0.64, -0.08, 0.02, -0.37, -0.93, 1.22, 0.65),
    "relief": (0.17, -0.58, -0.37, -0.87, -1.47, 0.70, 0.13),
    "tolerance": (0.51, -0.25, -0.78, -1.15, -0.99, 0.40, 0.57),
    "hyperalgesia": (0.97, 0.23, -0.74, -0.97, -0.40, 0.63, 1.16),
}
ONE_MONTH, SIX_MONTHS = "1-30", "151-180"  # windows that hold the visit of that month alone


def rows_of(tables: dict[str, pl.DataFrame], windows: list[tuple[int, int]] | None = None) -> list[Estimate]:
    return analyse(tables, settings(windows or [(1, 30), (151, 180)]))


def settings(windows: list[tuple[int, int]]) -> dict[str, object]:
    """The step's slice of the config."""
    return {
        "hyperalgesia": Hyperalgesia(windows_days=windows).model_dump(mode="json"),
        "covariates": {"baseline": [], "missing": "indicator"}, "population": {"lookback_days": 365},
        "study": "s", "cohort_name": "c",
    }  # fmt: skip


@pytest.mark.parametrize("name", D2)
def test_the_columns_of_the_known_table_are_reproduced(name: str) -> None:
    world = pain_world.D2[name]
    tables = pain_world.tables(world, pain_world.live(world, pain_world.Draws.of(world, 20260101)))
    rows = rows_of(tables)
    found = {}
    for row in rows:
        key = KEYS.get((row.analysis, row.method, row.scale))
        if key and not row.contrast.endswith("and month"):
            found[key, row.window] = row.estimate
    order = [
        (SLOPE, ""), (WITHIN, ""), (LAGGED, ""), (CHANGE, ONE_MONTH), (CHANGE, SIX_MONTHS), (CRUDE, ONE_MONTH),
        (CRUDE, SIX_MONTHS),
    ]  # fmt: skip
    for key, expected in zip(order, D2[name], strict=True):
        assert abs(found[key] - expected) < 0.05, key
    assert all(row.gate.startswith("fail: by design: ") for row in rows)
    # pain rises before people escalate: each month more than the one before, and the day itself most
    study = {row.window: row for row in rows if row.analysis == "hyperalgesia.event_study"}
    before = [study[f"{day}-{day + 29}"].ci_high for day in range(-180, -30, 30)]
    assert before == sorted(before)
    assert before[-1] < 0
    assert study["0-29"].ci_low > 0.3
    assert study["0-29"].note == "reference: days -30 to -1; all earlier months 0: p below 0.001; pain on NRS, 0-10"
    lagged = next(row for row in rows if row.method == "fixed_effects_lagged")
    assert lagged.note.startswith("coefficient of the score before 0.5")
    assert "at 23 scores a person, too low by about 0.07 (Nickell" in lagged.note


def nothing(name: str) -> pl.DataFrame:
    """A canonical table without rows, of persons with whole numbers."""
    return pl.DataFrame(schema=CANONICAL[name].schema() | {"person_id": pl.Int64()})


def small(persons: int, **changes: object) -> dict[str, pl.DataFrame]:
    """A cohort in which the dose is raised by chance alone."""
    world = pain_world.World(persons=persons, by_pain=0.0, **changes)
    return pain_world.tables(world, pain_world.live(world, pain_world.Draws.of(world, 5)))


def test_dose_that_nothing_drives_gives_no_rise_before_and_the_true_effect_after() -> None:
    study = {row.window: row for row in rows_of(small(20_000, s=-0.5)) if row.analysis == "hyperalgesia.event_study"}
    assert [*study][:5] == ["-180--151", "-150--121", "-120--91", "-90--61", "-60--31"]
    assert "-30--1" not in study
    for day in range(-180, -30, 30):
        row = study[f"{day}-{day + 29}"]
        assert abs(row.estimate) < 3 * row.se
    for day in range(30, 150, 30):  # later escalations come on top
        row = study[f"{day}-{day + 29}"]
        assert -0.75 < row.estimate < -0.45
    assert float(study["0-29"].note.split("; ")[1].split("p ")[1]) > 0.01


def test_few_people_at_two_doses_tell_nothing() -> None:
    rows = rows_of(small(300, escalation=-6.5))
    assert {row.estimate for row in rows if row.analysis != "hyperalgesia.naive"} == {None}
    slopes = [row for row in rows if row.method.startswith("fixed_effects") and row.scale == "slope"]
    assert {row.gate for row in slopes} == {"not evaluable: fewer than 50 people have scores at different doses"}
    months = {row.gate for row in rows if row.analysis == "hyperalgesia.event_study"}
    assert months == {"not evaluable: fewer than 50 people who escalate have a score in these days"}
    assert len(rows) == 1 + 2 + 2 + 1 + 2 + 17


def test_pain_that_never_changes_has_no_slope_and_no_error() -> None:
    tables = small(2_000)
    tables["pain"] = tables["pain"].with_columns(score=pl.lit(3.3))  # sums of 3.3 are rounded
    rows = rows_of(tables)
    assert {row.estimate for row in rows} == {None}
    assert {row.gate for row in rows} == {"not evaluable: pain does not vary"}


@pytest.mark.parametrize(
    ("table", "why"),
    [("cohort", "nobody is eligible"), ("pain", "no pain scores"), ("daily_dose", "nobody has a dispensing")],
)
def test_what_is_missing_is_said_in_every_row(table: str, why: str) -> None:
    tables = small(60)
    tables[table] = tables[table].clear()
    rows = rows_of(tables)
    assert len(rows) == 25
    for row in rows:
        assert row.gate.startswith(f"not evaluable: {why}")
        assert row.estimate is None


def test_without_stable_therapy_only_slopes_are_told() -> None:
    tables = small(3_000)
    tables["opioid_status"] = tables["opioid_status"].clear()
    told = {(row.analysis, row.scale) for row in rows_of(tables) if row.estimate is not None}
    assert told == {("hyperalgesia.naive", "slope"), ("hyperalgesia.within_person", "slope")}


def test_the_step_writes_rows_in_the_order_of_the_contract(tmp_path: Path) -> None:
    inputs = {}
    for name in TABLES:
        inputs[name] = tmp_path / f"{name}.parquet"
        frame = small(500).get(name)
        io.write_frame(nothing(name) if frame is None else frame, inputs[name])
    outputs = {"estimates": tmp_path / "out.parquet"}
    told = estimate_wrong_answers(inputs, outputs, settings([(1, 30)]))
    frame = io.read_table(outputs["estimates"])
    assert told.endswith(f"of {frame.height} wrong answers told")
    assert frame["analysis"].unique().sort().to_list() == [
        "hyperalgesia.event_study", "hyperalgesia.naive", "hyperalgesia.within_person",
    ]  # fmt: skip
    assert frame.filter(pl.col("estimate").is_not_null())["gate"].str.starts_with("fail: by design").all()
