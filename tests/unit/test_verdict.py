"""The verdict on released rows: every reading, every boundary, and what is not measurable (ANALYSES 5.9)."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import verdict

WINDOWS = [(1, 30), (31, 90), (91, 180), (181, 365)]
SHORT, LONG = "1-30", "181-365"
AT_VISITS = "stable long-term opioid therapy (ATT)"
BY_POLICY = "dose lowered after a policy or formulary change (ATT)"
Z = 1.959963984540054


def row(analysis: str, method: str, window: str, estimate: float, se: float, **changed: Any) -> Estimate:
    """A row with normal limits."""
    numbers = {"estimate": estimate, "se": se, "ci_low": estimate - Z * se, "ci_high": estimate + Z * se}
    words = {
        "population": AT_VISITS,
        "outcome": "pain",
        "contrast": "escalate vs maintain",
        "scale": "mean_difference_per_step",
    }
    return Estimate(analysis=analysis, method=method, window=window, **(words | numbers | changed))


def escalation(short: float, long: float, *, se: float = 0.05, noise: float = 0.0) -> list[Estimate]:
    """A cohort's rows: correction for noise takes ``noise`` off the short lag and half of it off the long one."""
    rows = []
    for method, less in (("aipw", 0.0), ("aipw_noise_corrected", noise)):
        rise = long - short + less / 2
        rows += [
            row("hyperalgesia.escalation", method, SHORT, short - less, se),
            row("hyperalgesia.escalation", method, LONG, long - less / 2, se),
            row("hyperalgesia.verdict", method, "", rise, se, contrast="long lag minus short lag"),
        ]
    return [
        *rows,
        row("hyperalgesia.escalation", "per_protocol", LONG, long, 2 * se),
        row("hyperalgesia.blip", "g_estimation", LONG, long, 2 * se, contrast="per +20 MME"),
    ]


def corroborating(spread: float = 1.0, threshold: float = -5.0, reduction: float = -0.4) -> list[Estimate]:
    points = {"scale": "mean_difference"}
    return [
        row("hyperalgesia.spread", "aipw", LONG, spread, 0.1, outcome="body_sites", **points),
        row("hyperalgesia.threshold", "aipw", LONG, threshold, 1.0, outcome="pressure_pain_threshold_kpa", **points),
        row(
            "hyperalgesia.reduction", "aipw", LONG, reduction, 0.1, population=BY_POLICY, contrast="reduce vs maintain",
            **points,
        ),
    ]  # fmt: skip


def frame(rows: list[Estimate], cohort: str = "one") -> pl.DataFrame:
    return estimates.frame(rows, study="s", cohort=cohort)


def judged(rows: list[Estimate] | pl.DataFrame, **options: Any) -> verdict.Verdict:
    given = rows if isinstance(rows, pl.DataFrame) else frame(rows)
    return verdict.judge(given, WINDOWS, **({"smallest_effect": 0.5, "calibrated": True} | options))


def without(rows: list[Estimate], **which: str) -> list[Estimate]:
    kept = [each for each in rows if any(getattr(each, name) != value for name, value in which.items())]
    assert len(kept) < len(rows)
    return kept


def met(found: verdict.Verdict, name: str) -> bool | None:
    [condition] = [condition for condition in found.conditions if condition.name == name]
    return condition.met


@pytest.mark.parametrize(
    ("short", "long", "expected"),
    [
        (-0.2, 1.0, "hyperalgesia"),
        (0.3, 1.0, "hyperalgesia"),
        (0.0, 0.0, "no_effect"),
        (-0.3, 0.3, "no_effect"),
        (-1.0, 0.0, "tolerance"),
        (-1.0, -1.0, "sustained_relief"),
        (-1.2, -0.6, "sustained_relief"),
        (1.0, 1.0, "inconclusive"),  # no rise from short to long lag
        (1.0, 0.2, "inconclusive"),  # fades as noise does
        (0.0, 0.45, "inconclusive"),  # too small, and not inside
        (0.6, 0.0, "inconclusive"),
    ],
)
def test_each_reading(short: float, long: float, expected: str) -> None:
    assert judged(escalation(short, long)).verdict == expected


def test_a_tight_harmless_fall_is_no_effect_before_it_is_relief() -> None:
    """The first that matches: -0.2 +/- 0.02 lies inside the smallest effect, and below 0 too."""
    assert judged(escalation(-0.2, -0.2, se=0.01)).verdict == "no_effect"


def test_point_exactly_the_smallest_effect_counts_and_a_hair_less_does_not() -> None:
    assert judged(escalation(0.0, 0.5)).verdict == "hyperalgesia"
    assert judged(escalation(0.0, math.nextafter(0.5, 0))).verdict == "inconclusive"
    assert judged(escalation(0.0, 0.5), smallest_effect=0.55).verdict == "inconclusive"


@pytest.mark.parametrize("method", ["aipw", "aipw_noise_corrected"])
def test_a_limit_of_exactly_0_is_neither_above_nor_below(method: str) -> None:
    kept = without(escalation(-0.2, 1.0), analysis="hyperalgesia.verdict", method=method)
    at_0 = row("hyperalgesia.verdict", method, "", 1.2, 0.6, ci_low=0.0, ci_high=2.4)
    assert judged([*kept, at_0]).verdict == "inconclusive"
    kept = without(escalation(-1.0, -1.0), window=SHORT, method=method)
    at_0 = row("hyperalgesia.escalation", method, SHORT, -1.0, 0.5, ci_low=-2.0, ci_high=0.0)
    assert judged([*kept, at_0]).verdict == "inconclusive"


def test_a_90_percent_limit_of_exactly_the_smallest_effect_is_not_inside() -> None:
    se = 2.0**-4
    edge = 1.645 * se + 0.25
    assert judged(escalation(0.0, 0.25, se=se), smallest_effect=edge).verdict == "inconclusive"
    assert judged(escalation(0.0, 0.25, se=se), smallest_effect=math.nextafter(edge, 1)).verdict == "no_effect"


def test_a_directional_verdict_must_hold_at_both_bounds_of_noise() -> None:
    """Corrected for noise the short lag is 0.3 lower and the long 0.15: a finding of 0.6 is below 0.5 then."""
    assert judged(escalation(0.0, 0.6)).verdict == "hyperalgesia"
    found = judged(escalation(0.0, 0.6, noise=0.3))
    assert found.verdict == "inconclusive"
    assert met(found, "hyperalgesia: long lag, point at least the smallest effect, pain as recorded") is True
    assert met(found, "hyperalgesia: long lag, point at least the smallest effect, corrected for noise") is False
    # bounds that contradict each other: relief on corrected pain only
    assert judged(escalation(-0.05, -0.05, se=0.2, noise=1.5)).verdict == "no_effect"
    assert judged(escalation(-0.05, -0.05, se=0.4, noise=3.0)).verdict == "inconclusive"


def test_no_effect_is_read_on_pain_as_recorded() -> None:
    rows = [each for each in escalation(0.0, 0.0) if each.method != "aipw_noise_corrected"]
    assert judged(rows).verdict == "no_effect"


@pytest.mark.parametrize(
    "missing",
    [
        {"method": "aipw", "window": LONG, "analysis": "hyperalgesia.escalation"},
        {"method": "aipw_noise_corrected", "window": LONG},
        {"method": "aipw", "analysis": "hyperalgesia.verdict"},
        {"method": "aipw_noise_corrected", "analysis": "hyperalgesia.verdict"},
        {"method": "per_protocol"},
        {"method": "g_estimation"},
    ],
)
def test_hyperalgesia_needs_every_row_measured(missing: dict[str, str]) -> None:
    found = judged(without(escalation(-0.2, 1.0), **missing))
    assert found.verdict == "inconclusive"
    own = [condition for condition in found.conditions if condition.name.startswith("hyperalgesia: ")]
    unmet = [condition for condition in own if condition.met is not True]
    assert unmet
    assert all(condition.met is None and condition.value is None for condition in unmet)


@pytest.mark.parametrize(
    ("method", "analysis"), [("per_protocol", "hyperalgesia.escalation"), ("g_estimation", "hyperalgesia.blip")]
)
@pytest.mark.parametrize("other", [-0.1, 0.0])
def test_hyperalgesia_needs_the_sign_of_the_other_estimators(method: str, analysis: str, other: float) -> None:
    kept = without(escalation(-0.2, 1.0), method=method)
    assert judged([*kept, row(analysis, method, LONG, other, 0.2)]).verdict == "inconclusive"
    assert judged([*kept, row(analysis, method, LONG, 0.1, 0.2)]).verdict == "hyperalgesia"


@pytest.mark.parametrize("gate", ["not evaluable: withheld, as few people are behind it", "fail: by design: naive"])
def test_withheld_and_suppressed_rows_are_not_measurable(gate: str) -> None:
    told = frame(escalation(-1.0, -1.0))
    hidden = (pl.col("method") == "aipw") & (pl.col("window") == LONG)
    withheld = told.with_columns(pl.when(hidden).then(pl.lit(gate)).otherwise("gate").alias("gate"))
    found = judged(withheld)
    assert found.verdict == "inconclusive"
    assert met(found, "sustained_relief: long lag, 95 % upper limit below 0, pain as recorded") is None
    blank = told.with_columns(pl.when(~hidden).then("ci_high").alias("ci_high"))
    assert judged(blank).verdict == "inconclusive"
    assert judged(told).verdict == "sustained_relief"


def test_sensitivity_specifications_and_other_windows_have_no_say() -> None:
    others = frame(escalation(-1.0, -1.0)).with_columns(spec=pl.lit("wide"))
    between = frame([row("hyperalgesia.escalation", "aipw", "31-90", 5.0, 0.1)])
    per_event = frame([row("hyperalgesia.escalation", "aipw", LONG, 5.0, 0.1, scale="mean_difference")])
    assert judged(pl.concat([others, between, per_event, frame(escalation(0.0, 0.0))])).verdict == "no_effect"


def test_without_rows_or_with_one_window_nothing_is_concluded_and_everything_is_listed() -> None:
    nothing = judged([])
    assert nothing.verdict == "inconclusive"
    assert {condition.met for condition in nothing.conditions} == {None}
    whole = judged([*escalation(-1.0, -1.0), *corroborating()])
    assert [condition.name for condition in nothing.conditions] == [condition.name for condition in whole.conditions]
    assert len({condition.name for condition in whole.conditions}) == len(whole.conditions) == 23
    one = verdict.judge(frame(escalation(-1.0, -1.0)), [(1, 30)], smallest_effect=0.5, calibrated=True)
    assert one.verdict == "inconclusive"


def test_windows_are_ordered_by_their_days() -> None:
    found = verdict.judge(frame(escalation(-1.0, 0.0)), WINDOWS[::-1], smallest_effect=0.5, calibrated=True)
    assert found.verdict == "tolerance"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"spread": 0.1}, True),  # the threshold still falls
        ({"threshold": 1.0}, True),
        ({"spread": 0.1, "threshold": 1.0}, False),
        ({"reduction": -0.1}, False),
        ({"reduction": 0.4}, False),
    ],
)
def test_corroboration_by_spread_or_threshold_and_a_reduction_by_policy(
    changed: dict[str, float], expected: bool
) -> None:
    found = judged([*escalation(-0.2, 1.0), *corroborating(**changed)])
    assert found.verdict == "hyperalgesia"
    assert found.corroborated is expected
    assert ("uncorroborated" in found.consistent_with) is not expected


def test_what_was_not_measured_does_not_corroborate() -> None:
    rows = [*escalation(-0.2, 1.0), *corroborating()]
    found = judged(without(rows, analysis="hyperalgesia.reduction"))
    assert (found.verdict, found.corroborated) == ("hyperalgesia", False)
    assert found.conditions[-1].met is None
    by_pain = row(
        "hyperalgesia.reduction", "aipw", LONG, -0.9, 0.1, scale="mean_difference", contrast="reduce vs maintain"
    )
    mimicked = judged([*without(rows, analysis="hyperalgesia.reduction"), by_pain])
    assert mimicked.corroborated is False  # any reduction, pain-driven too, is no corroboration


def test_the_reductions_window_ends_with_the_long_lag_wherever_it_begins() -> None:
    """Windows from day 1 and from day 20: the reduction's begins on day 29."""
    windows = [(1, 19), (20, 365)]
    rows = frame([*escalation(-0.2, 1.0), *corroborating()]).with_columns(
        pl.col("window").replace({SHORT: "1-19", LONG: "20-365"})
    )
    moved = rows.with_columns(
        window=pl.when(pl.col("analysis") == "hyperalgesia.reduction").then(pl.lit("29-365")).otherwise("window")
    )
    assert verdict.judge(moved, windows, smallest_effect=0.5, calibrated=True).corroborated is True
    early = moved.with_columns(pl.col("window").replace({"29-365": "29-180"}))
    assert verdict.judge(early, windows, smallest_effect=0.5, calibrated=True).corroborated is False


def test_of_several_measures_of_spread_one_is_enough() -> None:
    points = {"scale": "mean_difference", "outcome": "widespread_pain_index"}
    flat = row("hyperalgesia.spread", "aipw", LONG, 0.0, 0.3, **points)
    assert judged([*escalation(-0.2, 1.0), flat, *corroborating(threshold=1.0)]).corroborated is True


def test_only_hyperalgesia_is_corroborated() -> None:
    assert judged([*escalation(0.0, 0.0), *corroborating()]).corroborated is False


def test_words() -> None:
    assert judged(escalation(-0.2, 1.0)).consistent_with == "consistent with hyperalgesia (uncorroborated)"
    words = judged([*escalation(-0.2, 1.0), *corroborating()], calibrated=False).consistent_with
    assert words == "consistent with hyperalgesia (corroborated, uncalibrated)"
    assert judged(escalation(-1.0, -1.0)).consistent_with == "consistent with sustained relief"
    assert judged(escalation(0.0, 0.0), calibrated=False).consistent_with == "consistent with no effect (uncalibrated)"
    assert judged([]).consistent_with == "inconclusive"


class TestHayes2020:
    """Pain 161:979: escalators stay (4.64 to 4.68 to 4.53), maintainers fall (4.59 to 4.32 to 4.25).

    Differences in change +0.31 in the first 90 days and +0.23 in the next, with about 17 MME of separation and some
    19,000 pairs: far from 0, and no evidence of hyperalgesia.
    """

    def test_a_difference_that_fades_is_not_called(self) -> None:
        per_step = 20 / 17
        found = judged(escalation(0.31 * per_step, 0.23 * per_step, se=0.03))
        assert found.verdict == "no_effect"  # of a size that matters: 0.36 +/- 0.05 lies inside 0.5
        assert met(found, "hyperalgesia: long lag, 95 % lower limit above 0, pain as recorded") is True
        rise = "hyperalgesia: long minus short lag, 95 % lower limit above 0, pain as recorded"
        assert met(found, rise) is False
        # nor at a smallest effect below it: there is no rise from short to long lag
        assert judged(escalation(0.31, 0.23, se=0.03), smallest_effect=0.1).verdict == "inconclusive"

    def test_a_difference_that_noise_explains_is_not_called(self) -> None:
        """Large and rising, but gone once corrected for the error of the scores."""
        assert judged(escalation(0.31, 0.62, se=0.03)).verdict == "hyperalgesia"
        assert judged(escalation(0.31, 0.62, se=0.03, noise=1.2)).verdict == "inconclusive"

    def test_the_same_pattern_is_called_where_it_is_the_truth(self) -> None:
        """Only maintainers fall, and the difference grows to +1.0: whose line moves is no condition."""
        found = judged(escalation(0.31, 1.0, se=0.03, noise=0.1))
        assert found.verdict == "hyperalgesia"


class TestPooled:
    """Pooled limits are of t at cohorts - 1; so are the 90 % ones."""

    @staticmethod
    def rows(short: float, long: float, se: float, quantile: float) -> pl.DataFrame:
        limits = [pl.col("estimate") - quantile * pl.col("se"), pl.col("estimate") + quantile * pl.col("se")]
        return frame(escalation(short, long, se=se), "pooled").with_columns(ci_low=limits[0], ci_high=limits[1])

    def test_of_three_cohorts(self) -> None:
        """t(0.95, 2) = 2.91999: 0.2 + 2.92 x 0.1 is inside 0.5, 0.21 + 2.92 x 0.1 is not (R: qt(0.95, 2))."""
        assert judged(self.rows(0.0, 0.2, 0.1, 4.302652729911275)).verdict == "no_effect"
        found = judged(self.rows(0.0, 0.21, 0.1, 4.302652729911275))
        assert found.verdict == "inconclusive"
        [condition] = [each for each in found.conditions if each.name.startswith("no_effect: long lag")]
        assert condition.value == pytest.approx(0.21 + 0.2919985580353726, abs=1e-6)

    def test_normal_limits_stay_normal(self) -> None:
        found = judged(self.rows(0.0, 0.21, 0.1, Z))
        [condition] = [each for each in found.conditions if each.name.startswith("no_effect: long lag")]
        assert condition.value == pytest.approx(0.21 + 0.1645, abs=1e-6)
        assert found.verdict == "no_effect"


def test_an_assumed_error_of_scores_stands_beside_what_rests_on_it() -> None:
    told = [
        verdict.Verdict(reading, False, True, (), assumed=True).consistent_with
        for reading in (verdict.TOLERANCE, verdict.NO_EFFECT, verdict.INCONCLUSIVE)
    ]
    assert told == ["consistent with tolerance (error of scores assumed)", "consistent with no effect", "inconclusive"]
