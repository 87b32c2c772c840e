"""Which time zeros of a sustained strategy are taken, what each counts for, and what they are clustered by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from opioid_outcomes.mortality.sustained import Sample
from opioid_outcomes.mortality.sustained_strategies import Question
from opioid_outcomes.mortality.sustained_times import codes

MOST_ROWS = 300_000  # of the grid: memory and time are in proportion to these
# Multiples of it, without their whole parts, are spread evenly: every m-th row would be the same block of everybody,
# where people have a multiple of m blocks
GOLDEN = (5**0.5 - 1) / 2


def thinned(question: Question, edges: Sequence[float], most: int = MOST_ROWS) -> Question:
    """All time zeros, or those that begin within grace and every m-th other, which counts for m.

    Sampled by what follows, but with known chances that weights undo, so nothing is biased: who begins is rare and
    tells most. Cost: linear.
    """
    if question.people.is_empty():
        return question
    rows = np.searchsorted(np.asarray(edges, float), question.until, side="right").clip(1, len(edges) - 1)
    strategy, time = question.strategies[0], question.people["time"].to_numpy()
    begins = np.zeros(len(rows), dtype=bool)
    if strategy.begins is not None and strategy.grace is not None:
        begins = (strategy.begins < strategy.grace) & (strategy.begins < time)
    mine, others = int(rows[begins].sum()), int(rows[~begins].sum())
    most_of = (most, max(most - mine, most // 10))
    kept, many = np.ones(len(rows), dtype=bool), np.ones(len(rows))
    steps = []
    for group, size, limit in zip((begins, ~begins), (mine, others), most_of, strict=True):
        count = int(group.sum())
        steps.append(max(1, min(-(-size // limit), count)))
        kept[group] = (np.arange(count) * GOLDEN) % 1 < 1 / steps[-1]
        many[group] = count / max(1, kept[group].sum())
    if max(steps) == 1:
        return question
    told = f"{question.meaning}; of those who do not begin one in {steps[1]} time zeros"
    told += f", of others one in {steps[0]}" if steps[0] > 1 else ""
    return replace(question.kept(kept, many), meaning=told)


def sample_of(question: Question, cohort: pl.DataFrame) -> Sample:
    """Sampling weights times the time zeros that each stands for; clusters are sampling units, or else people.

    People without a sampling weight count for nothing where others have one.
    """
    own = question.people.select("person_id", "many").join(
        cohort.select("person_id", "survey_weight", "stratum", "cluster"), on="person_id", maintain_order="left"
    )
    weight = own["survey_weight"]
    factor = 1.0 if weight.null_count() == own.height else weight.fill_null(0).to_numpy().astype(float)
    if own["cluster"].null_count():
        return Sample(own["many"].to_numpy() * factor, codes(question.people))
    units = own.select("stratum", "cluster").unique().sort("stratum", "cluster").with_row_index("unit")
    of = own.join(units, on=["stratum", "cluster"], how="left", nulls_equal=True, maintain_order="left")["unit"]
    return Sample(own["many"].to_numpy() * factor, of.to_numpy().astype(np.int64))
