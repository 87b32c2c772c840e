"""Design matrices, rates, survival curves and design variances on small tables worked by hand."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.survival import design_matrix, kaplan_meier, survey
from opioid_outcomes.survival.rates import per_1000_person_years

PEOPLE = pl.DataFrame(
    {
        "age": [40.0, 60.0, None, 80.0],
        "sex": ["F", "M", "F", "F"],
        "smoking": ["never", None, "former", "never"],
        "copd": [0, 1, 0, 0],
        "region": ["north"] * 4,
    }
)


def test_numbers_are_centred_and_categories_face_the_most_frequent_level() -> None:
    design = design_matrix.build(PEOPLE, ["age", "sex", "smoking", "copd"], missing="indicator")
    assert design.names == ("age", "age missing", "sex=M", "smoking=former", "smoking=missing", "copd")
    np.testing.assert_allclose(
        design.x,
        [
            [-20, 0, 0, 0, 0, -0.25],
            [0, 0, 1, 0, 1, 0.75],
            [0, 1, 0, 1, 0, -0.25],
            [20, 0, 0, 0, 0, -0.25],
        ],
    )
    assert design.keep.all()
    assert design.notes == ()


def test_complete_cases_leave_rows_out() -> None:
    design = design_matrix.build(PEOPLE, ["age", "sex", "smoking"], missing="complete")
    assert design.keep.tolist() == [True, False, False, True]
    assert design.names == ("age",)  # sex and smoking no longer vary
    assert design.notes == ("rows with a missing covariate left out", "not varying, left out: sex, smoking")


def test_columns_that_do_not_vary_are_named() -> None:
    design = design_matrix.build(PEOPLE, ["region", "copd"], missing="indicator")
    assert design.names == ("copd",)
    assert design.notes == ("not varying, left out: region",)


def test_equally_frequent_levels_face_the_first_in_the_alphabet_whatever_the_order() -> None:
    frame = pl.DataFrame({"race": ["b", "c", "a", "c", "b", "a"]})
    for rows in (frame, frame.reverse()):
        assert design_matrix.build(rows, ["race"], missing="indicator").names == ("race=b", "race=c")


def test_no_covariates_and_no_rows() -> None:
    assert design_matrix.build(PEOPLE, [], missing="indicator").x.shape == (4, 0)
    assert design_matrix.build(PEOPLE.clear(), ["age", "sex"], missing="indicator").x.shape == (0, 0)


@pytest.mark.parametrize(
    # R: poisson.test(events)$conf.int
    ("events", "low", "high"),
    [
        (0, 0, 3.6888794541),
        (1, 0.0253178080, 5.5716433909),
        (10, 4.7953886961, 18.3903560420),
        (100, 81.3639912509, 121.6267937924),
    ],
)
def test_exact_poisson_limits(events: int, low: float, high: float) -> None:
    rate = per_1000_person_years(events, 500.0)
    assert rate.rate == 2 * events
    assert rate.se == pytest.approx(2 * math.sqrt(events))
    assert (rate.ci_low, rate.ci_high) == (pytest.approx(2 * low, rel=1e-8), pytest.approx(2 * high, rel=1e-8))


def test_people_change_group_and_count_where_they_are() -> None:
    """Person 1 is off until day 10, then on, and dies on day 20; person 2 stays off; person 3 is on from the start."""
    rows = pl.DataFrame(
        {
            "person": [1, 1, 1, 2, 3],
            "group": ["off", "on", "on", "off", "on"],
            "start": [0, 10, 15, 0, 0],
            "stop": [10, 15, 20, 30, 25],
            "event": [0, 0, 1, 1, 0],
            "weight": [1.0] * 5,
        }
    )
    curve = kaplan_meier.survival_by_group(rows, days=(12, 100))
    columns = ["group", "day", "at_risk", "entered", "events", "left", "survival"]
    assert curve.select(columns).rows() == [
        ("off", 0.0, 2, 2, 0, 0, 1.0),
        ("off", 12.0, 1, 2, 0, 1, 1.0),
        ("off", 30.0, 0, 2, 1, 1, 0.0),
        ("on", 0.0, 1, 1, 0, 0, 1.0),
        ("on", 12.0, 2, 2, 0, 0, 1.0),
        ("on", 20.0, 1, 2, 1, 0, 0.5),
    ]
    assert curve["ci_low"].to_list()[2] is None  # nobody is left: no limits on the log-log scale


def test_immortal_time_is_not_survival_on_treatment() -> None:
    """Nobody dies on treatment in the ten days before it begins, because nobody is on it."""
    people = np.arange(100)
    rows = pl.concat(
        [
            pl.DataFrame({"person": people, "group": "off", "start": 0, "stop": 10, "event": 0}),
            pl.DataFrame({"person": people, "group": "on", "start": 10, "stop": 11 + people, "event": 1}),
        ],
        how="vertical_relaxed",
    ).with_columns(weight=pl.lit(1.0))
    on = kaplan_meier.survival_by_group(rows, days=(5,)).filter(pl.col("group") == "on")
    assert on.filter(pl.col("day") == 5)["at_risk"].item() == 0
    assert on.filter(pl.col("day") == 60)["survival"].item() == pytest.approx(0.5)


def test_weights_count_as_the_effective_number_at_risk() -> None:
    """Equal weights of any size give Greenwood's variance; unequal ones a larger one."""
    rng = np.random.default_rng(4)
    rows = pl.DataFrame(
        {"person": np.arange(200), "group": "all", "start": 0, "stop": rng.integers(1, 50, 200), "event": 1}
    )
    plain = kaplan_meier.survival_by_group(rows.with_columns(weight=pl.lit(1.0)))
    heavy = kaplan_meier.survival_by_group(rows.with_columns(weight=pl.lit(5000.0)))
    np.testing.assert_allclose(plain["variance"].drop_nulls(), heavy["variance"].drop_nulls())
    unequal = kaplan_meier.survival_by_group(
        rows.with_columns(weight=pl.Series(np.where(np.arange(200) % 2, 1.0, 9.0)))
    )
    at = (plain["survival"] > 0.2) & (plain["survival"] < 1)
    assert (unequal["variance"].filter(at) > plain["variance"].filter(at)).mean() > 0.9


def test_design_variance_by_hand() -> None:
    """Stratum a: unit totals 1 and 3 (mean 2): 2/1 x (1 + 1) = 4. Stratum b: one unit of total -4, about 0: 16."""
    influence = np.array([[0.5], [0.5], [3.0], [-4.0]])
    result = survey.design_covariance(influence, strata=["a", "a", "a", "b"], units=[1, 1, 2, 1])
    assert result.covariance.item() == pytest.approx(20)
    assert (result.degrees, result.lonely) == (1, 1)


def test_a_curve_begins_when_enough_are_at_risk() -> None:
    """Three start early and one of them dies; forty join later and four of them die, together, on day 30."""
    early = [
        {"person": i, "group": "on", "start": 0, "stop": 3 if i == 0 else 50, "event": int(i == 0)} for i in range(3)
    ]
    late = [
        {"person": i, "group": "on", "start": 10, "stop": 30 if i < 7 else 50, "event": int(i < 7)}
        for i in range(3, 43)
    ]
    rows = pl.DataFrame(early + late).with_columns(weight=pl.lit(1.0))
    assert kaplan_meier.survival_by_group(rows)["survival"].to_list()[-1] == pytest.approx(2 / 3 * 38 / 42)
    begun = kaplan_meier.survival_by_group(rows, fewest=10)
    assert begun["survival"].to_list() == pytest.approx([1.0, 1.0, 38 / 42])
    assert begun["events"].to_list() == [0, 1, 5]
    assert kaplan_meier.survival_by_group(rows, fewest=100)["survival"].to_list()[-1] == pytest.approx(2 / 3 * 38 / 42)
