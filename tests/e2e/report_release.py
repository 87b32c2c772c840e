"""A made-up release folder, plausible in every number, for tests of the report."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import report_exposure
import report_pain

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.config.model import Config
from opioid_outcomes.contracts.displays import DISPLAYS, FIGURES
from opioid_outcomes.contracts.estimates import SCHEMA, Estimate, frame
from opioid_outcomes.steps.example import timeline
from opioid_outcomes.workflow_plan import RELEASED_DISPLAYS, WORKED_EXAMPLE

RULE = "Counts of 1 to 10 people are not shown (<11); other counts and person-years are rounded to 5."
COHORTS = ("clinic", "claims")


def settings(**changes: Any) -> dict[str, Any]:
    """A resolved config of two simulated cohorts, as the report's step is given it."""
    raw: dict[str, Any] = {
        "study": {"name": "demo", "title": "Opioids in chronic pain: demonstration", "seed": 20260101},
        "cohorts": {
            "clinic": {"format": "tables", "path": "data/clinic", "simulate": {"world": "hyperalgesia"}},
            "claims": {"format": "omop", "path": "data/claims", "simulate": {"world": "mortality"}},
        },
        "covariates": {"baseline": ["age", "sex", "pain", "depression", "copd"]},
    }
    return Config(**(raw | changes)).model_dump()


def _hr(cohort: str, method: str, hr: float, se: float, contrast: str = "on vs off") -> pl.DataFrame:
    log = math.log(hr)
    row = Estimate(
        analysis="mortality.current_use", method=method, population="adults with chronic pain, person-time from entry",
        outcome="death", contrast=contrast, scale="log_hr", estimate=log, ci_low=log - 1.96 * se,
        ci_high=log + 1.96 * se, se=se, p_value=0.001, persons=4500, events=520, person_years=16240.0,
        note="conditional hazard ratio; Efron ties; SE clustered by person",
    )  # fmt: skip
    return frame([row], study="demo", cohort=cohort)


def _rate(cohort: str, group: str, deaths: int, years: float) -> pl.DataFrame:
    rate, se = 1000 * deaths / years, 1000 * math.sqrt(deaths) / years
    row = Estimate(
        analysis="mortality.rate", method="crude", population="adults with chronic pain", outcome="death",
        contrast=group, scale="rate_per_1000py", estimate=rate, ci_low=rate - 1.96 * se, ci_high=rate + 1.96 * se,
        se=se, persons=3000, events=deaths, person_years=years,
    )  # fmt: skip
    return frame([row], study="demo", cohort=cohort)


def _withheld(cohort: str) -> pl.DataFrame:
    rows = [
        Estimate(
            analysis="hyperalgesia.escalation", method="aipw", population="", outcome="pain",
            contrast="escalate vs maintain", window=window, scale="mean_difference",
            gate="not evaluable: the cohort has no pain scores",
        )
        for window in ("1-30", "31-90", "91-180", "181-365")
    ]  # fmt: skip
    return frame(rows, study="demo", cohort=cohort)


def estimates() -> pl.DataFrame:
    parts = []
    for cohort, shift in zip(COHORTS, (0.0, 0.08), strict=True):
        parts += [
            _rate(cohort, "on", 260, 5800.0), _rate(cohort, "off", 265, 10400.0), _rate(cohort, "never", 120, 6000.0),
            _rate(cohort, "recent", 70, 1900.0), _rate(cohort, "former", 75, 2500.0),
            _hr(cohort, "crude", 1.86 + shift, 0.09), _hr(cohort, "adjusted", 1.74 + shift, 0.09),
            _hr(cohort, "adjusted_full", 1.58 + shift, 0.095),
            _hr(cohort, "adjusted_full", 1.72 + shift, 0.12, "on vs never"),
        ]  # fmt: skip
    parts += [report_pain.estimates("clinic"), _withheld("claims")]
    parts += [
        _hr("pooled", "crude", 1.90, 0.06),
        _hr("pooled", "adjusted", 1.78, 0.06),
        _hr("pooled", "adjusted_full", 1.62, 0.065),
    ]
    return pl.concat(parts)


def _attrition(cohort: str) -> list[dict[str, Any]]:
    kept = (5000, 4990, 4800, 4650, 4520, 4510)
    rules = (
        "persons in the source", "accepted", "has observation", "two diagnoses of chronic pain within 365 days",
        "18 years or older at entry", "no palliative care before entry",
    )  # fmt: skip
    rows: list[dict[str, Any]] = []
    for step, (rule, now) in enumerate(zip(rules, kept, strict=True)):
        dropped: int | None = 0 if step == 0 else kept[step - 1] - now
        small = step == 5
        rows.append(
            {
                "step": step,
                "rule": rule,
                "persons_kept": now,
                "persons_dropped": None if small else dropped,
                "suppressed": int(small),
            }
        )
    return rows


def _survival(cohort: str) -> list[dict[str, Any]]:
    rows = []
    for group, hazard, people in (("on", 0.045, 1200), ("off", 0.026, 3300)):
        for day in range(0, 1500, 15):
            years = day / 365.25
            s = math.exp(-hazard * years)
            spread = 0.012 * math.sqrt(years)
            at_risk = round(people * (1 - years / 5) / 5) * 5
            rows.append(
                {
                    "exposure": "current use", "group": group, "day": day, "at_risk": at_risk, "entered": people,
                    "events": round(people * (1 - s)), "left": people - at_risk, "survival": s,
                    "ci_low": s - spread, "ci_high": min(1.0, s + spread), "suppressed": 0, "weighted": 0.0,
                    "deviation": 0.004,
                }
            )  # fmt: skip
    return rows


def _table_one(cohort: str) -> list[dict[str, Any]]:
    rows = []
    for variable, level, statistic, on, off, smd in (
        ("age", "", "mean_sd", 57.2, 52.8, 0.31), ("sex", "F", "share", 0.56, 0.58, -0.04),
        ("sex", "M", "share", 0.44, 0.42, 0.04), ("pain", "", "mean_sd", 6.4, 5.1, 0.62),
        ("depression", "yes", "share", 0.33, 0.21, 0.27), ("copd", "yes", "share", 0.12, 0.07, 0.17),
    ):  # fmt: skip
        for group, value, people in (("all", (on + off) / 2, 4510), ("on", on, 1900), ("off", off, 4100)):
            mean = statistic == "mean_sd"
            rows.append(
                {
                    "variable": variable, "level": level, "statistic": statistic, "group": group,
                    "persons": people if mean else round(people * value), "of_persons": people,
                    "mean": value if mean else None, "sd": 2.1 if mean else None, "share": None if mean else value,
                    "smd": smd if group == "on" else None, "suppressed": 0,
                }
            )  # fmt: skip
    rows[-1] |= {"persons": None, "of_persons": None, "share": None, "suppressed": 1}
    return rows


def _displays(cohort: str) -> dict[str, list[dict[str, Any]]]:
    quality = [
        ("persons", "persons", 5000, 4990, 10, 0, 0), ("dispensings", "dispensings", 61230, 61100, 85, 45, 0),
        ("diagnoses", "diagnoses", 30410, 30410, 0, 0, 0),
    ]  # fmt: skip
    made: dict[str, list[dict[str, Any]]] = {
        "attrition": _attrition(cohort),
        "quality": [
            dict(zip(DISPLAYS["quality"].columns, row, strict=True)) | {"suppressed": 0} for row in quality
        ],
        "quality_rules": [
            {"table": "dispensings", "rule": "duplicate_row", "rows": 40, "suppressed": 0},
            {"table": "persons", "rule": "conflicting_person", "rows": None, "suppressed": 1},
        ],
        "exposure_ledger": [
            {"item": "ingredient", "label": "oxycodone", "fills": 31000, "persons": 1500, "suppressed": 0},
            {"item": "repair", "label": "days_supply_from_product", "fills": 400, "persons": 350, "suppressed": 0},
            {"item": "not_recognised", "label": "zz <b>cream</b>", "fills": 25, "persons": 20, "suppressed": 0},
            {"item": "code_not_recognised", "label": "zz 123", "fills": 14, "persons": 12, "suppressed": 0},
        ],
        "table_one": _table_one(cohort),
        "survival": _survival(cohort),
        "dose_distribution": [
            {"dose_band": band, "persons": people, "person_years": years, "share_of_time": share, "suppressed": 0}
            for band, people, years, share in (
                ("<20", 900, 1200.0, 0.30), ("20-49", 1000, 1500.0, 0.37), ("50-89", 500, 800.0, 0.20),
                (">=90", 200, 450.0, 0.11), ("unknown", 40, 80.0, 0.02),
            )
        ],
        "dose_trajectory": [
            {
                "month": month, "persons": 4500 - 60 * month, "persons_on": 900 + 5 * month,
                "persons_with_dose": 850 + 5 * month, "share_on": 0.2 + 0.002 * month,
                "p25": 18 + 0.2 * month, "median": 30 + 0.5 * month, "p75": 55 + 0.9 * month,
                "mean": 38 + 0.6 * month, "suppressed": 0,
            }
            for month in range(48)
        ],
    }  # fmt: skip
    if cohort == "clinic":
        made["pain_escalation"] = [
            {"arm": arm, "month": month, "persons": 600, "suppressed": 0}
            | {"mean": mean, "ci_low": mean - 0.12, "ci_high": mean + 0.12}
            for arm, peak, after in (("escalate", 1.4, 0.5), ("maintain", 0.5, -0.1))
            for month in range(-6, 13)
            for rise in [peak * math.exp(month / 2) if month < 0 else after + (peak - after) * math.exp(-month / 2)]
            for mean in [5 + rise]
        ]  # fmt: skip
        made |= report_pain.displays()
    return made | report_exposure.rows()


def outputs(folder: Path) -> dict[str, Any]:
    """The step's ``outputs``, in the release folder."""
    files = {kind: folder / f"report.{kind}" for kind in ("html", "pdf")}
    return files | {"figures": [folder / "figures" / f"{name}.svg" for name in FIGURES]}


def _truth() -> pl.DataFrame:
    common = {"cohort": "clinic", "outcome": "pain", "contrast": "escalate vs maintain", "method": "aipw"}
    pain = {**common, "analysis": "hyperalgesia.escalation", "scale": "mean_difference", "description": "planted"}
    death = {
        "cohort": "clinic", "analysis": "mortality.current_use", "method": "adjusted_full", "outcome": "death",
        "contrast": "on vs off", "window": "", "scale": "log_hr", "description": "planted",
    }  # fmt: skip
    return pl.DataFrame(
        [
            death | {"truth": math.log(1.6), "estimate": math.log(1.58), "se": 0.095, "z": -0.13},
            pain | {"window": "1-30", "truth": -0.4, "estimate": -0.35, "se": 0.09, "z": 0.56},
            pain | {"window": "181-365", "truth": 0.25, "estimate": 0.62, "se": 0.09, "z": 4.1},
        ]
    )


def _mortality() -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    import report_mortality

    def told_above(row: dict[str, Any]) -> bool:
        named = (row["analysis"], row["method"], row["window"])
        return named == ("mortality.current_use", "adjusted_full", "")

    return [row for row in report_mortality.estimates() if not told_above(row)], report_mortality.displays()


def write(folder: Path, *, profile: str = "cms11", empty: bool = False, mortality: bool = False) -> dict[str, Any]:
    """Write the folder and return the step's ``inputs``. ``empty``: a study in which nothing may be shown.

    ``mortality``: with new users, strategies and causes.
    """
    tables = folder / "tables"
    for path in (tables, folder / "figures"):
        path.mkdir(parents=True)
    about = {
        name: {
            "simulated": True, "world": world, "format": kind, "exposure": "time_varying", "pooled": True,
            "warnings": ["ids were numbers with decimals"] if name == "clinic" else [],
            "costs": [] if name == "clinic" else ["no pain scores: pain after escalation cannot be studied"],
        }
        for name, world, kind in (("clinic", "hyperalgesia", "tables"), ("claims", "mortality", "omop"))
    }  # fmt: skip
    none = profile == "none"
    release = {
        "profile": profile, "threshold": 1 if none else 11, "rounding": 1 if none else 5, "rule": "" if none else RULE,
        "marked": none, "reason": "public data" if none else None, "cohorts": about,
    }  # fmt: skip
    (folder / "release.json").write_text(json.dumps(release))
    manifest = {
        "code_hash": "c0de" * 16, "versions": {"opioid-outcomes": "0.1.0", "polars": "2.1.0"},
        "seeds": {"study": 20260101},
        "inputs": [{"cohort": "clinic", "file": "persons.csv", "sha256": "ab" * 32}],
        "rows": {"clinic": {"persons": 5000}},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    numbers = pl.concat([_withheld(name) for name in COHORTS]) if empty else estimates()
    extra = _mortality() if mortality else ([], {})
    numbers = pl.concat([numbers.select(list(SCHEMA)), pl.DataFrame(extra[0], schema=SCHEMA)])
    numbers.write_csv(folder / "estimates.csv")
    made = {name: _displays(name) for name in COHORTS}
    for name, display in DISPLAYS.items():
        rows = [{"cohort": cohort, **row} for cohort in COHORTS for row in made[cohort].get(name, [])]
        rows += extra[1].get(name, [])
        columns = ["cohort", *display.columns, "suppressed", *(["deviation"] if display.kind == "curve" else [])]
        told = [] if empty else rows
        written = pl.DataFrame(told, schema=None if told else columns, infer_schema_length=None)
        written.select(columns).write_csv(folder / RELEASED_DISPLAYS[name])
    if not empty:
        _truth().write_csv(tables / "truth.csv")
    inputs = {name: folder / f"{name}.json" for name in ("release", "manifest")}
    inputs |= {path.stem: path for path in sorted(folder.rglob("*.csv"))}
    inputs["example"] = folder / WORKED_EXAMPLE
    timeline(Exposure()).write_csv(inputs["example"])
    return inputs | report_pain.write(folder, numbers, COHORTS, empty=empty)
