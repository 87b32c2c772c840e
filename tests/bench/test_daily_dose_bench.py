"""Daily dose against the floor (reading and sorting the same file) and DuckDB, each in a process of its own.

OPIOID_BENCH_FILLS=2e7 runs the full size; the default ends within a minute. Ratios within one run, 2 threads.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

pytestmark = pytest.mark.bench
FILLS = int(float(os.environ.get("OPIOID_BENCH_FILLS", "2e6")))
EACH = 20  # fills of a person
REPEATS = 5  # the fastest counts: other work on the machine can only slow one down

READ = "import polars as pl, sys\npath = sys.argv[1]\n"
DAILY = READ + "from opioid_outcomes.exposure import daily_dose\n"
SQL = """
create table daily as
with points as (
  select person_id, day, sum(dose) as dose, sum(n) as n from (
    select person_id, (start - date '1970-01-01')::int as day, round(mme_per_day * 1e9)::bigint as dose, 1 as n
    from read_parquet('PATH') where days_supply > 0
    union all
    select person_id, (start - date '1970-01-01')::int + floor(days_supply + 1e-6)::int,
      -round(mme_per_day * 1e9)::bigint, -1
    from read_parquet('PATH') where days_supply > 0)
  group by person_id, day),
running as (
  select person_id, day as start, lead(day) over w as stop, sum(dose) over w as dose, sum(n) over w as n
  from points window w as (partition by person_id order by day))
select person_id, start, stop, dose / 1e9 as mme from running where n > 0
"""
CONTENDERS = {
    "polars read + sort": READ + "work = lambda: pl.read_parquet(path).sort('person_id', 'start')\n"
    "total = lambda frame: 0.0",
    # without the merge of equal neighbours, so it does less than ours
    "DuckDB": "import duckdb, sys\ndb = duckdb.connect()\n"
    "db.execute('set threads = 2')\ndb.execute('set enable_progress_bar = false')\n"
    f"sql = '''{SQL}'''.replace('PATH', sys.argv[1])\n"
    "work = lambda: db.execute('drop table if exists daily') and db.execute(sql)\n"
    "total = lambda _: db.execute('select sum(mme * (stop - start)) from daily').fetchone()[0]",
    **{
        name: DAILY + f"work = lambda: daily_dose.build(pl.scan_parquet(path), {cap}).collect()\n"
        "total = lambda daily: (daily['mme'] * (daily['stop'] - daily['start']).dt.total_days()).sum()"
        for name, cap in (("daily dose", None), ("daily dose, stockpiling", 30))
    },
}  # fmt: skip
TIMED = f"""
import time
seconds, result = [], None
for _ in range({REPEATS}):
    result = None
    began = time.perf_counter()
    result = work()
    seconds.append(time.perf_counter() - began)
peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))
print(min(seconds), total(result), int(peak.split()[1]) / 2**20)
"""


def write(path: Path, fills: int, *, continuous: bool = False) -> Path:
    """Monthly fills of people in any order, 30 % early, 20 products, 200 doses or as many as there are changes."""
    rng = np.random.default_rng(11)
    persons = fills // EACH
    luck = rng.random(fills)
    days = 30 + np.where(luck < 0.3, -rng.integers(1, 10, fills), np.where(luck < 0.5, rng.integers(1, 60, fills), 0))
    days = days.reshape(persons, EACH)
    days[:, 0] = rng.integers(0, 2_000, persons)
    doses = rng.lognormal(3.5, 0.8, fills) if continuous else np.round(rng.lognormal(3.5, 0.8, 200), 2)
    changed, own = rng.random(fills) < 0.1, rng.integers(0, len(doses), persons).repeat(EACH)
    other, main = rng.random(fills) < 0.15, rng.integers(0, 20, persons).repeat(EACH)
    names = pl.Series([f"oxycodone|{5 * strength}|oral|IR" for strength in range(20)])
    pl.DataFrame(
        {
            "person_id": np.repeat(np.arange(1, persons + 1), EACH),
            "start": pl.Series(16_000 + np.cumsum(days, axis=1).ravel(), dtype=pl.Int32).cast(pl.Date),
            "days_supply": np.where(rng.random(fills) < 0.9, 30.0, rng.integers(1, 60, fills)),
            "mme_per_day": doses[np.where(changed, rng.integers(0, len(doses), fills), own)],
            "product": names.gather(pl.Series(np.where(other, rng.integers(0, 20, fills), main), dtype=pl.UInt32)),
        }
    )[rng.permutation(fills)].write_parquet(path)
    return path


def run(name: str, path: Path) -> tuple[float, float, float]:
    """Seconds of the fastest repeat, MME-days of the result, peak memory of the process in GB."""
    code = CONTENDERS[name] + TIMED
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        check=True, capture_output=True, text=True, env={**os.environ, "POLARS_MAX_THREADS": "2"},
    )  # fmt: skip
    seconds, total, memory = map(float, done.stdout.split())
    print(f"\n{name}, {path.stem}: {seconds:.2f} s, {memory:.2f} GB", end="")
    return seconds, total, memory


@pytest.mark.parametrize("continuous", [False, True], ids=["200 doses", "continuous doses"])
def test_not_slower_than_reading_and_sorting_and_three_times_faster_than_duckdb(
    tmp_path: Path, continuous: bool
) -> None:
    pytest.importorskip("duckdb")
    path = write(tmp_path / f"{FILLS}.parquet", FILLS, continuous=continuous)
    floor, _, _ = run("polars read + sort", path)
    duck, duck_total, _ = run("DuckDB", path)
    own, own_total, memory = run("daily dose", path)
    stocked, _, stocked_memory = run("daily dose, stockpiling", path)
    print(f"\nfloor / own {floor / own:.1f}, DuckDB / own {duck / own:.1f}, stockpiling / own {stocked / own:.1f}")
    assert own_total == pytest.approx(duck_total, rel=1e-9)
    assert own <= floor
    assert 3 * own <= duck
    assert stocked <= 2.5 * own
    assert max(memory, stocked_memory) < 3


def test_linear_in_the_number_of_fills(tmp_path: Path) -> None:
    small, _, _ = run("daily dose", write(tmp_path / "tenth.parquet", FILLS // 10))
    large, _, _ = run("daily dose", write(tmp_path / "whole.parquet", FILLS))
    print(f"\nten times the fills: {large / small:.1f} times the time")
    assert large < 15 * small
