"""Numbers and terms in words: how an estimate reads, what a scale is called, what a hidden cell says."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MINUS = "\N{MINUS SIGN}"
MISSING = "\N{EN DASH}"
WITHHELD = "withheld"
# Counts that are hidden with a small count beside them, whatever their own size.
NOT_OF_PEOPLE = ("canonical", "fills", "persons_dropped")
POOLED = "pooled"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Scale:
    """How a scale of `estimates.csv` is printed: after ``exp`` where it is a logarithm, times ``factor``."""

    label: str
    digits: int
    unit: str = ""
    exp: bool = False
    factor: float = 1.0


def scales(step_mme: float) -> dict[str, Scale]:
    per_step = f"points per +{step_mme:g} MME/day"
    return {
        "log_hr": Scale("hazard ratio", 2, exp=True),
        "log_or": Scale("odds ratio", 2, exp=True),
        "log_rate_ratio": Scale("rate ratio", 2, exp=True),
        "risk_ratio": Scale("risk ratio", 2),
        "risk_difference": Scale("risk difference", 2, "percentage points", factor=100),
        "rmst_days": Scale("difference in mean survival time", 1, "days"),
        "rate_per_1000py": Scale("rate", 1, "per 1,000 person-years"),
        "smr": Scale("standardised mortality ratio", 2),
        "share": Scale("share", 1, "%", factor=100),
        "mean_difference": Scale("mean difference in pain", 2, "points, 0–10"),
        "mean_difference_per_step": Scale("mean difference in pain per dose step", 2, per_step),
        "slope": Scale("slope of pain on dose", 2, per_step),
    }


# Slopes are of something on something else, by analysis and outcome: of drift not of pain on dose but on time.
SLOPES = {
    ("trajectory.drift", "dose"): Scale("mean slope of dose", 2, "MME/day per year"),
    ("trajectory.drift", "pain"): Scale("mean slope of pain", 2, "points per year"),
}
# Units of what is measured of pain beside its intensity
MEASURES = {
    "widespread_pain_index": "sites, 0–19", "body_sites": "sites", "pressure_pain_threshold_kpa": "kPa",
    "cold_pressor_tolerance_s": "seconds",
}  # fmt: skip
MEASURE_NAMES = {
    "pressure_pain_threshold_kpa": "pressure pain threshold", "cold_pressor_tolerance_s": "cold pressor tolerance",
}  # fmt: skip


def scale_of(row: Row, step_mme: float) -> Scale:
    """How the estimate of a row is printed."""
    own = SLOPES.get((row["analysis"], row["outcome"])) if row["scale"] == "slope" else None
    if row["analysis"] in ("hyperalgesia.spread", "hyperalgesia.threshold"):
        own = Scale(f"mean difference in {outcome_words(row['outcome'])}", 2, MEASURES.get(row["outcome"], ""))
    return own or scales(step_mme)[row["scale"]]


def present(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def hidden_by_disclosure(row: Row) -> bool:
    """Whether an estimate is withheld for the people behind it, as its gate says, and not for want of data."""
    return str(row["gate"]).startswith(f"not evaluable: {WITHHELD}")


def has_interval(row: Row) -> bool:
    """Whether an estimate can be drawn: with both its limits."""
    return all(present(row[name]) for name in ("estimate", "ci_low", "ci_high"))


def number(value: float | None, digits: int = 0) -> str:
    """A number as printed: thousands separated, a true minus sign, a dash where there is none."""
    if not present(value):
        return MISSING
    text = f"{value:,.{digits}f}"
    if text.lstrip("-").strip("0.,") == "":
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def interval(row: Row, scale: Scale) -> str:
    """``estimate (low to high)``: the estimate with its 95 % confidence interval, on the scale people read."""
    if not present(row["estimate"]):
        return MISSING
    point, low, high = (printed(row[name], scale) for name in ("estimate", "ci_low", "ci_high"))
    if low == MISSING and high == MISSING:
        return point
    return f"{point} ({low} to {high})"


def printed(value: float | None, scale: Scale) -> str:
    if value is None or not present(value):
        return MISSING
    return number(math.exp(value) if scale.exp else value * scale.factor, scale.digits)


def person_years(value: float | None) -> str:
    return number(value, 1 if present(value) and value is not None and value < 10 else 0)


def percent(value: float | None, digits: int = 1) -> str:
    return MISSING if value is None or not present(value) else f"{number(100 * value, digits)} %"


def counts(row: Row, names: Sequence[str], threshold: int) -> dict[str, str]:
    """The counts of one released row; a hidden one reads ``<11`` if small, ``withheld`` if it protects another."""

    def hidden(name: str) -> str:
        if threshold <= 1:
            return MISSING
        return WITHHELD if row.get("suppressed") == 2 or name in NOT_OF_PEOPLE else f"<{threshold}"

    return {name: number(row[name]) if present(row[name]) else hidden(name) for name in names}


def listed(items: Sequence[str], last: str = "and") -> str:
    """``a, b and c``."""
    items = list(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""


def plain(name: str) -> str:
    """A column's or category's name as words."""
    return name.replace("_", " ")


def outcome_words(outcome: str) -> str:
    """An outcome as words; what was measured without its unit."""
    return MEASURE_NAMES.get(outcome, plain(outcome))


def days_words(window: str) -> str:
    """``31 to 90``; days before the event have a true minus sign: ``−60 to −31``."""
    found = re.fullmatch(r"(-?\d+)-(-?\d+)", window)
    return " to ".join(found.groups()).replace("-", MINUS) if found else window


def plural(count: int, one: str, many: str = "") -> str:
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


METHODS: dict[str, str] = {
    "crude": "crude",
    "adjusted": "adjusted for age and sex",
    "adjusted_full": "adjusted for all baseline covariates",
    "adjusted_full_complete_case": "adjusted for all, complete cases only",
    "overlap": "overlap weights",
    "overlap_as_treated": "overlap weights, as treated",
    "overlap_complete_case": "overlap weights, complete cases only",
    "iptw": "inverse probability weights",
    "iptw_as_treated": "inverse probability weights, as treated",
    "iptw_complete_case": "inverse probability weights, complete cases only",
    "att": "weights to the treated",
    "att_as_treated": "weights to the treated, as treated",
    "att_complete_case": "weights to the treated, complete cases only",
    "match": "matching",
    "match_as_treated": "matching, as treated",
    "match_complete_case": "matching, complete cases only",
    "ipw": "cloned, censored and weighted",
    "ever_vs_never": "ever against never users",
    "standardised": "directly standardised for age and sex",
    "indirect": "observed over expected",
    "excess": "observed less expected",
    "calibrated": "calibrated by negative controls",
    "e_value": "E-value",
    "imputed": "missing covariates imputed",
    "regression": "history-adjusted regression",
    "two_stage": "two-stage growth model",
    "aalen_johansen": "Aalen–Johansen",
    "multinomial": "multinomial regression",
    "multinomial_complete_case": "multinomial regression, complete cases only",
    "logistic_complete_case": "logistic regression, complete cases only",
    "logistic": "logistic regression",
    "aipw": "AIPW",
    "aipw_noise_corrected": "AIPW, error of scores taken out",
    "per_protocol": "per protocol, AIPW",
    "survivor_bound_low": "lower bound among survivors of either arm",
    "survivor_bound_high": "upper bound among survivors of either arm",
    "g_estimation": "g-estimation",
    "fixed_effects": "fixed effects of person and month",
    "fixed_effects_lagged": "fixed effects and the last score",
    "pre_post": "after less before, in the escalated",
    "gee_intensity_weighted": "GEE, visits weighted by inverse intensity",
    "mixed": "linear mixed model",
}

# What stands beside the AIPW of the pain trials
PAIN_METHODS = {"ipw": "inverse probability weights alone", "regression": "outcome regression alone"}

ANALYSES: dict[str, str] = {
    "mortality.rate": "Death rates",
    "mortality.current_use": "Mortality by current use (descriptive)",
    "mortality.baseline_use": "Mortality by use at baseline (descriptive)",
    "mortality.new_user": "Mortality of new users (primary)",
    "mortality.msm": "Mortality, marginal structural model (secondary)",
    "mortality.sustained": "Mortality under sustained strategies (secondary)",
    "mortality.cause": "Excess deaths by cause (exploratory)",
    "mortality.overdose_share": "Share of excess deaths by cause (exploratory)",
    "mortality.smr": "Mortality against the general population",
    "mortality.stopping": "Mortality after stopping (exploratory)",
    "mortality.negative_control": "Negative controls",
    "mortality.e_value": "E-values of mortality ratios",
    "addiction.dose": "Opioid use disorder by dose (exploratory)",
    "addiction.duration": "Opioid use disorder by duration of use (exploratory)",
    "trajectory.drift": "Drift of dose and of pain (descriptive)",
    "trajectory.taper": "What follows a taper (descriptive)",
    "trajectory.predictors": "What goes with the course of dose and with long-term use (associations)",
    "hyperalgesia.escalation": "Pain after a dose escalation (primary)",
    "hyperalgesia.verdict": "Long lag less short lag, for the verdict (primary)",
    "hyperalgesia.blip": "Effect of one dose step by months since (confirmatory)",
    "hyperalgesia.reduction": "Pain after a dose reduction",
    "hyperalgesia.spread": "Spread of pain after a dose escalation",
    "hyperalgesia.threshold": "Pain thresholds after a dose escalation",
    "hyperalgesia.baseline_excess": "Pain above the pain before opioids",
    "hyperalgesia.modifier": "In whom escalation does what (exploratory)",
    "hyperalgesia.naive": "Naive answers about pain and dose (wrong by design)",
    "hyperalgesia.within_person": "People against themselves (wrong by design)",
    "hyperalgesia.event_study": "Event study of escalation (wrong by design)",
    "pain.new_user": "Pain a year after starting (exploratory)",
    "pain.after_stopping": "Pain after stopping (descriptive)",
    "pain.therapy_interaction": "Other therapies on and off opioids (exploratory)",
}


@dataclass(frozen=True)
class Compared:
    """How the two groups are told: heads of columns, and phrases for sentences."""

    heads: tuple[str, str]
    question: str
    both: str
    against: str
    exposed: str


FOLLOWED = Compared(
    ("On opioids", "Off opioids"), "do people die sooner while they take opioids than while they do not",
    "on and off opioids", "on against off", "on opioids",
)  # fmt: skip
INTERVIEWED = Compared(
    ("Users at baseline", "Non-users"),
    "do people who report using opioids at an interview die sooner than people who report using none",
    "among users and non-users at baseline", "users against non-users", "among users at baseline",
)  # fmt: skip


def compared(exposures: Collection[str]) -> Compared:
    """The groups of a study in words, by how its cohorts know exposure (``time_varying``, ``baseline``, ``none``)."""
    if "baseline" not in exposures:
        return FOLLOWED
    if "time_varying" not in exposures:
        return INTERVIEWED
    return Compared(
        ("On opioids (or users at baseline)", "Off opioids (or non-users)"),
        f"{FOLLOWED.question} (where use is known at one interview only: {INTERVIEWED.question})",
        *(f"{getattr(FOLLOWED, name)} (or {getattr(INTERVIEWED, name)})" for name in ("both", "against", "exposed")),
    )


def weighted(row: Row) -> bool:
    """Whether an estimate is weighted to a sampled population, as its population says."""
    return re.search(r"\bweighted\b", row["population"]) is not None


def method_words(method: str, analysis: str = "") -> str:
    """A method in words; ``analysis`` where the same name is of something else in the pain trials."""
    if analysis.startswith("hyperalgesia.") and method in PAIN_METHODS:
        return PAIN_METHODS[method]
    base, _, lag = method.partition("_lag_")
    return METHODS.get(base, plain(base)) + (f", lagged by {lag} days" if lag else "")


def analysis_words(analysis: str) -> str:
    return ANALYSES.get(analysis, analysis)
