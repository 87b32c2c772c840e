"""Who of the new users comes to long-term use, and its predictors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.trajectories.long_term_use import NewUsers, long_term_use, new_users
from opioid_outcomes.trajectories.odds import regress

REFERENCE = Path(__file__).parents[1] / "reference" / "trajectories_estimates"
# Person 1 .. n starts on day 10 unless the row says otherwise.
CASES = [
    ("met on the 365th day", {"met": 10 + 364}, "met"),
    ("met a day later", {"met": 10 + 365}, "not met"),
    ("met on the day of starting", {"met": 10}, "met"),
    ("met before: not a candidate", {"met": 9}, "left out"),
    ("never met, followed for 365 days", {"exit": 375}, "not met"),
    ("left a day before", {"exit": 374}, "unknown"),
    ("met before leaving", {"met": 99, "exit": 200}, "met"),
    ("met after leaving is not seen", {"met": 200, "exit": 200}, "unknown"),
    ("died before", {"exit": 200, "death": 1}, "not met"),
    ("met, then died", {"met": 99, "exit": 200, "death": 1}, "met"),
    ("prevalent user", {"new_user": 0}, "left out"),
    ("use that began before entry", {"days_since_start": 5}, "left out"),
    ("another definition was met", {"met": 99, "definition": "fills3"}, "not met"),
]


def history(changes: dict[str, int | str]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Person-time (off, then on from day 10), cohort and long-term use of one person who enters on day 0."""
    values = {"exit": 800, "death": 0, "met": None, "new_user": 1, "days_since_start": 0, "definition": "d90"} | changes
    person_time = pl.DataFrame(
        {
            "person_id": [1, 1, 1], "start": [0, 10, 40], "stop": [10, 40, 41], "on_opioid": [0, 1, 1],
            "use_state": ["never", "on", "on"], "new_user": [None, values["new_user"], 0],
            "days_since_start": [None, values["days_since_start"], 30],
        },
    )  # fmt: skip
    cohort = pl.DataFrame({"person_id": [1], "entry": [0], "exit": [values["exit"]], "death": [values["death"]]})
    met = pl.DataFrame(
        {"person_id": [1], "definition": [values["definition"]], "met": [values["met"]]},
        schema_overrides={"met": pl.Int32},
    )
    return person_time, cohort, met.drop_nulls()


@pytest.mark.parametrize(("changes", "outcome"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_outcome_of_a_new_user(changes: dict[str, int | str], outcome: str) -> None:
    found = new_users(*history(changes), "d90")
    seen = [
        "met" if met else "not met" if known else "unknown" for met, known in zip(found.met, found.known, strict=True)
    ]
    assert seen == ([] if outcome == "left out" else [outcome])
    assert found.met_before == int(changes.get("met") == 9)


def test_without_a_washout_new_is_who_had_never_used() -> None:
    person_time, cohort, met = history({"exit": 375})
    person_time = person_time.with_columns(new_user=pl.lit(None, pl.Int64))
    found = new_users(person_time, cohort, met, "d90")
    assert (len(found.met), found.never_before) == (1, True)
    former = person_time.with_columns(use_state=pl.col("use_state").replace("never", "former"))
    assert len(new_users(former, cohort, met, "d90").met) == 0


def starters(
    time: np.ndarray, outcome: np.ndarray, left: np.ndarray, exposed: np.ndarray
) -> tuple[NewUsers, pl.DataFrame]:
    """New users on their day of entry; ``outcome`` 1 met at ``time``, 0 not met, ``left`` out of observation then."""
    n = len(time)
    ids = pl.Series("person_id", np.arange(n))
    person_time = ids.to_frame().with_columns(
        start=0, stop=30, on_opioid=1, use_state=pl.lit("on"), new_user=1, days_since_start=0
    )
    cohort = ids.to_frame().with_columns(
        entry=0, exit=pl.Series(np.where(left == 1, time, 800)), death=0, exposed=pl.Series(exposed)
    )
    met = ids.to_frame().with_columns(definition=pl.lit("d90"), met=pl.Series(time - 1)).filter(pl.Series(outcome == 1))
    return new_users(person_time, cohort, met, "d90"), cohort


def test_long_term_use_equals_weighted_glm() -> None:
    rows = pl.read_csv(REFERENCE / "censored.csv", null_values="NA")
    tables = starters(*(rows[name].to_numpy() for name in ("time", "outcome", "left", "exposed")))
    (row,) = long_term_use(
        *tables, ["exposed"], definition="d90", missing="indicator", factors="cdc_2022", lookback=180
    )
    theirs = pl.read_csv(REFERENCE / "censored_logistic.csv").row(1, named=True)
    assert row.estimate == pytest.approx(theirs["params"], rel=1e-9)
    assert row.se == pytest.approx(theirs["robust_se"], rel=1e-7)
    assert row.persons == rows["outcome"].count()
    assert row.events == rows["outcome"].sum()
    assert (row.outcome, row.contrast, row.method, row.window) == (
        "long-term use",
        "exposed: 1 vs 0",
        "logistic",
        "0-365",
    )
    assert "death before counts as not met" in row.note
    assert "left before that was known: about" in row.note


@pytest.mark.parametrize(
    ("met", "others", "covariates", "why"),
    [
        (0, 0, ["exposed"], "no new user is followed long enough"),
        (9, 50, ["exposed"], "fewer than ten new users meet the definition of long-term use"),
        (50, 9, ["exposed"], "fewer than ten new users do not meet the definition of long-term use"),
        (50, 50, [], "no baseline covariates are named"),
    ],
)
def test_long_term_use_that_cannot_be_estimated_says_why(
    met: int, others: int, covariates: list[str], why: str
) -> None:
    outcome = np.repeat([1, 0], [met, others])
    n = len(outcome)
    tables = starters(np.full(n, 100), outcome, np.zeros(n), np.arange(n) % 2)
    (row,) = long_term_use(*tables, covariates, definition="d90", missing="indicator", factors="f", lookback=180)
    assert row.gate == f"not evaluable: {why}"


def test_known_truth_which_leaving_out_the_unknown_misses() -> None:
    """Exposed who become long-term users do so early, others late, so that leaving keeps more of the former."""
    rng, n, reps = np.random.default_rng(20260104), 2000, 60
    weighted, naive, errors = [], [], []
    for _ in range(reps):
        exposed = (rng.random(n) < 0.5).astype(int)
        becomes = rng.random(n) < 0.4  # whatever the exposure: log odds ratio 0
        time = np.where(becomes, np.where(exposed == 1, rng.integers(90, 120, n), rng.integers(300, 366, n)), 365)
        leaves = rng.integers(30, 700, n)
        left = leaves < time
        tables = starters(np.minimum(time, leaves), becomes & ~left, left, exposed)
        (row,) = long_term_use(*tables, ["exposed"], definition="d90", missing="indicator", factors="f", lookback=180)
        weighted.append(row.estimate)
        errors.append(row.se)
        kept = np.column_stack([~becomes, becomes])[~left] * 1.0
        people = pl.DataFrame({"exposed": exposed[~left]})
        (term,) = regress(people, kept, ["exposed"], missing="indicator").terms
        assert term.log_or is not None
        naive.append(term.log_or[0])
    spread = np.std(weighted, ddof=1)
    assert abs(np.mean(weighted)) < 3 * spread / np.sqrt(reps)
    assert np.mean(errors) == pytest.approx(spread, rel=0.3)
    assert np.mean(naive) > 0.25
