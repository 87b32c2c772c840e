"""Made-up released rows of the displays of exposure and of dose trajectories, plausible in every number."""

from __future__ import annotations

import math
from typing import Any

Rows = list[dict[str, Any]]
FACTORS = ("cdc_2022", "cdc_2016_tiers", "cdc_2016_flat", "heal", "consort_2008")


def rows() -> dict[str, Rows]:
    """By display; every row with ``suppressed``."""
    made = {
        "repair_sensitivity": _sensitivity(),
        "use_history": _use(),
        "episode_summary": [
            {
                "merged_over": "30 days",
                "persons": 1900,
                "episodes": 3215,
                "median_days": 131.0,
                "median_share_active": 0.914,
            }
        ],
        "gap_distribution": _gaps(),
        "mme_thresholds": _thresholds(),
        "dose_events": _events(),
        "long_term": _long_term(),
        "concurrent_use": _concurrent(),
        "dose_bands": _bands(),
        "trajectory_models": _models(),
        "trajectory_classes": _classes(),
    }
    return {name: [{"suppressed": 0, **row} for row in own] for name, own in made.items()}


def _sensitivity() -> Rows:
    return [
        {"fills_used": "all", "persons": 1900, "person_years": 5120.0, "mean_mme": 52.314, "share_50": 0.412,
         "share_90": 0.121},
        {"fills_used": "without repaired", "persons": 1885, "person_years": 4985.0, "mean_mme": 51.877,
         "share_50": 0.408, "share_90": 0.118},
    ]  # fmt: skip


def _use() -> Rows:
    known = (
        ("on", "state", 1900, 5300.0, 356.0), ("recent", "state", 1315, 215.0, None),
        ("former", "state", 1205, 2205.0, None), ("never", "state", 3460, 8380.0, None),
        ("treatment", "state", 40, 95.0, None), ("unknown", "state", 0, 0.0, None),
        ("new", "first_use", 1480, None, 641.0), ("prevalent", "first_use", 100, None, None),
        ("not_known", "first_use", 320, None, None), ("cumulative_mme", "dose", 1865, None, 17702.0),
    )  # fmt: skip
    names = ("measure", "item", "persons", "person_years", "median")
    return [dict(zip(names, row, strict=True)) for row in known]


def _gaps() -> Rows:
    bins = ((1, 7, 5210), (8, 14, 2105), (15, 30, 1480), (31, 60, 560), (61, 90, 240), (91, 180, 210), (181, 365, 120))
    all_gaps = sum(gaps for _, _, gaps in bins) + 60
    return [
        {"gap_days_from": low, "gap_days_to": high, "gaps": gaps, "persons": gaps // 3 + 20, "share": gaps / all_gaps}
        for low, high, gaps in (*bins, (366, None, 60))
    ]


def _thresholds() -> Rows:
    made = []
    for definition, level in ((1, 0.30), (2, 0.36), (3, 0.21), (4, 0.44)):
        for factors, times in zip(FACTORS, (1.0, 1.08, 0.94, 1.02, 0.9), strict=True):
            over_50 = round(1900 * level * times / 5) * 5
            over_90 = round(over_50 * 0.29 / 5) * 5
            made.append(
                {"definition": definition, "factors": factors, "persons": 1900, "over_50": over_50, "over_90": over_90,
                 "share_50": over_50 / 1900, "share_90": over_90 / 1900, "median_mme": 100 * level * times}
            )  # fmt: skip
    made[-1] |= {"over_90": None, "share_90": None, "suppressed": 1}
    return made


def _events() -> Rows:
    known = (
        ("escalation", 610, 820, 0.412), ("maintenance", 1105, 2300, 0.004), ("taper", 350, 415, -0.274),
        ("rapid_taper_weekly", 90, 95, -0.561), ("rapid_taper_monthly", 105, 110, -0.522),
        ("discontinuation", 505, 590, -1.0), ("high_dose_start", 130, 130, 1.22),
    )  # fmt: skip
    names = ("event", "persons", "events", "median_change")
    return [dict(zip(names, row, strict=True)) for row in known]


def _long_term() -> Rows:
    known = (
        ("d90_in_365", 1210), ("consort", 905), ("d180", 780), ("fills3", 1520), ("fills6", 1040), ("dunn_entry", 960),
        ("svendsen_wide", 770), ("stable_hd", 105), ("hdltot", 60), ("opera", 1015),
    )  # fmt: skip
    return [{"definition": name, "persons": 1900, "met": met, "share": met / 1900} for name, met in known]


def _concurrent() -> Rows:
    return [
        {"class": "benzodiazepine", "persons": 1900, "with_class": 560, "cob": 310, "share_with": 560 / 1900,
         "share_of_days": 0.142},
        {"class": "gabapentinoid", "persons": 1900, "with_class": 430, "cob": 255, "share_with": 430 / 1900,
         "share_of_days": 0.118},
    ]  # fmt: skip


def _bands() -> Rows:
    made: Rows = []
    for month in range(25):
        followed = 4500 - 60 * month
        on = 0.25 + 0.15 * (1 - math.exp(-month / 6))
        parts = {"<20": 0.1, "20-49": 0.45 - 0.004 * month, "50-89": 0.3, ">=90": 0.12 + 0.004 * month, "unknown": 0.03}
        shares = {"off": 0.985 - on, "treatment": 0.015} | {band: on * share for band, share in parts.items()}
        for band, share in shares.items():
            hidden = month > 20 and band in ("treatment", "unknown")
            row: dict[str, Any] = {"month": month, "band": band}
            row |= {"persons": round(followed * share / 5) * 5, "share": share}
            made.append(row | ({"persons": None, "share": None, "suppressed": 1} if hidden else {}))
    return made


def _models() -> Rows:
    made = []
    for classes, likelihood, entropy, posterior, smallest in (
        (1, -41230.0, 1.0, 1.0, 1.0), (2, -38410.0, 0.94, 0.98, 0.31), (3, -37105.0, 0.91, 0.96, 0.12),
        (4, -36688.0, 0.89, 0.95, 0.06), (5, -36590.0, 0.84, 0.91, 0.008), (6, -36571.0, 0.79, 0.68, 0.007),
    ):  # fmt: skip
        chosen = int(classes == 4)
        why = {4: "chosen", 5: "a class holds under 1 % of persons", 6: "mean posterior of a class is under 0.7"}
        made.append(
            {"classes": classes, "chosen": chosen, "persons": 1480,
             "why": why.get(classes, "BIC is larger than with 4"),
             "smallest_class": round(1480 * smallest / 5) * 5, "log_likelihood": likelihood,
             "bic": -2 * likelihood + classes * 36.5, "entropy": entropy, "mean_posterior": posterior,
             "smallest_share": smallest, "left_never_on": 2950, "left_few_months": 80}
        )  # fmt: skip
    made[-1] |= dict.fromkeys(("persons", "smallest_class", "log_likelihood", "bic", "entropy", "mean_posterior"))
    made[-1] |= {"smallest_share": None, "left_never_on": None, "left_few_months": None, "suppressed": 1}
    return made


def _classes() -> Rows:
    made = []
    for number, start, slope, curve, people in (
        (1, 14.0, -0.2, 0.0, 640), (2, 32.0, 0.3, 0.0, 500), (3, 55.0, 2.6, -0.05, 250), (4, 118.0, -3.4, 0.06, 90),
    ):  # fmt: skip
        for month in range(24):
            mean = start + slope * month + curve * month**2
            spread = 1.2 + 40 / math.sqrt(people)
            made.append(
                {"class": number, "month": month, "persons": people, "mean": mean, "ci_low": mean - spread,
                 "ci_high": mean + spread, "observed": mean + 2.5 * math.sin(month * number), "share": people / 1480}
            )  # fmt: skip
    return made
