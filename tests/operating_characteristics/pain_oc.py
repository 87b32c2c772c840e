"""How often the test of hyperalgesia says what, in worlds whose answer is known; and coverage of its primary estimate.

    .venv/bin/python tests/operating_characteristics/pain_oc.py [--share 1.0] [--seed 20261120] [--cores 2]

Writes workflow/docs/operating_characteristics_pain.md. Each replicate draws from its own stream, so that the tables do
not depend on the number of cores. ``--share`` of the replicates for a quick look. An hour on two cores.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from pain_world import World

OUT = Path(__file__).parents[2] / "workflow" / "docs" / "operating_characteristics_pain.md"
COMMAND = ".venv/bin/python tests/operating_characteristics/pain_oc.py"
SEED = 20261120
TRUTH_PERSONS = 100_000
READINGS = ("hyperalgesia", "no_effect", "tolerance", "sustained_relief", "inconclusive")
WINDOWS = ("1-30", "181-365")  # short and long lag
METHODS = {"aipw": "AIPW", "aipw_noise_corrected": "AIPW, corrected for noise"}


@dataclass(frozen=True)
class Case:
    """A world, how many people and replicates, the error that is declared, and what the test may or should say."""

    what: str
    effect: tuple[float, float, float]  # kappa, h, s of METHODS D2
    persons: int
    replicates: int
    noise: float = 0.0
    decided_on: str = "true"
    visits: tuple[float, float, float] | None = None  # log odds of coming, per point of pain, once raised
    declared: float | None = None  # SD of the error; as planted where it is left out
    should: str | None = None  # verdict of at least 80 %
    never: str | None = None  # verdict of at most 5 %

    @property
    def world(self) -> World:
        from pain_world import World

        kappa, h, s = self.effect
        seen, by_pain, once_raised = self.visits or (math.inf, 0.0, 0.0)
        return World(
            kappa, h, s, persons=self.persons, noise=self.noise, decided_on=self.decided_on, seen=seen,
            seen_pain=by_pain, seen_raised=once_raised,
        )  # fmt: skip

    @property
    def error_sd(self) -> float:
        return self.noise if self.declared is None else self.declared


NOTHING = (0.0, 0.0, 0.0)
CASES = (
    Case("no effect; pain drives doses", NOTHING, 5_000, 400, never="hyperalgesia"),
    Case("no effect; decisions on the pain, scores err by 1", NOTHING, 5_000, 400, noise=1.0, never="hyperalgesia"),
    Case(
        "no effect; decisions on scores that err by 1", NOTHING, 5_000, 400, noise=1.0, decided_on="recorded",
        never="hyperalgesia",
    ),
    Case(
        "no effect; people come because it hurts, more once raised", NOTHING, 5_000, 400, visits=(0.5, 0.3, 0.3),
        never="hyperalgesia",
    ),
    Case("no effect, after Hayes 2020: scores err by 1.5", NOTHING, 5_000, 200, noise=1.5, never="hyperalgesia"),
    Case("as Hayes 2020, planted: +1.0 late, no relief", (0.0, 1.06, 0.0), 20_000, 50, should="hyperalgesia"),
    Case("+1.0 late after relief", (0.8, 1.06, 0.0), 20_000, 50, should="hyperalgesia"),
    Case("-1.0 for good", (0.0, 0.0, -1.0), 20_000, 50, should="sustained_relief"),
    Case("-1.0 that wanes", (1.0, 0.0, 0.0), 20_000, 50, should="tolerance"),
    Case("no effect", NOTHING, 20_000, 50, should="no_effect"),
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One replicate: its verdict and, by method and window, estimate, standard error and limits."""

    verdict: str
    numbers: dict[tuple[str, str], tuple[float, float, float, float]]


def one(number: int, seed: int, replicate: int) -> Told:
    """A replicate, by what ``calibrate`` makes of a cohort: the verdict is that of the whole analysis."""
    import numpy as np
    import pain_study
    import pain_world

    from opioid_outcomes.config.hyperalgesia import Hyperalgesia
    from opioid_outcomes.contracts import estimates
    from opioid_outcomes.hyperalgesia import assessment, confounders, noise, visits
    from opioid_outcomes.hyperalgesia.inputs import known

    case = CASES[number]
    draws = pain_world.Draws.of(case.world, np.random.default_rng([seed, number, replicate]))
    chosen = pain_study.settings(error_sd=case.error_sd)
    options = Hyperalgesia(**chosen["hyperalgesia"])
    histories = known(pain_world.tables(case.world, pain_world.live(case.world, draws)), chosen).of()
    rule = options.escalation
    decisions = visits.eligible(histories, stable_days=rule.stable_days)
    terms = confounders.build(
        decisions, histories, baseline=[], missing="indicator", min_rise=rule.min_rise, min_mme=rule.min_mme
    )
    error = noise.of(histories, decisions, options)
    rows = assessment.assess(decisions, terms, histories, options, error_variance=error.variance)
    found = estimates.frame(rows, study="oc", cohort="world")
    numbers = {
        (row["method"], row["window"]): (row["estimate"], row["se"], row["ci_low"], row["ci_high"])
        for row in found.iter_rows(named=True)
        if row["scale"] == "mean_difference" and row["gate"] == "pass" and row["method"] in METHODS
    }
    return Told(pain_study.judged(found, chosen).verdict, numbers)


@cache
def truth(number: int) -> dict[str, tuple[float, float]]:
    """By window, from as many people as make its own error small."""
    import pain_world

    world = replace(CASES[number].world, persons=TRUTH_PERSONS)
    return pain_world.truth(world, pain_world.Draws.of(world, SEED))


def verdict_line(case: Case, told: list[Told]) -> str:
    counts = Counter(each.verdict for each in told)
    shares = [f"{100 * counts[reading] / len(told):.1f}" for reading in READINGS]
    asked = f"{case.should} >= 80 %" if case.should else f"{case.never} <= 5 %"
    return f"| {case.what} | {case.persons:,} | {len(told)} | {' | '.join(shares)} | {asked} | {kept(case, told)} |"


def kept(case: Case, told: list[Told]) -> str:
    share = sum(each.verdict == (case.should or case.never) for each in told) / len(told)
    return "yes" if (share >= 0.8 if case.should else share <= 0.05) else "**no**"


def estimate_lines(number: int, told: list[Told]) -> Iterator[str]:
    """Bias, spread, mean standard error and coverage, by method and window."""
    import numpy as np

    case = CASES[number]
    for method, words in METHODS.items():
        if method == "aipw_noise_corrected" and not case.error_sd:
            continue
        for window in WINDOWS:
            found = np.array([each.numbers[method, window] for each in told if (method, window) in each.numbers])
            if len(found) < 2:
                continue
            value, _ = truth(number)[window]
            yield f"| {case.what} | {words} | {window} | {' | '.join(cells(found, value))} |"


def cells(found: np.ndarray, value: float) -> list[str]:
    estimate, se, low, high = found.T
    spread = estimate.std(ddof=1)
    covered = ((low <= value) & (value <= high)).mean()
    error = spread / math.sqrt(len(found))
    return [
        f"{value:.3f}", f"{estimate.mean() - value:.3f} ({error:.3f})", f"{spread:.3f}", f"{se.mean():.3f}",
        f"{100 * covered:.1f}", str(len(found)),
    ]  # fmt: skip


HEAD = """# Operating characteristics of the test of hyperalgesia

Made by `{command}` (seed {seed}); do not change by hand.
Worlds of METHODS D2: 24 monthly visits, doses follow pain. Shares (%) of simulated cohorts in which each verdict is
reached; what was asked beforehand, and whether it is kept. The error of a score is declared as planted.

| world | people | cohorts | hyperalgesia | no effect | tolerance | sustained relief | inconclusive | asked | kept |
|---|---|---|---|---|---|---|---|---|---|
"""
ESTIMATES = """
## Pain after escalating, at short and long lag (mean difference, ATT)

Truth by twins, of intention to treat; coverage (%) of the 95 % limits, 93 to 97 asked of the method that is right in a
world: uncorrected where decisions follow the record, corrected where they follow the pain itself.

| world | method | days | truth | bias (MC error) | SD | mean SE | coverage | n |
|---|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[name] = "1"  # cores are for replicates; numpy and polars read this as they are imported
    sys.path.append(str(Path(__file__).parents[1] / "known"))
    verdicts, numbers = [], []
    with ProcessPoolExecutor(asked.cores) as pool:
        for number, case in enumerate(CASES):
            count = max(2, round(asked.share * case.replicates))
            told = list(pool.map(partial(one, number, asked.seed), range(count)))
            verdicts.append(verdict_line(case, told))
            numbers += estimate_lines(number, told)
            print(verdicts[-1], file=sys.stderr, flush=True)
    head = HEAD.format(command=COMMAND, seed=asked.seed)
    asked.out.write_text(head + "\n".join(verdicts) + "\n" + ESTIMATES + "\n".join(numbers) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
