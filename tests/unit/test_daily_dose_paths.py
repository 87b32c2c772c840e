"""Daily dose comes out the same whatever ids, names and order its fills are in, and however the work is split."""

import hashlib
import os
import subprocess
import sys
from unittest import mock

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.exposure import daily_dose, packed, stockpile

ROWS, PERSONS = 30_000, 2_000
CAPS = pytest.mark.parametrize("cap", [None, 30])


def fills(seed: int = 5) -> pl.DataFrame:
    """Monthly fills, a third of them early, some on one day, some unknown, some of methadone."""
    rng = np.random.default_rng(seed)
    person = np.sort(rng.integers(0, PERSONS, ROWS))
    mg = np.where(rng.random(ROWS) < 0.1, rng.choice([5.0, 15.0, 30.0], ROWS), np.nan)
    return pl.DataFrame(
        {
            "person_id": person,
            "start": pl.Series(rng.integers(0, 400, ROWS), dtype=pl.Int32),
            "days_supply": rng.choice([0.5, 7, 10, 30, 30, 30], ROWS),
            "mme_per_day": np.where(rng.random(ROWS) < 0.05, np.nan, np.round(rng.lognormal(3, 1, ROWS), 2)),
            "product": np.where(np.isnan(mg), rng.choice(["a", "b", "c"], ROWS), "methadone"),
            "repaired": (rng.random(ROWS) < 0.1).astype(np.int64),
            "is_buprenorphine": (rng.random(ROWS) < 0.05).astype(np.int64),
            "tiered_mg_per_day": mg,
        }
    ).with_columns(pl.col("mme_per_day", "tiered_mg_per_day").fill_nan(None))


def build(rows: pl.DataFrame, cap: float | None) -> pl.DataFrame:
    tiers = pl.DataFrame({"ingredient": ["methadone"] * 4, "above": [0.0, 20, 40, 60], "factor": [4.0, 8, 10, 12]})
    return daily_dose.build(rows.lazy(), cap, tiers=tiers).collect()


@CAPS
def test_keys_too_small_for_everybody_take_persons_block_by_block(cap: float | None) -> None:
    rows = fills().sample(fraction=1, shuffle=True, seed=1)
    expected = build(rows, cap)
    for key_bits in (40, 30):
        with mock.patch.object(packed, "KEY_BITS", key_bits):
            assert build(rows, cap).equals(expected)
            assert build(rows.sort("person_id"), cap).equals(expected)
    with mock.patch.object(packed, "KEY_BITS", 15), pytest.raises(ValueError, match="too many rows, days or products"):
        build(rows, cap)


def test_a_block_of_persons_fits_the_bits_it_has() -> None:
    person = np.random.default_rng(3).integers(-50, 10_000, 5_000)
    blocks = list(packed.person_blocks(person, packed.KEY_BITS - 6))
    assert len(blocks) > 100
    for first, rows in blocks:
        assert (person[rows] - first).min() >= 0
        assert (person[rows] - first).max() < 2**6
    assert sorted(np.concatenate([rows for _, rows in blocks])) == list(range(5_000))


@CAPS
def test_chunks_of_any_size_give_the_same(cap: float | None) -> None:
    rows = fills().filter(pl.col("person_id") < 100)
    expected = build(rows, cap)
    for size in (2, 50, 700):
        with mock.patch.object(packed, "CHUNK", size), mock.patch.object(stockpile, "CHUNK", size):
            assert build(rows, cap).equals(expected)
            assert build(rows.reverse(), cap).equals(expected)


@CAPS
@pytest.mark.parametrize(
    "ids",
    [
        pl.col("person_id").cast(pl.Int32) - 700,
        pl.col("person_id") * 10**14,
        pl.col("person_id").cast(pl.UInt64) + 2**62,
        pl.format("P{}", pl.col("person_id") + 10_000),
        pl.when(pl.col("person_id") > 0).then(pl.format("P{}", pl.col("person_id") + 10_000)),
        pl.when(pl.col("person_id") > 0).then("person_id"),
    ],
    ids=["negative", "far apart", "large", "text", "text, one missing", "one missing"],
)
def test_ids_of_any_kind_come_back_in_order(ids: pl.Expr, cap: float | None) -> None:
    rows = fills().sample(fraction=1, shuffle=True, seed=1)
    expected = build(rows, cap).with_columns(ids)
    assert build(rows.with_columns(ids.alias("person_id")), cap).equals(expected)


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["methadone", "c", "b", "a"])], ids=["category", "enum"])
def test_products_may_be_categories_and_missing(kind: pl.DataType) -> None:
    rows = fills()
    assert build(rows.with_columns(pl.col("product").cast(kind)), 30).equals(build(rows, 30))
    nameless = pl.when(pl.col("product") != "a").then("product")
    named = rows.with_columns(nameless.fill_null("").alias("product"))
    expected = daily_dose.supplies(named)
    assert daily_dose.supplies(rows.with_columns(nameless.cast(kind).alias("product"))).equals(expected)
    assert expected["product"].unique().sort().to_list() == ["", "b", "c", "methadone"]
    assert expected.equals(expected.sort("person_id", "product", "start"))


@CAPS
def test_sums_over_supplies_are_the_daily_dose(cap: float | None) -> None:
    rows = fills().drop("tiered_mg_per_day")
    assert daily_dose.sum_over_products(daily_dose.supplies(rows, cap)).equals(build(rows, cap))


@CAPS
def test_supplies_do_not_depend_on_the_order_of_fills(cap: float | None) -> None:
    rows = fills()
    expected = daily_dose.supplies(rows, cap)
    assert daily_dose.supplies(rows.reverse(), cap).equals(expected)
    assert daily_dose.supplies(rows.sample(fraction=1, shuffle=True, seed=1), cap).equals(expected)


def test_no_fills_no_days() -> None:
    for cap in (None, 30):
        none = build(fills().clear(), cap)
        assert none.is_empty()
        assert none.schema == build(fills(), cap).schema
        assert daily_dose.supplies(fills().clear(), cap).schema == daily_dose.supplies(fills(), cap).schema


def test_a_cut_of_any_order_of_persons_keeps_those_observed() -> None:
    daily = build(fills(), 30)
    of_7, day = daily.filter(pl.col("person_id") == 7), 240
    assert of_7.filter(pl.col("start") < day, pl.col("stop") > day + 1).height == 1
    last = pl.DataFrame({"person_id": [7, 3, 1], "last": pl.Series([day, -1, 900], dtype=pl.Int32)})
    for rows in (daily, daily.sort("person_id", "start", descending=[True, False])):
        kept = daily_dose.cut(rows.lazy(), last.lazy()).collect()
        assert sorted(kept["person_id"].unique()) == [1, 7]
        assert kept.filter(pl.col("person_id") == 1).equals(daily.filter(pl.col("person_id") == 1))
        cut = pl.min_horizontal("stop", pl.lit(day + 1, pl.Int32)).alias("stop")
        assert kept.filter(pl.col("person_id") == 7).equals(of_7.filter(pl.col("start") <= day).with_columns(cut))
    assert daily_dose.cut(daily.clear().lazy(), last.lazy()).collect().is_empty()


def test_one_thread_and_two_give_the_same_bytes(tmp_path) -> None:
    code = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_daily_dose_paths import build, fills
for cap in (None, 30):
    build(fills(), cap).write_parquet(sys.argv[1] + f"/{{cap}}.parquet")
"""
    digests = []
    for threads in ("1", "2"):
        folder = tmp_path / threads
        folder.mkdir()
        environment = {**os.environ, "POLARS_MAX_THREADS": threads}
        subprocess.run([sys.executable, "-c", code, str(folder)], check=True, env=environment)
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())])
    assert digests[0] == digests[1]
    assert len(digests[0]) == 2
