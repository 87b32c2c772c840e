"""Distinct rows and where each row's is: exact, sorted, whatever the order of rows."""

import numpy as np
import polars as pl

from opioid_outcomes.exposure import distinct as module
from opioid_outcomes.exposure.distinct import distinct


def test_every_row_is_its_distinct_row() -> None:
    rng = np.random.default_rng(3)
    texts, numbers = [None, "", "a", "b"], [None, 0.0, -0.0, 1.5, float("nan")]
    frame = pl.DataFrame(
        {
            "text": [texts[i] for i in rng.integers(0, 4, 500)],
            "number": [numbers[i] for i in rng.integers(0, 5, 500)],
            "nothing": pl.Series([None] * 500, dtype=pl.String),
        }
    )
    rows, position = distinct(frame, frame.columns)
    assert rows.height == 4 * 4  # 0 and -0 are one number
    assert rows.equals(rows.sort(frame.columns))
    assert all(rows[name].gather(position).eq_missing(frame[name]).all() for name in frame.columns)
    again, of_shuffled = distinct(frame.sample(500, shuffle=True, seed=1), frame.columns)
    assert again.equals(rows)
    assert sorted(of_shuffled) == sorted(position)


def test_rows_are_compared_in_parts(monkeypatch) -> None:
    frame = pl.DataFrame({"a": [3, 1, 3, 2, 1]})
    monkeypatch.setattr(module, "AT_ONCE", 2)
    rows, position = distinct(frame, ["a"])
    assert rows["a"].to_list() == [1, 2, 3]
    assert position.to_list() == [2, 0, 2, 1, 0]


def test_rows_that_hold_nothing_are_one_and_no_rows_are_none() -> None:
    schema = {"a": pl.String, "b": pl.Float64}
    rows, position = distinct(pl.DataFrame({"a": [None, None], "b": [None, None]}, schema=schema), ["a", "b"])
    assert (rows.rows(), position.to_list()) == ([(None, None)], [0, 0])
    rows, position = distinct(pl.DataFrame(schema=schema), ["a", "b"])
    assert rows.is_empty()
    assert position.is_empty()
