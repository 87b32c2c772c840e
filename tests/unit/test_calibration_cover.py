"""A table of error rates holds for a cohort like the one it was made for, under the same config."""

from __future__ import annotations

from typing import Any

import pain_source
import polars as pl
import pytest

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.hyperalgesia import calibration, confounders, noise, trial, visits
from opioid_outcomes.hyperalgesia.calibrate import replicates

SETTINGS: dict[str, Any] = {
    "hyperalgesia": Hyperalgesia().model_dump(mode="json"),
    "covariates": {"baseline": ["age", "sex"], "time_varying": [], "missing": "indicator"},
}
FACTS = {
    "people": 1500.0, "decisions": 25000.0, "raised_people": 770.0, "decisions_per_person": 17.0,
    "median_gap_days": 30.0, "pain_mean": 6.6, "pain_sd": 2.1, "median_mme": 53.0, "error_sd": 1.0,
}  # fmt: skip


def table(**other: float | str) -> pl.DataFrame:
    row = {"cohort": "clinic", "world": "null"} | {f"like_{name}": value for name, value in FACTS.items()}
    return pl.DataFrame([row | {"config": calibration.fingerprint(SETTINGS)} | other])


def with_section(**keys: object) -> dict[str, Any]:
    return SETTINGS | {"hyperalgesia": SETTINGS["hyperalgesia"] | keys}


def test_it_holds_for_the_same_cohort_and_config_and_near_ones() -> None:
    assert calibration.covers(table(), FACTS, SETTINGS)
    for name, value in FACTS.items():
        assert calibration.covers(table(), FACTS | {name: value * 1.09}, SETTINGS), name
        assert not calibration.covers(table(), FACTS | {name: value * 1.2}, SETTINGS), name
        assert not calibration.covers(table(), FACTS | {name: value * 0.85}, SETTINGS), name


def test_it_does_not_hold_under_another_config() -> None:
    for other in (
        {"smallest_effect": 0.3}, {"error_sd": 0.5}, {"reliability": 0.8}, {"windows_days": [[1, 30], [91, 180]]},
        {"escalation": {"grace_days": 14}}, {"step_mme": 10}, {"lags_months": 6}, {"scale": "PEG"},
    ):  # fmt: skip
        assert not calibration.covers(table(), FACTS, with_section(**other)), other
    assert not calibration.covers(table(), FACTS, SETTINGS | {"covariates": {"baseline": ["age"], "missing": "mi"}})


def test_it_holds_whatever_does_not_touch_the_verdict() -> None:
    for other in (
        {"calibration": {"replicates": 20}}, {"standard_error": "bootstrap"}, {"replicates": 99},
        {"reduction": {"from_day": 40}},
    ):  # fmt: skip
        assert calibration.covers(table(), FACTS, with_section(**other)), other
    years = SETTINGS["covariates"] | {"baseline": ["age", "calendar_year", "sex"]}
    assert calibration.covers(table(), FACTS, SETTINGS | {"covariates": years})


def test_a_key_left_out_is_its_default() -> None:
    assert calibration.fingerprint(SETTINGS | {"hyperalgesia": {}}) == calibration.fingerprint(SETTINGS)


def test_no_facts_or_no_table_hold_for_nobody() -> None:
    assert not calibration.covers(table(), {}, SETTINGS)
    assert not calibration.covers(table().clear(), FACTS, SETTINGS)
    assert not calibration.covers(pl.DataFrame(schema={"cohort": pl.String()}), FACTS, SETTINGS)


def test_all_worlds_of_the_one_cohort_that_matches_are_given() -> None:
    both = pl.concat([
        table(), table(world="relief"), table(cohort="another"), table(cohort="big", like_people=9000.0),
    ])  # fmt: skip
    found = calibration.matching(both.filter(pl.col("cohort") != "another"), FACTS, SETTINGS)
    assert found.select("cohort", "world").rows() == [("clinic", "null"), ("clinic", "relief")]
    assert calibration.matching(both, FACTS, SETTINGS)["cohort"].to_list() == ["another"]


@pytest.mark.parametrize(
    ("changed", "worlds", "why"),
    [
        ({}, calibration.NEEDED, None),
        ({}, (*calibration.NEEDED, "informative_visits"), None),
        ({"replicates": 100, "like_simulated": 1200.0}, calibration.NEEDED, None),
        ({}, ("null",), "not simulated: relief, tolerance, hyperalgesia, noisy null"),
        ({"replicates": 99}, calibration.NEEDED, "99 cohorts simulated in a world; error rates take 100"),
        ({"like_simulated": 1100.0}, calibration.NEEDED, "the simulated cohorts were of far fewer people"),
    ],
)
def test_error_rates_are_known_from_enough_cohorts_of_every_world(
    changed: dict[str, float], worlds: tuple[str, ...], why: str | None
) -> None:
    rows = pl.concat(
        [table(world=world, **{"replicates": 200, "like_simulated": 1500.0} | changed) for world in worlds]
    )
    assert calibration.lacking(rows, FACTS, SETTINGS) == why
    # fewer are enough where the config asks for no more
    if "like_simulated" in changed:
        capped = with_section(calibration={"persons": 1000})
        assert calibration.lacking(rows, FACTS, capped) is None


def test_no_rows_say_nothing() -> None:
    assert calibration.lacking(table().clear(), FACTS, SETTINGS) == calibration.UNLIKE


def test_facts_have_two_digits() -> None:
    study, options = pain_source.study(300, 12, 3), Hyperalgesia()
    decided = visits.eligible(study, stable_days=90)
    terms = confounders.build(decided, study, baseline=[], missing="indicator", min_rise=0.2, min_mme=5)
    made = trial.escalations(decided, terms, study, options.escalation)
    found = calibration.facts(study, made, noise.of(study, decided, Hyperalgesia(error_sd=0.456)))
    assert list(found) == list(calibration.FACTS)
    assert found["error_sd"] == 0.46
    assert found["people"] == calibration.significant(len(set(made.visits.person)))
    assert found["median_gap_days"] in (30.0, 29.0, 31.0)
    assert all(value == float(f"{value:.2g}") for value in found.values())
    nobody = made.rows(made.taken & False)
    assert calibration.facts(study, nobody, noise.of(study, decided, options)) == {}


@pytest.mark.parametrize(("value", "told"), [(1514, 1500), (0, 0), (0.0456, 0.046), (99.6, 100), (7, 7), (-2.14, -2.1)])
def test_two_significant_digits(value: float, told: float) -> None:
    assert calibration.significant(value) == pytest.approx(told, abs=1e-12)


def test_characteristics_are_those_of_the_replicates() -> None:
    rows = pl.DataFrame(
        {
            "verdict": ["hyperalgesia", "inconclusive", "hyperalgesia", "no_effect"],
            **{f"estimate_{lag}": [0.9, 1.2, None, 1.5] for lag in ("short", "long")},
            **{f"se_{lag}": [0.1, 0.1, None, 0.1] for lag in ("short", "long")},
            **{f"ci_low_{lag}": [0.7, 1.0, None, 1.3] for lag in ("short", "long")},
            **{f"ci_high_{lag}": [1.1, 1.4, None, 1.7] for lag in ("short", "long")},
            **{f"truth_{lag}": [1.0] * 4 for lag in ("short", "long")},
            **{f"corrected_{lag}": [0.5, None, None, 0.7] for lag in ("short", "long")},
        }
    )
    found = replicates.characteristics(rows)
    assert found["replicates"] == 4
    assert found["hyperalgesia"] == 0.5
    assert found["sustained_relief"] == 0.0
    assert found["bias_long"] == pytest.approx(0.2)
    assert found["bias_se_long"] == pytest.approx(0.3 / 3**0.5)  # SD of -0.1, 0.2, 0.5
    assert found["coverage_long"] == pytest.approx(2 / 3)
    assert found["coverage_se_long"] == pytest.approx((1 / 3) ** 0.5 / 3**0.5)
    assert found["evaluable_short"] == 0.75
    assert found["bias_corrected_short"] == pytest.approx(-0.4)
    assert found["mean_se_short"] == pytest.approx(0.1)
