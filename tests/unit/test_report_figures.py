"""The figures: what is drawn, and the SVG it becomes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from opioid_outcomes.report import charts, forest
from opioid_outcomes.report.drawing import note_svg, svg

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [
    {
        "label": "clinic, crude",
        "estimate": 1.8,
        "low": 1.5,
        "high": 2.2,
        "reading": "1.80 (1.50 to 2.20)",
        "counts": "9",
    },
    {
        "label": "clinic, adjusted",
        "estimate": 1.5,
        "low": 1.2,
        "high": 1.9,
        "reading": "1.50 (1.20 to 1.90)",
        "counts": "9",
    },
]


def drawn(name: str = "trial") -> str:
    return svg(forest.ratios(ROWS, title="hazard ratio", counts="persons"), name, "A < B", "Both & more")


def test_a_figure_says_what_it_shows_to_those_who_cannot_see_it() -> None:
    root = ET.fromstring(drawn())
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "trial-title trial-desc"
    assert [root.find(f"{SVG}title").text, root.find(f"{SVG}desc").text] == ["A < B", "Both & more"]  # type: ignore[union-attr]


def test_the_same_figure_is_the_same_bytes_however_often_it_is_drawn() -> None:
    assert drawn() == drawn()


def test_ids_of_two_figures_on_one_page_do_not_meet() -> None:
    ids = [set(re.findall(r'id="([^"]+)"', drawn(name))) for name in ("one", "two")]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_every_reference_inside_a_figure_resolves() -> None:
    picture = drawn()
    assert set(re.findall(r"url\(#([^)]+)\)", picture)) <= set(re.findall(r'id="([^"]+)"', picture))


def test_the_readings_stand_in_the_figure_in_the_shipped_font() -> None:
    picture = drawn()
    assert "1.80 (1.50 to 2.20)" in picture
    assert set(re.findall(r'font-family="([^"]+)"', picture)) == {"Inter"}


def test_a_figure_that_cannot_be_drawn_is_a_sentence() -> None:
    root = ET.fromstring(note_svg("survival", "Survival", "Nobody <followed>"))
    assert root.find(f"{SVG}text").text == "Nobody <followed>"  # type: ignore[union-attr]


def test_numbers_at_risk_stand_at_whole_years_or_quarters() -> None:
    assert charts.risk_times(1500) == [0, 365, 730, 1096, 1461]
    assert charts.risk_times(400) == [0, 91, 183, 274, 365]
    assert charts.risk_times(0) == [0]


def test_the_number_at_risk_is_that_of_the_last_step_before() -> None:
    rows = [{"day": 0, "at_risk": 100}, {"day": 40, "at_risk": 80}, {"day": 90, "at_risk": None}]
    assert [charts.at_risk(rows, day) for day in (0, 39, 40, 90)] == [100, 100, 80, None]


def test_thinning_a_curve_keeps_its_ends_and_only_its_steps() -> None:
    rows = [{"day": day, "survival": 1 - (day // 2) / 2000} for day in range(2001)]
    assert [row["day"] for row in charts._step_points(rows[:5])] == [0, 2, 4]
    kept = charts._step_points(rows)
    assert len(kept) <= 402
    assert [kept[0]["day"], kept[-1]["day"]] == [0, 2000]


def course(arm: str, month: int, persons: int | None) -> dict[str, object]:
    hidden = persons is None
    mean = None if hidden else 5.0
    return {
        "arm": arm, "month": month, "persons": persons, "mean": mean, "ci_low": mean, "ci_high": mean,
        "suppressed": int(hidden),
    }  # fmt: skip


def test_the_people_behind_each_arm_s_course_stand_under_it() -> None:
    rows = [course("escalate", month, 1230 + month) for month in range(-6, 13)]
    rows += [course("maintain", month, None if month == 12 else 2340 + month) for month in range(-6, 13)]
    picture = svg(charts.pain_escalation({"clinic": rows}, {}, 11), "pain", "Pain", "Pain")
    told = re.findall(r">([^<>]+)</text>", picture)
    assert [told.count(text) for text in ("1,224", "1,230", "1,242", "2,343", "&lt;11")] == [1, 1, 1, 1, 1]
    assert "1,231" not in told  # every third month, so that the numbers stay apart
    assert "2,352" not in told


def lines(picture: str) -> int:
    """Stroked paths through more than one point that have the width of a course."""
    return len(re.findall(r'd="M[^"]*L[^"]*"[^>]*stroke-width="2"', picture))


def test_the_course_of_pain_breaks_at_a_month_that_is_not_shown() -> None:
    whole = [course("escalate", month, 100) for month in range(-6, 13)]
    withheld = [row | ({"mean": None} if row["month"] == 3 else {}) for row in whole]
    absent = [row for row in whole if row["month"] != 3]
    pictures = [
        svg(charts.pain_escalation({"clinic": rows}, {}, 11), "p", "P", "P") for rows in (whole, withheld, absent)
    ]
    assert [lines(picture) for picture in pictures] == [1, 2, 2]
