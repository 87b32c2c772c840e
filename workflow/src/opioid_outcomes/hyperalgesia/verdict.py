"""The verdict: which of four readings the released estimates are consistent with, by the rule of ANALYSES 5.9.

All readings are of a population, never of a person. The effect is that of raising the dose, as assigned, per step of
achieved separation; the short lag is the first window, the long lag the last. The first reading whose conditions are
all met is the verdict, else it is *inconclusive*; so it is whenever the long lag cannot be told:

hyperalgesia
    long lag: 95 % lower limit above 0, and point at least the smallest effect that matters; long minus short lag:
    95 % lower limit above 0; the effect per protocol and the blip have the sign of the effect at the long lag
no_effect
    90 % limits inside the smallest effect on either side, at both lags, on pain as recorded
tolerance
    short lag: 95 % upper limit below 0; long lag: 90 % limits inside; long minus short lag: 95 % lower limit above 0
sustained_relief
    95 % upper limit below 0 at both lags

Hyperalgesia, tolerance and sustained relief must hold at both bounds of noise: on pain as recorded and corrected for
its error. Hyperalgesia is *corroborated* if pain also spreads or its threshold falls at the long lag, and pain falls at
the long lag after a reduction that a policy or formulary brought about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes.hyperalgesia import instrument

HYPERALGESIA, NO_EFFECT, TOLERANCE, RELIEF = "hyperalgesia", "no_effect", "tolerance", "sustained_relief"
READINGS = (HYPERALGESIA, NO_EFFECT, TOLERANCE, RELIEF)
INCONCLUSIVE = "inconclusive"
VERDICTS = (*READINGS, INCONCLUSIVE)
BOUNDED = (HYPERALGESIA, TOLERANCE, RELIEF)  # that have to hold with the error of scores taken out too
CORROBORATION = "corroboration"
POOLED = "pooled"
FEWEST_POOLED = 3  # cohorts (ANALYSES 5.9)
ESTIMAND = ["analysis", "method", "population", "outcome", "contrast", "window", "scale", "spec"]
# The two bounds of noise, by the method of their rows
BOUNDS = {"aipw": "pain as recorded", "aipw_noise_corrected": "corrected for noise"}
RECORDED = next(iter(BOUNDS))
PER_STEP, DIFFERENCE = "mean_difference_per_step", "mean_difference"
BY_POLICY = "dose lowered after a policy or formulary change"
NORMAL_90 = 1.645  # ANALYSES 5.9, METHODS D4: two one-sided tests at 5 %
MOST_POOLED = 512  # cohorts; above, a t quantile is a normal one


@dataclass(frozen=True)
class Number:
    """An estimate that was released, and its limits."""

    estimate: float
    low: float  # 95 %
    high: float
    low_90: float
    high_90: float


@dataclass(frozen=True)
class Condition:
    """``met`` is None where it could not be measured; ``value`` is the number the condition is about."""

    name: str
    met: bool | None
    value: float | None


@dataclass(frozen=True)
class Verdict:
    """What the estimates of one cohort, or of all, are consistent with; ``assumed``: the error of scores is a guess."""

    verdict: str
    corroborated: bool
    calibrated: bool
    conditions: tuple[Condition, ...]
    assumed: bool = False

    @property
    def consistent_with(self) -> str:
        """In words, e.g. ``consistent with hyperalgesia (uncorroborated, uncalibrated)``."""
        words = INCONCLUSIVE if self.verdict == INCONCLUSIVE else f"consistent with {self.verdict.replace('_', ' ')}"
        marks = []
        if self.verdict == HYPERALGESIA:
            marks.append("corroborated" if self.corroborated else "uncorroborated")
        if self.assumed and self.verdict in BOUNDED:
            marks.append("error of scores assumed")
        if not self.calibrated:
            marks.append("uncalibrated")
        return f"{words} ({', '.join(marks)})" if marks else words

    def record(self) -> dict[str, Any]:
        """As in ``verdict.json``."""
        return {
            "verdict": self.verdict,
            "corroborated": self.corroborated,
            "calibrated": self.calibrated,
            "consistent_with": self.consistent_with,
            "conditions": [asdict(condition) for condition in self.conditions],
        }


def judge(
    rows: pl.DataFrame, windows: Sequence[tuple[int, int]], *, smallest_effect: float, calibrated: bool
) -> Verdict:
    """The verdict on the released rows of one cohort, or on the pooled ones.

    rows: of ``estimates.csv``; those that were withheld or suppressed are not measurable. windows: of the config,
    (first, last) day; with one window only there is no lag to compare with, and nothing is concluded.
    smallest_effect: points of pain (0-10) per step. calibrated: whether operating characteristics are known for this
    cohort and config. Cost O(rows).

    The names of the conditions are ``<reading>: <what must hold>``, those of directional readings once for
    ``pain as recorded`` and once for ``corrected for noise``; a condition on 90 % limits has as value the one farther
    from 0, one on a 95 % limit that limit, one on a point or a sign the point.
    """
    labels = _labels(windows)
    found = Found(rows.filter(pl.col("spec") == "main"), labels[0], labels[-1] if len(labels) > 1 else None)
    conditions = (
        *_hyperalgesia(found, smallest_effect),
        *_no_effect(found, smallest_effect),
        *_tolerance(found, smallest_effect),
        *_relief(found),
    )
    corroboration = _corroboration(found)
    verdict = next((reading for reading in READINGS if _all_met(conditions, reading)), INCONCLUSIVE)
    if found.long(RECORDED) is None:
        verdict = INCONCLUSIVE
    spread, threshold, reduction = (condition.met is True for condition in corroboration)
    corroborated = verdict == HYPERALGESIA and (spread or threshold) and reduction
    return Verdict(verdict, corroborated, calibrated, (*conditions, *corroboration))


def poolable(rows: pl.DataFrame, windows: Sequence[tuple[int, int]]) -> pl.DataFrame:
    """The pooled rows that rest on three cohorts or more; none unless the effect at long lag does.

    rows: of ``estimates.csv``, all cohorts. Fewer cohorts say nothing of how effects vary between them.
    """
    told = rows.filter(pl.col("gate") == "pass", pl.col("estimate").is_finite(), pl.col("se") > 0)
    told = told.with_columns(pl.col("window").fill_null(""), scale_of_pain=_scale_of_pain())
    same = [*ESTIMAND, "scale_of_pain"]
    behind = told.filter(pl.col("cohort") != POOLED).group_by(same).agg(cohorts=pl.col("cohort").n_unique())
    pooled = told.filter(pl.col("cohort") == POOLED).join(
        behind.filter(pl.col("cohorts") >= FEWEST_POOLED), on=same, how="semi", maintain_order="left"
    ).drop("scale_of_pain")  # fmt: skip
    labels = _labels(windows)
    long = Found(pooled.filter(pl.col("spec") == "main"), labels[0], labels[-1]).long(RECORDED)
    return pooled if long else pooled.clear()


def _scale_of_pain() -> pl.Expr:
    """Cohorts on another scale than the pooled ones are none of them."""
    return pl.col("note").str.extract(instrument.SAID).fill_null("")


def _labels(windows: Sequence[tuple[int, int]]) -> list[str]:
    return [f"{first}-{last}" for first, last in sorted(windows)]


@dataclass(frozen=True)
class Found:
    """The numbers that the conditions ask for; None where one was not released."""

    rows: pl.DataFrame
    first: str
    last: str | None  # None: there is no long lag

    def short(self, method: str) -> Number | None:
        return self._escalation(method, self.first)

    def long(self, method: str) -> Number | None:
        return self._escalation(method, self.last)

    def long_minus_short(self, method: str) -> Number | None:
        return self._one("hyperalgesia.verdict", method, "")

    def blip(self) -> Number | None:
        """The mean over the lags inside the long window."""
        return self._one("hyperalgesia.blip", "g_estimation", self.last)

    def measures(self, analysis: str) -> list[Number]:
        """One for each measure of spread or threshold at the long lag."""
        return self._numbers(analysis, RECORDED, _window(self.last) & (pl.col("scale") == DIFFERENCE))

    def reduction(self) -> Number | None:
        """In the window that ends with the long lag; it may begin elsewhere, as early withdrawal is left out."""
        if self.last is None:
            return None
        kept = (
            pl.col("window").str.ends_with(f"-{self.last.split('-')[1]}")
            & (pl.col("scale") == DIFFERENCE)
            & (pl.col("outcome") == "pain")
            & pl.col("population").str.starts_with(BY_POLICY)
        )
        return next(iter(self._numbers("hyperalgesia.reduction", RECORDED, kept)), None)

    def _escalation(self, method: str, window: str | None) -> Number | None:
        return self._one("hyperalgesia.escalation", method, window)

    def _one(self, analysis: str, method: str, window: str | None) -> Number | None:
        """The effect on pain per step."""
        kept = _window(window) & (pl.col("scale") == PER_STEP) & (pl.col("outcome") == "pain")
        return next(iter(self._numbers(analysis, method, kept)), None)

    def _numbers(self, analysis: str, method: str, kept: pl.Expr) -> list[Number]:
        told = self.rows.filter(
            pl.col("analysis") == analysis,
            pl.col("method") == method,
            pl.col("gate") == "pass",
            kept,
            *(pl.col(name).is_finite() for name in ("estimate", "ci_low", "ci_high", "se")),
        )
        return [_number(row) for row in told.iter_rows(named=True)]


def _window(label: str | None) -> pl.Expr:
    """No row is of no window; one without a name is null once it was written as CSV."""
    return pl.lit(value=False) if label is None else pl.col("window").fill_null("") == label


def _number(row: dict[str, Any]) -> Number:
    estimate, low, high, se = (float(row[name]) for name in ("estimate", "ci_low", "ci_high", "se"))
    reach = (_t_90((high - low) / (2 * se)) if row["cohort"] == POOLED and se > 0 else NORMAL_90) * se
    return Number(estimate, low, high, estimate - reach, estimate + reach)


def _t_90(quantile_95: float) -> float:
    """The two-sided 90 % quantile of the t distribution whose 95 % one is given; pooled limits are of t at cohorts - 1.

    Normal where the limits are (two cohorts, or very many).
    """
    from scipy.stats import t

    free = np.arange(1, MOST_POOLED)
    quantiles = t.ppf(0.975, free)
    if quantile_95 < quantiles[-1]:
        return NORMAL_90
    return float(t.ppf(0.95, free[np.argmin(np.abs(quantiles - quantile_95))]))


def _all_met(conditions: Sequence[Condition], reading: str) -> bool:
    return all(condition.met is True for condition in conditions if condition.name.startswith(f"{reading}: "))


def _hyperalgesia(found: Found, smallest_effect: float) -> list[Condition]:
    conditions = []
    for method, bound in BOUNDS.items():
        long, rise = found.long(method), found.long_minus_short(method)
        conditions += [
            _above_0(f"{HYPERALGESIA}: long lag, 95 % lower limit above 0, {bound}", long),
            _at_least(f"{HYPERALGESIA}: long lag, point at least the smallest effect, {bound}", long, smallest_effect),
            _above_0(f"{HYPERALGESIA}: long minus short lag, 95 % lower limit above 0, {bound}", rise),
        ]
    long = found.long(RECORDED)
    per_protocol = found.long("per_protocol")
    return [
        *conditions,
        _same_sign(f"{HYPERALGESIA}: per protocol, the sign of the effect at the long lag", per_protocol, long),
        _same_sign(f"{HYPERALGESIA}: blip, the sign of the effect at the long lag", found.blip(), long),
    ]


def _no_effect(found: Found, smallest_effect: float) -> list[Condition]:
    name = "90 % limits inside the smallest effect, pain as recorded"
    return [
        _inside(f"{NO_EFFECT}: short lag, {name}", found.short(RECORDED), smallest_effect),
        _inside(f"{NO_EFFECT}: long lag, {name}", found.long(RECORDED), smallest_effect),
    ]


def _tolerance(found: Found, smallest_effect: float) -> list[Condition]:
    conditions = []
    for method, bound in BOUNDS.items():
        rise = found.long_minus_short(method)
        inside = f"{TOLERANCE}: long lag, 90 % limits inside the smallest effect, {bound}"
        conditions += [
            _below_0(f"{TOLERANCE}: short lag, 95 % upper limit below 0, {bound}", found.short(method)),
            _inside(inside, found.long(method), smallest_effect),
            _above_0(f"{TOLERANCE}: long minus short lag, 95 % lower limit above 0, {bound}", rise),
        ]
    return conditions


def _relief(found: Found) -> list[Condition]:
    conditions = []
    for method, bound in BOUNDS.items():
        conditions += [
            _below_0(f"{RELIEF}: short lag, 95 % upper limit below 0, {bound}", found.short(method)),
            _below_0(f"{RELIEF}: long lag, 95 % upper limit below 0, {bound}", found.long(method)),
        ]
    return conditions


def _corroboration(found: Found) -> tuple[Condition, Condition, Condition]:
    """Spread, threshold, reduction. Of several measures the one that speaks most clearly for it counts."""
    spread = max(found.measures("hyperalgesia.spread"), key=lambda number: number.low, default=None)
    threshold = min(found.measures("hyperalgesia.threshold"), key=lambda number: number.high, default=None)
    return (
        _above_0(f"{CORROBORATION}: spread of pain at the long lag, 95 % lower limit above 0", spread),
        _below_0(f"{CORROBORATION}: pain threshold at the long lag, 95 % upper limit below 0", threshold),
        _below_0(
            f"{CORROBORATION}: reduction by policy or formulary at the long lag, 95 % upper limit below 0",
            found.reduction(),
        ),
    )


def _above_0(name: str, number: Number | None) -> Condition:
    return Condition(name, None, None) if number is None else Condition(name, number.low > 0, _told(number.low))


def _below_0(name: str, number: Number | None) -> Condition:
    return Condition(name, None, None) if number is None else Condition(name, number.high < 0, _told(number.high))


def _at_least(name: str, number: Number | None, least: float) -> Condition:
    if number is None:
        return Condition(name, None, None)
    return Condition(name, number.estimate >= least, _told(number.estimate))


def _inside(name: str, number: Number | None, smallest_effect: float) -> Condition:
    if number is None:
        return Condition(name, None, None)
    met = -smallest_effect < number.low_90 and number.high_90 < smallest_effect
    return Condition(name, met, _told(max(number.low_90, number.high_90, key=abs)))


def _same_sign(name: str, number: Number | None, of: Number | None) -> Condition:
    """A number that is exactly 0 has no sign, and agrees with none."""
    if number is None or of is None:
        return Condition(name, None, None)
    return Condition(name, number.estimate * of.estimate > 0, _told(number.estimate))


def _told(value: float) -> float:
    """Figures that do not depend on the machine; no 0 with a sign."""
    return round(value, 6) + 0.0
