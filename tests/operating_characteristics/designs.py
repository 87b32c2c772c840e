"""The designs, their replicates, and the page that tells what came out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import analysis_oc
import msm_oc
import numpy as np
import sustained_oc
import trials_oc
import use_oc
from found import Found

AT_ONCE = 10  # replicates a process takes at a time


@dataclass(frozen=True)
class Design:
    what: str
    replicate: Callable[[np.random.Generator], list[Found]]
    most: int | None = None  # replicates, of a dear design


DESIGNS = (
    Design("Current use: Cox, time-varying (1,500 people)", use_oc.current_use),
    Design("Stopping: Cox on a clock of days since supply ended (1,500 people)", use_oc.stopping),
    Design("SMR against a life table (1,500 people)", use_oc.ratio_to_population),
    Design("New users: propensity score, weighted Aalen-Johansen (3,000 index dates)", trials_oc.replicate),
    Design("Marginal structural model: weights over time (1,500 people, 15 intervals)", msm_oc.replicate),
    Design("Sustained strategies: clones, censored and weighted (2,000 people)", sustained_oc.replicate),
    Design(
        "Sustained strategies from every month in which one can be begun (2,500 people, 200 cohorts)",
        sustained_oc.from_every_month,
        most=200,
    ),
    Design("`mortality.current_use`, the analysis itself (1,500 people)", analysis_oc.current_use),
    Design("`mortality.new_user`, the analysis itself (3,000 index dates)", analysis_oc.new_user),
)


def one(number: int, seed: int, replicate: int) -> list[Found]:
    return DESIGNS[number].replicate(np.random.default_rng([seed, number, replicate]))


def collected(number: int, replicates: int, seed: int, pool: ProcessPoolExecutor) -> list[list[Found]]:
    """By estimator, in the order of replicates."""
    count = min(replicates, DESIGNS[number].most or replicates)
    many = pool.map(partial(one, number, seed), range(count), chunksize=AT_ONCE)
    return [list(column) for column in zip(*many, strict=True)]


def line(found: list[Found]) -> str:
    """One row of the table: estimates that were refused are left out, and counted."""
    told = [each for each in found if math.isfinite(each.estimate) and math.isfinite(each.se)]
    estimate, se = (np.array([getattr(each, name) for each in told]) for name in ("estimate", "se"))
    first = found[0]
    spread = estimate.std(ddof=1)
    bias, error = estimate.mean() - first.truth, spread / math.sqrt(len(told))
    covered = np.mean([each.ci_low <= each.truth <= each.ci_high for each in told])
    # as many digits as the spread of one estimate allows
    digits = max(0, 2 - math.floor(math.log10(spread)))

    def number(value: float) -> str:
        return f"{value:.{digits}f}"

    method = f"*{first.method}*" if first.wrong else first.method
    cells = [
        first.quantity, method, number(first.truth), f"{number(bias)} ({number(error)})", f"{bias / spread:.2f}",
        number(spread), number(se.mean()), f"{100 * covered:.1f}", f"{len(told)}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def judged(found: list[Found]) -> str | None:
    """What is out of bounds: bias over a tenth of the spread; coverage, two Monte Carlo errors allowed."""
    if found[0].wrong:
        return None
    told = [each for each in found if math.isfinite(each.estimate) and math.isfinite(each.se)]
    estimate = np.array([each.estimate for each in told])
    bias = (estimate.mean() - found[0].truth) / estimate.std(ddof=1)
    covered = float(np.mean([each.ci_low <= each.truth <= each.ci_high for each in told]))
    slack = 2 * math.sqrt(0.95 * 0.05 / len(told))
    problems = [f"bias {bias:.2f} of the SD"] if abs(bias) > 0.1 else []
    if not 0.93 - slack <= covered <= 0.97 + slack:
        problems.append(f"coverage {100 * covered:.1f} %")
    return f"{found[0].quantity}, {found[0].method}: {' and '.join(problems)}" if problems else None


HEAD = """# Operating characteristics of the mortality estimators

Made by `{command}` (seed {seed}); do not change by hand.
{replicates:,} simulated cohorts of each design, fewer where it says so. Every world's answer is known: planted, exact,
or (sustained strategies) told by a million people under each strategy, 150,000 from each month.

- **Bias** is the mean estimate less the truth, its Monte Carlo error in brackets; **bias / SD** is it over the spread
  of one estimate: under a tenth matters little beside chance.
- **SD** is the spread of the estimates, **mean SE** what they say of themselves; **coverage** is the share (%) of the
  95 % limits that hold the truth: from 93 to 97 is asked. A standard error that takes estimated weights as known can be
  too wide, and where a few people weigh much too narrow.
- Methods in *italics* are wrong, on the same data: what they show is confounding, immortal time, or a look into the
  future.
- **n**: replicates with an estimate. A share is refused where the excess may be none; where that happens its mean is of
  the others.

Out of bounds (bias over a tenth of the SD; coverage, two Monte Carlo errors allowed): {verdict}
"""
COLUMNS = ("quantity", "method", "truth", "bias (MC error)", "bias / SD", "SD", "mean SE", "coverage", "n")


def page(tables: list[tuple[str, list[list[Found]]]], command: str, seed: int, replicates: int) -> Iterator[str]:
    outside = [problem for _, table in tables for each in table if (problem := judged(each))]
    verdict = (
        "; ".join(outside) + "."
        if outside
        else "no estimator is outside the bounds, widened by two Monte Carlo errors."
    )
    yield HEAD.format(command=command, seed=seed, replicates=replicates, verdict=verdict)
    for what, table in tables:
        yield f"\n## {what}\n"
        yield f"| {' | '.join(COLUMNS)} |"
        yield f"|{'---|' * len(COLUMNS)}"
        yield from map(line, table)
