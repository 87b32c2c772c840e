"""The mortality analyses: what they estimate on person-time, and what they say when they cannot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.contracts.derived import PERSON_TIME
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import INTERNAL, Estimate
from opioid_outcomes.mortality.baseline_use import baseline_use
from opioid_outcomes.mortality.contrasts import BASELINE_USE, ON_OFF, Contrast, on_against
from opioid_outcomes.mortality.current_use import current_use
from opioid_outcomes.mortality.hazard_ratio import hazard_ratio
from opioid_outcomes.mortality.rates import rates
from opioid_outcomes.mortality.survival_curves import survival_curves
from opioid_outcomes.steps.mortality import estimate_mortality

HR = 1.6


def world(seed: int, n: int = 2500, hr: float = HR) -> pl.DataFrame:
    """People who start an opioid the sicker they are, after a time in which they must live; some stop again.

    Hazard: 1 % a month at severity 0, times exp(0.8) per unit of severity, times ``hr`` while on.
    """
    rng = np.random.default_rng(seed)
    severity = rng.normal(size=n)
    never = rng.random(n) < 1 / (1 + np.exp(severity))
    first = np.where(never, 10_000, rng.integers(1, 1200, n))
    stopped = first + rng.integers(60, 900, n)
    followed = rng.integers(400, 2000, n)
    hazard = 0.0002 * np.exp(0.8 * severity)
    # invert the cumulative hazard: rate `hazard` off, `hr * hazard` between first and stopped
    need = rng.exponential(size=n) / hazard
    day = np.where(need <= first, need, first + (need - first) / hr)
    day = np.where(day <= stopped, day, stopped + (need - first - hr * (stopped - first)))
    died = np.ceil(day) <= followed
    end = np.where(died, np.ceil(day), followed)
    pieces = [
        (0, first, "never"),
        (first, stopped, "on"),
        (stopped, stopped + 90, "recent"),
        (stopped + 90, end, "former"),
    ]
    stretches = [
        pl.DataFrame(
            {
                "person_id": np.arange(n), "start": np.minimum(begin, end), "stop": np.minimum(until, end),
                "use_state": state, "died": died, "end": end, "severity": severity,
                "sex": np.where(rng.random(n) < 0.5, "F", "M").tolist(),
            }
        )
        for begin, until, state in pieces
    ]  # fmt: skip
    return person_time(pl.concat(stretches, how="vertical_relaxed").filter(pl.col("start") < pl.col("stop")))


def person_time(rows: pl.DataFrame) -> pl.DataFrame:
    """The contract's columns around what an example is about."""
    on = pl.when(pl.col("use_state").is_in(["treatment", "unknown"])).then(None).otherwise(pl.col("use_state") == "on")
    empty = {"cause": pl.String, "stratum": pl.String, "cluster": pl.String, "survey_weight": pl.Float64}
    return rows.select(
        "person_id",
        pl.col("start", "stop").cast(pl.Int64),
        (pl.col("died") & (pl.col("stop") == pl.col("end"))).cast(pl.Int64).alias("death"),
        on.cast(pl.Int64).alias("on_opioid"),
        "use_state",
        pl.lit(0.0).alias("mme"),
        pl.lit("none").alias("dose_band"),
        pl.lit(None, pl.Int64).alias("days_since_start"),
        pl.lit(None, pl.Int64).alias("days_since_stop"),
        pl.lit(None, pl.Float64).alias("cumulative_mme"),
        pl.lit(None, pl.Int64).alias("new_user"),
        pl.lit(0, pl.Int64).alias("baseline_user"),
        *(pl.lit(None, dtype).alias(name) for name, dtype in empty.items()),
        *(name for name in rows.columns if name not in ("person_id", "start", "stop", "died", "end", "use_state")),
    ).sort("person_id", "start")


WORLD = world(1)


def ratio(rows: pl.DataFrame, contrast: Contrast = ON_OFF, adjust: tuple[str, ...] = (), **more: Any) -> Estimate:
    arguments = {"analysis": "a", "method": "m", "missing": "indicator", **more}
    return hazard_ratio(rows, contrast, adjust=adjust, **arguments)


def test_planted_hazard_ratio_is_recovered_despite_immortal_time_and_confounding() -> None:
    """Ten worlds: the adjusted mean is within 3 Monte Carlo SE; unadjusted it is not; and the SE says how they vary."""
    adjusted = [ratio(world(seed), adjust=("severity",)) for seed in range(10)]
    found = np.array([row.estimate for row in adjusted])
    claimed = np.array([row.se for row in adjusted])
    assert abs(found.mean() - math.log(HR)) < 3 * claimed.mean() / math.sqrt(10)
    assert 0.5 < found.std(ddof=1) / claimed.mean() < 1.7
    crude = np.array([ratio(world(seed)).estimate for seed in range(10)])
    assert crude.mean() - math.log(HR) > 3 * claimed.mean() / math.sqrt(10)


def test_ever_against_never_from_entry_makes_the_same_people_look_protected() -> None:
    """The trap: classified by a later start, the days before it cannot hold a death."""
    ever = WORLD.group_by("person_id").agg((pl.col("use_state") == "on").any().cast(pl.Int64).alias("ever"))
    trapped = WORLD.join(ever, on="person_id").with_columns(baseline_user=pl.col("ever"))
    row = ratio(trapped, BASELINE_USE, adjust=("severity",))
    assert row.estimate is not None
    assert row.ci_high is not None
    assert math.exp(row.ci_high) < 1


def test_counts_and_interval() -> None:
    row = ratio(WORLD, adjust=("severity", "sex"))
    assert row.gate == "pass"
    assert row.persons == WORLD["person_id"].n_unique()
    assert row.events == WORLD["death"].sum()
    assert row.person_years == pytest.approx((WORLD["stop"] - WORLD["start"]).sum() / 365.25)
    assert row.ci_low is not None
    assert row.ci_low == pytest.approx(row.estimate - 1.959963984540054 * row.se)
    assert row.p_value == pytest.approx(2 * (1 - _normal_cdf(abs(row.estimate / row.se))))
    assert row.note == (
        "conditional hazard ratio given severity, sex, by days since entry; Efron ties; SE clustered by person"
    )


def test_disclosure_is_told_the_smallest_arm() -> None:
    few = WORLD.filter(pl.col("on_opioid") == 1, death=1)["person_id"].head(4).to_list()
    rows = without_deaths(WORLD, (pl.col("on_opioid") == 1) & ~pl.col("person_id").is_in(few))
    assert ratio(rows).smallest_cell == 4
    assert {row.contrast: row for row in rates(rows, exposure="time_varying")}["on vs off"].smallest_cell == 4


def _normal_cdf(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


@pytest.mark.parametrize("state", ["never", "recent", "former"])
def test_each_kind_of_off_has_its_contrast(state: str) -> None:
    row = ratio(WORLD, on_against(state))
    both = WORLD.filter(pl.col("use_state").is_in(["on", state]))
    assert row.contrast == f"on vs {state}"
    assert (row.persons, row.events) == (both["person_id"].n_unique(), both["death"].sum())
    assert "of person-time is in neither group" in row.note


def test_treatment_and_unknown_are_in_neither_group() -> None:
    changed = WORLD.with_columns(
        use_state=pl.when(pl.col("use_state") == "recent").then(pl.lit("treatment")).otherwise("use_state"),
        on_opioid=pl.when(pl.col("use_state") == "recent").then(None).otherwise("on_opioid"),
    )
    expected = ratio(WORLD.filter(pl.col("use_state") != "recent"))
    assert ratio(changed).estimate == expected.estimate
    assert ratio(changed).persons == expected.persons


def without_deaths(rows: pl.DataFrame, where: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(death=pl.when(where).then(0).otherwise("death"))


FEW = set(WORLD.filter(death=1)["person_id"].head(9).to_list())
REFUSALS = {
    "nobody is followed in either group": WORLD.clear(),
    "nobody in group 'on'": WORLD.filter(on_opioid=0),
    "nobody in group 'off'": WORLD.filter(on_opioid=1),
    "no deaths": without_deaths(WORLD, pl.lit(True)),
    "fewer than ten deaths": without_deaths(WORLD, ~pl.col("person_id").is_in(FEW)),
    "deaths in one group only": without_deaths(WORLD, pl.col("on_opioid") == 1),
}


@pytest.mark.parametrize("why", list(REFUSALS))
def test_what_cannot_be_estimated_says_why(why: str) -> None:
    row = ratio(REFUSALS[why], adjust=("severity",))
    assert row.gate == f"not evaluable: {why}"
    assert row.estimate is row.se is row.p_value is None
    assert row.persons == REFUSALS[why]["person_id"].n_unique()


def test_ten_deaths_are_enough() -> None:
    ten = WORLD.filter(death=1).group_by("on_opioid").head(5)["person_id"].to_list()
    row = ratio(without_deaths(WORLD, ~pl.col("person_id").is_in(ten)))
    assert (row.events, row.gate) == (10, "pass")


def test_a_covariate_that_is_the_exposure_is_named() -> None:
    twin = WORLD.with_columns(twin=pl.col("on_opioid").cast(pl.Float64))
    assert ratio(twin, adjust=("severity", "twin")).gate == "not evaluable: collinear (on vs off, twin)"


def test_a_redundant_covariate_changes_nothing_and_is_named() -> None:
    doubled = WORLD.with_columns(again=2 * pl.col("severity") + 1)
    row, plain = ratio(doubled, adjust=("severity", "again")), ratio(WORLD, adjust=("severity",))
    assert row.estimate == pytest.approx(plain.estimate, abs=1e-10)
    assert "no further information in a term of again" in row.note


def test_a_category_without_deaths_is_the_limit_of_its_coefficient() -> None:
    """Its people tell nothing of the contrast: the result is that of leaving their time out, and the note says so."""
    alive = WORLD.filter(pl.col("death").sum().over("person_id") == 0)["person_id"].unique().sort().head(20).to_list()
    rare = WORLD.with_columns(site=pl.when(pl.col("person_id").is_in(alive)).then(pl.lit("b")).otherwise(pl.lit("a")))
    row = ratio(rare, adjust=("severity", "site"))
    others = ratio(rare.filter(pl.col("site") == "a"), adjust=("severity",))
    assert row.estimate == pytest.approx(others.estimate, abs=1e-10)
    assert row.se == pytest.approx(others.se, rel=1e-10)
    assert "no deaths in a category of site" in row.note
    assert "site=b" not in row.note


def test_a_condition_without_deaths_is_no_separation() -> None:
    alive = pl.col("death").sum().over("person_id") == 0
    rare = WORLD.with_columns(copd=(alive & (pl.col("person_id") % 40 == 0)).cast(pl.Int64))
    row = ratio(rare, adjust=("copd",))
    assert row.estimate == pytest.approx(ratio(rare.filter(copd=0)).estimate, abs=1e-10)
    assert "no deaths in a category of copd" in row.note


def test_separation_by_a_number_is_named() -> None:
    """Whoever dies has the highest score of all at risk."""
    dies = pl.col("death").sum().over("person_id") > 0
    last = pl.col("stop").max().over("person_id").cast(pl.Float64)
    ranked = WORLD.with_columns(score=pl.when(dies).then(-last).otherwise(-1e5))
    assert ratio(ranked, adjust=("score",)).gate == "not evaluable: separation (score)"


def test_missing_by_indicator_with_complete_cases_beside() -> None:
    some = WORLD.with_columns(severity=pl.when(pl.col("person_id") % 5 == 0).then(None).otherwise("severity"))
    rows = {row.method: row for row in current_use(some, ["severity", "sex"], "indicator", exposure="time_varying")[:5]}
    assert list(rows) == ["crude", "adjusted", "adjusted_full", "adjusted_full_complete_case"]
    assert rows["adjusted_full"].persons == some["person_id"].n_unique()
    complete = some.filter(pl.col("severity").is_not_null())
    assert rows["adjusted_full_complete_case"].persons == complete["person_id"].n_unique()
    assert rows["adjusted_full_complete_case"].estimate == ratio(complete, adjust=("severity", "sex")).estimate
    assert "missing covariates as a category of their own" in rows["adjusted_full"].note
    assert "rows with a missing covariate left out" in rows["adjusted_full_complete_case"].note


def test_complete_as_setting_needs_no_second_row() -> None:
    some = WORLD.with_columns(severity=pl.when(pl.col("person_id") % 5 == 0).then(None).otherwise("severity"))
    rows = current_use(some, ["severity"], "complete", exposure="time_varying")
    on_off = [row.method for row in rows if row.contrast == "on vs off" and not row.window]
    assert on_off == ["crude", "adjusted_full"]


def test_weights_strata_and_units_give_the_design_variance() -> None:
    design = WORLD.with_columns(
        survey_weight=1.0 + pl.col("person_id") % 3,
        stratum=(pl.col("person_id") % 4).cast(pl.String),
        cluster=(pl.col("person_id") % 40).cast(pl.String),
    )
    row, plain = ratio(design), ratio(WORLD)
    assert row.population == "eligible persons, weighted to the sampled population"
    assert "SE of the sampling design, 36 degrees of freedom" in row.note
    assert row.estimate != plain.estimate
    none = design.with_columns(survey_weight=pl.when(pl.col("person_id") % 2 == 0).then("survey_weight"))
    assert ratio(none).persons == WORLD.filter(pl.col("person_id") % 2 == 0)["person_id"].n_unique()
    assert "persons without a sampling weight left out" in ratio(none).note


def test_exposure_known_once_is_not_current_use() -> None:
    rows = current_use(WORLD, ["severity"], "indicator", exposure="baseline")
    assert [row.gate for row in rows] == ["not evaluable: exposure known at one interview only"]
    assert rows[0].persons == WORLD["person_id"].n_unique()
    users = WORLD.with_columns(baseline_user=(pl.col("person_id") % 3 == 0).cast(pl.Int64))
    found = baseline_use(users, ["severity", "sex"], "indicator", exposure="baseline")
    assert [(row.contrast, row.method, row.gate) for row in found] == [
        ("baseline user vs non user", method, "pass") for method in ("crude", "adjusted", "adjusted_full")
    ]


def test_rates_by_state_and_their_ratio() -> None:
    rows = {row.contrast: row for row in rates(WORLD, exposure="time_varying")}
    assert list(rows) == ["all", "on", "off", "never", "recent", "former", "on vs off"]
    on = WORLD.filter(on_opioid=1)
    years = (on["stop"] - on["start"]).sum() / 365.25
    assert rows["on"].estimate == pytest.approx(1000 * on["death"].sum() / years)
    assert rows["on"].person_years == pytest.approx(years)
    assert rows["on vs off"].estimate == pytest.approx(math.log(rows["on"].estimate / rows["off"].estimate))
    assert rows["on vs off"].se == pytest.approx(math.sqrt(1 / rows["on"].events + 1 / rows["off"].events))
    assert sum(rows[name].events for name in ("on", "never", "recent", "former")) == rows["all"].events


def test_a_rate_of_nothing_is_nothing_with_an_upper_limit() -> None:
    rows = {row.contrast: row for row in rates(REFUSALS["deaths in one group only"], exposure="time_varying")}
    assert (rows["on"].estimate, rows["on"].ci_low, rows["on"].gate) == (0, 0, "pass")
    assert rows["on"].ci_high == pytest.approx(3688.8794541 / rows["on"].person_years)
    assert rows["on vs off"].gate == "not evaluable: no deaths in group 'on'"


def test_survival_display() -> None:
    display = survival_curves(WORLD, [30, 365, 100_000], exposure="time_varying")
    assert tuple(display.columns) == DISPLAYS["survival"].columns
    assert display["group"].unique(maintain_order=True).to_list() == ["off", "on"]
    assert (display["at_risk"] == display["entered"] - display["events"] - display["left"]).all()
    assert display.filter(pl.col("day") == 365).height == 2
    assert display["day"].max() < 100_000
    last = display.group_by("group", maintain_order=True).last()
    assert last["events"].sum() == WORLD["death"].sum()


def _write_people(rows: pl.DataFrame, folder: Path) -> None:
    """Who is in the person-time: all born in 1950, entering on day 10,000, women and men."""
    people = rows.select("person_id").unique().sort("person_id")
    day = pl.lit(10_000, pl.Int32)
    sex = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("F")).otherwise(pl.lit("M"))
    ages = {"birth_year": pl.lit(1950, pl.Int64), "age_at_entry": pl.lit(None, pl.Float64)}
    people.with_columns(sex=sex, **ages).write_parquet(folder / "persons.parquet")
    people.with_columns(entry=day.cast(pl.Date)).write_parquet(folder / "cohort.parquet")
    observation = people.with_columns(start=day.cast(pl.Date), end=(day + 5000).cast(pl.Date))
    observation.write_parquet(folder / "observation.parquet")


@pytest.fixture
def run(tmp_path: Path):
    def step(
        rows: pl.DataFrame,
        exposure: str,
        after_observation: int = 0,
        arms: dict[str, Any] | None = None,
        **mortality: Any,
    ) -> tuple[str, pl.DataFrame, pl.DataFrame]:
        io.write_table(rows, tmp_path / "person_time.parquet", PERSON_TIME, calendar=True)
        notes = {"exposure": exposure, "deaths": 95, "deaths_after_observation": after_observation}
        notes["deaths_by_arm"] = arms or {}
        io.write_json(tmp_path / "cohort_notes.json", notes)
        _write_people(rows, tmp_path)
        inputs = {name: tmp_path / f"{name}.parquet" for name in ("person_time", "cohort", "persons", "observation")}
        inputs["notes"] = tmp_path / "cohort_notes.json"
        written = ("estimates", "survival", "dose_response", "proportional_hazards")
        outputs = {name: tmp_path / f"{name}.parquet" for name in written}
        settings = {
            "mortality": {"analyses": ["rate", "current_use", "baseline_use"], "lags_days": [0], **mortality},
            "covariates": {"baseline": ["severity", "sex"], "missing": "indicator"},
            "cohort": {"date_basis": "shifted", "country": "US", "reference_year": 2008, "simulated": False},
            "exposure": {"dose_bands": [20, 50, 90]}, "study_seed": 1,
            "study": "s", "cohort_name": "c",
        }  # fmt: skip
        line = estimate_mortality(inputs, outputs, settings)
        return line, pl.read_parquet(outputs["estimates"]), pl.read_parquet(outputs["survival"])

    return step


def test_step_writes_the_contract(run) -> None:
    line, estimates, survival = run(WORLD, "time_varying")
    assert line == "22 of 41 estimates evaluable"
    assert dict(estimates.schema) == INTERNAL
    assert estimates.select("study", "cohort", "spec").unique().rows() == [("s", "c", "main")]
    assert survival.height > 100


@pytest.mark.parametrize("exposure", ["time_varying", "baseline", "none"])
def test_an_empty_cohort_is_rows_that_say_so(run, exposure: str) -> None:
    _, estimates, survival = run(WORLD.clear(), exposure)
    assert set(estimates["analysis"]) == {"mortality.rate", "mortality.current_use", "mortality.baseline_use"}
    assert estimates["gate"].str.starts_with("not evaluable: ").all()
    assert estimates["estimate"].null_count() == estimates.height
    assert (estimates["persons"] == 0).all()
    assert tuple(survival.columns) == DISPLAYS["survival"].columns
    assert survival.is_empty()


@pytest.mark.parametrize(("known", "named"), [(0, True), (4, True), (5, False)])
def test_use_unknown_at_time_zero_is_why_nothing_can_be_told_by_use(run, known: int, named: bool) -> None:
    alive = pl.col("death").sum().over("person_id") == 0
    user = pl.when(pl.col("person_id") % 10 < known).then(pl.col("person_id") % 2)
    world = WORLD.filter(alive) if known else WORLD
    _, estimates, _ = run(
        world.with_columns(baseline_user=user.cast(pl.Int64)), "baseline", analyses=["rate", "smr", "baseline_use"]
    )
    by_use = estimates.filter(pl.col("contrast").str.contains("baseline user|non user") & (pl.col("gate") != "pass"))
    assert by_use.height >= 4
    told = by_use["gate"].str.contains("opioid use at time zero is unknown for most people", literal=True)
    assert told.all() == told.any() == named
    assert estimates.filter(pl.col("contrast") == "all")["gate"].to_list() == ["pass"]


def test_only_the_analyses_asked_for(run) -> None:
    _, estimates, _ = run(WORLD, "time_varying", analyses=["rate"])
    assert set(estimates["analysis"]) == {"mortality.rate"}


def test_order_of_rows_does_not_change_a_bit(run) -> None:
    one, other = run(WORLD, "time_varying"), run(WORLD.sample(fraction=1, shuffle=True, seed=3), "time_varying")
    assert one[1].equals(other[1])
    assert one[2].equals(other[2])


def test_mortality_is_withheld_when_more_than_one_death_in_twenty_is_not_observed(run) -> None:
    _, passing, _ = run(WORLD, "time_varying", after_observation=5)
    assert (passing["gate"] == "pass").sum() == 22
    _, withheld, survival = run(WORLD, "time_varying", after_observation=6)
    gate = "fail: more than 5 % of deaths fall outside follow-up for want of observation"
    assert (withheld["gate"] == gate).sum() == 22
    assert withheld["estimate"].null_count() == withheld.height
    assert survival.is_empty()


def test_a_covariate_missing_only_for_the_dead_is_separation() -> None:
    dead = pl.col("death").sum().over("person_id") > 0
    told = WORLD.with_columns(site=pl.when(dead).then(None).otherwise(pl.lit("a")))
    row = ratio(told, adjust=("site",))
    assert row.gate == "not evaluable: separation (site)"
    assert row.estimate is None


def test_one_sampling_unit_has_no_standard_error() -> None:
    row = ratio(WORLD.with_columns(cluster=pl.lit("only")), adjust=("severity",))
    assert row.gate == "not evaluable: too few sampling units for a standard error"
    assert row.se is None


def test_people_without_a_sampling_unit_are_their_own() -> None:
    person = pl.col("person_id")
    own = ratio(
        WORLD.with_columns(cluster=pl.when(person % 2 == 0).then(pl.format("u{}", person))), adjust=("severity",)
    )
    named = ratio(WORLD.with_columns(cluster=pl.format("u{}", person)), adjust=("severity",))
    assert own.se == pytest.approx(named.se, rel=1e-12)


@pytest.mark.parametrize(
    ("on", "off", "passes"),
    [((97, 3), (99, 1), True), ((96, 4), (99, 1), False), ((99, 1), (191, 9), False), ((0, 0), (90, 4), True)],
)
def test_mortality_is_withheld_when_the_arms_differ_in_deaths_not_observed(run, on, off, passes: bool) -> None:
    """More than 2 points, either way; an arm without deaths has no share."""
    arms = {
        name: {"followed": followed, "after_observation": after}
        for name, (followed, after) in {"1": on, "0": off}.items()
    }
    _, estimates, survival = run(WORLD, "time_varying", after_observation=1, arms=arms)
    withheld = estimates.filter(pl.col("gate").str.contains("differ by more than 2 points"))
    assert bool(withheld.height) is not passes
    assert survival.is_empty() is not passes
    assert passes or withheld["estimate"].null_count() == withheld.height
