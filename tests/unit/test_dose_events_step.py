"""The steps that define doses and find events: from canonical tables through the exposure step to files."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.derived import CONCURRENT, DOSE_EVENTS, LONG_TERM, MME_DEFINITIONS
from opioid_outcomes.exposure import events, long_term
from opioid_outcomes.steps.definitions import define_doses, factor_tables
from opioid_outcomes.steps.events import find_dose_events
from opioid_outcomes.steps.exposure import derive_exposure

EXPOSURE = ("dispensings_clean", "daily_dose", "opioid_status", "ledger", "repair_sensitivity", "notes")
OUTPUTS = (
    "mme_definitions", "thresholds", "events", "long_term", "concurrent", "events_display", "long_term_display",
    "concurrent_display",
)  # fmt: skip
CONTRACTS = {
    "mme_definitions": MME_DEFINITIONS, "events": DOSE_EVENTS, "long_term": LONG_TERM, "concurrent": CONCURRENT,
}  # fmt: skip
DRUGS = {
    "oxycodone": {"route": "oral", "strength": 10.0, "strength_unit": "mg", "release": "IR"},
    "methadone": {"route": "oral", "strength": 10.0, "strength_unit": "mg"},
    "diazepam": {"route": "oral", "strength": 5.0, "strength_unit": "mg"},
}
OBSERVED = [{"person_id": person, "start": 0, "end": 500} for person in (1, 2, 3)]


def fills(person: Any, days: range, quantity: float = 90, drug: str = "oxycodone", supply: float = 30) -> list[dict]:
    each = {"person_id": person, "ingredient": drug, "quantity": quantity, "days_supply": supply, **DRUGS[drug]}
    return [each | {"date": day} for day in days]


def run(
    folder: Path, tables: dict[str, list[dict]], *, calendar: bool = False, ids: Any = None, **exposure: Any
) -> tuple[dict[str, pl.DataFrame], list[str]]:
    inputs = {}
    for name, table in CANONICAL.items():
        inputs[name] = folder / "in" / f"{name}.parquet"
        frame = pl.DataFrame(tables.get(name, []), schema=table.schema(ids or pl.Int64()))
        io.write_table(frame, inputs[name], table, calendar=calendar)
    settings = {"exposure": Exposure(**exposure).model_dump(mode="json"), "cohort_name": "c", "study": "s"}
    made = {name: folder / f"{name}.parquet" for name in (*EXPOSURE, *OUTPUTS)} | {"notes": folder / "notes.json"}
    derive_exposure(inputs, made, settings)
    lines = [step(inputs | made, made, settings) for step in (define_doses, find_dose_events)]
    return {name: pl.read_parquet(made[name]) for name in OUTPUTS}, lines


ESCALATED = {
    "observation": OBSERVED,
    "dispensings": [
        *fills(1, range(0, 180, 30)), *fills(1, range(180, 500, 30), 180),
        *fills(2, range(0, 390, 30)), *fills(2, range(0, 200, 50), 30, "diazepam"),
        *fills(2, range(300, 301), 30, "diazepam", 0.0),
    ],
}  # fmt: skip


def test_files_have_the_columns_of_their_contracts(tmp_path: Path) -> None:
    found, lines = run(tmp_path, ESCALATED)
    for name, table in CONTRACTS.items():
        assert found[name].schema == table.schema(pl.Int64())
    assert lines == [
        f"MME of 2 people in 11 windows by {len(shipped.mme_factors())} factor tables, 4 definitions each",
        f"{found['events'].height} dose events, 2 people on long-term therapy by some definition, 1 with concurrent"
        " use (1 fills of these classes without a usable supply)",
    ]
    assert found["events_display"]["event"].to_list() == list(events.EVENTS)
    assert found["long_term_display"]["definition"].to_list() == list(long_term.DEFINITIONS)


def test_what_happened_is_found(tmp_path: Path) -> None:
    found, _ = run(tmp_path, ESCALATED)
    changes = {
        row[0]: row[1:]
        for row in found["events"].filter(pl.col("event") != "maintenance").select("event", "person_id", "date").rows()
    }
    assert changes == {"escalation": (1, 180), "high_dose_start": (1, 180), "discontinuation": (2, 390)}
    row = found["events"].filter(event="escalation").row(0, named=True)
    assert (row["mme_before"], row["mme_after"], row["change"], row["follow_up_from"]) == (45, 90, 1, 210)
    met = found["long_term"].filter(definition="d90_in_365").select("person_id", "met").rows()
    assert met == [(1, 89), (2, 89)]
    both = found["concurrent"].rows()
    assert both == [(2, "benzodiazepine", day, day + 30) for day in range(0, 200, 50)]
    display = found["concurrent_display"].row(0, named=True)
    assert display == {
        "class": "benzodiazepine", "persons": 2, "with_class": 1, "cob": 1, "share_with": 0.5,
        "share_of_days": 120 / (501 + 390),
    }  # fmt: skip


def test_thresholds_by_every_table_and_definition(tmp_path: Path) -> None:
    found, _ = run(tmp_path, ESCALATED)
    display = found["thresholds"]
    assert display.select("definition", "factors").rows() == [
        (definition, table) for definition in (1, 2, 3, 4) for table in sorted(shipped.mme_factors())
    ]
    row = display.filter(definition=4, factors="cdc_2022").row(0, named=True)
    assert (row["persons"], row["over_50"], row["over_90"], row["median_mme"]) == (2, 1, 1, 67.5)
    above, _ = run(tmp_path, ESCALATED, threshold_rule="above")
    assert above["thresholds"].filter(definition=4, factors="cdc_2022")["over_90"].item() == 0


def test_an_own_table_is_named_by_its_file(tmp_path: Path) -> None:
    own = tmp_path / "ours.csv"
    own.write_text("ingredient,route,form,unit,factor,source\noxycodone,,,mg,2,ours\n")
    found, _ = run(tmp_path, ESCALATED, mme_factors=str(own))
    assert found["thresholds"].filter(definition=4, factors="ours")["median_mme"].item() == pytest.approx(90)
    assert factor_tables(str(tmp_path / "heal.csv"))["heal (own)"] == str(tmp_path / "heal.csv")
    assert list(factor_tables("heal")) == list(shipped.mme_factors())


def test_methadone_with_tiers_is_judged_at_the_flat_factor(tmp_path: Path) -> None:
    """20 mg and then 20.01 mg a day: 80 and 160.08 MME by the table, 60 and 60.03 for events."""
    tables = {
        "observation": OBSERVED,
        "dispensings": [
            *fills(1, range(0, 180, 30), 60, "methadone"), *fills(1, range(180, 500, 30), 60.03, "methadone"),
        ],
    }  # fmt: skip
    found, _ = run(tmp_path, tables, mme_factors="cdc_2016_tiers")
    kinds = found["events"].group_by("event").agg(pl.col("date").min()).sort("event").rows()
    assert kinds == [("high_dose_start", 180), ("maintenance", 90)]
    assert found["events"].filter(event="maintenance")["mme_after"].max() == pytest.approx(60.03)


def test_calendar_cohorts_get_dates_and_ids_may_be_text(tmp_path: Path) -> None:
    tables = {
        "observation": [{"person_id": "007", "start": 0, "end": 500}],
        "dispensings": fills("007", range(0, 300, 30)),
    }
    found, _ = run(tmp_path, tables, calendar=True, ids=pl.String())
    assert str(found["events"].filter(event="discontinuation")["date"].item()) == "1970-10-28"
    assert str(found["long_term"]["met"].min()) == "1970-03-02"
    assert found["mme_definitions"]["person_id"].unique().to_list() == ["007"]


def test_empty_and_self_report_cohorts(tmp_path: Path) -> None:
    for more in ({}, {"opioid_use": [{"person_id": 1, "date": 0, "using": 1}]}):
        found, _ = run(tmp_path, {"observation": OBSERVED, **more})
        assert all(found[name].is_empty() for name in CONTRACTS)
        assert found["concurrent_display"].select("persons", "cob", "share_with").rows() == [(0, 0, None)] * 2
        assert found["thresholds"]["persons"].to_list() == [0] * 4 * len(shipped.mme_factors())


def test_the_order_of_rows_and_other_people_change_nothing(tmp_path: Path) -> None:
    other = {
        "observation": OBSERVED,
        "dispensings": [*fills(3, range(7, 450, 28), 120), *ESCALATED["dispensings"][::-1]],
    }
    first, _ = run(tmp_path / "a", ESCALATED)
    second, _ = run(tmp_path / "b", other)
    for name in CONTRACTS:
        assert second[name].filter(pl.col("person_id") != 3).equals(first[name])
