"""trajectory.predictors: class membership and long-term use, against R, by hand, and on known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.trajectories.odds import regress
from opioid_outcomes.trajectories.predictors import class_membership

REFERENCE = Path(__file__).parents[1] / "reference" / "trajectories_estimates"
X = ["age", "fibromyalgia", "depression"]
PER_COLUMN = "fewer than five people of the smaller class per covariate"
OPTIONS = {"missing": "indicator", "months": 24, "factors": "cdc_2022"}


def classes_of_reference() -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = pl.read_csv(REFERENCE / "classes.csv").with_row_index("person_id")
    posterior = rows.select("^posterior_.*$").to_numpy()
    trajectories = rows.select(
        "person_id", pl.Series("class", posterior.argmax(axis=1) + 1), pl.Series("posterior", posterior.max(axis=1)),
        "^posterior_.*$",
    )  # fmt: skip
    return trajectories.sample(fraction=1, shuffle=True, seed=1), rows.select("person_id", *X)


def by_term(rows: list[Estimate]) -> dict[tuple[str, str], Estimate]:
    return {(row.outcome, row.contrast): row for row in rows}


def test_class_membership_equals_multinom_with_posterior_weights() -> None:
    trajectories, cohort = classes_of_reference()
    rows = by_term(class_membership(trajectories, cohort, X, **OPTIONS))
    contrasts = {"age": "age per year", "fibromyalgia": "fibromyalgia: 1 vs 0", "depression": "depression: 1 vs 0"}
    theirs = pl.read_csv(REFERENCE / "multinomial.csv").filter(pl.col("term") != "(Intercept)")
    assert len(rows) == theirs.height == 6
    for row in theirs.iter_rows(named=True):
        ours = rows[f"class:{row['class']} vs 1", contrasts[row["term"]]]
        assert ours.estimate == pytest.approx(row["params"], abs=1e-7)
        assert ours.se == pytest.approx(row["robust_se"], rel=1e-7)
        assert (ours.persons, ours.window, ours.scale, ours.gate) == (400, "0-720", "log_or", "pass")
        assert ours.ci_high == pytest.approx(row["params"] + 1.959964 * row["robust_se"], abs=1e-6)


def test_smallest_cell_is_that_of_covariate_and_class() -> None:
    trajectories, cohort = classes_of_reference()
    row = by_term(class_membership(trajectories, cohort, X, **OPTIONS))["class:2 vs 1", "fibromyalgia: 1 vs 0"]
    both = trajectories.join(cohort, on="person_id").filter(pl.col("class").is_in([1, 2]))
    assert row.smallest_cell == both.group_by("class", "fibromyalgia").len()["len"].min()
    assert row.events == trajectories.filter(pl.col("class") == 2).height


def two_classes(n: int = 60) -> tuple[pl.DataFrame, pl.DataFrame]:
    person = np.arange(n)
    second = person % 2 == 1
    trajectories = pl.DataFrame(
        {
            "person_id": person,
            "class": second + 1,
            "posterior": 1.0,
            "posterior_1": 1.0 - second,
            "posterior_2": 1.0 * second,
        }
    )
    return trajectories, pl.DataFrame(
        {"person_id": person, "pain": np.sin(person * 1.7), "sex": ["F", "F", "M"] * (n // 3)}
    )


GATES = [
    ("nobody has a course of dose", lambda t, c: (t.clear(), c), ["pain"]),
    ("one class only", lambda t, c: (t.drop("posterior_2"), c), ["pain"]),
    ("no baseline covariates are named", lambda t, c: (t, c), []),
    ("missing for everybody", lambda t, c: (t, c.with_columns(pain=pl.lit(None, pl.Float64))), ["pain"]),
    ("the same in everybody", lambda t, c: (t, c.with_columns(pain=pl.lit(3.0))), ["pain"]),
    ("fewer than ten people expected in class 1 and 2", lambda t, c: (t.head(18), c), ["pain"]),
    ("separation (pain)", lambda t, c: (t, c.with_columns(pain=pl.col("person_id") % 2 + 0.5)), ["pain"]),
]


@pytest.mark.parametrize(("why", "change", "covariates"), GATES, ids=[why for why, _, _ in GATES])
def test_class_membership_that_cannot_be_estimated_says_why(why: str, change: object, covariates: list[str]) -> None:
    trajectories, cohort = change(*two_classes())  # type: ignore[operator]
    rows = class_membership(trajectories, cohort, covariates, **OPTIONS)
    assert [row.gate for row in rows] == [f"not evaluable: {why}"]
    assert rows[0].estimate is None


def test_a_covariate_told_by_others_is_refused_and_the_others_are_not() -> None:
    trajectories, cohort = two_classes()
    cohort = cohort.with_columns(twice=2 * pl.col("pain"))
    rows = by_term(class_membership(trajectories, cohort, ["pain", "twice", "sex"], **OPTIONS))
    alone = by_term(class_membership(trajectories, cohort, ["pain", "sex"], **OPTIONS))
    assert rows["class:2 vs 1", "twice per unit"].gate == "not evaluable: collinear (pain, twice)"
    assert rows["class:2 vs 1", "pain per point"].estimate == alone["class:2 vs 1", "pain per point"].estimate
    assert [contrast for _, contrast in rows] == ["pain per point", "twice per unit", "sex: M vs F"]


@pytest.mark.parametrize(
    ("covariates", "gate", "said"),
    [(12, "pass", False), (13, "pass", True), (61, "fewer people of an outcome than covariates", True)],
)
def test_people_per_covariate(covariates: int, gate: str, said: bool) -> None:
    """60 people in each class: 5 per covariate up to 12 of them, less than 1 with 61."""
    trajectories, cohort = two_classes(120)
    rng = np.random.default_rng(5)
    names = [f"x{j}" for j in range(covariates)]
    cohort = cohort.with_columns(pl.Series(name, rng.normal(size=120)) for name in names)
    rows = class_membership(trajectories, cohort, names, **OPTIONS)
    assert {row.gate.removeprefix("not evaluable: ") for row in rows} == {gate}
    assert all((PER_COLUMN in row.note) == said for row in rows)


def test_complete_cases_stand_beside_where_something_is_missing() -> None:
    trajectories, cohort = two_classes(120)
    gaps = cohort.with_columns(pain=pl.when(pl.col("person_id") % 5 > 0).then("pain"), bmi=pl.lit(None, pl.Float64))
    rows = class_membership(trajectories, gaps, ["pain", "sex", "bmi"], **OPTIONS)
    beside = [row for row in rows if row.method == "multinomial_complete_case"]
    assert [row.contrast for row in beside] == ["pain per point", "sex: M vs F", "bmi"]
    assert {row.persons for row in beside} == {96}
    complete = gaps.drop_nulls("pain")
    alone = class_membership(
        trajectories.join(complete, on="person_id", how="semi"), complete, ["pain", "sex"], **OPTIONS
    )
    assert [row.estimate for row in beside[:2]] == pytest.approx([row.estimate for row in alone], rel=1e-12)
    # 3 people by whom the two models differ may not be told by their counts
    few = cohort.with_columns(pain=pl.when(pl.col("person_id") > 2).then("pain"))
    cells = {
        row.method: row.smallest_cell
        for row in class_membership(trajectories, few, ["pain"], **OPTIONS)
        if row.contrast == "pain per point"
    }
    assert cells == {"multinomial": 60, "multinomial_complete_case": 3}
    nothing_missing = class_membership(trajectories, cohort, ["pain"], **OPTIONS)
    assert {row.method for row in nothing_missing} == {"multinomial"}


def test_why_there_are_no_classes_is_passed_on() -> None:
    trajectories, cohort = two_classes()
    why = "fewer than 50 persons with a course of dose"
    (row,) = class_membership(trajectories.clear(), cohort, ["pain"], refused=why, persons=49, **OPTIONS)
    assert (row.gate, row.persons) == (f"not evaluable: {why}", 49)


def people_and_met(n: int = 400) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(9)
    people = pl.DataFrame({"age": rng.normal(50, 10, n), "fibromyalgia": (rng.random(n) < 0.1).astype(int)})
    return people, rng.random(n) < 0.4


def test_a_level_in_which_everybody_or_nobody_has_the_outcome_is_set_apart() -> None:
    people, met = people_and_met()
    ill = people["fibromyalgia"].to_numpy() == 1
    for outcome in (met | ill, met & ~ill):
        found = regress(
            people, np.column_stack([~outcome, outcome]) * 1.0, ["age", "fibromyalgia"], missing="indicator"
        )
        without = regress(
            people.filter(~pl.Series(ill)), np.column_stack([~met, met])[~ill] * 1.0, ["age"], missing="indicator"
        )
        assert (found.kept == ~ill).all()
        assert [term.refusal for term in found.terms] == [None, "separation"]
        np.testing.assert_allclose(found.terms[0].log_or, without.terms[0].log_or, rtol=1e-9)
        assert "one outcome only in a category of fibromyalgia, left out" in found.notes


def classes_without_depression(small: float, third: float = 0.07) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Posteriors near certain, ``small`` elsewhere, and nobody depressed of class 3."""
    rng = np.random.default_rng(1)
    n = 400
    k = rng.choice(3, n, p=[0.6, 0.4 - third, third])
    depressed = rng.random(n) < 0.25
    depressed[k == 2] = False
    posterior = np.full((n, 3), small)
    posterior[np.arange(n), k] = 1 - 2 * small
    each = {f"posterior_{j + 1}": posterior[:, j] for j in range(3)}
    trajectories = pl.DataFrame({"person_id": range(n), "class": k + 1, "posterior": posterior.max(axis=1), **each})
    cohort = {"person_id": range(n), "age": rng.normal(50, 10, n), "depression": depressed.astype(int)}
    return trajectories, pl.DataFrame(cohort)


@pytest.mark.parametrize("small", [0, 1e-12, 1e-6, 1e-3, 0.02])
def test_a_level_without_a_class_is_separation_whatever_small_weights_say(small: float) -> None:
    """Soft weights would have it at log odds of -11.4 with a standard error of 0.22; the rest stays as it is."""
    trajectories, cohort = classes_without_depression(small)
    rows = by_term(class_membership(trajectories, cohort, ["age", "depression"], **OPTIONS))
    refused = rows["class:3 vs 1", "depression: 1 vs 0"]
    assert (refused.gate, refused.estimate, refused.p_value) == ("not evaluable: separation", None, None)
    others = [row for row in rows.values() if row is not refused]
    assert {row.gate for row in others} == {"pass"}
    assert all(
        "hardly anybody of a class in a category of depression: no odds of it there" in row.note for row in others
    )
    sure, cohort = classes_without_depression(0)
    limit = by_term(class_membership(sure, cohort, ["age", "depression"], **OPTIONS))
    for key, row in rows.items():
        if row is not refused:
            assert row.estimate == pytest.approx(limit[key].estimate, abs=3 * small + 1e-9)
            assert row.se == pytest.approx(limit[key].se, rel=15 * small + 1e-9)


def test_a_ruled_out_class_is_the_limit_of_log_odds_that_run_to_minus_infinity() -> None:
    """By hand: without other covariates the rest are odds of counts."""
    trajectories, cohort = classes_without_depression(1e-9)
    rows = by_term(class_membership(trajectories, cohort, ["depression"], **OPTIONS))
    cells = trajectories.join(cohort, on="person_id").group_by("class", "depression").len()
    counts = {(k, level): persons for k, level, persons in cells.iter_rows()}
    odds = counts[2, 1] * counts[1, 0] / (counts[2, 0] * counts[1, 1])
    row = rows["class:2 vs 1", "depression: 1 vs 0"]
    assert row.estimate == pytest.approx(np.log(odds), abs=1e-6)
    variance = sum(1 / counts[k, level] for k in (1, 2) for level in (0, 1))
    assert row.se == pytest.approx(np.sqrt(variance), abs=1e-6)


def test_nobody_of_the_first_class_in_a_level_refuses_it_for_every_class() -> None:
    trajectories, cohort = classes_without_depression(1e-6, third=0.3)
    swapped = trajectories.with_columns(
        (4 - pl.col("class")).alias("class"), posterior_1="posterior_3", posterior_3="posterior_1"
    )
    rows = by_term(class_membership(swapped, cohort, ["age", "depression"], **OPTIONS))
    gates = {key: row.gate for key, row in rows.items()}
    assert gates == {
        ("class:2 vs 1", "age per year"): "pass", ("class:2 vs 1", "depression: 1 vs 0"): "not evaluable: separation",
        ("class:3 vs 1", "age per year"): "pass", ("class:3 vs 1", "depression: 1 vs 0"): "not evaluable: separation",
    }  # fmt: skip


def test_a_number_whose_ranges_do_not_meet_is_refused_and_the_others_fitted_without_it() -> None:
    trajectories, cohort = classes_without_depression(1e-6, third=0.3)
    apart = (pl.col("person_id") % 7) + 0.5 + 10 * (trajectories["class"] == 3).cast(pl.Float64)
    rows = by_term(class_membership(trajectories, cohort.with_columns(pain=apart), ["age", "pain"], **OPTIONS))
    alone = by_term(class_membership(trajectories, cohort, ["age"], **OPTIONS))
    assert {row.gate for (_, contrast), row in rows.items() if contrast == "pain per point"} == {
        "not evaluable: separation (pain)"
    }
    assert rows["class:3 vs 1", "age per year"].estimate == alone["class:3 vs 1", "age per year"].estimate
    assert "not adjusted for pain, whose log odds are infinite" in rows["class:3 vs 1", "age per year"].note


def test_one_separated_level_of_several_leaves_the_others() -> None:
    """Two outcomes: the log odds of the other levels are those without the people of the separated one."""
    people, met = people_and_met()
    job = np.array(["common", "usual", "third"])[np.arange(400) % 3]
    met = met & (job != "third")
    people = people.with_columns(job=pl.Series(job))
    found = regress(people, np.column_stack([~met, met]) * 1.0, ["job", "age"], missing="indicator")
    terms = {term.contrast: term for term in found.terms}
    assert terms["job: third vs common"].refusal == "separation"
    kept = pl.Series(job != "third")
    without = regress(
        people.filter(kept), np.column_stack([~met, met])[kept.to_numpy()] * 1.0, ["job", "age"], missing="indicator"
    )
    for term in without.terms:
        np.testing.assert_allclose(terms[term.contrast].log_or, term.log_or, rtol=1e-9)
        np.testing.assert_allclose(terms[term.contrast].se, term.se, rtol=1e-9)


def test_a_level_that_empties_another_is_found_in_the_next_round() -> None:
    """Everybody ill has the outcome; of those not ill everybody treated has not, so treatment has no odds either."""
    people, met = people_and_met()
    number = np.arange(400)
    ill, treated = number < 60, (number >= 30) & (number < 120)
    met = (met | ill) & ~(treated & ~ill)
    people = people.with_columns(ill=pl.Series(ill.astype(int)), treated=pl.Series(treated.astype(int)))
    found = regress(people, np.column_stack([~met, met]) * 1.0, ["ill", "treated", "age"], missing="indicator")
    assert [term.refusal for term in found.terms] == ["separation", "separation", None]
    assert (found.kept == ~(ill | treated)).all()


def test_missing_values_are_a_term_of_their_own_or_left_out() -> None:
    people, met = people_and_met()
    people = people.with_columns(pain=pl.when(pl.int_range(pl.len()) % 4 > 0).then(pl.col("age") % 7)).drop("age")
    classes = np.column_stack([~met, met]) * 1.0
    indicator = regress(people, classes, ["pain"], missing="indicator")
    assert [term.contrast for term in indicator.terms] == ["pain per point", "pain: missing vs known"]
    complete = regress(people, classes, ["pain"], missing="complete")
    assert [term.contrast for term in complete.terms] == ["pain per point"]
    assert complete.kept.sum() == 300
    # a column of its own for the missing takes nothing from the slope among the others
    np.testing.assert_allclose(indicator.terms[0].log_or, complete.terms[0].log_or, rtol=1e-9)


def test_rare_levels_are_one_and_their_labels_are_not_told() -> None:
    people, met = people_and_met()
    names = ["common"] * 300 + ["usual"] * 80 + ["odd"] * 10 + ["rare"] * 10
    found = regress(
        people.with_columns(job=pl.Series(names)), np.column_stack([~met, met]) * 1.0, ["job"], missing="indicator"
    )
    assert [term.contrast for term in found.terms] == ["job: other vs common", "job: usual vs common"]
    assert found.terms[0].level is not None
    assert found.terms[0].level.sum() == 20
