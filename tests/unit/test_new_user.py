"""New users against comparators: what is refused and why, what the gates may see, and what weights do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal.weighted_risk import RiskFailure
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality import new_user as module
from opioid_outcomes.mortality import trial_arms
from opioid_outcomes.mortality.new_user import complete_cases, new_user
from opioid_outcomes.mortality.trial_arms import BEFORE_OUTCOMES, words
from opioid_outcomes.mortality.trial_estimates import Choices, Outcomes, hazard_row, template

CHOICES = Choices(baseline=["age", "sex"], horizons=[180, 365])


def dates(n: int = 4000, seed: int = 1, **columns: Any) -> pl.DataFrame:
    """TRIALS of one comparator: older people start opioids, and die."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(30, 80, n)
    arm = (rng.random(n) < 1 / (1 + np.exp(-(age - 60) / 20))).astype(np.int64)
    died = rng.exponential(size=n) / (0.0006 * np.exp(0.03 * (age - 55) + 0.4 * arm))
    end = rng.integers(300, 900, n)
    frame = pl.DataFrame(
        {
            "person_id": np.arange(n) // 2, "arm": arm, "index": rng.integers(0, 500, n),
            "trial": rng.integers(0, 12, n), "days_since_entry": rng.integers(0, 360, n),
            "follow_up": np.ceil(np.minimum(died, end)).astype(np.int64), "event": (died <= end).astype(np.int64),
            "age": age, "sex": rng.choice(["F", "M"], n),
        }
    )  # fmt: skip
    return frame.with_columns(
        comparator=pl.lit("non_user"),
        cause=pl.lit(None, pl.String),
        as_treated_until=pl.lit(None, pl.Int64),
        survey_weight=pl.lit(None, pl.Float64),
        cluster=pl.lit(None, pl.String),
    ).with_columns(**columns)


def rows(frame: pl.DataFrame, choices: Choices = CHOICES) -> dict[tuple[str, str, str], Estimate]:
    return {(row.method, row.scale, row.window): row for row in new_user("non_user", frame, choices).rows}


def main(frame: pl.DataFrame, choices: Choices = CHOICES) -> Estimate:
    return rows(frame, choices)[choices.weighting, "risk_difference", "0-365"]


def test_every_relative_number_has_an_absolute_one_with_its_counts() -> None:
    found = rows(dates())
    for method in ("overlap", "crude"):
        for window in ("0-180", "0-365"):
            told = [found[method, scale, window] for scale in ("risk_difference", "risk_ratio", "rmst_days")]
            assert [row.gate for row in told] == ["pass"] * 3
            assert {(row.persons, row.events, row.person_years) for row in told} == {
                (told[0].persons, told[0].events, told[0].person_years)
            }
        assert found[method, "log_hr", "0-365"].gate == "pass"
    row = found["overlap", "risk_difference", "0-365"]
    assert (row.persons, row.contrast, row.outcome) == (2000, "new user vs non user", "death")
    assert row.population == "eligible index dates, overlap population (ATO)"
    assert abs(row.estimate or 0) < abs(found["crude", "risk_difference", "0-365"].estimate or 0)


NO_DEATHS = {"event": pl.lit(0, pl.Int64)}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("nobody new", {"arm": pl.lit(0, pl.Int64)}, "not evaluable: nobody in group 'new user'"),
    ("nobody else", {"arm": pl.lit(1, pl.Int64)}, "not evaluable: nobody in group 'non user'"),
    ("no deaths", NO_DEATHS, "not evaluable: no deaths"),
    ("all censored at day 0", NO_DEATHS | {"follow_up": pl.lit(1, pl.Int64)}, "not evaluable: no deaths"),
    ("one death", {"event": (pl.int_range(pl.len()) == 7).cast(pl.Int64)}, "not evaluable: fewer than ten deaths"),
    ("deaths in one arm", {"event": pl.col("event") * pl.col("arm")}, "not evaluable: deaths in one group only"),
    ("a covariate that tells", {"sex": pl.when(pl.col("arm") == 1).then(pl.lit("F")).otherwise(pl.lit("M"))}, "sex"),
    ("blocks apart", {"trial": pl.col("arm")}, "not evaluable: no 30-day block since entry"),
    (
        "everybody dead by then",
        {"follow_up": pl.col("follow_up").clip(upper_bound=200), "event": pl.lit(1)},
        "not evaluable: its standard error is 0",
    ),
]


@pytest.mark.parametrize(("columns", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_cannot_be_told_says_why(columns: dict[str, Any], reason: str) -> None:
    row = main(dates(**columns))
    assert reason in row.gate
    assert (row.estimate is None) == (row.gate != "pass")
    assert all(value is None or np.isfinite(value) for value in (row.estimate, row.se, row.ci_low, row.ci_high))


def test_what_nobody_of_one_arm_has_is_left_out_and_said() -> None:
    """A value missing in a few comparators only must not withhold all the others."""
    rare = (pl.int_range(pl.len()) % 200 == 0) & (pl.col("arm") == 0)
    frame = dates(age=pl.when(~rare).then("age"))
    row = main(frame)
    assert row.gate == "pass"
    assert "one arm never has left out (age missing)" in row.note
    assert row.estimate == pytest.approx(main(frame.drop_nulls("age")).estimate, rel=1e-9)


CERTAIN = "not evaluable: propensity score: a covariate tells for sure who starts (age missing)"


@pytest.mark.parametrize("weighting", ["overlap", "iptw", "att", "match"])
def test_a_covariate_that_tells_who_starts_is_no_trimming(weighting: Any) -> None:
    """Never missing in new users: of every twelfth comparator it is certain, too many to be left out in silence."""
    many = (pl.int_range(pl.len()) % 12 == 0) & (pl.col("arm") == 0)
    frame = dates(age=pl.when(~many).then("age"))
    choices = replace(CHOICES, weighting=weighting)
    few = (pl.int_range(pl.len()) % 200 == 0) & (pl.col("arm") == 0)
    some = main(dates(age=pl.when(~few).then("age")), choices)
    if weighting == "iptw":  # everybody is spoken of
        assert some.gate == CERTAIN
        return
    crowd = (pl.int_range(pl.len()) % 6 == 0) & (pl.col("arm") == 0)
    refused = rows(dates(age=pl.when(~crowd).then("age")), choices)
    assert {row.gate for row in refused.values()} == {CERTAIN}
    assert {(row.persons, row.person_years is None) for row in refused.values()} == {(2000, False)}
    assert some.gate == "pass"
    assert some.population.endswith("; without those of whom a covariate tells for sure who starts")
    assert main(frame.drop_nulls("age"), choices).population.endswith(")")


def test_horizons_to_which_few_are_followed_are_refused_and_the_hazard_ratio_is_of_the_longest_other() -> None:
    """Eight people of one arm are followed past day 300; METHODS C6 asks for ten."""
    frame = dates(6000, person_id=pl.int_range(pl.len())).with_columns(
        row=pl.int_range(pl.len()).over("arm"), cut=pl.col("follow_up").clip(1, 300)
    )
    for past, gate in ((8, "not evaluable: fewer than 10 treated are followed to the horizon"), (400, "pass")):
        new = (pl.col("arm") == 0) | (pl.col("row") < past)
        few = frame.with_columns(
            follow_up=pl.when(new).then("follow_up").otherwise("cut"),
            event=pl.when(new | (pl.col("follow_up") <= 300)).then("event").otherwise(0),
        )
        found = rows(few)
        for method in ("overlap", "crude"):
            assert found[method, "risk_difference", "0-365"].gate == gate
            assert found[method, "rmst_days", "0-365"].gate == gate
            assert found[method, "risk_ratio", "0-180"].gate == "pass"
            longest = "0-365" if gate == "pass" else "0-180"
            assert [key[2] for key in found if key[:2] == (method, "log_hr")] == [longest]
            assert found[method, "log_hr", longest].gate == "pass"


def test_loss_to_follow_up_is_told_where_deaths_are_not_known_for_all() -> None:
    for complete in (False, True):
        found = rows(dates(), replace(CHOICES, deaths_complete=complete))
        for row in found.values():
            assert ("loss to follow-up is taken as uninformative" in row.note) is not complete
            assert row.method == "crude" or "person-years count once per index date" in row.note


def test_nobody_new_is_the_reason_before_nobody_else() -> None:
    found = new_user("nsaid", dates(trial=pl.lit(0)).clear(), CHOICES).rows
    assert {row.gate for row in found} == {"not evaluable: nobody in group 'new user'"}


def test_an_arm_without_weight_is_nobody() -> None:
    frame = dates(survey_weight=pl.when(pl.col("arm") == 1).then(1.0).otherwise(0.0))
    found = new_user("non_user", frame, CHOICES).rows
    assert {(row.gate, row.window) for row in found} == {
        ("not evaluable: nobody in group 'non user'", window) for window in ("0-180", "0-365")
    }


def test_crude_rows_are_one_for_each_horizon_where_they_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RiskFailure("no reason")

    monkeypatch.setattr(module, "weighted_risks", fails)
    found = rows(dates())
    assert {key[2] for key in found if key[0] == "crude"} == {"0-180", "0-365"}
    assert {(row.gate, row.persons) for row in found.values()} == {("not evaluable: no reason", 2000)}
    assert len({row.events for row in found.values()}) == 2  # those of each horizon


def test_horizons_beyond_follow_up_are_refused_one_by_one() -> None:
    found = rows(dates(), replace(CHOICES, horizons=[365, 3000]))
    assert found["overlap", "risk_difference", "0-365"].gate == "pass"
    beyond = found["overlap", "risk_difference", "0-3000"]
    assert beyond.estimate is None
    assert "before the horizon" in beyond.gate


def test_constant_and_duplicated_covariates_change_nothing() -> None:
    plain = main(dates())
    more = dates(constant=pl.lit(1.0), again=pl.col("sex"))
    row = main(more, replace(CHOICES, baseline=["age", "sex", "constant", "again"]))
    assert row.gate == "pass"
    assert row.estimate == pytest.approx(plain.estimate, rel=1e-6)
    assert "not varying, left out: constant" in row.note
    assert "covariates that repeat another say nothing more (again)" in row.note
    turned = dates(again=pl.when(pl.col("sex") == "F").then(3.0).otherwise(1.0), aged=pl.col("age") * -12 + 5)
    row = main(turned, replace(CHOICES, baseline=["age", "sex", "again", "aged"]))
    assert "say nothing more (again, aged)" in row.note


def test_nobody_at_all_is_a_row_with_the_reason_given() -> None:
    found = new_user("nsaid", dates().clear(), CHOICES, nobody="no opioid exposure is recorded").rows
    assert {row.gate for row in found} == {"not evaluable: no opioid exposure is recorded"}
    assert {row.contrast for row in found} == {"new user vs nsaid"}


def test_outcomes_are_not_seen_before_the_gates() -> None:
    frame = dates()
    with pytest.raises(ValueError, match="before the gates"):
        trial_arms.compare(
            frame, ["age"], left_out=[], weighting="overlap", missing="indicator", base=np.ones(frame.height)
        )
    blind = [new_user("non_user", table, CHOICES) for table in (frame, frame.with_columns(
        pl.col("event", "follow_up").shuffle(seed=3)
    ))]  # fmt: skip
    first, second = (found.displays["new_user_balance"] for found in blind)
    assert first.equals(second)  # who dies when says nothing to weights and balance
    kept = [name for name in frame.columns if name not in BEFORE_OUTCOMES]
    assert "arm" in kept


def test_balance_is_judged_on_what_the_score_leaves_out() -> None:
    rng = np.random.default_rng(4)
    frame = dates().with_columns(hidden=pl.Series(rng.normal(size=4000)) + 0.5 * pl.col("arm"))
    found = new_user("non_user", frame, CHOICES, left_out=["hidden"])
    row = found.rows[0]
    assert row.gate.startswith("fail: max |SMD| 0.")
    assert "(hidden)" in row.gate
    # what the gate withholds is not told crudely either, nor by counting deaths
    assert {one.method for one in found.rows} == {"overlap", "crude"}
    assert {one.gate for one in found.rows} == {row.gate}
    assert {one.estimate for one in found.rows} == {None}
    told = found.displays["new_user_diagnostics"]
    assert told["events"].null_count() == told.height == 2
    assert told["persons"].null_count() == told["index_dates"].null_count() == 0
    assert found.displays["new_user_survival"].is_empty()
    assert new_user("non_user", frame, CHOICES).displays["new_user_diagnostics"]["events"].null_count() == 0


def test_squares_and_products_out_of_balance_enter_the_score() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 2, 4000), rng.integers(0, 2, 4000)
    arm = (rng.random(4000) < np.where(a == b, 0.7, 0.3)).astype(np.int64)
    frame = dates().with_columns(a=pl.Series(a), b=pl.Series(b), arm=pl.Series(arm))
    found = new_user("non_user", frame, replace(CHOICES, baseline=["a", "b"]))
    told = {name: (within, after) for name, within, after in found.displays["new_user_balance"].select(
        "covariate", "in_score", "smd_after").rows()}  # fmt: skip
    assert told["a x b"][0] == 1.0
    assert abs(told["a x b"][1]) < 1e-6
    assert "out of balance entered the score" in found.rows[0].note
    without = trial_arms.balance(
        found.arms.design,
        frame.select(),
        found.arms.arm,
        np.ones(4000),
        np.ones(4000),  # type: ignore[union-attr]
    )
    assert without.filter(pl.col("covariate") == "a x b")["smd_after"].item() > 0.1


def test_sampling_weights_multiply() -> None:
    # few values, so that no knots depend on how many rows there are
    frame = dates(age=(pl.col("age") / 10).round() * 10, days_since_entry=pl.lit(0, pl.Int64))
    doubled = pl.concat([frame, frame.filter(pl.col("age") > 60)])
    weighted = frame.with_columns(survey_weight=pl.when(pl.col("age") > 60).then(2.0).otherwise(1.0))
    assert main(weighted).estimate == pytest.approx(main(doubled).estimate, rel=1e-9)
    nobody = frame.with_columns(survey_weight=pl.when(pl.col("age") > 60).then(0.0).otherwise(3.0))
    alone = frame.filter(pl.col("age") <= 60)
    assert main(nobody).estimate == pytest.approx(main(alone).estimate, rel=1e-9)
    assert "sampled population" in main(weighted).population


@pytest.mark.parametrize(
    ("weighting", "population"), [("iptw", "(ATE)"), ("att", "new users (ATT)"), ("match", "with a match (ATT)")]
)
def test_every_row_names_its_population(weighting: Any, population: str) -> None:
    row = main(dates(), replace(CHOICES, weighting=weighting))
    assert row.gate == "pass"
    assert population in row.population


def test_bootstrap_and_sandwich_agree() -> None:
    frame = dates()
    sandwich = main(frame)
    bootstrap = main(frame, replace(CHOICES, standard_error="bootstrap", replicates=100))
    assert bootstrap.estimate == sandwich.estimate
    assert bootstrap.se == pytest.approx(sandwich.se, rel=0.25)
    assert "bootstrap of persons" in bootstrap.note


def test_complete_cases_stand_beside_what_is_missing() -> None:
    frame = dates(age=pl.when(pl.int_range(pl.len()) % 5 > 0).then("age"))
    found = {row.window: row for row in complete_cases("non_user", frame, CHOICES) if row.scale == "risk_difference"}
    assert found["0-365"].method == "overlap_complete_case"
    assert found["0-365"].gate == "pass"
    assert complete_cases("non_user", dates(), CHOICES) == []
    shown = new_user("non_user", frame, CHOICES).displays["missing_by_arm"].filter(pl.col("covariate") == "age")
    assert shown["share"].to_list() == pytest.approx([0.2, 0.2], abs=0.02)


def test_names_of_covariates_hold_no_level() -> None:
    assert words(["sex=M x copd", "days_since_entry (curve 2)"]) == " (sex x copd, days since entry)"


def test_of_very_many_comparators_some_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = dates(12_000)
    whole = main(frame)
    monkeypatch.setattr(module, "MOST_COMPARATORS", 2000)
    some = main(frame)
    assert "one in 4 index dates of comparators" in some.note
    assert some.se is not None
    assert whole.estimate is not None
    assert whole.se is not None
    assert abs((some.estimate or 0) - whole.estimate) < 2 * some.se
    assert some.se > whole.se


def test_index_dates_of_one_sampling_unit_have_no_error() -> None:
    """What is clustered adds up to nothing but rounding, which is no standard error."""
    rng = np.random.default_rng(1)
    time, arm = np.ceil(rng.exponential(400, 600)), np.repeat([0.0, 1.0], 300)
    outcomes = Outcomes(np.arange(600), np.zeros(600, np.int64), arm, np.minimum(time, 365), (time <= 365).astype(int))
    row = hazard_row(template("non_user", "crude", "everybody", "on"), outcomes, np.ones(600), 365)
    assert (row.gate, row.estimate, row.se) == ("not evaluable: its standard error is 0", None, None)
    apart = hazard_row(row, replace(outcomes, unit=np.arange(600)), np.ones(600), 365)
    assert apart.gate == "pass"
