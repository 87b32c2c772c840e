"""The worked example: a made-up history, read by the study's own rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.exposure import example
from opioid_outcomes.report import example_chart
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.example_section import explained
from opioid_outcomes.steps.example import explain_exposure, timeline

DEFAULT = Exposure()


def lane(rules: Exposure, name: str) -> list[tuple[Any, ...]]:
    return timeline(rules).filter(lane=name).select("label", "start", "stop", "value").rows()


def test_the_history_shows_every_rule_at_work() -> None:
    assert lane(DEFAULT, "dose") == [
        ("known", 0, 25, 30.0),
        ("known", 25, 54, 45.0),  # A: the early refill takes over; 5 left-over days are 3 1/3 at 6 tablets a day
        ("known", 54, 68, 75.0),  # B: two products
        ("repaired", 68, 75, 75.0),  # C: held in hospital
        ("known", 75, 85, 75.0),
        ("repaired", 85, 91, 75.0),  # D: 180 tablets at the usual 6 a day; morphine ends 7 days later for the stay
        ("repaired", 91, 115, 45.0),
        ("known", 115, 205, 45.0),
        ("known", 205, 265, 90.0),  # E
        ("unknown", 310, 338, None),  # G: buprenorphine has no factor
    ]
    assert lane(DEFAULT, "status") == [
        ("on", 0, 265, None), ("carry-over", 265, 295, None), ("recent", 295, 310, None), ("on", 310, 338, None),
        ("carry-over", 338, 368, None), ("recent", 368, 429, None), ("former", 429, 455, None),
    ]  # fmt: skip
    assert [row[:3] for row in lane(DEFAULT, "episode")] == [("episode 1", 0, 265), ("episode 2", 310, 338)]
    assert lane(DEFAULT, "repair") == [("person_units", 85, None, None)]
    events = {label: start for label, start, *_ in lane(DEFAULT, "event")}
    assert events.items() >= {"escalation": 205, "high_dose_start": 205, "discontinuation": 338}.items()


def test_units_on_hand_jump_at_fills_fall_by_the_units_a_day_and_rest_in_hospital() -> None:
    stock = [(start, units) for label, start, _, units in lane(DEFAULT, "stock") if label == "oxycodone 5 mg"]
    assert stock[:12] == [
        (0, 120), (25, 20), (25, 140), (48, 2), (48, 182), (68, 62), (68, 62), (75, 62), (75, 62), (85, 2), (85, 182),
        (115, 2),
    ]  # fmt: skip
    patches = [row for row in lane(DEFAULT, "stock") if row[0] == "buprenorphine 20 mcg/h patch"]
    assert [(start, units) for _, start, _, units in patches] == [(310, 4), (338, 0)]
    both = [row[1::2] for row in lane(Exposure(stockpile_cap_days=None), "stock") if row[0] == "oxycodone 5 mg"]
    assert both[:8] == [(0, 120), (25, 20), (25, 140), (30, 90), (30, 90), (45, 0), (45, 0), (48, 0)]  # 4 + 6 a day
    ignored = [row[1::2] for row in lane(Exposure(stays="ignore"), "stock") if row[0] == "morphine 15 mg ER"]
    assert ignored == [(54, 60), (84, 0)]


@pytest.mark.parametrize(
    ("changes", "letter", "sentence"),
    [
        ({"stays": "ignore"}, "C", "supply is used up as at home"),
        ({"stockpile_cap_days": None}, "A", "overlapping days add"),
        ({"stockpile_cap_days": 0}, "A", "what is left of the old supply is dropped"),
        ({"stockpile_cap_days": 3}, "A", "3 of the five days left (at most 3 may be)"),
        (
            {"stockpile_cap_days": 3},
            "A",
            "with those of the refill 132 count as on hand, 22.0 days at 6 a day",
        ),
        ({"gap_days": 60}, "F", "gaps of up to 60 days are merged, so its days go on as one episode"),
        ({"gap_share": 0.5}, "F", "gaps of up to 50 % of the days of the last supply are merged, so its days begin"),
        ({"gap_share": 2.0}, "F", "so its days go on as one episode"),
        ({"carry_over_days": 0}, "F", "there is no carry-over"),
        ({"repaired_fills": "drop"}, "D", "is not repaired here"),
        ({"days_supply": {"repair": []}}, "D", "is not repaired here"),
        ({"days_supply": {"repair": ["person_days"]}}, "D", "(person days); here person days gives an answer"),
        ({"mme_factors": "heal"}, "G", "counts as 44.0 MME/day"),
        ({"events": {"min_rise": 5}}, "E", "no escalation here: the mean of the next 30 days must be at least 500 %"),
        ({"events": {"discontinuation_days": 180}}, "H", "fewer than 180 days are observed"),
    ],
)
def test_each_sentence_says_what_the_config_made_of_the_day(
    changes: dict[str, Any], letter: str, sentence: str
) -> None:
    rules = Exposure(**changes)
    said = explained(timeline(rules).to_dicts(), rules)
    by_default = explained(timeline(DEFAULT).to_dicts(), DEFAULT)
    changed = [one for one, other in zip(said, by_default, strict=True) if one != other]
    assert [one[0] for one in changed] == [letter]
    assert sentence in changed[0]


@pytest.mark.parametrize("stays", ["extend", "ignore"])
def test_no_stockpiling_adds_what_overlaps(stays: Literal["extend", "ignore"]) -> None:
    doses = lane(Exposure(stockpile_cap_days=None, stays=stays), "dose")
    assert doses[:3] == [("known", 0, 25, 30.0), ("known", 25, 30, 75.0), ("known", 30, 45, 45.0)]


def test_the_step_writes_the_lanes_the_chart_draws(tmp_path: Path) -> None:
    outputs = {"example": tmp_path / "exposure_example.csv"}
    line = explain_exposure({}, outputs, {"study": "demo", "exposure": DEFAULT.model_dump(mode="json")})
    rows = pl.read_csv(outputs["example"]).to_dicts()
    assert line == f"worked example: {len(rows)} stretches in 10 lanes"
    picture = svg(example_chart.timeline(rows), "exposure_example", "T", "D")
    for told in ("oxycodone 5 mg", "buprenorphine 20 mcg/h patch", "180 / ?", "carry-over", "escalation", ">H<"):
        assert told in picture
    assert [mark for mark, _ in example.MARKS] == list("ABCDEFGH")
