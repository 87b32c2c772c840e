"""Made-up rows of the pain analyses, plausible in every number, for tests of the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate, frame
from opioid_outcomes.hyperalgesia import verdict

WINDOWS = ((1, 30), (31, 90), (91, 180), (181, 365))
EFFECTS = (-0.35, 0.02, 0.31, 0.62)
STABLE = "stable long-term opioid therapy (ATT)"
Rows = list[Estimate]


def row(value: float, half: float, **told: Any) -> Estimate:
    common: dict[str, Any] = {
        "population": STABLE, "outcome": "pain", "contrast": "escalate vs maintain", "scale": "mean_difference",
        "persons": 1450, "events": 610, "method": "aipw",
    }  # fmt: skip
    numbers = {"estimate": value, "ci_low": value - half, "ci_high": value + half, "se": half / 1.96}
    return Estimate(**(common | numbers | told))


def labels() -> list[str]:
    return [f"{first}-{last}" for first, last in WINDOWS]


def escalations() -> Rows:
    note = "mean change since the visit -0.41 escalated, -0.73 maintained"
    shifts = {"aipw": 0.0, "aipw_noise_corrected": -0.1, "ipw": 0.03, "regression": -0.02, "per_protocol": 0.05}
    found: Rows = []
    for method, shift in shifts.items():
        for window, effect in zip(labels(), EFFECTS, strict=True):
            told = {"analysis": "hyperalgesia.escalation", "method": method, "window": window}
            found.append(row(effect + shift, 0.18, note=note if method == "aipw" else "", **told))
            found.append(row(1.1 * (effect + shift), 0.2, scale="mean_difference_per_step", **told))
        if method.startswith("aipw"):
            found.append(
                row(
                    1.18, 0.25, analysis="hyperalgesia.verdict", method=method, scale="mean_difference_per_step",
                    contrast="long lag minus short lag",
                )
            )  # fmt: skip
    for window in labels():
        told = {"analysis": "hyperalgesia.escalation", "window": window}
        found.append(
            row(-0.03, 0.03, outcome="alive with 30 % less pain", **told | {"scale": "risk_difference"})
        )  # fmt: skip
    return found


def blips() -> Rows:
    told = {
        "analysis": "hyperalgesia.blip", "method": "g_estimation", "contrast": "per +20 MME",
        "scale": "mean_difference_per_step",
    }  # fmt: skip
    lags = ["1-44", *(f"{30 * lag - 15}-{30 * lag + 14}" for lag in range(2, 13))]
    return [
        *(row(-0.6 + 0.11 * lag, 0.3, window=window, **told) for lag, window in enumerate(lags, start=1)),
        *(row(effect, 0.2, window=window, **told) for window, effect in zip(labels(), EFFECTS, strict=True)),
    ]


def corroborating() -> Rows:
    policy = "dose lowered after a policy or formulary change (ATT)"
    reduced = {"analysis": "hyperalgesia.reduction", "contrast": "reduce vs maintain", "window": "181-365"}
    spread = {"analysis": "hyperalgesia.spread", "outcome": "widespread_pain_index", "window": "181-365"}
    starters = "new users and matched non users (ATT)"
    modifier = {"analysis": "hyperalgesia.modifier", "window": "181-365", "scale": "mean_difference_per_step"}
    return [
        row(-0.3, 0.25, **reduced),
        row(-0.4, 0.5, **reduced | {"population": policy}),
        row(0.8, 0.6, **spread),
        row(
            0.2, 0.3, analysis="hyperalgesia.baseline_excess", method="match", population=starters,
            outcome="pain above pain before", contrast="new user vs non user", window="181-365",
        ),
        *(
            row(value, 0.4, contrast=f"fibromyalgia: {group}", **modifier)
            for value, group in ((1.0, "with"), (0.7, "without"), (0.3, "with minus without"))
        ),
    ]  # fmt: skip


def wrong() -> Rows:
    gate = "fail: by design: people escalate because it hurts"
    naive = {"analysis": "hyperalgesia.naive", "method": "crude", "gate": gate}
    slope = {"scale": "slope", "contrast": "per 20 MME/day", "window": "", "population": "all scores in follow-up"}
    within = {"analysis": "hyperalgesia.within_person", "gate": gate}
    events = {
        "analysis": "hyperalgesia.event_study", "method": "fixed_effects", "gate": gate,
        "contrast": "escalate vs not yet",
    }  # fmt: skip
    starts = [*range(-180, -30, 30), *range(0, 180, 30)]
    return [
        row(0.58, 0.07, **naive | slope),
        *(row(0.9, 0.1, window=window, **naive) for window in labels()),
        row(-0.08, 0.04, method="fixed_effects", **within | slope),
        row(-0.04, 0.04, method="fixed_effects_lagged", **within | slope),
        *(row(-0.6, 0.1, method="pre_post", window=window, **within) for window in labels()),
        *(row(0.002 * start, 0.2, window=f"{start}-{start + 29}", **events) for start in starts),
    ]


def others() -> Rows:
    stopped = {
        "analysis": "pain.after_stopping", "population": "stopped long-term opioid therapy", "window": "91-180",
        "contrast": "stopped 91-180 days ago vs last months on",
    }  # fmt: skip
    return [
        row(0.1, 0.3, analysis="pain.new_user", contrast="new user vs non user", window="301-425"),
        row(-0.1, 0.2, method="gee_intensity_weighted", **stopped),
        row(-0.15, 0.2, method="mixed", **stopped),
        row(0.4, 0.5, analysis="pain.therapy_interaction", contrast="exercise: on minus off opioids", window="1-90"),
    ]


def estimates(cohort: str) -> pl.DataFrame:
    rows = [*escalations(), *blips(), *corroborating(), *wrong(), *others()]
    return frame(rows, study="demo", cohort=cohort)


def displays() -> dict[str, list[dict[str, Any]]]:
    """Of the clinic; without the cohort's name."""
    return {
        "escalation_diagnostics": [
            {
                "window": window, "arm": arm, "persons": people, "deaths": 20, "ess": 0.8 * people, "observed": 0.8,
                "change": change, "mme": mme, "largest_smd": 0.03, "dead": 0.01, "suppressed": 0,
            }
            for window in labels()
            for arm, people, change, mme in (("escalate", 610, -0.41, 78.0), ("maintain", 1400, -0.73, 58.0))
        ],
        "noise_tipping": [
            {
                "window": window, "what": what, "persons": 1450, "estimate": value, "at_zero": zero,
                "limit_at_zero": limit, "suppressed": 0,
            }
            for window, value in (("1-30", -0.35), ("181-365", 0.62))
            for what, zero, limit in (("error_sd", None, 1.4), ("flare", 1.9, 1.2))
        ],
    }  # fmt: skip


def judged(released: pl.DataFrame, cohorts: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: verdict.judge(
            released.filter(pl.col("cohort") == name), WINDOWS, smallest_effect=0.5, calibrated=name == "clinic"
        ).record()
        | {"noise": {"note": "SD 1.00, declared; reliability 0.79 at the eligible visits"}}
        for name in cohorts
    }


def calibration() -> pl.DataFrame:
    right = {
        "null": "no_effect", "relief": "sustained_relief", "tolerance": "tolerance", "hyperalgesia": "hyperalgesia",
        "noisy_null": "no_effect", "informative_visits": "no_effect",
    }  # fmt: skip
    return pl.DataFrame(
        [
            {
                "cohort": "clinic", "world": world, "persons": 1400, "replicates": 200,
                **{name: 0.9 if name == said else 0.1 * (name == "inconclusive") for name in verdict.VERDICTS},
                "bias_short": 0.01, "bias_long": -0.02, "coverage_short": 0.95, "coverage_long": 0.945,
                "bias_se_short": 0.004, "bias_se_long": 0.0123, "coverage_se_short": 0.015, "coverage_se_long": 0.016,
                "evaluable_short": 1.0, "evaluable_long": 0.93,
            }
            for world, said in right.items()
        ]
    )  # fmt: skip


def write(folder: Path, released: pl.DataFrame, cohorts: tuple[str, ...], *, empty: bool) -> dict[str, Path]:
    """The verdict and its table of error rates, as inputs of the report."""
    made = {"verdict": folder / "verdict.json", "calibration": folder / "tables" / "calibration.csv"}
    made["verdict"].write_text(json.dumps(judged(released, cohorts)))
    (calibration().clear() if empty else calibration()).write_csv(made["calibration"])
    return made
