"""pain.*: planted effects are recovered where the plain comparison fails, and what cannot be told is a gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pain_claims_world as world
import polars as pl
import pytest

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import histories
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.pain import mixed
from opioid_outcomes.pain.after_stopping import after_stopping, window_of
from opioid_outcomes.pain.history import before
from opioid_outcomes.pain.new_user import RESPONSE, new_user
from opioid_outcomes.pain.stops import stops
from opioid_outcomes.pain.therapy_interaction import therapy_interaction, together
from opioid_outcomes.steps.pain import analyse

REFERENCE = Path(__file__).parents[1] / "reference" / "pain"
Tables = dict[str, pl.DataFrame]


def known(tables: Tables) -> Histories:
    return histories.build(*(tables[name] for name in ("cohort", "pain", "daily_dose", "opioid_status")))


@cache
def stopped() -> Tables:
    return world.stopping(6000, 1, effect=-0.5)


@cache
def started() -> Tables:
    return world.starting(8000, 3, effect=0.4)


@cache
def exercised() -> Tables:
    return world.therapies(12_000, 1, on=-0.2, off=-0.8)


def by(rows: list[Estimate], key: Callable[[Estimate], object]) -> dict[object, Estimate]:
    return {key(row): row for row in rows}


# --- after stopping


def test_pain_after_stopping_is_what_was_planted_though_sicker_people_stop() -> None:
    tables = stopped()
    found = known(tables)
    rows = by(after_stopping(found, tables["opioid_status"]), lambda row: (row.method, row.window))
    pain = found.pain
    ends = stops(tables["opioid_status"], found)
    end = np.full(tables["cohort"].height, world.DAYS)
    end[ends.person[::-1]] = ends.end[::-1]
    off = pain.day >= end[pain.person]
    naive = pain.score[off & (pain.day < end[pain.person] + 31)].mean() - pain.score[~off].mean()
    assert naive > 0.1  # stopping looks harmful
    for window in ("0-30", "31-90", "91-180", "181-365", "366-730"):
        row = rows["gee_intensity_weighted", window]
        assert row.gate == "pass"
        assert row.estimate == pytest.approx(-0.5, abs=0.15)
        assert row.se is not None
        assert abs(row.estimate + 0.5) < 2.6 * row.se
        assert "visits" in row.note
        assert "random intercept" in rows["mixed", window].note
        assert rows["mixed", window].estimate == pytest.approx(-0.5, abs=0.2)


def test_stops_by_hand() -> None:
    """Ends after 100 days; a gap within the carry-over is none; 60 days of therapy are too few; treatment restarts."""
    status = pl.DataFrame(
        [
            (0, 0, 130, "on", 0, 100), (0, 130, 200, "recent", None, 100), (0, 200, 300, "former", None, 100),
            (0, 300, 400, "treatment", None, 400),
            (1, 0, 90, "on", 0, 60), (1, 90, 400, "recent", None, 60),
            (2, 0, 150, "on", 0, 120), (2, 150, 400, "recent", None, 120),
            (3, 0, 100, "treatment", None, 100), (3, 100, 400, "recent", None, 100),
        ],
        schema=["person_id", "start", "stop", "state", "on_since", "supply_end"], orient="row",
    )  # fmt: skip
    cohort = pl.DataFrame({"person_id": [0, 1, 2, 3], "entry": 0, "exit": [400, 400, 250, 400], "death": 0})
    pain = pl.DataFrame({"person_id": [0], "date": [10], "scale": ["NRS"], "score": [5.0]})
    daily = pl.DataFrame({"person_id": [0], "start": [0], "stop": [100], "mme": [40.0], "mme_incomplete": [0]})
    found = stops(status, histories.build(cohort, pain, daily, status))
    assert found.person.tolist() == [0, 2]
    assert found.end.tolist() == [100, 120]
    assert found.until.tolist() == [300, 250]
    assert found.restarts.tolist() == [True, False]
    assert found.dose.tolist() == [40.0, 0.0]


def test_windows_by_hand() -> None:
    clock = np.array([-91, -90, -1, 0, 30, 31, 90, 91, 365, 366, 730])
    assert window_of(clock).tolist() == [-1, 0, 0, 1, 1, 2, 2, 3, 4, 5, 5]


def test_nobody_stops() -> None:
    tables = stopped()
    status = tables["opioid_status"].filter(state="on")
    rows = after_stopping(known(tables), status)
    assert len(rows) == 10
    assert {row.gate for row in rows} == {"not evaluable: nobody's long-term therapy is seen to end"}


def test_few_stop() -> None:
    tables = {name: table.filter(pl.col("person_id") < 60) for name, table in stopped().items()}
    rows = after_stopping(known(tables), tables["opioid_status"])
    assert all(row.gate.startswith("not evaluable: fewer than 50 people") for row in rows)
    assert all(row.estimate is None for row in rows)


def test_constant_pain_is_no_number() -> None:
    tables = stopped() | {"pain": stopped()["pain"].with_columns(score=pl.lit(5.0))}
    rows = after_stopping(known(tables), tables["opioid_status"])
    assert {row.gate for row in rows} == {"not evaluable: pain does not vary"}


def test_pain_that_never_changes_is_not_compared() -> None:
    """Neither one score in all, nor each person's own: means of scores of 3.3 differ by rounding only."""
    own = pl.when(pl.col("person_id") % 2 == 0).then(3.3).otherwise(6.1)
    for score in (pl.lit(3.3), own):
        tables = started() | {"pain": started()["pain"].with_columns(score=score)}
        rows = new_user("non_user", tables["trials"], known(tables), baseline=["sex"], missing="indicator")
        year = by(rows, lambda row: row.outcome)
        assert year["pain"].gate == "not evaluable: pain does not vary"
        assert year["alive with 30 % less pain"].gate == (
            "not evaluable: who is alive with 30 % less pain does not vary"
        )
        told = of_therapies(exercised() | {"pain": exercised()["pain"].with_columns(score=score)})
        for state in ("on", "off"):
            assert told[f"exercise vs none, {state} opioids"].gate == "not evaluable: pain does not vary"


# --- the mixed model


@pytest.mark.parametrize("slope", [False, True])
def test_mixed_model_equals_lme4(slope: bool) -> None:
    rows, theirs = pl.read_csv(REFERENCE / "mixed_rows.csv"), json.loads((REFERENCE / "mixed.json").read_text())
    name = "slope" if slope else "intercept"
    x = np.column_stack([np.ones(rows.height), rows["off"], rows["later"]])
    time = rows["time"].to_numpy() if slope else np.zeros(rows.height)  # no slope can be told of a time that stands
    found = mixed.fit(x, rows["pain"].to_numpy(), rows["person"].to_numpy(), time)
    assert found is not None
    assert found.slope == slope
    assert found.joint.values == pytest.approx(theirs[name], abs=1e-6)
    assert np.sqrt(np.diag(found.joint.covariance)) == pytest.approx(theirs[f"{name}_se"], abs=1e-6)


# --- new users


def test_pain_a_year_after_starting_though_people_start_at_a_peak() -> None:
    tables = started()
    found, trials = known(tables), tables["trials"]
    rows = by(new_user("non_user", trials, found, baseline=["age", "sex"], missing="mi"), lambda row: row.outcome)
    person, index = trials["person_id"].to_numpy(), trials["index"].to_numpy()
    treated = trials["arm"].to_numpy() == 1
    after = found.pain.mean(person, index + 301, np.minimum(index + 425, found.exit[person] - 1))
    plain = float(np.nanmean(after[treated]) - np.nanmean(after[~treated]))
    change = after - before(found.pain, person, index).last
    assert plain > 1.0  # who starts is in more pain anyway
    assert np.nanmean(change[treated]) - np.nanmean(change[~treated]) < 0  # and a peak passes
    row = rows["pain"]
    assert row.gate == "pass"
    assert row.estimate == pytest.approx(0.4, abs=0.12)
    assert row.contrast == "new user vs non user"
    assert row.window == "301-425"
    assert row.population.endswith("(ATT)")
    assert "SPACE" in row.note
    assert "not in the data: age" in row.note
    assert "not imputed" in row.note
    assert rows[RESPONSE].estimate is not None
    assert rows[RESPONSE].estimate < -0.03


def test_the_dead_are_not_better() -> None:
    """All comparators die before their year is over: none is alive with less pain, and their pain is not told of."""
    tables = started()
    trials = tables["trials"]
    dead = trials.filter(pl.col("arm") == 0).select("person_id", dies=pl.col("index") + 200)
    cohort = tables["cohort"].join(dead, on="person_id", how="left", maintain_order="left")
    cohort = cohort.with_columns(
        exit=pl.coalesce("dies", "exit"), death=pl.col("dies").is_not_null().cast(pl.Int64)
    ).drop("dies")
    found = known(tables | {"cohort": cohort})
    rows = by(new_user("non_user", trials, found, baseline=["sex"], missing="indicator"), lambda row: row.outcome)
    assert rows["pain"].gate == "not evaluable: fewer than 50 people do not start and have a score in the window"
    share = rows[RESPONSE]
    assert share.gate == "pass"
    person, index = trials["person_id"].to_numpy(), trials["index"].to_numpy()
    treated = trials["arm"].to_numpy() == 1
    after = found.pain.mean(person, index + 301, np.minimum(index + 425, found.exit[person] - 1))[treated]
    last = before(found.pain, person, index).last[treated]
    seen = np.isfinite(after) & (last > 0)
    assert share.estimate == pytest.approx(float((after[seen] <= 0.7 * last[seen]).mean()), abs=0.02)


@pytest.mark.parametrize(("arm", "who"), [(1, "non user"), (0, "new user")])
def test_one_arm(arm: int, who: str) -> None:
    tables = started()
    rows = new_user("non_user", tables["trials"].filter(arm=arm), known(tables), baseline=["sex"], missing="indicator")
    assert [row.gate for row in rows] == [f"not evaluable: nobody in group '{who}'"] * 2


def test_a_covariate_that_tells_who_starts() -> None:
    tables = started()
    trials = tables["trials"].with_columns(sex=pl.when(pl.col("arm") == 1).then(pl.lit("F")).otherwise(pl.lit("M")))
    rows = new_user("non_user", trials, known(tables), baseline=["sex"], missing="indicator")
    assert {row.gate for row in rows} == {"not evaluable: a covariate tells for sure who starts"}


def test_missing_covariates_are_a_category_or_left_out() -> None:
    tables = started()
    gap = pl.when(pl.col("person_id") % 3 > 0).then("sex").alias("sex")
    trials = tables["trials"].with_columns(gap)
    found = known(tables)
    every = new_user("non_user", trials, found, baseline=["sex"], missing="indicator")[0]
    some = new_user("non_user", trials, found, baseline=["sex"], missing="complete")[0]
    assert every.persons is not None
    assert some.persons is not None
    assert 0.5 < some.persons / every.persons < 0.8
    full = trials.filter(pl.col("sex").is_not_null())
    assert some.estimate == new_user("non_user", full, found, baseline=["sex"], missing="complete")[0].estimate


def test_pain_before_by_hand() -> None:
    pain = pl.DataFrame(
        {"person_id": [0, 0, 0, 1], "date": [0, 100, 160, 5], "scale": "NRS", "score": [9.0, 4.0, 6.0, 2.0]}
    )
    cohort = pl.DataFrame({"person_id": [0, 1, 2], "entry": 0, "exit": 400, "death": 0})
    empty = stopped()
    found = histories.build(cohort, pain, empty["daily_dose"].clear(), empty["opioid_status"].clear())
    told = before(found.pain, np.array([0, 0, 1, 2]), np.array([190, 159, 300, 50]))
    assert told.last[[0, 1]].tolist() == [6.0, 4.0]
    assert np.isnan(told.last[[2, 3]]).all()
    assert told.terms["mean pain in 180 days"].tolist() == [5.0, 6.5, 5.75, 5.75]
    # 4 and 6 two months apart, 9 and 4 100 days apart: sums of squared months 2 and 50 / 9, with 1 / 2 added to each
    slopes = [2 / (2 + 0.5), -(25 / 3) / (50 / 9 + 0.5), 0.0, 0.0]
    assert told.terms["slope of pain in 180 days"].tolist() == pytest.approx(slopes)
    assert told.terms["scores in 180 days"].tolist() == [2.0, 2.0, 0.0, 0.0]
    assert told.terms["days since the last score"].tolist() == [30.0, 59.0, 44.5, 44.5]
    assert told.terms["no score in 180 days"].tolist() == [0.0, 0.0, 1.0, 1.0]


# --- therapies


def of_therapies(tables: Tables) -> dict[object, Estimate]:
    rows = therapy_interaction(
        known(tables), tables["opioid_status"], tables["therapies"], baseline=[], missing="indicator"
    )
    return by(rows, lambda row: row.contrast)


def test_therapies_on_and_off_opioids_though_they_are_sought_in_pain() -> None:
    tables = exercised()
    rows = of_therapies(tables)
    assert len(rows) == 9
    on, off = rows["exercise vs none, on opioids"], rows["exercise vs none, off opioids"]
    assert on.estimate == pytest.approx(-0.2, abs=0.06)
    assert off.estimate == pytest.approx(-0.8, abs=0.09)
    both = rows["exercise: on minus off opioids"]
    assert both.estimate == pytest.approx(on.estimate - off.estimate, abs=1e-12)
    assert both.estimate == pytest.approx(0.6, abs=0.1)
    assert both.se == pytest.approx(np.hypot(on.se, off.se), rel=1e-9)  # nobody is in both states here
    assert both.window == "1-90"
    found = known(tables)
    begun = tables["therapies"].sort("date").unique("person_id", keep="first", maintain_order=True)
    person, day = begun["person_id"].to_numpy(), begun["date"].to_numpy()
    after = float(np.nanmean(found.pain.mean(person, day + 7, day + 90)))
    assert after > found.pain.score.mean()  # who exercises looks the worse for it
    assert {rows[name].gate for name in rows if str(name).startswith("acupuncture")} == {
        "not evaluable: none of the cohort has the therapy"
    }


def test_no_therapies() -> None:
    tables = exercised() | {"therapies": exercised()["therapies"].clear()}
    assert {row.gate for row in of_therapies(tables).values()} == {"not evaluable: no therapies are recorded"}


def test_nobody_on_opioids() -> None:
    tables = exercised()
    tables = tables | {name: tables[name].clear() for name in ("daily_dose", "opioid_status")}
    rows = of_therapies(tables)
    assert rows["exercise vs none, on opioids"].gate == "not evaluable: nobody is in this state with a score"
    assert rows["exercise vs none, off opioids"].gate == "pass"
    assert rows["exercise: on minus off opioids"].gate == "not evaluable: the effect is not told in both states"


def test_people_in_both_states_share_an_error() -> None:
    class Found:
        people = 3

        def __init__(self, influence: list[float], value: float) -> None:
            self.own, self.value = np.array(influence)[:, None], np.array([value])

        def influence(self, _: str) -> np.ndarray:
            return self.own

        def values(self, _: str) -> np.ndarray:
            return self.value

    one, other = Found([1.0, 2.0, 3.0], 0.5), Found([2.0, 3.0, -4.0], 0.1)
    told = together([(one, np.array([1, 5, 7])), (other, np.array([5, 7, 9]))])  # type: ignore[list-item]
    assert told.values.tolist() == [0.5, 0.1]
    assert told.covariance.ravel() == pytest.approx(1.5 * np.array([14, 13, 13, 29]))


# --- the step


SETTINGS = {
    "hyperalgesia": {"scale": None}, "mortality": {"comparators": ["non_user", "nsaid"]},
    "covariates": {"baseline": ["sex"], "missing": "indicator"}, "population": {"lookback_days": 365},
}  # fmt: skip
THERAPIES = pl.DataFrame(schema={"person_id": pl.Int64, "date": pl.Int64, "therapy": pl.String})


def analysed(**changed: pl.DataFrame) -> list[Estimate]:
    return analyse(started() | {"therapies": THERAPIES} | changed, SETTINGS)


def test_every_row_of_the_step() -> None:
    rows = analysed()
    assert len(rows) == 2 * 2 + 10 + 9
    assert len({(row.analysis, row.method, row.contrast, row.outcome, row.window) for row in rows}) == len(rows)
    told = by(rows, lambda row: (row.contrast, row.outcome))
    assert told["new user vs non user", "pain"].gate == "pass"
    assert told["new user vs non user", "pain"].note.endswith("pain on NRS, 0-10")
    assert {row.instrument for row in rows} == {"NRS"}
    assert told["new user vs nsaid", "pain"].gate == "not evaluable: nobody in group 'new user'"


def test_a_dose_that_is_never_known_is_being_on_opioids_all_the_same() -> None:
    """Buprenorphine has no MME: starting it, and therapies on it and off it, ask for no dose."""
    unknown = pl.lit(None, dtype=pl.Float64), pl.lit(1)
    daily = started()["daily_dose"].with_columns(mme=unknown[0], mme_incomplete=unknown[1])
    told = by(analysed(daily_dose=daily), lambda row: (row.contrast, row.outcome))
    assert told["new user vs non user", "pain"].gate == "pass"
    assert (
        told["new user vs non user", "pain"]
        == by(analysed(), lambda row: (row.contrast, row.outcome))["new user vs non user", "pain"]
    )
    daily = exercised()["daily_dose"].with_columns(mme=unknown[0], mme_incomplete=unknown[1])
    rows = of_therapies(exercised() | {"daily_dose": daily})
    for state, effect in (("on", -0.2), ("off", -0.8)):
        row = rows[f"exercise vs none, {state} opioids"]
        assert row.gate == "pass"
        assert row.estimate == pytest.approx(effect, abs=0.09)


def test_scores_on_another_scale_are_left_out() -> None:
    pain = started()["pain"]
    few = pain.with_columns(scale=pl.when(pl.col("person_id") % 50 == 0).then(pl.lit("PEG")).otherwise(pl.lit("NRS")))
    assert all("scores on other scales left out" in row.note for row in analysed(pain=few))


def twice_on_another_scale(pain: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([pain, pain.with_columns(scale=pl.lit("PEG"))])


@pytest.mark.parametrize(
    ("table", "change", "gate"),
    [
        ("pain", pl.DataFrame.clear, "not evaluable: no pain scores"),
        ("cohort", pl.DataFrame.clear, "not evaluable: nobody is eligible"),
        ("daily_dose", pl.DataFrame.clear, "not evaluable: nobody has a dispensing that gives a daily dose"),
        (
            "pain", twice_on_another_scale,
            "fail: pain is recorded on several scales (NRS, PEG): choose one with hyperalgesia.scale",
        ),
    ],
)  # fmt: skip
def test_what_nothing_can_be_told_of(table: str, change: Callable[[pl.DataFrame], pl.DataFrame], gate: str) -> None:
    rows = analysed(**{table: change(started()[table])})
    assert len(rows) == 23
    assert {row.gate for row in rows} == {gate}
    assert all(row.estimate is None for row in rows)


def test_one_score_each() -> None:
    pain = started()["pain"].unique("person_id", keep="first", maintain_order=True)
    rows = analysed(pain=pain)
    assert all(row.gate.startswith("not evaluable") for row in rows)
