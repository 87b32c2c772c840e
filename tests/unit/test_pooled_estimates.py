"""Which estimates of several cohorts are pooled, and on which scale."""

from __future__ import annotations

import math

import polars as pl
import pytest

from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.synthesis.cohorts import pooled_rows


def of(cohort: str, scale: str, estimate: float, se: float) -> pl.DataFrame:
    row = Estimate(
        analysis="mortality.new_user", method="overlap", population="p", outcome="death", contrast="a vs b",
        scale=scale, window="0-365", estimate=estimate, se=se, persons=100, events=20, person_years=90.0,
    )  # fmt: skip
    return estimates.frame([row], study="s", cohort=cohort)


def test_risk_ratios_are_pooled_as_logarithms_and_told_as_ratios() -> None:
    """Equal errors of the logarithms: the pooled ratio is the geometric mean, its error that of a mean of two."""
    both = pl.concat([of("one", "risk_ratio", 1.0, 0.2), of("two", "risk_ratio", 4.0, 0.8)])
    [row] = pooled_rows(both, "s").to_dicts()
    assert row["estimate"] == pytest.approx(2.0)
    assert row["se"] == pytest.approx(2.0 * 0.2 / math.sqrt(2))
    half = 1.959963984540054 * 0.2 / math.sqrt(2)
    assert row["ci_low"] == pytest.approx(2.0 * math.exp(-half))
    assert row["ci_high"] == pytest.approx(2.0 * math.exp(half))
    assert row["persons"] == 200


def test_differences_are_pooled_as_they_are_and_rates_and_shares_not_so() -> None:
    both = pl.concat([of("one", "risk_difference", 0.01, 0.01), of("two", "risk_difference", 0.03, 0.01)])
    assert pooled_rows(both, "s")["estimate"].item() == pytest.approx(0.02)
    for scale in ("rate_per_1000py", "share", "smr"):
        assert pooled_rows(pl.concat([of("one", scale, 1.0, 0.1), of("two", scale, 1.0, 0.1)]), "s").is_empty()


def pain(cohort: str, **changed: str) -> pl.DataFrame:
    words = {
        "analysis": "hyperalgesia.escalation", "method": "aipw", "population": "p", "outcome": "pain",
        "contrast": "escalate vs maintain", "scale": "mean_difference_per_step", "window": "181-365",
    }  # fmt: skip
    numbers = {"estimate": 0.5, "se": 0.1, "ci_low": 0.3, "ci_high": 0.7, "persons": 100, "events": 60}
    return estimates.frame([Estimate(**(words | changed), **numbers)], study="s", cohort=cohort)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"method": "aipw_noise_corrected"},
        {"method": "per_protocol"},
        {"analysis": "hyperalgesia.verdict", "contrast": "long lag minus short lag", "window": ""},
        {"analysis": "hyperalgesia.blip", "method": "g_estimation", "contrast": "per +20 MME"},
        {"analysis": "hyperalgesia.spread", "outcome": "body_sites", "scale": "mean_difference"},
        {"analysis": "hyperalgesia.threshold", "outcome": "cold_pressor_tolerance_s", "scale": "mean_difference"},
        {"analysis": "hyperalgesia.reduction", "contrast": "reduce vs maintain", "scale": "mean_difference"},
    ],
)
def test_what_the_pooled_verdict_reads_is_pooled_of_one_estimand_only(changed: dict[str, str]) -> None:
    three = [pain(cohort, **changed) for cohort in ("one", "two", "three")]
    [row] = pooled_rows(pl.concat(three), "s").to_dicts()
    assert (row["estimate"], row["persons"]) == (pytest.approx(0.5), 300)
    for other in ({"window": "1-30"}, {"contrast": "another"}, {"population": "others"}):
        assert pooled_rows(pl.concat([three[0], pain("two", **(changed | other))]), "s").is_empty()


@pytest.mark.parametrize(
    "changed",
    [
        {"analysis": "hyperalgesia.modifier", "contrast": "dose: above minus below median"},
        {"method": "survivor_bound_low"},
    ],
)
def test_medians_of_each_cohort_and_bounds_are_not_pooled(changed: dict[str, str]) -> None:
    assert pooled_rows(pl.concat([pain("one", **changed), pain("two", **changed)]), "s").is_empty()


def test_wrong_answers_are_not_pooled() -> None:
    both = pl.concat([pain("one"), pain("two")]).with_columns(gate=pl.lit("fail: by design: no history"))
    assert pooled_rows(both, "s").is_empty()
