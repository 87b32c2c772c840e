"""What the report says of current use by time and dose, stopping, causes, the general population and bias."""

from __future__ import annotations

import math
from typing import Any

import pytest
from report_release import settings

from opioid_outcomes.config.model import Config
from opioid_outcomes.contracts.estimates import Estimate, frame
from opioid_outcomes.report import (
    addiction_section,
    bias_section,
    current_use_section,
    described_tables,
    mortality_section,
    stopping_section,
)
from opioid_outcomes.report.document import Block, Figure, Notice, Paragraph, Table
from opioid_outcomes.report.methods import methods
from opioid_outcomes.report.ratio_lines import days
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import method_words

HIDDEN = "not evaluable: withheld: 1 to 10 people or deaths behind it"
USE, STOP, CAUSE = "mortality.current_use", "mortality.stopping", "mortality.cause"


def rate(analysis: str, group: str, value: float, deaths: int, **more: Any) -> Estimate:
    values = {"method": "crude", "outcome": "death", "population": "eligible persons, unweighted"} | more
    return Estimate(
        **values, analysis=analysis, contrast=group, scale="rate_per_1000py", estimate=value, ci_low=value / 2,
        ci_high=value * 2, persons=900, events=deaths, person_years=1000 * deaths / value,
    )  # fmt: skip


def ratio(analysis: str, contrast: str, hr: float, **more: Any) -> Estimate:
    values = {"method": "adjusted_full", "outcome": "death", "population": "eligible persons", "persons": 2000,
              "events": 300} | more  # fmt: skip
    return Estimate(
        **values, analysis=analysis, contrast=contrast, scale="log_hr", estimate=math.log(hr),
        ci_low=math.log(hr / 1.25), ci_high=math.log(hr * 1.25), se=0.1,
    )  # fmt: skip


def study(*rows: Estimate, displays: dict[str, list[dict[str, Any]]] | None = None) -> Released:
    config = Config(**settings(mortality={"negative_controls": ["statin"]}))
    about = {name: {"exposure": "time_varying", "costs": []} for name in config.cohorts}
    release = {"profile": "cms11", "threshold": 11, "rounding": 5, "rule": "Small.", "cohorts": about}
    return Released(config, release, {}, frame(rows, study="demo", cohort="clinic").to_dicts(), displays or {})


def table(blocks: list[Block], name: str) -> dict[str, tuple[str, ...]]:
    found = next(block for block in blocks if isinstance(block, Table) and block.name == name)
    return {row[0]: row[1:] for row in found.rows}


def figure(blocks: list[Block], name: str) -> Figure:
    return next(block for block in blocks if isinstance(block, Figure) and block.name == name)


def words(blocks: list[Block]) -> str:
    return " ".join(block.text for block in blocks if isinstance(block, Paragraph | Notice))


WINDOWS = (
    ratio(USE, "on vs off", 1.5), ratio(USE, "on vs off", 2.0, window="0-30"),
    ratio(USE, "on vs off", 1.25, window="181-"), ratio(USE, "on vs off", 1.2, method="adjusted_full_lag_90"),
    ratio(USE, "new user on vs off", 1.75, persons=None, events=None, note="counts withheld"),
    rate(USE, "on", 80.0, 40, window="0-30"), rate(USE, "new user on", 50.0, 50),
    rate(USE, "on at >=50 MME", 60.0, 60), ratio(USE, "on at >=50 MME vs off", 1.8),
)  # fmt: skip


def test_windows_users_lags_and_doses_stand_apart_from_the_main_hazard_ratio() -> None:
    blocks = list(mortality_section.mortality(study(*WINDOWS)).blocks)
    assert figure(blocks, "hazard_ratios").alt == (
        "Hazard ratios: clinic, adjusted for all baseline covariates, 1.50 (1.20 to 1.88)."
    )
    by_time = figure(blocks, "hazard_ratios_by_time")
    for line in ("0–30 days since the start, 2.00", "over 180 days since the start, 1.25", "lagged by 90 days, 1.20"):
        assert line in by_time.alt
    assert "on at" not in by_time.alt
    assert ">withheld<" in by_time.svg  # counts of new users, whose ratio is told
    rows = table(blocks, "current_use_rates")
    assert rows["0–30 days since the start"] == ("900", "500", "40", "80.0 (40.0 to 160.0)", "–", "2.00 (1.60 to 2.50)")
    assert rows["at ≥50 MME"][3:] == ("60.0 (30.0 to 120.0)", "–", "1.80 (1.44 to 2.25)")


def test_the_curve_of_dose_is_told_on_the_scale_of_ratios() -> None:
    points = [
        {"cohort": "clinic", "mme": mme, "persons": 50, "log_hr": math.log(hr), "ci_low": math.log(hr / 2),
         "ci_high": math.log(hr * 2), "suppressed": 0}
        for mme, hr in ((20.0, 1.0), (60.0, 1.5), (100.0, 2.0))
    ]  # fmt: skip
    drawn = current_use_section.dose_response(study(displays={"dose_response": points}))
    assert "1.00 (0.50 to 2.00) at 20 MME/day, 1.50 (0.75 to 3.00) at 60" in figure(drawn, "dose_response").alt
    assert current_use_section.dose_response(study(displays={"dose_response": points[:1]})) == []


@pytest.mark.parametrize(("p", "said"), [(0.4, "shows no change over follow-up"), (0.0004, "p under 0.001")])
def test_proportional_hazards_are_told_in_words(p: float, said: str) -> None:
    row = {"cohort": "clinic", "method": "adjusted_full", "term": "on vs off", "persons": 2000, "events": 300,
           "chi_square": 0.71, "degrees": 1.0, "p_value": p, "suppressed": 0}  # fmt: skip
    told = words(current_use_section.proportionality(study(displays={"proportional_hazards": [row]})))
    assert said in told
    assert ("is an average" in told) == (p < 0.05)


def test_stopping_is_told_by_band_lag_and_length_with_rates() -> None:
    first, last = "0-30 days since stopping", "over 400 days since stopping"
    after = " after 91-365 days of therapy"
    told = study(
        rate(STOP, "current supply", 40.0, 120), rate(STOP, first, 90.0, 45), rate(STOP, last, 30.0, 30),
        ratio(STOP, f"{first} vs current supply", 2.0), ratio(STOP, f"{last} vs current supply", 0.8),
        ratio(STOP, f"{first} vs current supply", 1.5, method="adjusted_full_lag_30"),
        rate(STOP, f"{first}{after}", 95.0, 19),
        ratio(STOP, f"{first}{after} vs current supply{after}", 2.5),
    )  # fmt: skip
    blocks = stopping_section.stopping(told)
    rows = table(blocks, "stopping")
    assert rows["current supply"] == ("900", "3,000", "120", "40.0 (20.0 to 80.0)", "1", "1")
    assert rows["0–30 days"] == (
        "900",
        "500",
        "45",
        "90.0 (45.0 to 180.0)",
        "2.00 (1.60 to 2.50)",
        "1.50 (1.20 to 1.88)",
    )
    assert table(blocks, "stopping_by_length")["91–365 days: 0–30 days since"][-1] == "2.50 (2.00 to 3.12)"
    assert "lag in days: 30, 0–30 days: 1.50" in figure(blocks, "stopping").alt
    assert "supply ends because somebody is dying" in words(blocks)


def test_causes_have_rates_beside_their_hazard_ratio_and_none_of_the_trials() -> None:
    of = {"outcome": "death:cancer"}
    rows = (
        rate(CAUSE, "on", 10.0, 20, **of), rate(CAUSE, "off", 5.0, 30, **of), ratio(CAUSE, "on vs off", 1.6, **of),
        rate(CAUSE, "off", 3.0, 15, outcome="death:other"),
    )  # fmt: skip
    found = table(described_tables.causes(study(*rows)), "cause_hazards")
    assert found["cancer"] == ("20", "10.0 (5.0 to 20.0)", "30", "5.0 (2.5 to 10.0)", "–", "1.60 (1.28 to 2.00)")


def test_ratios_to_the_general_population_are_said_not_to_be_compared() -> None:
    common = {
        "analysis": "mortality.smr",
        "population": "p",
        "outcome": "death",
        "persons": 900,
        "person_years": 5000.0,
    }
    rows = [
        Estimate(**common, method=method, contrast=f"{group} vs general population", scale=scale, estimate=value,
                 ci_low=value - 1, ci_high=value + 1, events=100)
        for group in ("on", "off")
        for method, scale, value in (("indirect", "smr", 2.5), ("excess", "rate_per_1000py", 12.0))
    ]  # fmt: skip
    blocks = described_tables.general_population(study(*rows))
    assert table(blocks, "smr")["off"] == ("900", "5,000", "100", "40.0", "2.50 (1.50 to 3.50)", "12.0 (11.0 to 13.0)")
    assert "not to be compared with each other" in words(blocks)


def test_controls_stand_beside_the_question_and_e_values_beside_their_ratio() -> None:
    control = ratio("mortality.negative_control", "on statin vs off statin", 1.4)
    e_value = Estimate(
        analysis="mortality.e_value", method="adjusted_full", population="p", outcome="death", contrast="on vs off",
        scale="risk_ratio", estimate=2.37, ci_low=1.69, persons=2000, events=300,
        note="of the hazard ratio of mortality.current_use: the risk ratio",
    )  # fmt: skip
    blocks = bias_section.bias(study(ratio(USE, "on vs off", 1.5), control, e_value))
    assert figure(blocks, "negative_controls").alt.endswith(
        "clinic: statin: death, 1.40 (1.12 to 1.75); opioids: death (the question), 1.50 (1.20 to 1.88)."
    )
    assert "Intervals that do not hold 1: statin: death (clinic" in words(blocks)
    assert table(blocks, "e_values")["on vs off, adjusted for all baseline covariates"] == (
        "1.50 (1.20 to 1.88)", "2.37", "1.69",
    )  # fmt: skip


def test_use_disorder_is_told_against_the_lowest_dose_and_what_hides_it() -> None:
    of = {"outcome": "opioid_use_disorder"}
    rows = (
        rate("addiction.dose", "<20 MME", 4.0, 20, **of), rate("addiction.dose", ">=90 MME", 16.0, 40, **of),
        ratio("addiction.dose", ">=90 MME vs <20 MME", 3.0, **of),
    )  # fmt: skip
    section = addiction_section.addiction(study(*rows))
    assert section is not None
    found = table(list(section.blocks), "addiction_dose")
    assert found["<20 MME"][-2:] == ("1", "1")
    assert found["≥90 MME"][-2:] == ("–", "3.00 (2.40 to 3.75)")
    refused = Estimate(analysis="addiction.dose", method="crude", population="p", outcome="x", contrast="a vs b",
                       scale="log_hr", gate="not evaluable: no diagnoses are recorded")  # fmt: skip
    section = addiction_section.addiction(study(refused))
    assert section is not None
    assert "No rate of opioid use disorder may be shown: no diagnoses are recorded." in words(list(section.blocks))


def test_nothing_asked_is_nothing_told() -> None:
    for told in (current_use_section.by_time, stopping_section.stopping, described_tables.causes, bias_section.bias):
        assert told(study()) == []


def test_methods_and_windows_in_words() -> None:
    assert method_words("adjusted_full_lag_90") == "adjusted for all baseline covariates, lagged by 90 days"
    assert method_words("ever_vs_never") == "ever against never users"
    assert (days("0-30"), days("181-")) == ("0–30 days", "over 180 days")


def test_methods_say_how_each_is_computed() -> None:
    said = " ".join(block.text for block in methods(study()).blocks if isinstance(block, Paragraph))
    for phrase in (
        "(0 to 30, 31 to 180 and over 180)", "knots at its 10th, 50th and 90th percentile", "E-values (VanderWeele",
        "Negative controls (statin)", "clock is also read 30 and 90 days ago", "life table `us`",
        "code list `opioid_use_", "the parts withheld hold together at least 11",
    ):  # fmt: skip
        assert phrase in said
