"""Displays of the sequential trials: balance, curves, diagnostics and missing covariates by arm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from opioid_outcomes.causal.gates import Diagnostics
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.mortality.trial_arms import Arms
from opioid_outcomes.mortality.trial_estimates import Outcomes, amounts, groups
from opioid_outcomes.survival import incidence
from opioid_outcomes.survival.kaplan_meier import log_log_limits
from opioid_outcomes.survival.risk_sets import Floats

NAMES = ("new_user_balance", "new_user_survival", "new_user_diagnostics", "missing_by_arm")
STEPS = 120  # of a curve: finer ones cost a pass over the rows each, and are seen by nobody


def shaped(name: str, columns: dict[str, object]) -> pl.DataFrame:
    """A frame with the columns and types of the display; single values stand in every row."""
    schema = DISPLAYS[name].schema
    return pl.DataFrame(columns).select(pl.col(key).cast(kind) for key, kind in schema.items())


def balance(comparator: str, arms: Arms, person: np.ndarray) -> pl.DataFrame:
    """Standardised differences, and the people of either arm behind them. person: (n,) whose index date it is."""
    ones, others = (len(np.unique(person[arms.of(arm)])) for arm in (1, 0))
    columns = arms.balance.to_dict(as_series=True)
    return shaped(
        "new_user_balance", {"comparator": comparator, "new_users": ones, "comparators": others, **columns}
    )  # fmt: skip


def missing_by_arm(comparator: str, trials: pl.DataFrame, baseline: Sequence[str]) -> pl.DataFrame:
    """How many index dates of each arm lack each baseline covariate."""
    parts = [DISPLAYS["missing_by_arm"].empty()]
    for arm, group in enumerate(groups(comparator)):
        rows = trials.filter(pl.col("arm") == arm)
        missing = [rows[name].null_count() for name in baseline]
        share = [count / rows.height for count in missing]
        gaps = [rows.filter(pl.col(name).is_null())["person_id"].n_unique() for name in baseline]
        known = [rows.filter(pl.col(name).is_not_null())["person_id"].n_unique() for name in baseline]
        parts.append(
            shaped(
                "missing_by_arm",
                {
                    "comparator": comparator, "covariate": list(baseline), "arm": group, "missing": missing,
                    "index_dates": rows.height, "share": share, "persons_missing": gaps, "persons_known": known,
                },
            )
        )  # fmt: skip
    return pl.concat(parts)


def diagnostics(
    comparator: str, outcomes: Outcomes, arms: Arms, judged: Diagnostics, *, passed: bool
) -> pl.DataFrame:  # fmt: skip
    """What the gates read, and how much each arm holds; no deaths by arm where the comparison has not passed them."""
    far, apart = judged.outside * len(outcomes.arm), (1 - judged.equipoise) * len(outcomes.arm)
    parts = []
    for arm, group in enumerate(groups(comparator)):
        rows = (outcomes.arm == arm) & (arms.final > 0)
        told = amounts(outcomes, np.inf, rows)
        parts.append(
            shaped(
                "new_user_diagnostics",
                {
                    "comparator": comparator, "arm": [group], "persons": told["persons"],
                    "index_dates": int(rows.sum()), "events": told["events"] if passed else None,
                    "person_years": told["person_years"],
                    "ess": judged.ess[arm], "outside": judged.outside, "equipoise": judged.equipoise,
                    "mdrr": float(f"{judged.mdrr:.2g}") if np.isfinite(judged.mdrr) else None,
                    "largest_smd": judged.max_smd, "persons_outside": _people_with(far, outcomes),
                    "persons_apart": _people_with(apart, outcomes),
                },
            )
        )  # fmt: skip
    return pl.concat(parts)


def _people_with(index_dates: float, outcomes: Outcomes) -> int:
    """The fewest people who may have so many index dates, as by all people's mean; a share is judged by them."""
    each = len(outcomes.arm) / max(len(np.unique(outcomes.person)), 1)
    return int(np.ceil(round(index_dates / each, 6)))


def survival(comparator: str, outcomes: Outcomes, weights: Floats, horizons: Sequence[int]) -> pl.DataFrame:
    """Weighted survival by arm on some 120 days and the horizons, as far as anybody is followed.

    Counts are of people, as an index date is no person: they leave with the last of their index dates, or die when
    their death first counts. Limits on the log-log scale, from the infinitesimal jackknife by person.
    """
    parts = [DISPLAYS["new_user_survival"].empty()]
    for arm, group in enumerate(groups(comparator)):
        rows = (outcomes.arm == arm) & (weights > 0)
        time, died = outcomes.until(max(horizons))
        time, died, person = time[rows], died[rows], outcomes.person[rows]
        curve = incidence.fit(
            0.0, time, died.astype(int), causes=1, weights=weights[rows], cluster=outcomes.unit[rows]
        )  # fmt: skip
        last, longest = float(time.max()), max(horizons)
        days = np.union1d(np.arange(0, longest + 1, -(-longest // STEPS)), list(horizons)).astype(float)
        days = days[days <= last]
        alive = curve.survival_at(days)
        error = curve.survival_se_at(days)
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = log_log_limits(alive, (error / alive) ** 2)
        columns: dict[str, object] = {
            "comparator": comparator, "arm": group, "day": days, **_people(person, time, died, days),
            "survival": alive, "ci_low": low, "ci_high": high, "weighted": 1.0,
        }  # fmt: skip
        parts.append(shaped("new_user_survival", columns).fill_nan(None))
    return pl.concat(parts)


def _people(person: np.ndarray, time: Floats, died: np.ndarray, days: Floats) -> dict[str, np.ndarray]:
    """Cumulative counts of people up to the end of each day."""
    _, code = np.unique(person, return_inverse=True)
    count = int(code.max()) + 1
    last, first_death = np.zeros(count), np.full(count, np.inf)
    np.maximum.at(last, code, time)
    np.minimum.at(first_death, code[died], time[died])
    dead = np.isfinite(first_death)
    events = np.searchsorted(np.sort(first_death[dead]), days, side="right")
    left = np.searchsorted(np.sort(last[~dead]), days, side="right")
    entered = np.full(len(days), count)
    return {"at_risk": entered - events - left, "entered": entered, "events": events, "left": left}
