"""The stage from canonical tables to files: offsets and dates, both kinds of ids, empty and self-report cohorts."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.derived import DAILY_DOSE, DISPENSINGS_CLEAN, EPISODES, OPIOID_STATUS
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.steps import exposure
from opioid_outcomes.steps.exposure import derive_exposure, describe_episodes

OUTPUTS = (
    "dispensings_clean", "daily_dose", "episodes", "opioid_status", "ledger", "repair_sensitivity", "gap_distribution",
    "episode_summary",
)  # fmt: skip
OXYCODONE = {"ingredient": "oxycodone", "route": "oral", "strength": 10.0, "strength_unit": "mg", "release": "IR"}


def fill(person: Any, date: int, quantity: float | None = 60, days: float | None = 30, **more: Any) -> dict:
    return {"person_id": person, "date": date, "quantity": quantity, "days_supply": days} | OXYCODONE | more


def derive(
    folder: Path, tables: dict[str, list[dict]], *, calendar: bool = False, ids: Any = None, **exposure: Any
) -> tuple[str, dict[str, pl.DataFrame], dict]:
    inputs = {}
    for name, table in CANONICAL.items():
        inputs[name] = folder / "in" / f"{name}.parquet"
        frame = pl.DataFrame(tables.get(name, []), schema=table.schema(ids or pl.Int64()))
        io.write_table(frame, inputs[name], table, calendar=calendar)
    outputs = {name: folder / f"{name}.parquet" for name in OUTPUTS} | {"notes": folder / "notes.json"}
    line = derive_exposure(inputs, outputs, {"exposure": exposure, "cohort_name": "c", "study": "s"})
    rules = {"exposure": Exposure(**exposure).model_dump()}
    describe_episodes(outputs, outputs, rules)
    return line, {name: pl.read_parquet(outputs[name]) for name in OUTPUTS}, io.read_json(outputs["notes"])


OBSERVED = [{"person_id": 1, "start": 0, "end": 400}, {"person_id": 2, "start": 0, "end": 400}]


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


def test_the_ledger_counts_what_became_of_the_fills(tmp_path: Path) -> None:
    dispensings = [
        fill(1, 0), fill(1, 30, days=None), fill(2, 0, quantity=None),
        fill(2, 5, route="injection"), fill(2, 9, ingredient="propoxyphene"),
        *(fill(1, day, ingredient=None, strength=None, code="12345", vocabulary="NDC") for day in range(11)),
        fill(1, 3, ingredient=None, strength=None, code="678", vocabulary="NDC"),
        fill(1, 200, days=200), fill(1, 230, days=30),
    ]  # fmt: skip
    _, found, notes = derive(tmp_path, {"observation": OBSERVED, "dispensings": dispensings})
    assert set(found["ledger"].rows()) == {
        ("ingredient", "oxycodone", 6, 2), ("ingredient", "propoxyphene", 1, 1),
        ("set_apart", "injection", 1, 1), ("repair", "person_units", 1, 1),
        ("unusable", "days_supply missing", 1, 1), ("unusable", "quantity missing", 1, 1),
        ("dose_unknown", "quantity_unknown", 1, 1), ("dose_unknown", "no_factor", 1, 1),
        ("factor_missing", "propoxyphene, oral", 1, 1),
        ("stockpile", "left-over days above the cap dropped", 1, 1),
        ("not_recognised", "NDC code not in a dictionary", 12, 1), ("code_not_recognised", "NDC 12345", 11, 1),
    }  # fmt: skip
    assert notes["warnings"][0] == "MME by the factor table cdc_2022."


def test_what_the_doses_rest_on_is_shown_with_and_without_repaired_fills(tmp_path: Path) -> None:
    """Person 1: 30 days at 60 MME as recorded, then 30 more that are mended; person 2: 100 days at 45."""
    dispensings = [fill(1, 0, 120), fill(1, 30, 120, None), fill(2, 0, 300, 100), fill(3, 0, quantity=None, days=30)]
    tables = {
        "observation": [*OBSERVED, {"person_id": 3, "start": 0, "end": 400}],
        "dispensings": dispensings,
    }
    year = 365.25
    expected = [
        ("all", 3, 190 / year, (60 * 60 + 100 * 45) / 160, 60 / 160, 0.0, 1, 0, 3),
        ("without repaired", 3, 160 / year, (30 * 60 + 100 * 45) / 130, 30 / 130, 0.0, 1, 0, 1),
    ]
    # 30 days at an unknown dose of person 3 are days with supply, and no days of a known dose
    found, dose = {}, {}
    for rule in ("keep", "drop"):
        rules = {"repaired_fills": rule, "quantity": {"repair": []}}
        _, tables_out, _ = derive(tmp_path / rule, tables, **rules)
        found[rule], dose[rule] = tables_out["repair_sensitivity"].rows(), tables_out["daily_dose"]
    for rule in ("keep", "drop"):
        for row, wanted in zip(found[rule], expected, strict=True):
            assert row == tuple(pytest.approx(value) if isinstance(value, float) else value for value in wanted)
    assert dose["keep"].select("person_id", "start", "stop", "mme", "repaired").rows()[:2] == [
        (1, 0, 30, 60, 0), (1, 30, 60, 60, 1),
    ]  # fmt: skip
    assert dose["drop"].select("person_id", "start", "stop").rows()[0] == (1, 0, 30)


def test_dropped_fills_of_treatment_are_no_treatment(tmp_path: Path) -> None:
    bup = {"ingredient": "buprenorphine", "route": "sublingual", "strength": 8.0}
    fills = [fill(1, 0, 28, 28, **bup), fill(1, 28, 14, None, **bup)]
    _, found, _ = derive(tmp_path, {"observation": OBSERVED, "dispensings": fills}, repaired_fills="drop")
    assert found["dispensings_clean"].get_column("reason").to_list() == ["opioid_use_disorder", "repaired_dropped"]
    rows = found["opioid_status"].select("start", "stop", "state").rows()
    assert rows[:2] == [(0, 28, "treatment"), (28, 58, "unknown")]


def test_who_has_dropped_fills_only_is_of_unknown_use_and_never_a_never_user(tmp_path: Path) -> None:
    """Person 2 teaches what is usual of person 1's product; person 1's one fill is mended, and then dropped."""
    others = [fill(person, 0) for person in range(2, 14)]
    tables = {
        "observation": [{"person_id": person, "start": 0, "end": 400} for person in range(1, 14)],
        "dispensings": [fill(1, 100, 60, None), *others],
    }
    _, found, _ = derive(tmp_path, tables, repaired_fills="drop")
    own = found["opioid_status"].filter(pl.col("person_id") == 1).select("start", "stop", "state", "mme")
    assert own.rows()[:2] == [(100, 130, "unknown", None), (130, 191, "recent", 0.0)]
    assert found["daily_dose"].filter(pl.col("person_id") == 1).is_empty()


def test_supply_lasts_through_a_stay_and_is_told(tmp_path: Path) -> None:
    """30 days from day 0, in hospital from day 10 to 20: until day 40, as repaired on the days in hospital."""
    tables = {
        "observation": OBSERVED,
        "dispensings": [fill(1, 0)],
        "stays": [{"person_id": 1, "start": 10, "end": 20}],
    }
    _, found, notes = derive(tmp_path / "extend", tables)
    assert found["daily_dose"].select("start", "stop", "repaired").rows() == [(0, 10, 0), (10, 20, 1), (20, 40, 0)]
    assert ("stay", "supply held through a stay", 1, 1) in found["ledger"].rows()
    assert "Held in hospital: 25 % of days with supply, counted at the dose held." in notes["warnings"]
    assert "Repaired fills: none of days with supply rest on them." in notes["warnings"]
    _, found, notes = derive(tmp_path / "ignore", tables, stays="ignore")
    assert found["daily_dose"].select("start", "stop").rows() == [(0, 30)]
    assert not any("hospital" in told for told in notes["warnings"])
    assert not any(row[0] == "stay" for row in found["ledger"].rows())


def test_supply_after_death_or_the_last_day_observed_is_told(tmp_path: Path) -> None:
    """30 days each: all taken, 21 of them to the day of death, 12 to the end of observation."""
    tables = {
        "observation": [{"person_id": person, "start": 0, "end": end} for person, end in ((1, 99), (2, 99), (3, 11))],
        "dispensings": [fill(person, 0) for person in (1, 2, 3)],
        "deaths": [{"person_id": 2, "date": 20}],
    }
    _, found, notes = derive(tmp_path, tables)
    assert found["daily_dose"].get_column("stop").to_list() == [30, 21, 12]
    told = "Supply after death or the last day observed is not counted: 30 % of days of supply, 30 % of MME."
    assert told in notes["warnings"]


def test_days_on_repaired_fills_are_told_by_rule_and_apart_from_days_in_hospital(tmp_path: Path) -> None:
    """Of 20 people each has 30 days as recorded and 30 on a repaired fill; ten are 20 of the latter days in hospital,
    which are 20 days more: of 20 x 60 + 10 x 20 = 1,400 days 600 rest on repair and 200 are held."""
    observation, dispensings, stays = [], [], []
    for person in range(20):
        observation.append({"person_id": person, "start": 0, "end": 400})
        dispensings += [fill(person, 0), fill(person, 40, 60 if person < 12 else None, None if person < 12 else 30)]
        if person < 10:
            stays.append({"person_id": person, "start": 45, "end": 65})
    tables = {"observation": observation, "dispensings": dispensings, "stays": stays}
    _, found, notes = derive(tmp_path, tables)
    length = pl.col("stop") - pl.col("start")
    assert found["daily_dose"].filter(pl.col("repaired") == 1).select(length.sum()).item() == 800
    assert [told for told in notes["warnings"] if told.startswith(("Repaired", "Held"))] == [
        "Repaired fills: 45 % of days with supply rest on them, about 600 of about 1,400 person-days "
        "(by rule, of the days these fills last: person units 60 %).",  # the other rule has 8 fills
        "Held in hospital: 15 % of days with supply, counted at the dose held.",
    ]


def test_very_high_doses_are_flagged_and_kept(tmp_path: Path) -> None:
    """100 tablets of 10 mg oxycodone a day are 1,500 MME; 66 are 990."""
    fills = [fill(1, 0, 3000, 30), fill(2, 0, 1980, 30)]
    _, found, notes = derive(tmp_path, {"observation": OBSERVED, "dispensings": fills})
    assert found["dispensings_clean"].get_column("mme_per_day").to_list() == [1500, 990]
    high = found["ledger"].filter(pl.col("item") == "high_dose").rows()
    assert high == [("high_dose", "above 1,000 MME/day (kept)", 1, 1)]
    assert "Doses above 1,000 MME/day: fewer than 11 analgesic fills; they are kept." in notes["warnings"]


def test_tiers_of_methadone_reach_the_daily_dose(tmp_path: Path) -> None:
    """15 mg a day of one product and 10 mg of another: 25 mg together are in the tier of 8 MME per mg."""
    fills = [
        fill(1, 0, 45, 30, ingredient="methadone", strength=10.0),
        fill(1, 0, 60, 30, ingredient="methadone", strength=5.0),
    ]
    tables = {"observation": OBSERVED, "dispensings": fills}
    _, found, _ = derive(tmp_path, tables, mme_factors="cdc_2016_tiers")
    assert found["daily_dose"].select("start", "stop", "mme", "tiered_mg").rows() == [(0, 30, 200, 25)]
    assert found["dispensings_clean"].select("mme_per_day", "tiered_mg_per_day").rows() == [(40, 10), (60, 15)]


def test_opioids_without_a_factor_are_named_where_many_are(tmp_path: Path) -> None:
    fills = [fill(1, day, ingredient="propoxyphene") for day in range(12)]
    _, _, notes = derive(tmp_path / "many", {"observation": OBSERVED, "dispensings": fills})
    assert "Fills of opioids without an MME factor: propoxyphene (about 10); no dose, not 0." in notes["warnings"]
    _, _, notes = derive(tmp_path / "few", {"observation": OBSERVED, "dispensings": fills[:3]})
    assert "Fills of opioids without an MME factor: fewer than 11; no dose, not 0." in notes["warnings"]


def test_mean_doses_are_told_with_and_without_buprenorphine(tmp_path: Path) -> None:
    """Of 24 people at 30 MME, 12 have patches of buprenorphine as well, and 60 MME in those 10 of 30 days."""
    patch = {"ingredient": "buprenorphine", "route": "transdermal", "strength": 10.0, "strength_unit": "mcg/h"}
    dispensings, observation = [], []
    for person in range(24):
        observation.append({"person_id": person, "start": 0, "end": 400})
        dispensings.append(fill(person, 0))
        if person < 12:
            dispensings += [fill(person, 10, 20, 10, strength=10.0001), fill(person, 10, 4, 10, **patch)]
    _, _, notes = derive(tmp_path, {"observation": observation, "dispensings": dispensings})
    told = next(text for text in notes["warnings"] if text.startswith("Buprenorphine"))
    assert told == (
        "Buprenorphine is part of 15 % of days with supply; where it has no MME factor, its dose is missing, not zero. "
        "Mean dose over days with a known part: 35 MME/day, without the days on buprenorphine 30."
    )


@pytest.mark.parametrize(("rule", "stands"), [("midpoint", "for its midpoint"), ("lower", "for its lower end")])
def test_ranges_are_told(tmp_path: Path, rule: str, stands: str) -> None:
    fills = [fill(1, 0, 30, quantity_to=60.0), fill(1, 30)]
    _, found, notes = derive(tmp_path, {"observation": OBSERVED, "dispensings": fills}, ranges=rule)
    assert f"Ranges as 1-2: 50 % of analgesic fills; each stands {stands}." in notes["warnings"]
    assert ("range", f"quantity ({rule})", 1, 1) in found["ledger"].rows()
    assert ("repair", f"quantity_range_{rule}", 1, 1) in found["ledger"].rows()


def test_ranges_set_aside_are_told_so_though_a_rule_mends_them(tmp_path: Path) -> None:
    fills = [fill(1, 0), fill(1, 30, 30, quantity_to=60.0)]
    _, found, notes = derive(tmp_path, {"observation": OBSERVED, "dispensings": fills}, ranges="set_aside")
    told = "Ranges as 1-2: 50 % of analgesic fills; each is set aside, and mended like a missing amount."
    assert told in notes["warnings"]
    assert ("repair", "quantity_range_set_aside + quantity_person_units", 1, 1) in found["ledger"].rows()


def test_implausible_amounts_are_counted_by_kind(tmp_path: Path) -> None:
    fills = [
        fill(1, 0, 0), fill(1, 30, 9000), fill(1, 60, -60), fill(1, 90, days=0), fill(1, 120, days=-30),
        fill(1, 150, days=999), fill(1, 180, strength=5000.0), fill(1, 210, strength=None),
        fill(1, 240, None, route="injection"), fill(1, 270, strength_unit=None),
        fill(1, 300, 0, quantity_to=1.0),  # a range may begin at 0
    ]  # fmt: skip
    _, found, _ = derive(tmp_path, {"observation": OBSERVED, "dispensings": fills})
    kinds = {row[1]: row[2] for row in found["ledger"].rows() if row[0] == "unusable"}
    assert kinds == {
        "quantity 0": 1, "quantity above 100 tablets, 1000 mL or 10 patches a day": 1, "quantity negative": 1,
        "days_supply 0": 1, "days_supply negative": 1, "days_supply above 365": 1, "strength implausible": 1,
        "strength or its unit missing": 2,
    }  # fmt: skip


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
