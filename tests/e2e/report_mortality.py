"""A made-up study of new users, strategies and causes, as released, for tests of the report."""

from __future__ import annotations

import math
from typing import Any

from report_release import RULE, settings

from opioid_outcomes.config.model import Config
from opioid_outcomes.report.released import Released

Row = dict[str, Any]
ATO = "eligible index dates, overlap population (ATO)"
UNBALANCED = "fail: max |SMD| 0.14 (pain) is not under 0.1"


def row(**told: Any) -> Row:
    """One released estimate, with what is not told left as usual."""
    usual = {
        "study": "demo", "cohort": "clinic", "analysis": "mortality.new_user", "method": "overlap", "population": ATO,
        "outcome": "death", "contrast": "new user vs non user", "window": "0-365", "scale": "risk_difference",
        "estimate": None, "ci_low": None, "ci_high": None, "se": None, "p_value": None, "persons": 2400, "events": 120,
        "person_years": 2300.0, "spec": "main", "gate": "pass", "note": "",
    }  # fmt: skip
    return usual | told


def number(value: float, half: float, **told: Any) -> Row:
    return row(estimate=value, ci_low=value - half, ci_high=value + half, se=half / 1.96, **told)


def risks(risk: float, other: float, **told: Any) -> list[Row]:
    """Risk difference, ratio and difference in days of two risks."""
    return [
        number(risk - other, 0.01, scale="risk_difference", **told),
        number(risk / other, 0.3, scale="risk_ratio", **told),
        number(-3.0, 1.5, scale="rmst_days", **told),
    ]


def refused(gate: str, **told: Any) -> list[Row]:
    return [row(scale=scale, gate=gate, **told) for scale in ("risk_difference", "risk_ratio", "rmst_days")]


def ratio(value: float, **told: Any) -> Row:
    return number(math.log(value), 0.2, scale="log_hr", contrast="on vs off", **told)


def estimates() -> list[Row]:
    strategies = {"analysis": "mortality.sustained", "method": "ipw", "population": "eligible persons"}
    cause = {"method": "att", "contrast": "new user vs non user"}
    rows = [
        *risks(0.05, 0.04), *risks(0.055, 0.04, method="overlap_as_treated"), *risks(0.07, 0.04, method="crude"),
        *risks(0.2, 0.16, window="0-1825"), *refused(UNBALANCED, contrast="new user vs nsaid"),
        *refused("not evaluable: nobody in group 'gabapentinoid'", contrast="new user vs gabapentinoid"),
        ratio(1.5, analysis="mortality.msm", method="iptw", window="0-365"),
        ratio(1.2, analysis="mortality.msm", method="adjusted_full", window="0-365"),
        *risks(0.08, 0.05, analysis="mortality.msm", method="iptw", contrast="always vs never"),
        *risks(0.06, 0.05, **strategies, contrast="start and stay vs never"),
        *refused("fail: effective number of people who follow 'taper' is under 50", **strategies,
                 contrast="taper vs maintain"),
        number(math.log(0.7), 0.1, analysis="mortality.current_use", method="ever_vs_never", scale="log_hr", window="",
               contrast="ever user vs never user", gate="fail: by design: immortal time"),
        ratio(1.4, analysis="mortality.current_use", method="adjusted_full", window=""),
        *described(),
    ]  # fmt: skip
    for name, difference, share, note in (
        ("cancer", 0.002, 0.2, ""), ("other", 0.003, 0.3, ""),
        ("opioid overdose", 0.005, 0.5, "; from 0.40 to 0.65 as the unknown causes may have been"),
    ):  # fmt: skip
        told = {**cause, "outcome": f"death:{name}", "events": 40}
        rows.append(number(difference, 0.002, analysis="mortality.cause", **told))
        rows.append(number(share, 0.1, analysis="mortality.overdose_share", scale="share", note=f"x{note}", **told))
    return rows


def described() -> list[Row]:
    """Ratios of current use by time, after stopping, and of a drug that cannot cause death."""
    use = {"analysis": "mortality.current_use", "window": ""}
    stopping = {"analysis": "mortality.stopping", "window": "", "scale": "log_hr", "method": "adjusted_full"}
    control = {"analysis": "mortality.negative_control", "window": "", "scale": "log_hr", "method": "adjusted_full"}
    return [
        ratio(2.0, **use | {"window": "0-30"}, method="adjusted_full"),
        ratio(1.2, **use | {"window": "181-"}, method="adjusted_full"),
        ratio(1.3, **use, method="adjusted_full_lag_90"),
        *(
            number(value, 0.2, **stopping, contrast=f"{days} days since stopping vs current supply")
            for days, value in (("0-30", 0.6), ("31-90", 0.4), ("91-180", 0.1), ("over 400", 0.0))
        ),
        number(0.05, 0.1, **control, contrast="on statin vs off statin"),
    ]  # fmt: skip


def displays() -> dict[str, list[Row]]:
    curves = [
        {
            "comparator": "non_user", "arm": arm, "day": float(day), "at_risk": 800 - day // 3, "entered": 800,
            "events": day // 20, "left": day // 4, "survival": 1 - hazard * day / 365,
            "ci_low": 0.98 - hazard * day / 365, "ci_high": 1.0, "weighted": 1.0, "deviation": 0.002,
        }
        for arm, hazard in (("new user", 0.05), ("non user", 0.04)) for day in range(0, 366, 73)
    ]  # fmt: skip
    balance = [
        {"comparator": "non_user", "covariate": name, "in_score": inside, "new_users": 900, "comparators": 2400,
         "smd_before": before, "smd_after": after}
        for name, inside, before, after in (
            ("age", 1.0, 0.4, 0.0), ("sex=M", 1.0, -0.2, 0.0), ("age squared", 0.0, 0.1, 0.08),
            *((f"age x thing_{k}", 0.0, 0.1, 0.01 * k / 10) for k in range(10)),
        )
    ]  # fmt: skip
    judged = [
        {"comparator": "non_user", "arm": arm, "persons": people, "index_dates": 3 * people, "events": 60,
         "person_years": 1100.0, "ess": 850.0, "outside": 0.01, "equipoise": 0.9, "mdrr": 1.6, "largest_smd": 0.08}
        for arm, people in (("non user", 2400), ("new user", 900))
    ]  # fmt: skip
    missing = [
        {"comparator": "non_user", "covariate": name, "arm": arm, "missing": gaps, "index_dates": 900,
         "share": gaps / 900}
        for name, gaps in (("age", 0), ("pain", 90)) for arm in ("non user", "new user")
    ]  # fmt: skip
    incidence = [
        {"comparator": "non_user", "cause": name, "window": "0-365", "events_new_users": 15, "events_comparators": 25,
         "risk_new_users": 0.01 + d, "risk_comparators": 0.01, "difference": d, "share": 0.2}
        for name, d in (("cancer", 0.002), ("other", 0.003), ("opioid overdose", 0.005))
    ]  # fmt: skip
    weights = [
        {"period": float(k), "persons": 2400 - 10 * k, "mean": 1.0 + k / 500, "p99": 2.0, "largest": 9.0,
         "ess": 2300.0 - 20 * k}
        for k in range(12)
    ]  # fmt: skip
    cuts = [
        {"lower": low, "upper": high, "persons": 2400, "mean": 1.0, "largest": 3.0, "ess": 20000.0, "log_hr": log,
         "se": 0.1}
        for low, high, log in ((0.0, 100.0, math.log(1.5)), (1.0, 99.0, None))
    ]  # fmt: skip
    kept = [
        {key: value for key, value in each.items() if key not in ("comparator", "arm")}
        | {"question": "start and stay vs never", "strategy": {"new user": "start and stay"}.get(each["arm"], "never")}
        for each in curves
    ]
    following = [
        {"question": "taper vs maintain", "strategy": name, "day": 365.0, "persons": 600, "following": people,
         "ess": ess, "largest_weight": 20.0}
        for name, people, ess in (("taper", 25, 10.0), ("maintain", 300, 290.0))
    ]  # fmt: skip
    doses = [
        {"mme": float(mme), "persons": 900 - mme, "log_hr": mme / 200, "ci_low": mme / 200 - 0.2,
         "ci_high": mme / 200 + 0.2}
        for mme in range(10, 100, 10)
    ]  # fmt: skip
    made = {
        "dose_response": doses,
        "new_user_survival": curves, "new_user_balance": balance, "new_user_diagnostics": judged,
        "missing_by_arm": missing, "cause_incidence": incidence, "msm_weights": weights, "msm_truncation": cuts,
        "sustained_diagnostics": following, "sustained_survival": kept,
    }  # fmt: skip
    return {name: [{"cohort": "clinic", "suppressed": 0} | each for each in rows] for name, rows in made.items()}


def study(*, simulated: bool = True, **changes: Any) -> Released:
    """The study as the report reads it: one cohort, simulated or not."""
    cohort = {"format": "tables", "path": "data/clinic"} | ({"simulate": {"world": "mortality"}} if simulated else {})
    config = Config(**settings(cohorts={"clinic": cohort}))
    about = {"simulated": simulated, "world": "mortality", "exposure": "time_varying", "warnings": [], "costs": []}
    release = {"profile": "cms11", "threshold": 11, "rounding": 5, "rule": RULE, "cohorts": {"clinic": about}}
    told = {"estimates": estimates(), "displays": displays()} | changes
    return Released(config=config, release=release, manifest={}, **told)
