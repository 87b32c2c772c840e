"""survival.smr, .life_table and .standardised against R (tests/reference/survival/smr.R), and at the edges."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.mortality.smr import load
from opioid_outcomes.survival import life_table
from opioid_outcomes.survival.rates import per_1000_person_years
from opioid_outcomes.survival.smr import at_birthdays, excess_rate, expected, standardised_mortality_ratio
from opioid_outcomes.survival.standardised import direct, log_ratio

REFERENCE = Path(__file__).parents[1] / "reference" / "survival"
ROWS = pl.read_csv(REFERENCE / "smr_rows.csv")
R = json.loads((REFERENCE / "smr.json").read_text())
US = load("us")
FEMALE, MALE = (US.sexes.index(sex) for sex in ("F", "M"))


def stretches(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    entry = rows["entry"].to_numpy().astype(float)
    sex = np.where(rows["sex"].to_numpy() == "F", FEMALE, MALE)
    return entry, entry + rows["days"].to_numpy(), entry - rows["age"].to_numpy() * 365.25, sex


def test_expected_deaths_equal_pyears_person_by_person() -> None:
    start, stop, born, sex = stretches(ROWS)
    np.testing.assert_allclose(expected(start, stop, born, sex, US), R["expected"], rtol=1e-8)
    np.testing.assert_allclose(expected(start, stop, born, sex, US, year=2008), R["fixed_2008"], rtol=1e-8)


def test_years_that_turn_on_birthdays_as_in_survexp_us_change_little() -> None:
    assert abs(R["total_turning_on_birthdays"] / sum(R["expected"]) - 1) < 0.005


def test_ratio_and_limits_equal_r() -> None:
    ratio = standardised_mortality_ratio(R["observed"], sum(R["expected"]))
    found = [ratio.estimate, ratio.ci_low, ratio.ci_high]
    np.testing.assert_allclose(found, [R["smr"], *R["limits"]], rtol=1e-9)
    np.testing.assert_allclose(found[1:], R["poisson_test"], rtol=1e-6)


def test_excess_rate_and_no_deaths() -> None:
    rate = excess_rate(20, 8.0, 4000.0)
    assert rate.estimate == pytest.approx(3.0)
    assert rate.ci_low == pytest.approx(per_1000_person_years(20, 4000).ci_low - 2)
    nobody = standardised_mortality_ratio(0, 2.0)
    assert (nobody.estimate, nobody.ci_low) == (0, 0)
    assert nobody.ci_high == pytest.approx(-math.log(0.025) / 2)  # the exact limit of no event


def test_cutting_follow_up_changes_no_expected_death() -> None:
    """Person-time rows of a person add up to the person, wherever they are cut."""
    start, stop, born, sex = stretches(ROWS)
    cut = start + np.floor((stop - start) * 0.37)
    halves = expected(start, cut, born, sex, US) + expected(cut, stop, born, sex, US)
    np.testing.assert_allclose(halves, expected(start, stop, born, sex, US), rtol=1e-10)


def test_a_birthday_cuts_and_lengths_add_up() -> None:
    pieces = at_birthdays(np.array([0.0, 5.0]), np.array([800.0, 6.0]), np.array([-40 * 365.25 - 300, -30 * 365.25]))
    assert pieces.row.tolist() == [0, 0, 0, 0, 1]
    assert pieces.age.tolist() == [40, 41, 42, 43, 30]
    np.testing.assert_allclose(pieces.stop - pieces.start, [65.25, 365.25, 365.25, 4.25, 1])


def test_follow_up_that_starts_or_ends_on_a_birthday_or_is_empty() -> None:
    born = np.array([-50 * 365.25] * 3)
    found = expected([0.0, 0.0, 7.0], [365.25, 0.0, 7.0], born, np.array([MALE] * 3), US, year=2000)
    rate = US.rates[50, MALE, list(US.years).index(2000)]
    np.testing.assert_allclose(found, [rate, 0, 0], rtol=1e-12)
    assert len(expected([], [], [], np.empty(0, np.int64), US)) == 0


def test_before_the_first_year_and_after_the_last_their_rates_hold() -> None:
    born = np.array([-60 * 365.25])
    year_3000 = expected([0.0], [100.0], born, np.array([FEMALE]), US, year=3000)
    last = expected([0.0], [100.0], born, np.array([FEMALE]), US, year=int(US.years[-1]))
    np.testing.assert_array_equal(year_3000, last)


def test_planted_ratio_is_recovered_where_ages_fixed_at_entry_are_wrong() -> None:
    """Deaths at 1.7 times the US rates over up to 20 years: ten seeds, within 3 Monte Carlo SE of 1.7."""
    ratios, at_entry = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        n = 1500
        age, sex = rng.uniform(40, 69, n), rng.integers(0, 2, n)
        born = -age * 365.25
        edges = np.arange(0, 7306, 73.05)  # hazards along follow-up, 100 steps
        hazard = np.stack([
            expected(np.full(n, low), np.full(n, high), born, sex, US, year=2000)
            for low, high in itertools.pairwise(edges)
        ])  # fmt: skip
        reached = np.cumsum(1.7 * hazard, axis=0) >= rng.exponential(size=n)
        died, step = reached.any(axis=0), reached.argmax(axis=0)
        stop = np.where(died, edges[step + 1], edges[-1])
        ratios.append(died.sum() / expected(np.zeros(n), stop, born, sex, US, year=2000).sum())
        rate = US.rates[np.floor(age).astype(int), sex, 30]
        at_entry.append(died.sum() / (rate * stop / 365.25).sum())
    error = np.std(ratios, ddof=1) / math.sqrt(10)
    assert abs(np.mean(ratios) - 1.7) < 3 * error + 0.01
    assert np.mean(at_entry) > 2.5


def test_standardised_rates_equal_epitools() -> None:
    on, off = (
        ([2, 0, 9, 31, 40], [1200.5, 900, 750, 800.25, 310]),
        ([1, 4, 6, 12, 55], [3000, 2500, 1800, 900, 1500.75]),
    )
    standard = np.add(on[1], off[1])
    first, second = (direct(count, time, standard) for count, time in (on, off))
    for found, theirs in ((first, R["direct_on"]), (second, R["direct_off"])):
        np.testing.assert_allclose([found.rate, found.ci_low, found.ci_high, found.se], theirs, rtol=1e-8)
    ratio = log_ratio(first, second)
    np.testing.assert_allclose([ratio.estimate, ratio.se], R["log_ratio"], rtol=1e-10)


def test_one_stratum_is_the_exact_poisson_rate_and_no_deaths_have_an_upper_limit() -> None:
    exact, one = per_1000_person_years(7, 900), direct([7], [900], [3], per=1000)
    np.testing.assert_allclose(
        [one.rate, one.ci_low, one.ci_high, one.se], [exact.rate, exact.ci_low, exact.ci_high, exact.se], rtol=1e-9
    )
    none = direct([0, 0], [500, 250], [1, 1])
    assert (none.rate, none.ci_low) == (0, 0)
    assert none.ci_high == pytest.approx(-math.log(0.025) * 0.5 / 250)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (([], [], [], []), "no row"),
        (([1, 1], ["F", "F"], [2000, 2000], [0.1, 0.2]), "twice"),
        (([1, 2], ["F", "M"], [2000, 2000], [0.1, 0.2]), "every combination"),
        (([1], ["F"], [2000], [-0.1]), "rate"),
        (([1], ["F"], [2000], [float("nan")]), "rate"),
        (([-1], ["F"], [2000], [0.1]), "age"),
    ],
)
def test_a_table_that_is_none_says_why(columns: tuple[list, list, list, list], said: str) -> None:
    with pytest.raises(life_table.LifeTableFailure, match=said):
        life_table.from_columns(*columns)
