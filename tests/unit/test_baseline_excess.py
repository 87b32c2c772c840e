"""Opioids start at a peak of pain: the change since before says relief, the matched contrast says the truth."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.hyperalgesia import baseline_excess

PERSONS, MONTHS, KEPT = 12_000, 20, 0.7


def world(effect: float, seed: int = 1, *, persons: int = PERSONS) -> dict[str, pl.DataFrame]:
    """Monthly scores of usual pain and a flare; at one visit of each who is free of opioids some start, by their pain.

    Every visit from month 6 to 7 is an index date; who starts has ``effect`` more pain from the next month on.
    """
    rng = np.random.default_rng(seed)
    usual, flare = rng.normal(4.5, 1.0, persons), rng.normal(0, 1.5, (MONTHS, persons))
    for month in range(1, MONTHS):
        flare[month] = KEPT * flare[month - 1] + np.sqrt(1 - KEPT**2) * flare[month]
    pain, parts = usual + flare, []
    free = np.ones(persons, dtype=bool)
    for month in (6, 7):
        chance = 1 / (1 + np.exp(-(-2.5 + 0.6 * (pain[month] - 4.5))))
        starts = free & (rng.random(persons) < chance)
        rows = {"person_id": np.flatnonzero(free), "arm": starts[free].astype(int), "index": month * 30}
        parts.append(pl.DataFrame(rows).with_columns(trial=pl.lit(month), days_since_entry=pl.lit(month * 30)))
        free &= ~starts
        pain[month + 1 :, starts] += effect
    trials = pl.concat(parts).with_columns(
        comparator=pl.lit("non_user"), follow_up=pl.lit(400), event=pl.lit(0), cause=pl.lit(None, pl.String),
        as_treated_until=pl.lit(None, pl.Int64), age=pl.col("person_id") % 40 + 40.0,
    )  # fmt: skip
    scores = pl.DataFrame(
        {"person_id": np.tile(np.arange(persons), MONTHS), "date": np.repeat(np.arange(MONTHS) * 30, persons)}
    ).with_columns(score=pl.Series(pain.ravel()), scale=pl.lit("NRS"))
    cohort = pl.DataFrame({"person_id": np.arange(persons)})
    return {"trials": trials, "pain": scores, "cohort": cohort}


def excess(tables: dict[str, pl.DataFrame], **options: object):
    options = {"baseline": ["age"], "missing": "indicator"} | options
    return baseline_excess.estimate(tables["trials"], tables["pain"], tables["cohort"], **options)


@pytest.mark.parametrize("effect", [0.0, 1.0, -0.5])
def test_matching_finds_the_effect_where_the_change_since_before_says_relief(effect: float) -> None:
    row = excess(world(effect))
    assert row.gate == "pass"
    assert abs(row.estimate - effect) < 2.5 * row.se
    assert row.se < 0.06
    changes = [float(text) for text in re.findall(r"mean change ([+-][\d.]+) in new users, ([+-][\d.]+)", row.note)[0]]
    assert changes[0] - effect < -0.3  # regression to the mean, in both arms alike
    assert abs(changes[0] - changes[1] - effect) < 0.1
    assert (row.window, row.outcome) == ("181-365", "pain above pain before")
    assert row.population == "new users and matched non users (ATT)"


def test_errors_hold_the_truth_as_often_as_they_say() -> None:
    rows = [excess(world(0.0, seed, persons=6_000)) for seed in range(2, 42)]
    rows = [row for row in rows if row.gate == "pass"]  # small samples are out of balance now and then
    assert len(rows) >= 30
    score = [row.estimate / row.se for row in rows]
    assert 0.7 < np.std(score, ddof=1) < 1.3
    assert abs(np.mean(score)) < 3 / np.sqrt(len(score))
    assert sum(row.ci_low <= 0 <= row.ci_high for row in rows) >= len(rows) - 5


def test_what_is_missing_is_said() -> None:
    tables = world(0.0, persons=400)
    nobody = tables | {"trials": tables["trials"].clear()}
    assert excess(nobody).gate == "not evaluable: nobody starts an opioid, or might have"
    silent = tables | {"pain": tables["pain"].clear()}
    assert excess(silent).gate == "not evaluable: fewer than 50 new users have pain scores before and after"
    short = tables | {"pain": tables["pain"].filter(pl.col("date") < 300)}
    assert excess(short).gate == "not evaluable: fewer than 50 new users have pain scores before and after"
    alone = tables | {"trials": tables["trials"].filter(pl.col("arm") == 1)}
    assert excess(alone).gate == "not evaluable: fewer than 50 non users have pain scores before and after"


def test_a_covariate_that_tells_who_starts_is_named_and_nothing_is_told() -> None:
    tables = world(0.0)
    tables["trials"] = tables["trials"].with_columns(sure=pl.col("arm") * 1.0)
    row = excess(tables, baseline=["age", "sure"])
    assert row.gate.startswith("not evaluable: propensity score: a covariate tells for sure who starts (sure)")
    assert row.estimate is None
    assert row.persons > 0


def test_pain_that_never_changes_is_not_compared() -> None:
    """Means of scores of 3.3 differ by rounding only: no difference without an error is told."""
    tables = world(0.0, persons=3_000)
    tables["pain"] = tables["pain"].with_columns(score=pl.lit(3.3))
    assert excess(tables).gate == "not evaluable: pain does not vary"
