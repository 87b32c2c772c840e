"""The step's rows, whatever is there: gates in words, every row of the contract, nothing twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import reduction_world

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.derived import TRIALS
from opioid_outcomes.hyperalgesia.confounders import DOSE, Confounders
from opioid_outcomes.hyperalgesia.inputs import TABLES
from opioid_outcomes.hyperalgesia.positivity import where_taken
from opioid_outcomes.steps.corroboration import analyse, estimate_corroboration

ROWS = {
    "hyperalgesia.reduction": 3 * 2 * 3 * 2, "hyperalgesia.spread": 2 * 4, "hyperalgesia.threshold": 2 * 4,
    "hyperalgesia.baseline_excess": 1, "hyperalgesia.modifier": 4 * 3,
}  # fmt: skip


def settings(**hyperalgesia: object) -> dict[str, object]:
    return {
        "hyperalgesia": Hyperalgesia(**hyperalgesia).model_dump(mode="json"),
        "covariates": {"baseline": [], "missing": "indicator"}, "population": {"lookback_days": 365},
        "cohort": {"date_basis": "actual"}, "study": "s", "cohort_name": "c",
    }  # fmt: skip


def tables(persons: int = 1_500) -> dict[str, pl.DataFrame]:
    return reduction_world.tables(reduction_world.World(), persons=persons) | {
        "trials": pl.DataFrame(schema=TRIALS.schema() | {"person_id": pl.Int64()})
    }


def counts(rows: list) -> dict[str, int]:
    return {name: sum(row.analysis == name for row in rows) for name in ROWS}


def test_every_row_stands_there_once_with_its_gate() -> None:
    rows = analyse(tables(), settings(error_sd=0.5))
    assert counts(rows) == ROWS
    assert len(rows) == sum(ROWS.values())
    keys = {(r.analysis, r.method, r.population, r.outcome, r.contrast, r.window, r.scale) for r in rows}
    assert len(keys) == len(rows)
    gates = {row.analysis: set() for row in rows}
    for row in rows:
        gates[row.analysis].add(row.gate)
        assert (row.estimate is None) == (row.gate != "pass")
    assert "pass" in gates["hyperalgesia.reduction"]
    assert {row.instrument for row in rows if row.outcome.startswith("pain")} == {"NRS"}
    assert {row.instrument for row in rows if row.analysis in {"hyperalgesia.spread", "hyperalgesia.threshold"}} == {""}
    assert all(row.note.endswith("pain on NRS, 0-10") for row in rows if row.gate == "pass")
    assert gates["hyperalgesia.spread"] == {
        "not evaluable: no widespread_pain_index is recorded", "not evaluable: no body_sites is recorded",
    }  # fmt: skip
    assert gates["hyperalgesia.baseline_excess"] == {"not evaluable: nobody starts an opioid, or might have"}


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"pain": "clear"}, "not evaluable: no pain scores"),
        ({"cohort": "clear"}, "not evaluable: nobody is eligible"),
        ({"daily_dose": "clear"}, "not evaluable: nobody has a dispensing that gives a daily dose"),
        ({"opioid_status": "clear"}, "not evaluable: nobody on a stable dose for 90 days reported pain"),
        ({"pain": "scales"}, "fail: pain is recorded on several scales (NRS, PEG): choose one with hyperalgesia.scale"),
        ({"daily_dose": "unknown"}, "not evaluable: the dose is unknown on every day with supply"),
    ],
)
def test_what_is_missing_is_said_in_every_row(change: dict[str, str], gate: str) -> None:
    given = tables(300)
    for name, how in change.items():
        table = given[name]
        if how == "clear":
            given[name] = table.clear()
        elif how == "scales":
            given[name] = table.with_columns(
                scale=pl.when(pl.col("person_id") % 2 == 0).then(pl.lit("PEG")).otherwise("scale")
            )
        else:
            given[name] = table.with_columns(mme=pl.lit(None, pl.Float64))
    rows = analyse(given, settings())
    assert counts(rows) == ROWS
    for row in rows:
        assert row.estimate is None
        if row.analysis != "hyperalgesia.baseline_excess":
            assert row.gate == gate


def test_pain_that_never_changes_tells_nothing() -> None:
    given = tables()
    given["pain"] = given["pain"].with_columns(score=pl.lit(3.3))
    rows = analyse(given, settings(error_sd=0.5))
    for row in rows:
        assert row.gate.startswith(("not evaluable", "fail"))
        assert row.estimate is None
    everybody = [row for row in rows if row.analysis == "hyperalgesia.reduction" and row.method == "aipw"]
    assert everybody[0].gate == "not evaluable: pain does not vary"


def test_the_step_writes_what_it_found(tmp_path: Path) -> None:
    inputs = {}
    given = tables(600)
    for name in (*TABLES, "changes", "trials"):
        inputs[name] = tmp_path / f"{name}.parquet"
        frame = given.get(name)
        if frame is None:
            frame = pl.DataFrame(schema=CANONICAL[name].schema() | {"person_id": pl.Int64()})
        io.write_frame(frame, inputs[name])
    outputs = {"estimates": tmp_path / "out.parquet"}
    told = estimate_corroboration(inputs, outputs, settings())
    frame = io.read_table(outputs["estimates"])
    assert frame.height == sum(ROWS.values())
    passed = frame.filter(pl.col("gate") == "pass").height
    assert told == f"{passed} of {frame.height} estimates evaluable"


def terms(**columns: list[float]) -> Confounders:
    values = np.array([*columns.values()], dtype=float).T
    named = [name.replace("_", " ") for name in columns]
    n = len(values)
    return Confounders(values, named, np.ones(n, bool), [], [], np.array([0]), np.zeros((n, 1, 1)), np.array([0]))


def test_decisions_unlike_any_taken_are_left_out_and_nobody_who_took_is() -> None:
    taken = np.array([1, 1, 0, 0, 0, 0, 0, 0], dtype=bool)
    given = terms(
        pain=[5, 6, 1, 9, 5, 5, 5, 5], dose_before_the_visit=[40, 60, 40, 60, 50, 80, 50, 50],
        rare=[0, 0, 0, 0, 0, 0, 1, 0], years=[1, 2, 1, 2, 9, 1, 1, 1],
    )  # fmt: skip
    assert DOSE in given.names
    kept, names = where_taken(given, taken)
    # of those who maintained, only the last has pain, years and a dose that somebody who took it had, and not the rare
    assert kept.tolist() == [True, True, False, False, False, False, False, True]
    assert names == ["pain", DOSE, "rare", "years"]
    everybody, none = where_taken(given, np.zeros(8, dtype=bool))
    assert everybody.all()
    assert none == []


def test_a_count_that_nobody_with_the_strategy_has_is_left_out_like_a_yes_or_no() -> None:
    taken = np.array([1, 1, 0, 0, 0, 0, 0, 0], dtype=bool)
    given = terms(
        dose_before_the_visit=[40, 60, 40, 60, 50, 50, 50, 50], hospital_days=[0, 0, 0, 0, 0, 0, 3, 14],
        # 9 in one left out and in nobody else: with that one gone, who took it has the highest of all
        scores=[4, 4, 4, 4, 4, 3, 1, 9],
    )  # fmt: skip
    kept, names = where_taken(given, taken)
    assert names == ["hospital days", "scores"]
    assert kept.tolist() == [True, True, True, True, True, False, False, False]


def test_a_term_that_decides_is_left_to_the_model_to_name() -> None:
    taken = np.array([1, 1, 0, 0, 0, 0], dtype=bool)
    kept, names = where_taken(terms(pain=[1, 2, 3, 4, 5, 6], sure=[1, 1, 0, 0, 0, 0]), taken)
    assert kept.all()
    assert names == []
