"""How often the test of hyperalgesia reaches each verdict, in worlds whose answer is known.

    .venv/bin/python tests/operating_characteristics/verdicts.py [--replicates 40] [--people 20000] [--cores 2]

Writes workflow/docs/operating_characteristics_verdict.md. The cohorts are those of METHODS D2 (scores about every
month, doses raised when it hurts), simulated by the program's own ``calibrate``. Each replicate draws from its own
stream, so that the table does not depend on the number of cores.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ[_name] = "1"  # cores are for replicates; numpy and polars read this as they are imported
sys.path.append(str(Path(__file__).parents[1] / "known"))

import pain_source  # noqa: E402
import polars as pl  # noqa: E402

from opioid_outcomes.config.hyperalgesia import Hyperalgesia  # noqa: E402
from opioid_outcomes.hyperalgesia.calibrate import replicates, source  # noqa: E402
from opioid_outcomes.hyperalgesia.calibrate.replicates import Setting  # noqa: E402
from opioid_outcomes.hyperalgesia.verdict import VERDICTS  # noqa: E402

OUT = Path(__file__).parents[2] / "workflow" / "docs" / "operating_characteristics_verdict.md"
COMMAND = ".venv/bin/python tests/operating_characteristics/verdicts.py"
SEED, MONTHS, BATCH = 20261120, 24, 5
WORLDS = ("null", "relief", "tolerance", "hyperalgesia", "noisy_null", "informative_visits")
ERRORS = (0.0, 0.5, 1.0)  # SD of the error of a score, as simulated and as declared


@dataclass(frozen=True)
class Job:
    """Some replicates of one world."""

    people: int
    error: float
    world: str
    first: int
    last: int


_SOURCES: dict[tuple[int, float], source.Source] = {}


def setting(people: int, error: float, world: str) -> Setting:
    """A study of so many people, recorded with that error, which is declared."""
    options = Hyperalgesia(error_sd=error, calibration={"persons": people})
    if (people, error) not in _SOURCES:
        study = pain_source.study(people, MONTHS, SEED, error=error)
        made = source.build(study, options, error_variance=error**2, baseline=["depression"], missing="indicator")
        assert isinstance(made, source.Source), made
        _SOURCES[people, error] = made
    return Setting(_SOURCES[people, error], world, options, error**2, replicates.seed_of(SEED, str(error), world))


def assess(job: Job) -> pl.DataFrame:
    made = setting(job.people, job.error, job.world)
    return replicates.run(made, range(job.first, job.last), cohort=f"{job.error:g}")


def page(rows: pl.DataFrame, people: int, count: int) -> list[str]:
    lines = [
        "# Operating characteristics of the verdict",
        "",
        f"Made by `{COMMAND}` (seed {SEED}); do not change by hand.",
        f"{count:,} simulated cohorts of {people:,} people in each world, with scores about every month for two years,"
        " doses raised in 3 to 5 % of visits, more when it hurts (0.45 on the logit scale a point), and whole scores"
        " 0-10. Worlds: relief lowers pain by 1 point per step for good; tolerance by 1 point for a month; hyperalgesia"
        " lowers it at first and raises it by 1 point in days 181-365. In noisy null doses follow the true pain; in all"
        " others the recorded score. In informative visits people come because it hurts.",
        "",
        "- **error**: SD of the error of a score, simulated and declared.",
        "- **bias**, **coverage** (%): of the primary estimate (AIPW on pain as recorded, per step), Monte Carlo error"
        " in brackets; from 93 to 97 is asked of coverage. Where doses follow the true pain, or visits the pain of the"
        " day, the primary estimate is biased, and that is what the rule has to withstand.",
        "- **corrected**: bias of the estimate corrected for error, which is right where doses follow true pain, too"
        " low where they follow the recorded score.",
        "",
        "| error | world | " + " | ".join(name.replace("_", " ") for name in VERDICTS)
        + " | bias short | bias long | corrected short | corrected long | coverage short | coverage long |",
        "|" + "---|" * (8 + len(VERDICTS)),
    ]  # fmt: skip
    for error in ERRORS:
        for world in WORLDS:
            chosen = rows.filter(pl.col("cohort") == f"{error:g}", pl.col("world") == world)
            if chosen.is_empty():
                continue
            told = replicates.characteristics(chosen)
            shares = [f"{100 * float(told[name] or 0):.0f}" for name in VERDICTS]
            biases = [f"{told[f'bias_{lag}']:.3f} ({told[f'bias_se_{lag}']:.3f})" for lag in replicates.LAGS]
            corrected = [_number(told[f"bias_corrected_{lag}"]) for lag in replicates.LAGS]
            covered = [
                f"{100 * told[f'coverage_{lag}']:.1f} ({100 * told[f'coverage_se_{lag}']:.1f})"
                for lag in replicates.LAGS
            ]
            cells = [f"{error:g}", world.replace("_", " "), *shares, *biases, *corrected, *covered]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _number(value: float | int | None) -> str:
    return "" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=40)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--errors", type=float, nargs="*", default=ERRORS)
    parser.add_argument("--worlds", nargs="*", default=WORLDS)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    jobs = [
        Job(asked.people, error, world, first, min(first + BATCH, asked.replicates))
        for error in asked.errors
        for world in asked.worlds
        for first in range(0, asked.replicates, BATCH)
    ]
    found = []
    with ProcessPoolExecutor(asked.cores) as pool:
        for job, rows in zip(jobs, pool.map(assess, jobs), strict=True):
            found.append(rows)
            print(f"error {job.error:g}, {job.world}: {job.last} of {asked.replicates}", file=sys.stderr, flush=True)
    asked.out.write_text("\n".join(page(pl.concat(found), asked.people, asked.replicates)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
