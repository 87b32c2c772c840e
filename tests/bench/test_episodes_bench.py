"""Episodes against the neighbours in the same run, by the same rules and with the same result.

OPIOID_OUTCOMES_BENCH_FILLS=20000000 runs the comparison with DuckDB, and the memory, at full size.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.exposure import episodes

pytestmark = pytest.mark.bench
GAP = 30
PANDAS_FILLS = 2_000_000
FILLS = int(os.environ.get("OPIOID_OUTCOMES_BENCH_FILLS", "2000000"))
FILLS_EACH = 20
MEMORY = 2 * 2**30

SQL = f"""
WITH covers AS (
    SELECT person_id, start, start + CAST(floor(days_supply + 1e-6) AS INTEGER) AS stop
    FROM fills WHERE days_supply >= 1
), reached AS (
    SELECT *, max(stop) OVER (
        PARTITION BY person_id ORDER BY start, stop ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS before FROM covers
), marked AS (
    SELECT *, CASE WHEN before IS NULL OR start - before > {GAP} THEN 1 ELSE 0 END AS begins FROM reached
), numbered AS (
    SELECT *, sum(begins) OVER (
        PARTITION BY person_id ORDER BY start, stop, begins DESC ROWS UNBOUNDED PRECEDING
    ) AS episode FROM marked
)
SELECT person_id, CAST(episode AS BIGINT) AS episode, min(start) AS start, max(stop) AS stop,
    CAST(sum(greatest(stop - greatest(start, coalesce(before, start)), 0)) AS BIGINT) AS days_active
FROM numbered GROUP BY person_id, episode ORDER BY person_id, episode
"""


def write_fills(path: Path, fills: int) -> Path:
    """Refills every four weeks or so, some early, some late, some beside others; in no order."""
    rng = np.random.default_rng(7)
    gaps = rng.choice([0, 7, 14, 25, 28, 30, 33, 60, 200], (fills // FILLS_EACH, FILLS_EACH))
    start = gaps.cumsum(axis=1) + rng.integers(10_000, 14_000, (fills // FILLS_EACH, 1))
    person = np.repeat(np.arange(fills // FILLS_EACH) * 7 + 1_000_000, FILLS_EACH)
    order = rng.permutation(len(person))
    supply = rng.choice([0.5, 5.0, 7.5, 10.0, 28.0, 30.0, 30.0, 90.0], len(person))
    pl.DataFrame(
        {"person_id": person[order], "start": start.ravel()[order].astype(np.int32), "days_supply": supply}
    ).write_parquet(path)
    return path


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def ours(path: Path) -> pl.DataFrame:
    return episodes.from_fills(pl.scan_parquet(path), GAP).collect()


def one_person(fills: Any) -> Any:
    """The rules, for the fills of one person."""
    import pandas as pd

    start = fills["start"].to_numpy()
    stop = start + np.floor(fills["days_supply"].to_numpy() + 1e-6).astype(np.int64)
    order = np.lexsort((stop, start))
    start, stop = start[order], stop[order]
    reach = np.maximum.accumulate(stop)
    before = np.append(start[:1], reach[:-1])
    first = np.flatnonzero((np.arange(len(start)) == 0) | (start - before > GAP))
    active = np.add.reduceat(np.maximum(stop - np.maximum(start, before), 0), first)
    last = np.append(first[1:], len(start)) - 1
    return pd.DataFrame(
        {"episode": np.arange(len(first)) + 1, "start": start[first], "stop": reach[last], "days_active": active}
    )


def test_twenty_times_faster_than_pandas_groupby_apply_with_the_same_episodes(tmp_path: Path) -> None:
    import pandas as pd

    path = write_fills(tmp_path / "fills.parquet", PANDAS_FILLS)
    read = pd.DataFrame({name: column.to_numpy() for name, column in pl.read_parquet(path).to_dict().items()})

    def pandas() -> Any:
        return read[read["days_supply"] >= 1].groupby("person_id")[["start", "days_supply"]].apply(one_person)

    own, found = min((seconds(lambda: ours(path)) for _ in range(3)), key=lambda run: run[0])
    other, expected = seconds(pandas)
    print(f"\nepisodes, {PANDAS_FILLS:,} fills: ours {own:.2f} s, pandas {other:.1f} s, {other / own:.0f}x")
    expected = expected.reset_index(level=0)
    for name in found.columns:
        assert np.array_equal(found[name].to_numpy(), expected[name].to_numpy())
    assert other > 20 * own


def test_not_slower_than_the_same_rules_in_duckdb_sql(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = write_fills(tmp_path / "fills.parquet", FILLS)

    def sql() -> pl.DataFrame:
        with duckdb.connect() as connection:
            connection.execute(f"CREATE VIEW fills AS SELECT * FROM read_parquet('{path}')")
            return pl.DataFrame(connection.execute(SQL).fetchnumpy())

    own, found = min((seconds(lambda: ours(path)) for _ in range(3)), key=lambda run: run[0])
    other, expected = min((seconds(sql) for _ in range(3)), key=lambda run: run[0])
    print(f"\nepisodes, {FILLS:,} fills: ours {own:.2f} s, DuckDB {other:.2f} s, {other / own:.1f}x")
    assert found.select(pl.all().cast(pl.Int64)).equals(expected.select(pl.all().cast(pl.Int64)))
    assert own < other


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_of_a_process_that_does_nothing_else(tmp_path: Path) -> None:
    path = write_fills(tmp_path / "fills.parquet", FILLS)
    code = (
        "import pathlib, re, sys, polars as pl\n"
        "from opioid_outcomes.exposure import episodes\n"
        f"episodes.from_fills(pl.scan_parquet(sys.argv[1]), {GAP}).collect()\n"
        "print(re.search(r'VmHWM:\\s*(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    print(f"\nepisodes, {FILLS:,} fills: {int(ran.stdout) / 2**20:.2f} GB at the peak")
    assert int(ran.stdout) * 1024 < MEMORY
