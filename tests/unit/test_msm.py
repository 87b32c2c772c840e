"""``mortality.msm``: right where adjusting is wrong, and what it says when it cannot answer."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import panel_world
import polars as pl
import pytest
from panel_world import Tables

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality import msm as analysis
from opioid_outcomes.mortality import msm_design, msm_gates
from opioid_outcomes.mortality.msm import Answer, msm

SETTINGS: dict[str, Any] = {
    "baseline": ["age", "sex"], "time_varying": ["hospital_days"], "missing": "indicator", "horizons": [180, 365],
    "truncation": [0, 100], "exposure": "time_varying",
}  # fmt: skip


def answer(tables: Tables, **changed: Any) -> Answer:
    return msm(**tables, **SETTINGS | changed)


@cache
def simple(seed: int = 1, n: int = 2_500) -> Tables:
    return panel_world.tables(n, seed)


@cache
def plain() -> Answer:
    return answer(simple())


def one(found: Answer, contrast: str, scale: str, window: str = "", method: str = "iptw") -> Estimate:
    rows = [r for r in found.rows if (r.contrast, r.scale, r.window, r.method) == (contrast, scale, window, method)]
    assert len(rows) == 1
    return rows[0]


def test_rows_and_displays() -> None:
    found = plain()
    ratio = one(found, "on vs off", "log_hr")
    assert ratio.gate == "pass"
    assert ratio.persons == 2_500
    assert ratio.events == simple()["panel"]["death"].sum()
    days = (simple()["cohort"]["exit"] - simple()["cohort"]["entry"]).sum()
    assert ratio.person_years == pytest.approx(days / 365.25)
    for scale in ("risk_difference", "risk_ratio", "rmst_days"):
        for window in ("0-180", "0-365"):
            row = one(found, "always vs never", scale, window)
            assert row.gate == "pass"
            assert row.ci_low < row.estimate < row.ci_high  # type: ignore[operator]
            horizon = int(window.split("-")[1])
            dies = (pl.col("death") == 1) & (pl.col("exit") - pl.col("entry") <= horizon)
            followed = pl.min_horizontal(pl.col("exit") - pl.col("entry"), horizon).sum()
            assert row.events == simple()["cohort"].filter(dies).height
            assert row.person_years == pytest.approx(simple()["cohort"].select(followed).item() / 365.25)
    assert one(found, "on vs off", "log_hr", method="adjusted_full").note.startswith("descriptive, not causal")
    assert found.weights is not None
    assert found.truncation is not None
    assert found.weights["period"].to_list() == list(range(24))
    assert found.weights["persons"][0] == 2_500
    assert found.weights["mean"].is_between(0.9, 1.1).all()
    assert found.truncation.select("lower", "upper").rows() == [(0, 100), (0.5, 99.5), (1, 99), (5, 95)]
    assert found.truncation["log_hr"][0] == ratio.estimate
    for table in (found.weights, found.truncation):
        for value in table["largest"]:
            assert value == float(f"{value:.1e}")  # two significant figures


def test_time_varying_confounding() -> None:
    """A year of always against never: the weighted risks are those of the world lived both ways, the plain ones not.

    Given the covariates that use moves, long use looks much less harmful than it is.
    """
    truth = panel_world.risk(1, 365, n=30_000) - panel_world.risk(0, 365, n=30_000)
    right, naive, total, given = [], [], [], []
    for seed in range(50, 56):
        design = designed(panel_world.tables(2_000, seed))
        made = msm_design.weigh(design)
        unweighted = np.ones(len(design.person))
        for weights, found in ((made.values, right), (unweighted, naive)):
            risk = analysis.pooled_risks(design, weights, made, [365])
            found.append(risk.risk_difference(0).estimate)
        x, names = analysis.outcome_columns(design)
        weighted = analysis.fit_cox(design, made.values, x, names)
        more = np.column_stack([x, design.varying])
        conditional = analysis.fit_cox(design, None, more, [*names, *design.varying_names])
        total.append(weighted.params[:3] @ [1, 6, 6])
        given.append(conditional.params[:3] @ [1, 6, 6])
    error = np.std(right, ddof=1) / np.sqrt(len(right))
    assert abs(np.mean(right) - truth) < 3 * error
    assert np.mean(naive) - truth > 3 * np.std(naive, ddof=1) / np.sqrt(len(naive))
    assert np.mean(given) < np.mean(total) - 0.1


def designed(tables: Tables) -> msm_design.Design:
    return msm_design.build(msm_design.follow_up(**tables), ["age", "sex"], ["hospital_days"], complete=False)


def test_use_is_that_of_the_first_day_and_nothing_later_in_the_period() -> None:
    """The analysis takes the panel's status; no other reading of use within a period is in its inputs."""
    design = designed(simple())
    panel = simple()["panel"].sort("person_id", "period")
    np.testing.assert_array_equal(design.treated, panel["on_opioid"])
    later = simple()["person_time"].with_columns(pl.lit(1).alias("on_opioid"), pl.lit(0).alias("days_since_start"))
    again = designed(simple() | {"person_time": later})
    np.testing.assert_array_equal(design.treated, again.treated)


def small(on: list[int | None], **columns: Any) -> Tables:
    """One person's periods, followed to their end."""
    k = len(on)
    panel = pl.DataFrame(
        {
            "person_id": [7] * k, "period": list(range(k)), "pain": columns.get("pain", [None] * k),
            "pain_observed": [0] * k, "mme": [None if v is None else 30.0 * v for v in on], "on_opioid": on,
            "death": [0] * (k - 1) + [columns.get("death", 0)], "age": [50.0] * k,
        },
        schema_overrides={"pain": pl.Float64, "mme": pl.Float64, "on_opioid": pl.Int64},
    )  # fmt: skip
    cohort = pl.DataFrame(
        {"person_id": [7], "entry": [100], "exit": [100 + 30 * k - 5], "exit_reason": [columns.get("why", "study end")]}
    )
    since = columns.get("since", 0 if on[0] == 1 else None)
    person_time = pl.DataFrame(
        {"person_id": [7], "start": [0], "on_opioid": [on[0]], "days_since_start": [since]},
        schema_overrides={"days_since_start": pl.Int64, "on_opioid": pl.Int64},
    )
    return {"panel": panel, "person_time": person_time, "cohort": cohort}


def test_treatment_history() -> None:
    rows = msm_design.follow_up(**small([0, 1, 1, 0, 1, 1, 1, 1, 1, 0]))
    assert rows["past"].to_list() == [0, 0, 1, 1, 0, 1, 1, 1, 1, 1]
    assert rows["recent"].to_list() == [0, 0, 1, 2, 2, 3, 4, 5, 5, 5]
    assert rows["earlier"].to_list() == [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    assert rows["stop"].to_list() == [*range(30, 271, 30), 295]
    assert rows["last_mme"].to_list() == [0, 0, 30, 30, 0, 30, 30, 30, 30, 30]


@pytest.mark.parametrize(("since", "past"), [(0, 0.0), (5, 1.0)])
def test_who_was_on_on_the_eve_of_entry_used_before(since: int, past: float) -> None:
    rows = msm_design.follow_up(**small([1, 1], since=since))
    assert rows["past"].to_list() == [past, 1]
    assert rows["used_before"].to_list() == [past, past]
    assert rows["last_mme"].to_list() == [0.0 if past == 0 else None, 30.0]  # the dose before entry is not known


@pytest.mark.parametrize(
    ("why", "death", "lost"),
    [("study end", 0, 0), ("max follow-up", 0, 0), ("end of observation", 0, 1), ("death", 1, 0)],
)
def test_only_lost_observation_is_censoring(why: str, death: int, lost: int) -> None:
    rows = msm_design.follow_up(**small([0, 1, 1], why=why, death=death))
    assert rows["censored"].to_list() == [0, 0, lost]


def test_who_comes_to_unknown_use_is_censored_there() -> None:
    rows = msm_design.follow_up(**small([0, 1, None, 1], death=1))
    assert rows["period"].to_list() == [0, 1]
    assert rows["censored"].to_list() == [0, 1]
    assert rows["stop"].to_list() == [30, 60]
    assert rows["death"].sum() == 0


def test_pain_is_carried_forward_and_never_zero() -> None:
    tables = small([0, 1, 1, 0], pain=[None, 6.0, None, 3.0])
    rows = msm_design.follow_up(**tables)
    assert msm_design.carried(rows, ["pain"], [])["pain"].to_list() == [None, 6.0, 6.0, 3.0]
    rows = rows.with_columns(pl.lit(8.0).alias("pain_at_entry"))
    assert msm_design.carried(rows, ["pain"], ["pain_at_entry"])["pain"].to_list() == [8.0, 6.0, 6.0, 3.0]


def changed(tables: Tables, **panel: pl.Expr) -> Tables:
    return tables | {"panel": tables["panel"].with_columns(**panel)}


@pytest.mark.parametrize(
    ("panel", "why"),
    [
        ({"death": pl.lit(0)}, "no deaths"),
        ({"death": pl.when(pl.col("person_id") < 130).then("death").otherwise(0)}, "fewer than ten deaths"),
        ({"death": pl.when(pl.col("on_opioid") == 1).then(0).otherwise("death")}, "deaths in one group only"),
        ({"on_opioid": pl.lit(0)}, "nobody in group 'on'"),
        ({"on_opioid": pl.lit(None, dtype=pl.Int64)}, "nobody is followed with known use"),
    ],
)
def test_what_cannot_be_estimated_is_said(panel: dict[str, pl.Expr], why: str) -> None:
    found = answer(changed(simple(), **panel))
    assert {row.gate for row in found.rows} == {f"not evaluable: {why}"}
    assert {row.contrast for row in found.rows} == {"on vs off", "always vs never"}
    assert found.weights is None


@pytest.mark.parametrize(
    ("exposure", "why"),
    [("baseline", "exposure known at one interview only"), ("none", "no opioid exposure is recorded")],
)
def test_where_use_over_time_is_not_known(exposure: str, why: str) -> None:
    found = answer(simple(), exposure=exposure)
    assert {row.gate for row in found.rows} == {f"not evaluable: {why}"}


def test_unequal_sampling_is_refused() -> None:
    cohort = simple()["cohort"]
    weighted = cohort.with_columns((1.0 + pl.col("person_id") % 2).alias("survey_weight"))
    assert {row.gate for row in answer(simple() | {"cohort": weighted}).rows} == {
        "not evaluable: people were sampled with unequal chances, which these weights do not take into account"
    }


@pytest.mark.parametrize(("share", "said"), [(40, True), (1, False)])
def test_sampling_units_are_said(share: int, said: bool) -> None:
    """Units of 40 people; each their own is no unit."""
    units = (pl.col("person_id") // share).cast(pl.String).alias("cluster")
    few = {name: table.filter(pl.col("person_id") < 1_300) for name, table in simple().items()}
    found = answer(few | {"cohort": few["cohort"].with_columns(units, survey_weight=2.0)}, horizons=[180])
    told = [row for row in found.rows if row.estimate is not None]
    assert len(told) == 5
    assert all((analysis.IN_UNITS in row.note) == said for row in told)


def test_a_cohort_of_nobody() -> None:
    empty = {name: table.clear() for name, table in simple().items()}
    assert {row.gate for row in answer(empty).rows} == {"not evaluable: nobody is followed with known use"}


def test_a_covariate_that_decides_use_fails_and_is_named() -> None:
    """Whoever has a hospital day is on, nobody else: no one to compare them with."""
    tables = changed(simple(), hospital_days=pl.col("on_opioid") * 3)
    found = answer(tables)
    row = one(found, "on vs off", "log_hr")
    assert row.gate.startswith("fail: ")
    assert row.estimate is None
    assert found.truncation["log_hr"].null_count() == 4  # type: ignore[index]  # nor by another door
    design = designed(tables)
    made = msm_design.weigh(design)
    assert "hospital_days" in made.treatment.separated
    assert "hospital_days" in row.gate or "weight" in row.gate
    assert msm_gates.outside_support(made.treatment) > 0.5


def test_unweighted_covariates_do_not_balance() -> None:
    design = designed(simple())
    made = msm_design.weigh(design)
    assert abs(msm_gates.worst_difference(design, made).smd) < 0.1
    without = msm_design.MadeWeights(np.ones(len(design.person)), made.treatment, made.censoring, ())
    assert abs(msm_gates.worst_difference(design, without).smd) > 0.2


def test_nobody_starts_without_a_contact_with_care() -> None:
    """A score nearly wherever somebody starts: weights hardly make its recording alike, and that alone fails nothing.

    Recording stays in the models of use, and the score is compared where it was recorded.
    """
    before = pl.col("on_opioid").shift(1, fill_value=0).over("person_id")
    starts = (pl.col("on_opioid") == 1) & (before == 0) & ((pl.col("person_id") + pl.col("period")) % 30 > 0)
    tables = changed(simple(), pain=pl.when(starts).then(pl.col("pain").fill_null(5.0)).otherwise("pain"))
    tables = changed(tables, pain_observed=pl.col("pain").is_not_null().cast(pl.Int64))
    design = designed(tables)
    made = msm_design.weigh(design)
    assert "pain_observed" in design.varying_names
    assert abs(msm_gates.worst_difference(only(design, "pain_observed", "any other"), made).smd) > 0.1
    assert msm_gates.worst_difference(only(design, "pain_observed"), made) == msm_gates.Worst(0.0, "nothing")
    score = only(design, "pain_observed", "pain_observed", "pain if recorded")
    assert abs(msm_gates.worst_difference(score, made).smd) < 0.1
    unweighted = replace(made, values=np.ones(len(design.person)))
    assert msm_gates.worst_difference(score, unweighted).smd > 0.2
    ratio = one(answer(tables), "on vs off", "log_hr")
    assert ratio.gate == "pass"
    assert analysis.CONTACT in ratio.note


def only(design: msm_design.Design, name: str, called: str = "", besides: str = "") -> msm_design.Design:
    """The design with one or two of its time-varying columns, the first by another name."""
    kept = [design.varying_names.index(each) for each in (name, besides) if each]
    names = (called or name, besides)[: len(kept)]
    return replace(design, varying=design.varying[:, kept], varying_names=names)


@pytest.mark.parametrize(("persons", "bands"), [(10, 1), (100, 3), (1_000, 10), (100_000, 10)])
def test_large_cohorts_have_larger_bands_and_no_more_of_them(persons: int, bands: int) -> None:
    """60 periods in which an arm has as many effective people: 30 bands of 1,000 would be hundreds of comparisons."""
    ones = np.full((60, 1, 2), float(persons))
    starts = msm_gates._bands(ones, ones)
    assert len(starts) == bands
    assert (np.diff(starts) == starts[1]).all() if bands > 1 else starts.tolist() == [0]


def test_horizons_that_too_few_follow() -> None:
    found = answer(simple(), horizons=[365, 1825])
    assert one(found, "always vs never", "risk_difference", "0-365").gate == "pass"
    beyond = one(found, "always vs never", "risk_difference", "0-1825")
    assert beyond.gate == ("not evaluable: fewer than 50 people or 5 deaths still follow a strategy at the horizon")
    assert beyond.estimate is None


def test_covariates_that_say_nothing_change_nothing() -> None:
    more = {"constant": pl.lit(1), "doubled": 2 * pl.col("age"), "unknown": pl.lit(None, dtype=pl.Float64)}
    found = one(answer(changed(simple(), **more), baseline=["age", "sex", *more]), "on vs off", "log_hr")
    assert found.gate == "pass"
    assert found.estimate == pytest.approx(one(plain(), "on vs off", "log_hr").estimate, abs=1e-4)


def test_where_all_follow_up_does_not_pass_the_longest_horizon_that_does_is_told() -> None:
    """From the 20th month on who is in pain is on and nobody else: the years before can still be read."""
    late = pl.when(pl.col("period") >= 20).then((pl.col("hospital_days") > 0).cast(pl.Int64)).otherwise("on_opioid")
    found = answer(changed(simple(), on_opioid=late), horizons=[365, 720, 1825])
    assert one(found, "on vs off", "log_hr").gate.startswith("fail: ")
    ratio = one(found, "on vs off", "log_hr", "0-365")
    assert ratio.gate == "pass"
    assert "follow-up ends on day 365" in ratio.note
    assert ratio.person_years < 2_500 * 365 / 365.25  # type: ignore[operator]
    assert one(found, "always vs never", "risk_difference", "0-365").gate == "pass"
    assert one(found, "always vs never", "risk_difference", "0-720").gate.startswith("fail: ")


def test_order_of_rows_changes_nothing() -> None:
    shuffled = {name: table.sample(fraction=1.0, shuffle=True, seed=3) for name, table in simple().items()}
    assert answer(shuffled).rows == plain().rows


def test_those_not_lost_stand_for_everybody_once_weighted() -> None:
    """Pain drives many away: who is left has less of it, unless their weights make up for the others."""
    design = designed(panel_world.tables(4_000, 9, loss=0.08))
    made = msm_design.weigh(design)
    assert abs(msm_gates.difference_of_observed(design, made, 180).smd) < 0.07
    assert msm_gates.gate_of_loss(design, made, 180) == "pass"
    unlost = replace(made.censoring, probability=np.zeros(len(design.person)))
    without = replace(made, censoring=unlost)
    worst = msm_gates.difference_of_observed(design, without, 180)
    assert worst.smd < -0.1
    assert worst.covariate in {"pain", "hospital_days", "pain squared", *msm_design.IF_RECORDED}
    assert msm_gates.gate_of_loss(design, without, 180).startswith("fail: max |SMD|")


def test_nobody_lost_is_everybody() -> None:
    design = designed(panel_world.tables(300, 9, loss=0.0))
    assert msm_gates.difference_of_observed(design, msm_design.weigh(design), 365).smd == pytest.approx(0, abs=1e-12)
