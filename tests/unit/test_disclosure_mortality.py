"""What leaves of the trials, of weights and of causes of death."""

from __future__ import annotations

import polars as pl
import pytest

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate, frame
from opioid_outcomes.disclosure import displays, estimates
from opioid_outcomes.disclosure.profile import PROFILES

CMS11 = PROFILES["cms11"]


def of_causes(deaths: dict[str, int], analysis: str, scale: str) -> pl.DataFrame:
    rows = [
        Estimate(
            analysis=analysis, method="att", population="treated", outcome=f"death:{cause}", window="0-365",
            contrast="new user vs nsaid", scale=scale, estimate=1 / len(deaths), ci_low=0.1, ci_high=0.6, se=0.1,
            persons=2417, events=events, person_years=1800.0, smallest_cell=events,
        )
        for cause, events in deaths.items()
    ]  # fmt: skip
    return frame(rows, study="s", cohort="c")


def test_a_share_of_a_difference_is_not_recomputed_from_deaths_and_people() -> None:
    told = of_causes({"cancer": 143, "other": 58}, "mortality.overdose_share", "share")
    shown = estimates.released(told, CMS11)
    assert shown["estimate"].to_list() == [0.5, 0.5]
    assert shown["ci_low"].to_list() == [0.1, 0.1]
    assert shown["events"].to_list() == [145, 60]
    assert "rounding" not in shown["note"][0]


def test_a_share_of_people_still_moves_with_its_rounded_counts() -> None:
    told = of_causes({"cancer": 143}, "trajectory.taper", "share").with_columns(estimate=pl.lit(143 / 2417))
    shown = estimates.released(told, CMS11)
    assert shown["estimate"].item() == pytest.approx(145 / 2415, abs=5e-4)


@pytest.mark.parametrize(
    ("deaths", "hidden"),
    [
        ({"cancer": 143, "other": 58, "respiratory": 7}, [False, True, True]),  # one alone would follow from the sum
        ({"cancer": 143, "other": 8, "respiratory": 7}, [False, True, True]),
        ({"cancer": 143, "other": 58, "respiratory": 17}, [False, False, False]),
    ],
)
@pytest.mark.parametrize(
    ("analysis", "scale"), [("mortality.cause", "risk_difference"), ("mortality.overdose_share", "share")]
)
def test_no_cause_of_few_deaths_follows_from_the_others(
    deaths: dict[str, int], hidden: list[bool], analysis: str, scale: str
) -> None:
    shown = estimates.released(of_causes(deaths, analysis, scale), CMS11)
    assert shown["estimate"].is_null().to_list() == hidden


def judged(**changes: float) -> pl.DataFrame:
    row = {
        "comparator": "nsaid", "arm": "new user", "persons": 812, "index_dates": 903, "events": 41,
        "person_years": 1203.4, "ess": 812.0, "outside": 0.02, "equipoise": 0.7, "mdrr": 1.6, "largest_smd": 0.08,
        "persons_outside": 16, "persons_apart": 240,
    }  # fmt: skip
    return pl.DataFrame([row | changes], schema=DISPLAYS["new_user_diagnostics"].schema, strict=False)


def test_an_effective_size_is_rounded_as_the_count_that_it_may_be() -> None:
    row = displays.released(judged(), DISPLAYS["new_user_diagnostics"], CMS11).row(0, named=True)
    assert (row["persons"], row["ess"]) == (810, 810.0)


def test_the_share_of_few_people_outside_goes_alone() -> None:
    row = displays.released(judged(persons_outside=3), DISPLAYS["new_user_diagnostics"], CMS11).row(0, named=True)
    assert row["outside"] is None
    assert row["equipoise"] == 0.7
    assert row["persons"] == 810


def test_missing_values_of_few_people_are_hidden_however_many_their_index_dates() -> None:
    row = {
        "comparator": "non_user", "covariate": "pain", "arm": "non user", "missing": 120, "index_dates": 36000,
        "share": 120 / 36000, "persons_missing": 4, "persons_known": 2000,
    }  # fmt: skip
    contract = DISPLAYS["missing_by_arm"]
    shown = displays.released(pl.DataFrame([row], schema=contract.schema), contract, CMS11).row(0, named=True)
    assert (shown["missing"], shown["share"]) == (None, None)


def test_a_ratio_with_weights_cut_is_hidden_where_one_arm_has_few_deaths() -> None:
    row = {
        "lower": 0.0, "upper": 100.0, "persons": 2724, "mean": 1.0, "largest": 13.0, "log_hr": 0.55, "se": 0.3,
        "ess": 33713.7, "smallest_cell": 6,
    }  # fmt: skip
    contract = DISPLAYS["msm_truncation"]
    shown = [
        displays.released(pl.DataFrame([row | cell], schema=contract.schema), contract, CMS11).row(0, named=True)
        for cell in ({}, {"smallest_cell": 60})
    ]
    assert [each["log_hr"] for each in shown] == [None, 0.55]
    assert shown[1]["ess"] == 33715


def test_weights_of_few_people_show_no_tail() -> None:
    row = {"period": 40.0, "persons": 18, "mean": 1.02, "p99": 2.9, "largest": 4.1, "ess": 17.2}
    contract = DISPLAYS["msm_weights"]
    shown = displays.released(pl.DataFrame([row], schema=contract.schema), contract, CMS11).row(0, named=True)
    assert (shown["mean"], shown["p99"], shown["largest"]) == (1.02, None, None)


def test_a_test_of_few_deaths_goes_and_its_deaths_are_never_told() -> None:
    contract = DISPLAYS["proportional_hazards"]
    rows = pl.DataFrame(
        {
            "method": ["crude", "adjusted_full"], "term": ["on vs off", "on vs off"], "events": [200, 9],
            "chi_square": [3.2, 1.1], "degrees": [1.0, 1.0], "p_value": [0.07, 0.3],
        },
        schema=contract.schema,
    )  # fmt: skip
    shown = displays.released(rows, contract, CMS11)
    assert "events" not in shown.columns
    assert shown["p_value"].to_list() == [0.07, None]
