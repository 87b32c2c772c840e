"""As-treated risks: intervals hold only what is known at their beginning, and weights stand in for those who leave."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
import pytest
from trial_cohorts import tables as tables_of
from trial_world import ENTRY_PERIOD, PERIOD, World, observed, truth

from opioid_outcomes.cohort.covariates import Sources
from opioid_outcomes.mortality import as_treated as module
from opioid_outcomes.mortality.as_treated import Intervals, as_treated, keeping, thinned
from opioid_outcomes.mortality.intervals import intervals
from opioid_outcomes.mortality.new_user import Compared, new_user
from opioid_outcomes.mortality.trial_estimates import Choices, Outcomes
from opioid_outcomes.mortality.trial_table import Rules, build

HORIZON, BASELINE = 360, ["age", "pain", "depression"]
CHOICES = Choices(baseline=BASELINE, horizons=[HORIZON])
NAMES = ("persons", "diagnoses", "dispensings", "pain", "measurements", "stays", "daily_dose")


def sources(tables: dict[str, pl.DataFrame]) -> Sources:
    return Sources(**{name: tables[name] for name in NAMES})


def test_intervals_know_what_was_known_at_their_beginning() -> None:
    tables = tables_of(
        [(1, 0, 999)], [(1, 300, "morphine", 30), (1, 340, "morphine", 30)],
        scores=[(1, 250, 3.0), (1, 330, 9.0), (1, 335, 7.0)], stays=[(1, 331, 334)],
    )  # fmt: skip
    rows = pl.DataFrame({"row": [0], "person_id": [1], "index": [300], "until": [95]})
    rows = rows.with_columns(pl.col("index").cast(pl.Int32))
    found = intervals(rows, ["hospital_days", "age"], sources(tables), tables["opioid_status"], lookback=180)
    columns = ["row", "interval", "start", "stop", "last_pain", "hospital_days", "dose", "dose_unknown"]
    assert found.select(columns).rows() == [
        (0, 0, 0, 30, 3.0, 0, 30.0, 0.0),
        (0, 1, 30, 60, 3.0, 0, 30.0, 0.0),  # the score of day 330 is not yet known on its eve
        (0, 2, 60, 90, 7.0, 3, 30.0, 0.0),
        (0, 3, 90, 95, 7.0, 0, 30.0, 0.0),
    ]


def compared(world: World, seed: int, n: int = 1500) -> tuple[Compared, Intervals]:
    cohort, tables = observed(world, n, seed)
    rules = Rules(["non_user"], BASELINE, [], 180, 180, 7)
    table = build(cohort, tables, rules).table
    # visits from which everybody can be followed to the horizon: those of which the truth speaks
    table = table.filter(pl.col("trial") < world.periods - ENTRY_PERIOD - HORIZON // PERIOD)
    table = table.with_columns(survey_weight=pl.lit(None, pl.Float64), cluster=pl.lit(None, pl.String))
    over_time = partial(
        intervals, time_varying=[], sources=sources(dict(tables)), status=tables["opioid_status"], lookback=180
    )
    return new_user("non_user", table, CHOICES), over_time


def test_nobody_leaves_nothing_is_weighted() -> None:
    found, over_time = compared(World(), 1, n=600)
    assert found.trials is not None
    stays = replace(found, trials=found.trials.with_columns(as_treated_until=pl.lit(None, pl.Int64)))
    told = {row.scale: row for row in as_treated("non_user", stays, CHOICES, over_time)}
    itt = {row.scale: row for row in found.rows if row.method == "overlap"}
    for scale in ("risk_difference", "rmst_days", "log_hr"):
        assert told[scale].estimate == pytest.approx(itt[scale].estimate, rel=1e-6)
        assert told[scale].method == "overlap_as_treated"


def test_weights_stand_in_for_those_who_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparators in pain start opioids, and die more: without weights, those who are left seem too safe."""
    world = World(sick=0.25, start=-3.4, per_year=0.2, refill=1.0)
    known = truth(world, HORIZON, sustained=True)
    weighted: list[float] = []
    naive: list[float] = []
    real = module.adherence
    # that so few are in balance is not asked here
    monkeypatch.setattr(module, "gate_at", lambda *_: "pass")
    monkeypatch.setattr(module, "balanced", lambda kept, *_: (kept, {HORIZON: None}))
    for seed in range(10):
        found, over_time = compared(world, seed, n=1500)
        assert found.trials is not None
        assert found.arms is not None
        kept = real(found.trials, (found.arms.design.x, found.arms.design.names), over_time, longest=HORIZON)
        for told, weight in ((weighted, kept.weight), (naive, np.ones_like(kept.weight))):
            monkeypatch.setattr(module, "adherence", lambda *_, w=weight, k=kept, **__: replace(k, weight=w))
            row = next(r for r in as_treated("non_user", found, CHOICES, over_time) if r.scale == "risk_difference")
            assert row.estimate is not None
            told.append(row.estimate)
    true = known["started"] - known["not"]
    for estimates, right in ((weighted, True), (naive, False)):
        error = np.std(estimates, ddof=1) / np.sqrt(len(estimates))
        assert (abs(np.mean(estimates) - true) < 3 * error) == right


def test_horizons_to_which_few_keep_on_are_said_to_be_so() -> None:
    """New users whose strategy ends by day 200, but for thirty: one horizon is told, and no interval beyond it made."""
    found, over_time = compared(World(), 1, n=600)
    assert found.trials is not None
    new = (pl.col("arm") == 1) & (pl.col("arm").cum_sum() > 30)
    short = replace(found, trials=found.trials.with_columns(as_treated_until=pl.when(new).then(200)))
    ends = []

    def looked(rows: pl.DataFrame) -> pl.DataFrame:
        ends.append(rows["until"].max())
        return over_time(rows)

    told = as_treated("non_user", short, replace(CHOICES, horizons=[90, HORIZON]), looked)
    gates = {(row.scale, row.window): row.gate for row in told}
    too_few = "not evaluable: fewer than 50 people (effective) of an arm keep to their strategy so long"
    assert {gates[scale, f"0-{HORIZON}"] for scale in ("risk_difference", "risk_ratio", "rmst_days")} == {too_few}
    assert gates["risk_difference", "0-90"] == "pass"
    assert ("log_hr", "0-90") in gates
    assert ends == [90]
    nobody = as_treated("non_user", short, CHOICES, looked)
    assert {row.gate for row in nobody} == {too_few}


def test_who_keeps_on_is_counted_as_if_nobody_died() -> None:
    """Of 200 comparators half leave or are lost; of 200 new users half die early, two index dates a person."""
    half = np.arange(200) % 2 == 0
    left = pl.Series([100 if h and k % 4 == 0 else None for k, h in enumerate(half)] + [None] * 200, dtype=pl.Int64)
    time = np.r_[np.where(half, np.where(np.arange(200) % 4 == 0, 400, 150), 400), np.where(half, 50, 400)]
    event = np.r_[np.zeros(200, int), half.astype(int)]
    person = np.r_[np.arange(200), 200 + np.arange(200) // 2]
    outcomes = Outcomes(person, person, np.repeat([0.0, 1.0], 200), time.astype(float), event)
    trials = pl.DataFrame({"as_treated_until": left})
    assert keeping(trials, outcomes, np.ones(400), 100) == pytest.approx((200, 100))
    assert keeping(trials, outcomes, np.ones(400), 120) == pytest.approx((150, 100))
    assert keeping(trials, outcomes, np.ones(400), 365) == pytest.approx((100, 100))
    assert keeping(trials, outcomes, np.repeat([1.0, 0.0], 200), 365) == (0.0, 0.0)


def test_weights_redone_where_people_count_differently() -> None:
    found, over_time = compared(World(), 1, n=400)
    assert found.trials is not None
    assert found.arms is not None
    trials, x, names = found.trials, found.arms.design.x, found.arms.design.names
    kept = module.adherence(trials, (x, names), over_time, longest=HORIZON)
    assert kept.refit is not None
    np.testing.assert_allclose(kept.refit(np.ones(trials.height)), kept.weight, rtol=1e-9)
    # a person drawn twice is two people with the same history
    often = (trials["person_id"].to_numpy() % 3 == 0) + 1
    twice = np.repeat(np.arange(trials.height), often)
    doubled = module.adherence(trials[twice], (x[twice], names), over_time, longest=HORIZON)
    first = np.concatenate([[0], np.cumsum(often)[:-1]])
    mine = np.isin(doubled.row, first)
    np.testing.assert_allclose(kept.refit(often.astype(float)), doubled.weight[mine], rtol=1e-6)
    assert not np.allclose(kept.weight, doubled.weight[mine], rtol=1e-6)


def test_the_bootstrap_redoes_the_weights_for_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "gate_at", lambda *_: "pass")  # so few are not in balance
    found, over_time = compared(World(), 1, n=800)
    sandwich, bootstrap = (
        as_treated("non_user", found, replace(CHOICES, horizons=[180], standard_error=se, replicates=30), over_time)[0]
        for se in ("sandwich", "bootstrap")
    )
    assert bootstrap.estimate == sandwich.estimate
    assert bootstrap.se == pytest.approx(sandwich.se, rel=0.5)
    assert "taken as given" in sandwich.note
    assert "redone in each replicate" in bootstrap.note


def test_some_comparators_stand_for_all() -> None:
    trials = pl.DataFrame({
        "person_id": np.repeat(np.arange(500), 10), "trial": np.tile(np.arange(10), 500), "follow_up": [365] * 5000,
        "as_treated_until": [None] * 5000,
    }, schema_overrides={"as_treated_until": pl.Int64})  # fmt: skip
    arm = (np.arange(5000) % 50 == 0).astype(float)
    chosen, many = thinned(trials, arm, 365, most=13 * 1000)
    assert chosen[arm == 1].all()
    assert set(many[arm == 1]) == {1.0}
    m = many[arm == 0][0]
    assert m == 6  # 4900 x 13 intervals into 11,700
    assert (chosen & (arm == 0)).sum() * m == pytest.approx(4900, rel=0.05)
    whole, ones = thinned(trials, arm, 365)
    assert whole.all()
    assert set(ones) == {1.0}
