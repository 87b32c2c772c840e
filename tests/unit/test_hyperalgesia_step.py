"""The step's answers when there is little or nothing to estimate from: rows with a gate, never a crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts import canonical, derived, displays, estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia.inputs import TABLES as READ
from opioid_outcomes.steps.hyperalgesia import Analysed, analyse, estimate_hyperalgesia

EVERY = {
    table.name: table
    for table in (
        canonical.PERSONS, canonical.DISPENSINGS, canonical.DIAGNOSES, canonical.PAIN, canonical.MEASUREMENTS,
        canonical.STAYS, derived.DAILY_DOSE, derived.OPIOID_STATUS, derived.COHORT,
    )
}  # fmt: skip
TABLES = {name: EVERY[name] for name in READ}
MADE = ("pain", "daily_dose", "opioid_status", "cohort")  # by trial_of; covariates are then those of the cohort


def empty() -> dict[str, pl.DataFrame]:
    return {name: pl.DataFrame(schema=table.schema()) for name, table in TABLES.items()}


def trial_of(persons: int, escalated: int, *, rise: float = 30.0, unknown: bool = False) -> dict[str, pl.DataFrame]:
    """One visit on day 100 each, the first ``escalated`` people raised on day 102; scores on days 100 and 120."""
    rng = np.random.default_rng(7)
    ids = [f"p{number}" for number in range(persons)]
    starts = pl.DataFrame({"person_id": ids, "start": 0, "stop": 102, "mme": 50.0})
    after = [50.0 + rise * (number < escalated) for number in range(persons)]
    later = pl.DataFrame({"person_id": ids, "start": 102, "stop": 500, "mme": after})
    daily = pl.concat([starts, later]).with_columns(mme_incomplete=pl.lit(int(unknown)))
    scores = [
        {"person_id": person, "date": day, "scale": "NRS", "score": float(rng.integers(2, 9))}
        for person in ids
        for day in (100, 120)
    ]
    return {
        "cohort": pl.DataFrame({"person_id": ids}).with_columns(
            entry=pl.lit(0),
            exit=pl.lit(400),
            death=pl.lit(0),
            sex=pl.lit("F"),
            age=pl.Series(rng.normal(50, 9, persons)),
        ),
        "pain": pl.DataFrame(scores),
        "daily_dose": daily,
        "opioid_status": pl.DataFrame({"person_id": ids}).with_columns(
            # until the second score, so that it is no decision
            start=pl.lit(0),
            stop=pl.lit(120),
            state=pl.lit("on"),
            on_since=pl.lit(0),
        ),
    }


def settings(baseline: list[str] | None = None, missing: str = "indicator", **options: object) -> dict[str, object]:
    return {
        "study": "s", "cohort_name": "c", "study_seed": 7, "population": {"lookback_days": 180},
        "hyperalgesia": Hyperalgesia(**options).model_dump(),
        "covariates": {"baseline": baseline or [], "time_varying": [], "missing": missing},
    }  # fmt: skip


def analysed(tables: dict[str, pl.DataFrame], baseline: list[str] | None = None, **options: object) -> Analysed:
    found = analyse(tables, settings(baseline, **options))
    assert found.displays["pain_escalation"].columns == list(displays.DISPLAYS["pain_escalation"].columns)
    for name in ("escalation_diagnostics", "noise_tipping"):
        assert found.displays[name].schema == displays.DISPLAYS[name].schema
    return found


def rows_of(
    tables: dict[str, pl.DataFrame], baseline: list[str] | None = None, **options: object
) -> dict[tuple[str, str, str], Estimate]:
    """By method, scale and window; the long less the short lag has no window."""
    rows = analysed(tables, baseline, **options).rows
    assert len(rows) == 4 * (5 * 2 + 1) + 2
    return {(row.method, row.scale, row.window): row for row in rows}


@pytest.mark.parametrize(
    ("lacking", "why"),
    [
        (["cohort"], "nobody is eligible"),
        (["pain"], "no pain scores"),
        (["daily_dose"], "nobody has a dispensing that gives a daily dose"),
        (["opioid_status"], "nobody on a stable dose for 90 days reported pain"),
    ],
)
def test_what_is_missing_is_said_in_every_row(lacking: list[str], why: str) -> None:
    tables = trial_of(60, 20)
    tables |= {name: empty()[name] for name in lacking}
    for row in rows_of(tables).values():
        assert row.gate == f"not evaluable: {why}"
        assert row.estimate is None


def test_a_dose_never_known_is_not_a_dose_of_zero() -> None:
    rows = rows_of(trial_of(200, 100, unknown=True))
    assert {row.gate for row in rows.values()} == {"not evaluable: the dose is unknown on every day with supply"}


@pytest.mark.parametrize(
    ("escalated", "gate"),
    [
        (49, "not evaluable: fewer than 50 people escalated and have a score in the window"),
        (50, "pass"),
        (150, "fail: the effective number of people who maintained is under 50"),
        (151, "not evaluable: fewer than 50 people maintained and have a score in the window"),
    ],
)
def test_fifty_people_in_each_arm(escalated: int, gate: str) -> None:
    row = rows_of(trial_of(200, escalated))["aipw", "mean_difference", "1-30"]
    assert row.gate == gate
    assert (row.persons, row.events, row.smallest_cell) == (200, escalated, min(escalated, 200 - escalated))
    assert (row.estimate is None) == (gate != "pass")


def test_few_who_maintained_is_said_before_what_tells_who_escalated() -> None:
    tables = trial_of(200, 151)
    tables["cohort"] = tables["cohort"].with_columns(arm=pl.Series([1.0] * 151 + [0.0] * 49))
    for name, scale in (("aipw", "mean_difference"), ("aipw_noise_corrected", "mean_difference_per_step")):
        row = rows_of(tables, ["arm"])[name, scale, "1-30"]
        assert row.gate == "not evaluable: fewer than 50 people maintained and have a score in the window"


@pytest.mark.parametrize("slope", [-0.8, 0.8])
@pytest.mark.parametrize(("achieved", "evaluable"), [(10.0 + 1e-3, True), (10.0 - 1e-3, False)])
def test_both_bounds_of_noise_stand_or_fall_with_the_recorded_separation(
    achieved: float, evaluable: bool, slope: float
) -> None:
    """Doses drift with recorded pain: taken for truth, which differs between the arms, another separation, above or
    below that of the recorded rows."""
    tables, raised = trial_of(400, 200), np.arange(400) < 200
    pain = tables["pain"].filter(pl.col("date") == 100)["score"].to_numpy()
    after = 53.0 + slope * (pain - pain[raised].mean()) + achieved * raised
    daily = tables["daily_dose"].with_columns(mme=pl.Series(np.concatenate([np.full(400, 50.0), after])))
    rows = rows_of(tables | {"daily_dose": daily}, error_sd=1.0)
    for name in ("aipw", "aipw_noise_corrected"):
        row = rows[name, "mean_difference_per_step", "1-30"]
        assert (row.estimate is not None) == evaluable
        assert row.gate == ("pass" if evaluable else "not evaluable: achieved separation in dose below 10 MME/day")


def test_the_difference_per_step_needs_ten_mme_of_separation() -> None:
    for rise, evaluable in ((30.0, True), (11.0, True), (10.0, True), (10.0 - 0.1, None)):
        rows = rows_of(trial_of(200, 100, rise=rise))
        row = rows["aipw", "mean_difference_per_step", "1-30"]
        if evaluable:
            difference = rows["aipw", "mean_difference", "1-30"].estimate
            assert row.estimate == pytest.approx(difference / rise * 20)
        else:  # 9.9 of 50 is below 20 %
            assert row.gate == "not evaluable: nobody escalated"
    low = {"daily_dose": trial_of(200, 100, rise=30.0)["daily_dose"].with_columns(pl.col("mme") / 5)}
    row = rows_of(trial_of(200, 100) | low)["aipw", "mean_difference_per_step", "1-30"]
    assert row.gate == "not evaluable: achieved separation in dose below 10 MME/day"
    assert row.persons == 200


def test_windows_without_scores_are_not_evaluable_and_leave_the_others_alone() -> None:
    rows = rows_of(trial_of(200, 100))
    assert rows["aipw", "mean_difference", "1-30"].gate == "pass"
    assert rows["aipw", "mean_difference", "31-90"].gate.startswith("not evaluable: fewer than 50")


def test_a_covariate_that_gives_the_arm_away_is_named() -> None:
    tables = trial_of(200, 100)
    tables["cohort"] = tables["cohort"].with_columns(arm=pl.Series([1.0] * 100 + [0.0] * 100))
    row = rows_of(tables, ["arm"])["aipw", "mean_difference", "1-30"]
    assert row.gate == "not evaluable: who escalated is told for sure by arm"


def test_covariates_that_are_constant_or_absent_are_named() -> None:
    tables = trial_of(200, 100)
    tables["cohort"] = tables["cohort"].with_columns(fibromyalgia=pl.lit(0.0))
    row = rows_of(tables, ["age", "sex", "fibromyalgia", "phq9"])["aipw", "mean_difference", "1-30"]
    assert row.gate == "pass"
    assert "constant in part, or told by the other terms: fibromyalgia" in row.note
    assert "not in the data: phq9" in row.note


def test_people_with_a_missing_covariate_are_left_out_and_counted_or_kept() -> None:
    tables = trial_of(200, 100)
    # both arms have the youngest and the oldest: nobody is beyond the range of those who escalated
    age = pl.when(pl.int_range(200) % 20 != 7).then(pl.col("age").clip(45, 55))
    tables["cohort"] = tables["cohort"].with_columns(age=age)
    persons = {}
    for missing in ("complete", "indicator", "mi"):
        rows = analyse(tables, settings(["age"], missing)).rows
        persons[missing] = rows[0].persons
        left_out = "fewer than 11" if missing == "complete" else "none"
        assert f"{left_out} for a missing covariate" in rows[0].note
        assert ("are a category of their own here, not imputed" in rows[0].note) == (missing == "mi")
    assert persons == {"complete": 190, "indicator": 200, "mi": 200}


def test_one_visit_each_tells_nothing_of_later() -> None:
    tables = trial_of(200, 100)
    tables["pain"] = tables["pain"].filter(pl.col("date") == 100)
    gates = {row.gate for row in rows_of(tables).values()}
    assert gates == {"not evaluable: nobody has pain recorded on a second day"}


@pytest.mark.parametrize(("escalated", "gate"), [(0, "nobody escalated"), (200, "everybody escalated")])
def test_one_arm_only(escalated: int, gate: str) -> None:
    assert {row.gate for row in rows_of(trial_of(200, escalated)).values()} == {f"not evaluable: {gate}"}


def test_pain_that_never_changes_says_nothing() -> None:
    tables = trial_of(200, 100)
    number = pl.col("person_id").str.slice(1).cast(pl.Int64)
    own = pl.when(number % 2 == 0).then(3.3).otherwise(6.1)
    more = tables["pain"].filter(pl.col("date") == 120).with_columns(date=pl.lit(121), score=pl.lit(0.0))
    scores = pl.concat([tables["pain"].with_columns(pl.col("date").cast(pl.Int32)), more])
    for score in (pl.lit(3.3), own):  # one score in all; each person's own: means of three of them differ by rounding
        rows = rows_of(tables | {"pain": scores.with_columns(score=score)})
        for method in ("aipw", "aipw_noise_corrected", "ipw", "regression", "per_protocol"):
            assert rows[method, "mean_difference", "1-30"].gate == "not evaluable: pain does not vary"


@pytest.mark.parametrize(
    ("others", "configured", "gate"),
    [
        (40, None, "pass"),  # of 400
        (41, None, "fail: pain is recorded on several scales (NRS, PEG): choose one with hyperalgesia.scale"),
        (41, "NRS", "pass"),
        (41, "PEG", "not evaluable: fewer than 50 people escalated and have a score in the window"),
        (0, "VRS", "not evaluable: no pain scores on the scale VRS"),
    ],
)
def test_scores_of_several_scales_are_not_mixed(others: int, configured: str | None, gate: str) -> None:
    tables = trial_of(200, 100)
    order = np.random.default_rng(1).permutation(400)
    tables["pain"] = tables["pain"].with_columns(scale=pl.Series(np.where(order < others, "PEG", "NRS")))
    row = rows_of(tables, scale=configured)["aipw", "mean_difference", "1-30"]
    assert row.gate == gate
    assert ("scores on other scales left out: about 40" in row.note) == (gate == "pass")
    assert row.note.endswith("pain on NRS, 0-10") == (gate == "pass")
    assert row.instrument == {"pass": "NRS"}.get(gate, "PEG" if configured == "PEG" else "")


def test_both_arms_mean_change_is_printed() -> None:
    tables = trial_of(200, 100)
    number = pl.col("person_id").str.slice(1).cast(pl.Int64)
    later = pl.when(number < 100).then(4.5).otherwise(5.75) + pl.when(number % 2 == 0).then(0.5).otherwise(-0.5)
    tables["pain"] = tables["pain"].with_columns(score=pl.when(pl.col("date") == 100).then(6.0).otherwise(later))
    row = rows_of(tables)["aipw", "mean_difference", "1-30"]
    assert row.note.startswith("mean change since the visit -1.50 escalated, -0.25 maintained")
    assert row.estimate == pytest.approx(-1.25)


@pytest.mark.parametrize(
    ("unseen", "told"),
    [
        (0, "share of decisions with a score 100 % escalated, 100 % maintained"),
        (20, "share of decisions with a score 80 % escalated, 100 % maintained"),
        (10, None),
    ],
)
def test_shares_of_few_people_are_not_told(unseen: int, told: str | None) -> None:
    """Neither of those without a score, nor of the dead."""
    tables = trial_of(200, 100)
    number = pl.col("person_id").str.slice(1).cast(pl.Int64)
    tables["pain"] = tables["pain"].filter((number >= unseen) | (pl.col("date") == 100))
    note = rows_of(tables)["aipw", "mean_difference", "1-30"].note
    assert "mean change since the visit" in note
    assert (told in note) if told else ("share of decisions" not in note)


@pytest.mark.parametrize(
    ("deaths", "told"),
    [
        (20, "dead by the end of the window without a score in it: 20 % escalated, none maintained"),
        (10, "mortality differs by more than 1 % between the arms"),
    ],
)
def test_shares_of_few_deaths_are_not_told(deaths: int, told: str) -> None:
    tables = trial_of(200, 100)
    number = pl.col("person_id").str.slice(1).cast(pl.Int64)
    dies = number < deaths
    tables["cohort"] = tables["cohort"].with_columns(
        exit=pl.when(dies).then(115).otherwise(400), death=pl.when(dies).then(1).otherwise(0)
    )
    tables["pain"] = tables["pain"].filter(~dies | (pl.col("date") == 100))
    bounds = [row for row in analysed(tables).rows if row.method.startswith("survivor_bound") and row.window == "1-30"]
    assert [row.note for row in bounds] == [f"{told}; pain on NRS, 0-10"] * 2


def test_files_in_and_out(tmp_path: Path) -> None:
    inputs = {name: tmp_path / f"{name}.parquet" for name in TABLES}
    for name, frame in empty().items():
        io.write_table(frame, inputs[name], TABLES[name], calendar=True)
    written = ("estimates", "pain_escalation", "escalation_diagnostics", "noise_tipping")
    outputs = {name: tmp_path / f"{name}_out.parquet" for name in written} | {"facts": tmp_path / "facts.json"}
    line = estimate_hyperalgesia(inputs, outputs, settings(["age"]))
    assert line == "0 decisions, 0 of 46 estimates evaluable"
    assert io.read_json(outputs["facts"]) == {}
    table = pl.read_parquet(outputs["estimates"])
    assert table.schema == estimates.INTERNAL
    assert set(table["study"]) == {"s"}
    assert pl.read_parquet(outputs["pain_escalation"]).columns == list(displays.DISPLAYS["pain_escalation"].columns)


def test_the_bootstrap_gives_errors_like_those_of_the_sandwich() -> None:
    tables = trial_of(300, 150)
    sandwich = rows_of(tables)["aipw", "mean_difference", "1-30"]
    drawn = rows_of(tables, standard_error="bootstrap", replicates=200)
    row = drawn["aipw", "mean_difference", "1-30"]
    assert (row.gate, row.estimate) == ("pass", sandwich.estimate)
    assert row.se == pytest.approx(sandwich.se, rel=0.2)
    assert row.se != sandwich.se
    assert row.ci_low < row.estimate < row.ci_high
    assert drawn["aipw", "risk_difference", "1-30"].gate == "pass"
