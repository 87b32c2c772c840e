"""What the exposure stage tells of its data: the ledger, repairs, stays, high doses, factors, ranges."""

from pathlib import Path

import polars as pl
import pytest
from exposure_run import OBSERVED, derive, fill


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
