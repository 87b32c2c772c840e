"""Latest records on days, without a search, against the search."""

import numpy as np
import pytest

from opioid_outcomes.exposure.stretches import distinct_days, latest, latest_on_days


def events(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Groups and days, sorted, some of them twice."""
    group, day = rng.integers(0, 9, rows), rng.integers(-30, 30, rows)
    order = np.lexsort((day, group))
    return group[order], day[order]


@pytest.mark.parametrize("seed", range(4))
def test_latest_rows_are_those_that_a_search_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    records, others = [events(rng, rows) for rows in (50, 7, 0)], [events(rng, 30), events(rng, 0)]
    group, day, rows = latest_on_days(records, others)
    known_group, known_day = distinct_days([*records, *others])
    assert np.array_equal(group, known_group)
    assert np.array_equal(day, known_day)
    for (of_group, of_day), row in zip(records, rows, strict=True):
        own = np.zeros(len(row), dtype=bool)
        own[row >= 0] = of_group[row[row >= 0]] == group[row >= 0]
        assert np.array_equal(np.where(own, row, -1), latest(group, day, of_group, of_day))


def test_nobody_has_no_days() -> None:
    none = np.empty(0, dtype=np.int64)
    group, day, rows = latest_on_days([(none, none)], [])
    assert len(group) == len(day) == len(rows[0]) == 0
