"""disclosure.standardised: SMRs and standardised rates leave as functions of the rounded counts."""

from __future__ import annotations

from dataclasses import asdict

import polars as pl
import pytest

from opioid_outcomes.contracts.estimates import Estimate, frame
from opioid_outcomes.disclosure.estimates import released
from opioid_outcomes.disclosure.profile import PROFILES
from opioid_outcomes.survival.rates import per_1000_person_years
from opioid_outcomes.survival.smr import excess_rate, standardised_mortality_ratio
from opioid_outcomes.survival.standardised import StandardisedRate, direct, log_ratio

CMS = PROFILES["cms11"]
COMMON = {"population": "p", "outcome": "death"}


def rows_of_smr(deaths: int, expected: float = 80.0, years: float = 5000.0, cell: int | None = None) -> pl.DataFrame:
    common = {**COMMON, "analysis": "mortality.smr", "contrast": "on vs general population", "persons": 900,
              "events": deaths, "person_years": years, "smallest_cell": cell}  # fmt: skip
    ratio, excess = standardised_mortality_ratio(deaths, expected), excess_rate(deaths, expected, years)
    rows = [
        Estimate(**common, method="indirect", scale="smr", **asdict(ratio)),
        Estimate(**common, method="excess", scale="rate_per_1000py", **asdict(excess)),
    ]
    return frame(rows, study="s", cohort="c")


@pytest.mark.parametrize("deaths", [98, 99, 100, 101, 102])
def test_deaths_that_round_to_the_same_give_the_same_numbers(deaths: int) -> None:
    ratio, excess = released(rows_of_smr(deaths), CMS).to_dicts()
    expected = standardised_mortality_ratio(100, 80.0)
    assert [ratio[name] for name in ("estimate", "ci_low", "ci_high", "se")] == pytest.approx(
        [expected.estimate, expected.ci_low, expected.ci_high, expected.se]
    )
    assert excess["estimate"] == pytest.approx(1000 * 20 / 5000)
    assert "from the rounded counts shown" in ratio["note"]


def test_no_deaths_keep_their_upper_limit_and_few_are_withheld() -> None:
    ratio, excess = released(rows_of_smr(0), CMS).to_dicts()
    assert (ratio["estimate"], ratio["ci_high"]) == (0, pytest.approx(standardised_mortality_ratio(0, 80.0).ci_high))
    assert excess["estimate"] == pytest.approx(-16)
    for frame_ in (rows_of_smr(7), rows_of_smr(100, cell=3)):
        assert released(frame_, CMS)["estimate"].null_count() == 2


def standardised(on: StandardisedRate, off: StandardisedRate, deaths: tuple[int, int]) -> pl.DataFrame:
    common = {**COMMON, "analysis": "mortality.rate", "method": "standardised", "persons": 900}
    rows = [
        Estimate(
            **common, contrast=name, scale="rate_per_1000py", estimate=rate.rate, ci_low=rate.ci_low,
            ci_high=rate.ci_high, se=rate.se, events=count, person_years=5000.0,
        )
        for name, rate, count in (("on", on, deaths[0]), ("off", off, deaths[1]))
    ]  # fmt: skip
    ratio = Estimate(
        **common, contrast="on vs off", scale="log_rate_ratio", events=sum(deaths), person_years=10_000.0,
        **asdict(log_ratio(on, off)),
    )  # fmt: skip
    return frame([*rows, ratio], study="s", cohort="c")


def test_one_stratum_is_the_exact_rate_of_the_rounded_deaths() -> None:
    rates = [direct([deaths], [5000.0], [1.0], per=1000) for deaths in (102, 51)]
    on, off, ratio = released(standardised(*rates, (102, 51)), CMS).to_dicts()
    exact = per_1000_person_years(100, 5000.0)
    assert [on[name] for name in ("estimate", "ci_low", "ci_high", "se")] == pytest.approx(
        [exact.rate, exact.ci_low, exact.ci_high, exact.se]
    )
    assert ratio["se"] == pytest.approx((1 / 100 + 1 / 50) ** 0.5)
    assert ratio["estimate"] == pytest.approx(0.6931471805599453)
    assert "moved by as much as rounding moves its counts" in off["note"]


def test_several_strata_keep_their_rate_and_spread_but_for_rounding() -> None:
    rates = [direct(deaths, [1000.0, 4000.0], [3.0, 2.0], per=1000) for deaths in ([31, 69], [40, 60])]
    on, off, ratio = released(standardised(*rates, (100, 100)), CMS).to_dicts()  # already round
    for row, rate in ((on, rates[0]), (off, rates[1])):
        assert (row["estimate"], row["se"]) == pytest.approx((rate.rate, rate.se))
        assert row["ci_low"] == pytest.approx(rate.ci_low)
        assert row["ci_high"] == pytest.approx(rate.ci_high, rel=0.02)
    assert ratio["estimate"] == pytest.approx(log_ratio(*rates).estimate)


def test_nothing_is_touched_without_disclosure_control() -> None:
    assert released(rows_of_smr(7), PROFILES["none"])["estimate"].to_list() == pytest.approx(
        [7 / 80, 1000 * (7 - 80) / 5000]
    )
