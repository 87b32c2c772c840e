"""The four MME definitions against a slow calculator that adds up every day of every window, in fractions."""

from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.exposure import definitions

TIERS = pl.DataFrame({"ingredient": "methadone", "above": [0.0, 20.0, 40.0, 60.0], "factor": [4.0, 8.0, 10.0, 12.0]})

supply = st.fixed_dictionaries({
    "person_id": st.integers(1, 3),
    "start": st.integers(-20, 120),
    "days": st.integers(0, 60),
    "mme_per_day": st.sampled_from([None, 10.0, 33.3, 0.1, 60.0]),
    "mg": st.sampled_from([None, None, None, 15.0, 20.5]),
    "is_buprenorphine": st.integers(0, 1),
    "mme_unknown": st.sampled_from([False, False, True]),
})  # fmt: skip


def frame(rows: list[dict]) -> pl.DataFrame:
    schema = {
        "person_id": pl.Int64, "product": pl.String, "start": pl.Int32, "stop": pl.Int32, "mme_per_day": pl.Float64,
        "mme_unknown": pl.Boolean, "repaired": pl.Int64, "is_buprenorphine": pl.Int64, "tiered_mg_per_day": pl.Float64,
    }  # fmt: skip
    table = [
        (
            row["person_id"], str(i), row["start"], row["start"] + row["days"], dose(row), row["mme_unknown"] or
            dose(row) is None, 0, row["is_buprenorphine"], row["mg"],
        )
        for i, row in enumerate(rows)
    ]  # fmt: skip
    supply = pl.DataFrame(table, schema=schema, orient="row").sort("person_id", "product", "start")
    return supply.with_columns(repaired_from=pl.lit(None, pl.Int32))


def dose(row: dict) -> float | None:
    return row["mme_per_day"] if row["mg"] is None else tiered(Fraction(str(row["mg"])))


def tiered(mg: Fraction) -> float:
    return float(mg * (4 if mg <= 20 else 8 if mg <= 40 else 10 if mg <= 60 else 12))


def day_by_day(rows: list[dict], first: int, stop: int) -> tuple | None:
    """(values of definitions 1 to 4, whether a dose is unknown); None if the window has no supply."""
    total, supplies, with_supply, highest, active_days, unknown = Fraction(0), 0, 0, Fraction(0), 0, False
    for day in range(first, stop):
        active = [row for row in rows if row["start"] <= day < row["start"] + row["days"]]
        known = [row for row in active if dose(row) is not None]
        active_days += bool(active)
        unknown |= any(row["mme_unknown"] or dose(row) is None for row in active)
        if known:
            mg = sum((Fraction(str(row["mg"])) for row in known if row["mg"] is not None), Fraction(0))
            flat = sum((Fraction(str(row["mme_per_day"])) for row in known if row["mg"] is None), Fraction(0))
            today = flat + Fraction(tiered(mg))
            total, supplies, with_supply = total + today, supplies + len(known), with_supply + 1
            highest = max(highest, today)
    if not active_days:
        return None
    values = (total / supplies, total / with_supply, total / (stop - first), highest) if with_supply else (None,) * 4
    return values, unknown


def close(found: float | None, expected: Fraction | None) -> bool:
    return (found is None and expected is None) or found == pytest.approx(float(expected), rel=1e-12)


@given(st.lists(supply, max_size=8), st.sampled_from([1, 7, 30, 90]), st.integers(0, 200))
@settings(max_examples=250, deadline=None, derandomize=True)
def test_every_window_is_what_its_days_add_up_to(rows: list[dict], length: int, last: int) -> None:
    last_days = pl.DataFrame(
        {"person_id": [1, 2], "last": [last, last + 9]}, schema={"person_id": pl.Int64, "last": pl.Int32}
    )
    found = definitions.of_supplies(frame(rows), last_days, window_days=length, tiers=TIERS)
    expected = []
    for person, end in ((1, last), (2, last + 9)):  # the third is not observed
        theirs = [row for row in rows if row["person_id"] == person and row["days"]]
        first = min((row["start"] for row in theirs if row["start"] <= end), default=end + 1)
        for start in range(first, end + 1, length):
            stop = min(start + length, end + 1)
            whole = day_by_day(theirs, start, stop)
            if whole is not None:
                rest = day_by_day([row for row in theirs if not row["is_buprenorphine"]], start, stop)
                expected.append((person, start, stop, *whole, rest[0] if rest else (None,) * 4))
    names = ("person_id", "window_start", "window_stop")
    assert found.select(names).rows() == [row[:3] for row in expected]
    for row, (*_, values, unknown, without) in zip(found.iter_rows(named=True), expected, strict=True):
        assert row["incomplete"] == unknown
        for k in definitions.DEFINITIONS:
            assert close(row[f"mme_{k}"], values[k - 1])
            assert close(row[f"without_{k}"], without[k - 1])
