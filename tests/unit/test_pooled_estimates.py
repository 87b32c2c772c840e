"""Which estimates of several cohorts are pooled, and on which scale."""

from __future__ import annotations

import math

import polars as pl
import pytest

from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.disclosure.estimates import released
from opioid_outcomes.disclosure.profile import PROFILES
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


def pain(cohort: str, **changed: str | float) -> pl.DataFrame:
    words = {
        "analysis": "hyperalgesia.escalation", "method": "aipw", "population": "p", "outcome": "pain",
        "contrast": "escalate vs maintain", "scale": "mean_difference_per_step", "window": "181-365",
    }  # fmt: skip
    numbers = {"estimate": 0.5, "se": 0.1, "ci_low": 0.3, "ci_high": 0.7, "persons": 100, "events": 60}
    return estimates.frame([Estimate(**(words | numbers | changed))], study="s", cohort=cohort)  # type: ignore[arg-type]


def test_pain_is_pooled_on_one_scale_that_of_most_cohorts() -> None:
    """Two cohorts on the NRS and one on another scale: two are pooled, and the note says which scale and who is out."""
    found = pl.concat([
        pain("a", instrument="NRS"), pain("b", instrument="PEG", estimate=9.0), pain("c", instrument="NRS"),
    ])  # fmt: skip
    [row] = pooled_rows(found, "s").to_dicts()
    assert row["estimate"] == pytest.approx(0.5)
    assert (row["persons"], row["instrument"]) == (200, "NRS")
    assert "2 cohorts: a, c;" in row["note"]
    assert "pain on NRS, 0-10" in row["note"]
    assert "not pooled with b, which is on PEG" in row["note"]
    assert "withheld" not in row["note"]


def test_of_scales_in_as_many_cohorts_that_of_most_people_is_pooled() -> None:
    given = [pain(name, instrument="BPI_severity", persons=300) for name in ("c", "d")]
    given += [pain(name, instrument="NRS", persons=200) for name in ("a", "b")]
    [row] = pooled_rows(pl.concat(given), "s").to_dicts()
    assert (row["instrument"], row["persons"]) == ("BPI_severity", 600)
    assert "pain on BPI severity, 0-10" in row["note"]
    assert pooled_rows(pl.concat(given[1:3]), "s").is_empty()


def test_the_scale_is_not_released() -> None:
    for profile in PROFILES.values():
        assert dict(released(pain("a", instrument="NRS"), profile).schema) == estimates.SCHEMA


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
