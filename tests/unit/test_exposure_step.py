"""The stage from canonical tables to files: offsets and dates, both kinds of ids, empty and self-report cohorts."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exposure_run import OBSERVED, OUTPUTS, derive, fill

from opioid_outcomes.contracts.derived import DAILY_DOSE, DISPENSINGS_CLEAN, EPISODES, OPIOID_STATUS
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.steps import exposure


def test_tables_have_the_columns_of_their_contracts(tmp_path: Path) -> None:
    _, found, _ = derive(tmp_path, {"observation": OBSERVED, "dispensings": [fill(1, 0)]})
    for table in (DISPENSINGS_CLEAN, DAILY_DOSE, EPISODES, OPIOID_STATUS):
        assert found[table.name].schema == table.schema(pl.Int64())
    assert found["ledger"].columns == list(DISPLAYS["exposure_ledger"].columns)


def test_supply_is_cut_at_death_and_at_the_end_of_observation(tmp_path: Path) -> None:
    tables = {
        "observation": OBSERVED,
        "deaths": [{"person_id": 2, "date": 9}],
        "dispensings": [fill(1, 390), fill(2, 0)],
    }
    _, found, _ = derive(tmp_path, tables)
    assert found["daily_dose"].select("person_id", "start", "stop", "mme").rows() == [(1, 390, 401, 30), (2, 0, 10, 30)]
    assert found["opioid_status"].select("person_id", "start", "stop", "state").rows() == [
        (1, 390, 401, "on"), (2, 0, 10, "on"),
    ]  # fmt: skip


def test_calendar_cohorts_get_dates(tmp_path: Path) -> None:
    _, found, _ = derive(tmp_path, {"observation": OBSERVED, "dispensings": [fill(1, 0)]}, calendar=True)
    assert found["daily_dose"].schema["start"] == pl.Date
    assert [str(day) for day in found["daily_dose"].select("start", "stop").row(0)] == ["1970-01-01", "1970-01-31"]
    assert str(found["opioid_status"].get_column("on_since")[0]) == "1970-01-01"


def test_ids_may_be_text(tmp_path: Path) -> None:
    tables = {"observation": [{"person_id": "007", "start": 0, "end": 50}], "dispensings": [fill("007", 0)]}
    _, found, _ = derive(tmp_path, tables, ids=pl.String())
    assert found["opioid_status"].get_column("person_id").to_list() == ["007"]


def test_no_dispensings_and_no_reports_is_unknown_for_all(tmp_path: Path) -> None:
    _, found, notes = derive(tmp_path, {"observation": OBSERVED})
    assert all(found[name].is_empty() for name in OUTPUTS if name != "opioid_status")
    assert found["opioid_status"].select("person_id", "start", "stop", "state").rows() == [
        (1, 0, 401, "unknown"), (2, 0, 401, "unknown"),
    ]  # fmt: skip
    assert notes["costs"] == ["Neither dispensings nor self-reports: nobody's use of opioids is known."]


def test_self_reports_serve_where_there_are_no_dispensings(tmp_path: Path) -> None:
    tables = {"observation": OBSERVED, "opioid_use": [{"person_id": 1, "date": 0, "using": 1}]}
    _, found, notes = derive(tmp_path, tables, report_valid_days=100)
    assert found["opioid_status"].filter(pl.col("person_id") == 1).select("start", "stop", "state").rows() == [
        (0, 100, "on"), (100, 401, "unknown"),
    ]  # fmt: skip
    assert [cost.split(";")[0] for cost in notes["costs"]] == [
        "No dispensings: use of opioids is self-reported, neither dose nor use between reports is known"
    ]


def test_self_reported_doses_are_no_unknown_doses(tmp_path: Path) -> None:
    report = {"person_id": 1, "date": 0, "using": 1}
    tables = {"observation": OBSERVED, "opioid_use": [report | {"daily_mme": 40.0}, report | {"date": 90}]}
    _, found, notes = derive(tmp_path, tables)
    assert found["opioid_status"].filter(pl.col("state") == "on").row(0, named=True)["mme"] == 40
    assert notes["costs"] == [
        "No dispensings: use of opioids is self-reported, use between reports is not known; "
        "episodes and dose trajectories cannot be described."
    ]


@pytest.mark.parametrize(("unknown", "cost"), [(6, True), (5, False)])
def test_most_doses_unknown_cost_the_analyses_of_dose(tmp_path: Path, unknown: int, cost: bool) -> None:
    fills = [fill(1, 30 * i, strength=None if i < unknown else 10.0) for i in range(10)]
    _, _, notes = derive(tmp_path, {"observation": OBSERVED, "dispensings": fills})
    assert any("strength, strength_unit, route and quantity" in said for said in notes["costs"]) == cost
    assert f"Dose unknown: {10 * unknown} % of analgesic fills; unknown is not zero." in notes["warnings"]


def test_dispensings_rule_where_there_are_both(tmp_path: Path) -> None:
    tables = {
        "observation": OBSERVED,
        "dispensings": [fill(1, 0)],
        "opioid_use": [{"person_id": 2, "date": 0, "using": 1}],
    }
    _, found, notes = derive(tmp_path, tables)
    assert found["opioid_status"].get_column("person_id").unique().to_list() == [1]
    assert any("self-reports of use are not read" in sentence for sentence in notes["warnings"])


def test_people_who_fill_other_medicines_only_are_never_users(tmp_path: Path) -> None:
    _, found, _ = derive(tmp_path, {"observation": OBSERVED, "dispensings": [fill(1, 0, ingredient="ibuprofen")]})
    assert found["opioid_status"].is_empty()
    assert found["ledger"].rows() == [("not_opioid", "other medicines", 1, 1)]


def test_sublingual_buprenorphine_is_treatment_neither_on_nor_off(tmp_path: Path) -> None:
    bup = {"ingredient": "buprenorphine", "route": "sublingual", "strength": 8.0}
    tables = {"observation": OBSERVED, "dispensings": [fill(1, 0), fill(1, 20, quantity=10, days=10, **bup)]}
    _, found, _ = derive(tmp_path, tables)
    assert found["daily_dose"].select("start", "stop", "on_buprenorphine").rows() == [(0, 30, 0)]
    assert found["opioid_status"].select("start", "stop", "state").rows()[:3] == [
        (0, 20, "on"), (20, 30, "treatment"), (30, 60, "on"),
    ]  # fmt: skip
    told_to_be_pain = derive(
        tmp_path / "pain", tables, buprenorphine={"sublingual_without_indication": "pain"}
    )[1]["daily_dose"]  # fmt: skip
    assert told_to_be_pain.select("start", "stop", "mme", "mme_incomplete", "on_buprenorphine").rows() == [
        (0, 20, 30, 0, 0), (20, 30, 30, 1, 1),
    ]  # fmt: skip


def test_days_supply_of_treatment_is_repaired_and_of_injections_left_as_recorded(tmp_path: Path) -> None:
    bup = {"ingredient": "buprenorphine", "route": "sublingual", "strength": 8.0}
    fills = [fill(1, 0, 28, 28, **bup), fill(1, 28, 14, None, **bup), fill(1, 9, route="injection", days=None)]
    _, found, _ = derive(tmp_path, {"observation": OBSERVED, "dispensings": fills})
    assert found["dispensings_clean"].select("days_supply", "repair", "reason").rows() == [
        (28, None, "opioid_use_disorder"), (None, None, "injection"), (14, "person_units", "opioid_use_disorder"),
    ]  # fmt: skip
    assert found["opioid_status"].select("start", "stop", "state").row(1) == (28, 42, "treatment")


def test_supply_for_pain_and_for_treatment_of_one_product_is_not_left_over_for_each_other(tmp_path: Path) -> None:
    """Methadone 10 MG for pain on day 0, for opioid use disorder on day 10: 30 days each, no day of both is added."""
    methadone = {"ingredient": "methadone"}
    tables = {
        "observation": OBSERVED,
        "dispensings": [fill(1, 0, **methadone), fill(1, 10, indication="opioid_use_disorder", **methadone)],
    }
    _, found, _ = derive(tmp_path, tables)
    assert found["opioid_status"].select("start", "stop", "state", "supply_end").rows()[:4] == [
        (0, 10, "on", 30), (10, 40, "treatment", 40), (40, 60, "on", 40), (60, 131, "recent", 40),
    ]  # fmt: skip


def test_people_whose_fills_have_no_interval_are_not_never_users(tmp_path: Path) -> None:
    """Fills of an opioid for pain and for opioid use disorder; an injection says nothing of use at home."""
    tables = {
        "observation": [{"person_id": person, "start": 0, "end": 120} for person in (1, 2, 3)],
        "dispensings": [
            fill(1, 0, days=None),
            fill(2, 0, days=None, indication="opioid_use_disorder"),
            fill(3, 0, days=None, route="injection"),
        ],
    }
    _, found, notes = derive(tmp_path, tables)
    expected = [(0, 30, "unknown", None), (30, 91, "recent", 0), (91, 121, "former", 0)]
    assert found["opioid_status"].select("person_id", "start", "stop", "state", "mme").rows() == [
        (person, *row) for person in (1, 2) for row in expected
    ]
    assert any("Supply unknown: 100 % of analgesic fills" in told for told in notes["warnings"])


@pytest.mark.parametrize(
    ("unknown", "share", "cost"), [(10, "100 %", True), (6, "60 %", True), (5, "50 %", False), (1, "10 %", False)]
)
def test_products_that_nobody_recognises_are_told_and_most_of_them_cost_the_exposure(
    tmp_path: Path, unknown: int, share: str, cost: bool
) -> None:
    coded = {"ingredient": None, "strength": None, "code": "12345", "vocabulary": "NDC"}
    dispensings = [fill(1, day, **(coded if day < unknown else {})) for day in range(10)]
    _, _, notes = derive(tmp_path, {"observation": OBSERVED, "dispensings": dispensings})
    assert f"Products not recognised: {share} of dispensings" in "".join(notes["warnings"])
    assert any("exposure.drug_dictionary" in told for told in notes["costs"]) == cost


def test_a_product_name_of_digits_is_a_code_not_another_medicine(tmp_path: Path) -> None:
    named = {"ingredient": None, "strength": None, "product_name": "00406-0552-01"}
    _, found, _ = derive(tmp_path, {"observation": OBSERVED, "dispensings": [fill(1, 0, **named)]})
    assert found["ledger"].rows() == [("not_recognised", "no code", 1, 1)]


def test_settings_reach_their_rules(tmp_path: Path) -> None:
    tables = {"observation": OBSERVED, "dispensings": [fill(1, 0), fill(1, 20), fill(1, 65)]}

    def status_and_episodes(name: str, **exposure: Any) -> tuple:
        _, found, _ = derive(tmp_path / name, tables, **exposure)
        return (
            found["opioid_status"].get_column("stop").to_list()[-1],
            found["episodes"].height,
            found["daily_dose"].height,
        )

    assert status_and_episodes("default") == (401, 1, 2)
    assert status_and_episodes("gap", gap_days=4)[1] == 2
    assert status_and_episodes("share", gap_share=0.5)[1] == 1
    assert status_and_episodes("less", gap_share=0.1)[1] == 2
    carry = derive(tmp_path / "carry", tables, carry_over_days=0)[1]["opioid_status"]
    assert carry.filter(pl.col("state") == "on").select("start", "stop").rows() == [(0, 20), (20, 60), (65, 95)]
    cap = derive(tmp_path / "cap", tables, stockpile_cap_days=0)[1]["daily_dose"]
    assert cap.select("start", "stop").rows() == [(0, 50), (65, 95)]


def test_same_inputs_in_any_order_same_bytes(tmp_path: Path) -> None:
    dispensings = [
        fill(person, day, days=days) for person in (1, 2) for day, days in ((0, 30), (25, 7.5), (25, 30), (60, None))
    ]
    tables = {"observation": OBSERVED, "dispensings": dispensings}
    derive(tmp_path / "a", tables)
    derive(tmp_path / "b", tables | {"dispensings": dispensings[::-1]})
    for name in OUTPUTS:
        assert (tmp_path / "a" / f"{name}.parquet").read_bytes() == (tmp_path / "b" / f"{name}.parquet").read_bytes()


@pytest.mark.parametrize("quantity", [0.0, None])
def test_a_source_without_quantities_has_days_but_no_doses(tmp_path: Path, quantity: float | None) -> None:
    _, found, notes = derive(tmp_path, {"observation": OBSERVED, "dispensings": [fill(1, 0, quantity=quantity)]})
    assert found["daily_dose"].select("start", "stop", "mme").rows() == [(0, 30, None)]
    assert notes["costs"] == ["No fill has a usable quantity: days on opioids are known, doses are not."]
    assert found["dispensings_clean"].get_column("reason").to_list() == ["source_without_quantity"]
    assert ("dose_unknown", "source_without_quantity", 1, 1) in found["ledger"].rows()


@pytest.mark.parametrize("ids", [pl.Int64(), pl.String()])
@pytest.mark.parametrize("repaired_fills", ["keep", "drop"])
def test_people_are_worked_out_by_themselves_however_many_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: pl.DataType, repaired_fills: str
) -> None:
    """Stays, repaired fills, treatment of some people: in blocks of three rows every file is the same byte by byte."""
    bup = {"ingredient": "buprenorphine", "route": "sublingual", "strength": 8.0}
    people = [f"{number}" if ids == pl.String() else number for number in range(10, 40)]
    fills = [
        fill(person, day + 3 * i, 20.0 + i, None if (i + day) % 7 == 0 else 30, **(bup if i % 9 == 8 else {}))
        for i, person in enumerate(people)
        for day in (0, 25, 25, 80)
    ]
    tables = {
        "observation": [{"person_id": person, "start": 10, "end": 300} for person in people],
        "deaths": [{"person_id": person, "date": 90} for person in people[::4]],
        "stays": [{"person_id": person, "start": 28, "end": 33} for person in people[::3]],
        "dispensings": fills,
    }
    written = {}
    for block in (exposure.BLOCK, 3):
        monkeypatch.setattr(exposure, "BLOCK", block)
        _, _, notes = derive(tmp_path / f"{block}", tables, ids=ids, repaired_fills=repaired_fills)
        files = sorted((tmp_path / f"{block}").glob("*.parquet"))
        written[block] = [notes, *(path.read_bytes() for path in files)]
    assert len(files) == len(OUTPUTS)
    at_once, in_blocks = written.values()
    assert in_blocks == at_once
