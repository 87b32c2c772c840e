"""What is usual of a product, against the plainest possible calculation."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from opioid_outcomes.exposure import repair_usual as usual
from opioid_outcomes.exposure.repair_usual import ENOUGH_PEOPLE, LATEST_FILLS, LONGEST_WAIT, Records, Waits


def records(seed: int, fills: int, people: int, products: int) -> tuple[np.ndarray, ...]:
    """Random fills, sorted by person and day: product, person, day, value, known."""
    rng = np.random.default_rng(seed)
    person = np.sort(rng.integers(0, people, fills))
    day = rng.integers(0, 400, fills)
    order = np.lexsort((day, person))
    value = rng.integers(1, 40, fills) / 2
    return rng.integers(0, products, fills), person[order], day[order], value, rng.random(fills) < 0.8


@pytest.mark.parametrize("seed", range(6))
def test_the_median_over_others_is_numpys(seed: int) -> None:
    product, person, day, value, known = records(seed, 400, 17, 3)
    usual = Records.of(np.flatnonzero(known), product, person, day, value).of_others(product, person)
    compared = 0
    for i in range(len(product)):
        same = known & (product == product[i])
        others = [p for p in np.unique(person[same]) if p != person[i]]
        if len(others) < ENOUGH_PEOPLE:
            assert np.isnan(usual[i])
            continue
        medians = [np.median(value[same & (person == p)]) for p in others]
        assert usual[i] == pytest.approx(np.median(medians), rel=1e-12)
        compared += 1
    assert compared > 300


@pytest.mark.parametrize("seed", range(6))
def test_the_median_of_a_persons_latest_fills(seed: int) -> None:
    product, person, day, value, known = records(seed, 300, 12, 3)
    usual = Records.of(np.flatnonzero(known), product, person, day, value).of_person(product, person, day)
    for i in range(len(product)):
        so_far = np.flatnonzero(known & (product == product[i]) & (person == person[i]) & (day <= day[i]))
        expected = np.median(value[so_far[-LATEST_FILLS:]]) if len(so_far) else np.nan
        np.testing.assert_equal(usual[i], expected)


def waits_of(product: np.ndarray, person: np.ndarray, day: np.ndarray, known: np.ndarray) -> dict[int, dict]:
    """By product and person: the times between days with a fill, up to the longest."""
    found: dict[int, dict[int, list[int]]] = {}
    for one, whom in {(int(a), int(b)) for a, b in zip(product, person, strict=True)}:
        days = np.unique(day[known & (product == one) & (person == whom)])
        waits = [int(b - a) for a, b in pairwise(days) if b - a <= LONGEST_WAIT]
        if waits:
            found.setdefault(one, {})[whom] = waits
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("quantile", [0.5, 0.8, 0.03])
def test_waits_are_the_weighted_quantile_over_others(seed: int, quantile: float) -> None:
    """Every person's waits weigh 1 together; the shortest wait that the configured share does not exceed."""
    product, person, day, _, known = records(seed, 400, 17, 3)
    found = Waits.of(np.flatnonzero(known), product, person, day).of_others(product, person, quantile)
    all_waits = waits_of(product, person, day, known)
    compared = 0
    for i in range(len(product)):
        others = [waits for whom, waits in all_waits[product[i]].items() if whom != person[i]]
        if len(others) < ENOUGH_PEOPLE:
            assert np.isnan(found[i])
            continue
        values = np.array([wait for waits in others for wait in waits])
        weights = [Fraction(1, len(waits)) for waits in others for _ in waits]
        order = np.argsort(values, kind="stable")
        passed = np.cumsum([weights[at] for at in order]) >= Fraction(str(quantile)) * len(others)
        assert found[i] == values[order][np.argmax(passed)]
        compared += 1
    assert compared > 300


def test_nothing_known_is_nothing_usual() -> None:
    none = np.empty(0, dtype=np.int64)
    empty = Records.of(none, none, none, none, none.astype(float))
    asked = np.array([0, 1])
    assert np.isnan(empty.of_person(asked, asked, asked)).all()
    assert np.isnan(empty.of_others(asked, asked)).all()
    assert np.isnan(Waits.of(none, none, none, none).of_others(asked, asked, 0.8)).all()


def test_people_and_products_that_taught_nothing_are_not_mistaken_for_others() -> None:
    """Codes beyond those known: no other person's history is theirs."""
    known = Records.of(np.arange(2), np.array([0, 1]), np.array([0, 0]), np.array([0, 0]), np.array([3.0, 4.0]))
    assert np.isnan(known.of_person(np.array([0, 0]), np.array([1, 5]), np.array([9, 9]))).all()
    assert known.of_person(np.array([1]), np.array([0]), np.array([9])).tolist() == [4.0]


def test_waiting_times_find_the_days_that_fills_last_where_the_plain_mean_does_not() -> None:
    """Fills last 30 days and are renewed 0-5 days late; one time in six people stop for most of a year.

    The mean of all times between fills takes stops for supply. The 80 % quantile of the times that are no stops is 30
    days and the lateness of the later fills: 34, as lateness is uniform over 0 to 5 days.
    """
    rng = np.random.default_rng(3)
    people, fills = 300, 12
    stop = rng.random((people, fills)) < 1 / 6
    gaps = np.where(stop, rng.integers(200, 340, (people, fills)), 30 + rng.integers(0, 6, (people, fills)))
    day = np.cumsum(gaps, axis=1).ravel()
    person = np.repeat(np.arange(people), fills)
    product = np.zeros(len(day), dtype=np.int64)
    found = Waits.of(np.arange(len(day)), product, person, day)
    asked = found.of_others(np.zeros(people, dtype=np.int64), np.arange(people), 0.8)
    naive = gaps[:, 1:].mean()
    assert naive > 60
    assert np.all(asked == 34)


@pytest.mark.parametrize("at_once", [1, 7, 64])
def test_fills_put_in_order_a_few_at_a_time_are_the_same(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    product, person, day, value, known = records(5, 400, 17, 3)
    rows, days = np.flatnonzero(known), value + 1
    whole = Records.of(rows, product, person, day, value, per=days)
    monkeypatch.setattr(usual, "AT_ONCE", at_once)
    parts = Records.of(rows, product, person, day, value, per=days)
    for name in ("width", "pair", "day", "value"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    order = np.lexsort((rows, product[rows], person[rows]))
    assert np.array_equal(whole.value, (value / days)[rows[order]])
