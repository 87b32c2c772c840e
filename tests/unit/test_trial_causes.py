"""Causes of death in new users: differences and shares of constant cause-specific hazards, in the treated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.new_user import of_causes, outcomes_of
from opioid_outcomes.mortality.trial_causes import causes_of
from opioid_outcomes.mortality.trial_estimates import Choices

YEAR = 365.25
CAUSES = ("opioid overdose", "cardiovascular", "other")
RECORDED = {"opioid overdose": "opioid overdose: unintentional"}
# Deaths a year by cause: (comparators, new users) of people without the confounder; with it everything is three times
HAZARDS = {"opioid overdose": (0.004, 0.024), "cardiovascular": (0.03, 0.04), "other": (0.01, 0.012)}
CHOICES = Choices(baseline=["ill"], horizons=[365])


def trials(seed: int, n: int = 6_000, unknown: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    ill = (rng.random(n) < 0.4).astype(int)
    arm = (rng.random(n) < np.where(ill == 1, 0.6, 0.25)).astype(int)
    rates = np.array([[HAZARDS[cause][a] for a in arm] for cause in CAUSES]) * np.where(ill == 1, 3.0, 1.0)
    times = rng.exponential(1 / rates) * YEAR
    first = np.minimum(np.ceil(times.min(axis=0)), 500).astype(int)
    event = (times.min(axis=0) < 500).astype(int)
    kind = np.array(CAUSES)[times.argmin(axis=0)]
    told = (event == 1) & (rng.random(n) >= unknown)
    return pl.DataFrame(
        {
            "person_id": np.arange(n), "arm": arm, "trial": 0, "days_since_entry": rng.integers(0, 400, n),
            "follow_up": np.maximum(first, 1), "event": event,
            "cause": pl.Series(np.where(told, kind, None).tolist(), dtype=pl.String).replace(RECORDED),
            "as_treated_until": pl.Series([None] * n, dtype=pl.Int64), "ill": ill,
            "survey_weight": pl.Series([None] * n, dtype=pl.Float64), "cluster": pl.Series([None] * n, dtype=pl.String),
        }
    )  # fmt: skip


def estimated(rows: pl.DataFrame) -> tuple[list[Estimate], pl.DataFrame]:
    return causes_of("non_user", rows, outcomes_of(rows), np.ones(rows.height), CHOICES)


def truth() -> dict[str, float]:
    """Risk difference of each cause by a year among the treated."""
    treated_ill = 0.4 * 0.6 / (0.4 * 0.6 + 0.6 * 0.25)
    found = {}
    for cause in CAUSES:
        of_arm = []
        for arm in (0, 1):
            risk = 0.0
            for share, times in ((1 - treated_ill, 1.0), (treated_ill, 3.0)):
                total = times * sum(hazards[arm] for hazards in HAZARDS.values())
                risk += share * times * HAZARDS[cause][arm] / total * (1 - np.exp(-total * 365 / YEAR))
            of_arm.append(risk)
        found[cause] = of_arm[1] - of_arm[0]
    return found


def value(rows: list[Estimate], analysis: str, cause: str) -> Estimate:
    [row] = [row for row in rows if (row.analysis, row.outcome) == (analysis, f"death:{cause}")]
    return row


def test_differences_and_shares_are_the_planted_ones_and_crude_shares_are_not() -> None:
    planted = truth()
    share_of_overdose = planted["opioid overdose"] / sum(planted.values())
    shares, crude = [], []
    for seed in range(10):
        rows = trials(seed, 12_000)
        found, _ = estimated(rows)
        for cause in CAUSES:
            row = value(found, "mortality.cause", cause)
            assert abs(row.estimate - planted[cause]) < 4 * row.se
        share = value(found, "mortality.overdose_share", "opioid overdose")
        assert share.gate == "pass"
        shares.append(share.estimate)
        died = rows.filter(pl.col("event") == 1, pl.col("follow_up") <= 365)
        risk = [
            died.filter(pl.col("arm") == arm).group_by("cause").len().sort("cause")["len"].to_numpy()
            / rows.filter(pl.col("arm") == arm).height
            for arm in (0, 1)
        ]
        difference = risk[1] - risk[0]
        crude.append(difference[1] / difference.sum())  # cardiovascular, opioid overdose, other
    error = np.std(shares, ddof=1) / np.sqrt(10)
    assert abs(np.mean(shares) - share_of_overdose) < 3 * error
    assert abs(np.mean(crude) - share_of_overdose) > 6 * error


def test_shares_add_up_to_one_exactly_and_differences_to_that_of_all_deaths() -> None:
    found, display = estimated(trials(3, 12_000))
    shares = [row.estimate for row in found if row.analysis == "mortality.overdose_share"]
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    assert tuple(display.columns) == DISPLAYS["cause_incidence"].columns
    assert display["difference"].sum() == pytest.approx(
        (display["risk_new_users"] - display["risk_comparators"]).sum(), abs=1e-14
    )
    assert display["share"].sum() == pytest.approx(1, abs=1e-12)
    assert display["events_new_users"].sum() > 100


def test_unknown_causes_are_a_cause_and_bound_the_share() -> None:
    found, _ = estimated(trials(4, 12_000, unknown=0.3))
    causes = {row.outcome for row in found}
    assert "death:unknown cause" in causes
    share = value(found, "mortality.overdose_share", "opioid overdose")
    low, high = (float(word) for word in share.note.split("; from ")[1].split(" as ")[0].split(" to "))
    assert low < share.estimate < high
    assert low < truth()["opioid overdose"] / sum(truth().values()) < high


def test_no_difference_has_no_shares_but_differences() -> None:
    rows = trials(5, 3_000).with_columns(arm=pl.Series(np.random.default_rng(1).integers(0, 2, 3_000)))
    found, _ = estimated(rows)
    share = value(found, "mortality.overdose_share", "opioid overdose")
    assert share.gate == "not evaluable: the difference in any cause is not told apart from none"
    assert value(found, "mortality.cause", "cardiovascular").gate == "pass"


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"cause": pl.lit(None, pl.String)}, "not evaluable: no cause of any death is recorded"),
        ({"event": pl.lit(0)}, "not evaluable: no deaths"),
        ({"ill": pl.col("arm")}, "not evaluable: propensity score: a covariate tells for sure who starts (ill)"),
    ],
)
def test_what_cannot_be_told_is_two_rows_that_say_so(change: dict, gate: str) -> None:
    found, display = estimated(trials(6, 800).with_columns(**change))
    assert [row.analysis for row in found] == ["mortality.cause", "mortality.overdose_share"]
    assert {row.gate for row in found} == {gate}
    assert {row.outcome for row in found} == {"death:opioid overdose"}
    assert display.is_empty()


@pytest.mark.parametrize(
    ("contributing", "why"), [(False, "contributing causes are not recorded"), (True, "no such death")]
)
def test_opioid_overdose_is_a_row_where_there_is_none(contributing: bool, why: str) -> None:
    rows = trials(8, 4_000).with_columns(cause=pl.col("cause").replace(RECORDED["opioid overdose"], "cancer"))
    found, _ = causes_of("non_user", rows, outcomes_of(rows), np.ones(rows.height), CHOICES, contributing=contributing)
    for analysis in ("mortality.cause", "mortality.overdose_share"):
        assert value(found, analysis, "opioid overdose").gate == f"not evaluable: {why}"
    assert value(found, "mortality.cause", "cancer").gate == "pass"


def test_a_comparison_without_an_arm_is_two_rows_that_say_so() -> None:
    rows = trials(9, 400).with_columns(arm=pl.lit(0))
    found, display = of_causes("non_user", rows, CHOICES)
    assert [(row.analysis, row.gate) for row in found] == [
        ("mortality.cause", "not evaluable: nobody in group 'new user'"),
        ("mortality.overdose_share", "not evaluable: nobody in group 'new user'"),
    ]
    assert display.is_empty()
    found, _ = of_causes("nsaid", rows.clear(), CHOICES, nobody="no opioid exposure is recorded")
    assert {(row.contrast, row.gate) for row in found} == {
        ("new user vs nsaid", "not evaluable: no opioid exposure is recorded")
    }


def test_no_cause_is_told_of_a_time_to_which_nine_are_followed() -> None:
    rows = trials(10, 6_000).with_columns(
        follow_up=pl.when(pl.int_range(pl.len()) % 1500 == 0).then(500).otherwise(pl.col("follow_up").clip(1, 300)),
    )
    rows = rows.with_columns(event=pl.when(pl.col("follow_up") < 300).then("event").otherwise(0))
    choices = replace(CHOICES, horizons=[180, 365])
    found, display = causes_of("non_user", rows, outcomes_of(rows), np.ones(rows.height), choices)
    far = {row.gate for row in found if row.window == "0-365"}
    assert len(far) == 1
    assert "are followed to the horizon" in far.pop()
    assert set(display["window"]) == {"0-180"}


def test_overdoses_of_unrecorded_drugs_are_not_opioid_overdoses() -> None:
    rows = trials(7, 6_000).with_columns(
        cause=pl.col("cause").replace({"opioid overdose: unintentional": "overdose, drug not recorded"})
    )
    found, _ = estimated(rows)
    share = value(found, "mortality.overdose_share", "opioid overdose")
    assert share.gate == "not evaluable: the drugs of overdoses are not among the recorded causes"
    assert value(found, "mortality.cause", "overdose, drug not recorded").gate == "pass"
