"""The two arms of a sequential trial made comparable: score, weights, balance, and whether outcomes may be read.

Nothing here has seen an outcome by arm: the table that comes in has no column of events or of follow-up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.causal import gates, matching, overlap, propensity
from opioid_outcomes.causal.balance_table import balance_table, pair_names
from opioid_outcomes.causal.gates import Diagnostics
from opioid_outcomes.causal.propensity import Propensity
from opioid_outcomes.mortality.contrasts import Missing
from opioid_outcomes.mortality.trial_score import ScoreDesign, score_design
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.risk_sets import Floats

Weighting = Literal["overlap", "iptw", "att", "match"]
Trim = Literal["none", "crump", "sturmer"]
POPULATIONS = {
    "overlap": "overlap population (ATO)",
    "iptw": "whole population (ATE)",
    "att": "new users (ATT)",
    "match": "new users with a match (ATT)",
}
# Rosenbaum & Rubin (1984) JASA 79:516: squares and products that are out of balance enter the score, which is made anew
ROUNDS = 3
MOST_CERTAIN = 0.05  # of index dates whose arm a covariate tells for sure: more are no exception to be left out
CERTAIN = "a covariate tells for sure who starts"
ROWS_PER_COLUMN = 10  # index dates of the smaller arm for each column of a score that grows so
BEFORE_OUTCOMES = ("follow_up", "event", "cause", "as_treated_until")  # columns that tell an outcome


def words(columns: Sequence[str]) -> str:
    """The covariates of some columns, in brackets, without levels: a level may be one person's."""
    plain = [re.sub(r"=.*?(?= x |$)| \(curve.*", "", name).replace("_", " ") for name in columns]
    return f" ({', '.join(dict.fromkeys(plain))})" if plain else ""


class NotComparable(Exception):
    """Arms between which nothing can be compared: the reason, in general words."""

    def __init__(self, reason: str, columns: Sequence[str] = ()) -> None:
        self.reason, self.columns = reason, tuple(columns)
        super().__init__(reason)


@dataclass(frozen=True)
class Arms:
    """Index dates of both arms: those used (``keep``, of the rows that came in), and their weights.

    arm: (n,) 1 new user. base: (n,) weights that the rows came with (sampling). weights: (n,) weights of the score, not
    yet times base. balance: covariate, in_score, smd_before, smd_after. restricted: what of the population is left out,
    in words.
    """

    keep: npt.NDArray[np.bool_]
    arm: Floats
    base: Floats
    design: ScoreDesign
    propensity: Propensity
    weights: Floats
    balance: pl.DataFrame
    notes: tuple[str, ...]
    restricted: tuple[str, ...] = ()

    def diagnose(self, person: npt.NDArray, deaths: int) -> Diagnostics:
        """What the gates read. person: (n,) of the rows kept; deaths: of people in either arm, all together."""
        table, final = self.balance, self.final
        return gates.diagnose(
            [words([name])[2:-1] for name in table["covariate"]], table["smd_after"].fill_null(np.nan).to_numpy(),
            score=self.propensity.score, treated=self.arm, weights=final, events=deaths, person=person,
            heavy=words([gates.heavy_covariate(self.propensity.fit, final)])[2:-1],
        )  # fmt: skip

    @property
    def final(self) -> Floats:
        return self.weights * self.base

    def of(self, arm: int) -> npt.NDArray[np.bool_]:
        return self.arm == arm


def compare(
    rows: pl.DataFrame, baseline: Sequence[str], *, left_out: Sequence[str], weighting: Weighting, missing: Missing,
    base: Floats, trim: Trim = "none", ridge: float = 0.0,
) -> Arms:  # fmt: skip
    """Score and weights of index dates (``arm``, days_since_entry, baseline and left_out covariates; no outcomes).

    left_out: covariates measured at the index dates that are not in the score, on which balance is judged too. base:
    (n,) weights of the rows. Raises NotComparable where there is nobody in an arm, or a covariate tells it for sure: of
    more than ``MOST_CERTAIN`` of the index dates, or of any where the weights are to speak of everybody (iptw).
    Cost: a logistic regression, two with trimming; balance is linear in rows x covariates squared.
    """
    seen = [name for name in BEFORE_OUTCOMES if name in rows.columns]
    if seen:
        raise ValueError(f"outcomes are not to be seen before the gates: {seen}")
    keep, design, notes, restricted = _comparable(rows, baseline, missing, weighting)
    arm, base, started = rows["arm"].to_numpy().astype(float)[keep], base[keep], design.names
    found = _score(design.x, arm, base, design.names, ridge)
    if trim != "none" and weighting in ("iptw", "att"):
        inside = overlap.trim(found.score, arm, trim)
        keep = keep.copy()
        keep[np.flatnonzero(keep)[~inside]] = False
        design = replace(design, x=design.x[inside], covariates=design.covariates[inside], keep=keep)
        arm, base = arm[inside], base[inside]
        found = _score(design.x, arm, base, design.names, ridge)
        notes.append(f"index dates outside the score's range left out ({trim})")
        restricted.append(f"within the score's range ({trim})")
    kept = rows.filter(pl.Series(keep)).select(left_out)
    weights = _weights(found.score, arm, weighting)
    told = balance(design, kept, arm, weights * base, base)
    refused: set[str] = set()
    for _ in range(ROUNDS):
        most = int(min(arm.sum(), (1 - arm).sum()) / ROWS_PER_COLUMN)
        larger = _with_products(design, told, most=most, refused=refused)
        if larger is None:
            break
        try:
            again = _score(larger.x, arm, base, larger.names, ridge)
        except NotComparable as failure:  # what happens in one arm only cannot be balanced, and stays out of balance
            refused |= {*failure.columns} or {*larger.names}
            continue
        design, found, weights = larger, again, _weights(again.score, arm, weighting)
        told = balance(design, kept, arm, weights * base, base)
    same = _repeated(design.covariates, design.covariate_names)
    if same:
        notes.append(f"covariates that repeat another say nothing more{words(same)}")
    if any(name not in started for name in design.names):
        notes.append("squares and products of covariates that were out of balance entered the score")
    return Arms(keep, arm, base, design, found, weights, told, tuple(notes), tuple(restricted))


def _comparable(
    rows: pl.DataFrame, baseline: Sequence[str], missing: Missing, weighting: Weighting
) -> tuple[npt.NDArray[np.bool_], ScoreDesign, list[str], list[str]]:
    """Which index dates have a counterpart in the other arm, the columns of their score, what was left out as notes,
    and as words of whom is spoken."""
    both = pl.col("arm").max().over("trial") > pl.col("arm").min().over("trial")
    shared = rows.select(both).to_series()  # in a block with one arm only nothing is compared
    inside = rows.filter(shared)
    _refuse_empty(inside["arm"].to_numpy())
    keep, notes, restricted = shared.to_numpy().copy(), [], []
    if not shared.all():
        if weighting == "iptw":  # others do not speak of everybody
            restricted.append("in 30-day blocks with both arms")
        notes.append("30-day blocks since entry without index dates of both arms left out")
    design = score_design(inside, baseline, missing)
    alone, where = _levels_of_one_arm(design, inside["arm"].to_numpy()[design.keep])
    if alone.any():
        if weighting == "iptw" or alone.mean() > MOST_CERTAIN:
            raise NotComparable(f"propensity score: {CERTAIN}{words(where)}", where)
        restricted.append("without those of whom a covariate tells for sure who starts")
        keep[np.flatnonzero(keep)[design.keep][alone]] = False
        inside = rows.filter(pl.Series(keep))
        _refuse_empty(inside["arm"].to_numpy(), f"propensity score: {CERTAIN}{words(where)}")
        design = score_design(inside, baseline, missing)
        notes.append(f"index dates with a value that one arm never has left out{words(where)}")
    keep[keep] = design.keep
    return keep, design, [*design.notes, *notes], restricted


def _weights(score: Floats, arm: Floats, weighting: Weighting) -> Floats:
    return matching.match(score, arm).weights if weighting == "match" else propensity.weights(score, arm, weighting)


def _with_products(
    design: ScoreDesign, found: pl.DataFrame, *, most: int, refused: Container[str]
) -> ScoreDesign | None:  # fmt: skip
    """The design with the squares and products that are out of balance, the worst first, up to ``most`` columns.

    None where there are none, or none but those refused.
    """
    wanted = found.filter(pl.col("in_score") == 0, pl.col("smd_after").abs() >= gates.LARGEST_SMD).sort(
        pl.col("smd_after").abs(), "covariate", descending=[True, False]
    )
    pairs = pair_names(design.covariate_names, design.two_valued)
    chosen = [name for name in wanted["covariate"] if name in pairs and name not in refused]
    chosen = chosen[: max(most - len(design.names), 0)]
    if not chosen:
        return None
    x = np.nan_to_num(design.covariates)
    columns = [x[:, pairs[name][0]] * x[:, pairs[name][1]] for name in chosen]
    return replace(design, x=np.column_stack([design.x, *columns]), names=(*design.names, *chosen))


def _score(x: Floats, arm: Floats, base: Floats, names: Sequence[str], ridge: float) -> Propensity:
    _refuse_empty(arm[base > 0])
    try:
        weights = None if (base == 1).all() else base
        return propensity.estimate(x, arm, names=names, weights=weights, ridge=ridge)
    except RegressionFailure as failure:
        what = CERTAIN if failure.reason == "separation" else failure.reason
        raise NotComparable(f"propensity score: {what}{words(failure.columns)}", failure.columns) from None


def _refuse_empty(arm: npt.NDArray, why: str = "no 30-day block since entry holds index dates of both arms") -> None:
    if not ((arm == 1).any() and (arm == 0).any()):
        raise NotComparable(why)


def _levels_of_one_arm(design: ScoreDesign, arm: npt.NDArray) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Rows with a category (or with something missing) that nobody of the other arm has, and the columns that tell so.

    Whether they are treated is certain there: overlap weights leave them out in the limit, and no other can be right.
    """
    alone, where = np.zeros(len(arm), bool), []
    for name, column in zip(design.names, design.x.T, strict=True):
        low, high = column.min(initial=np.inf), column.max(initial=-np.inf)
        if low == high or not ((column == low) | (column == high)).all():
            continue
        for value in (low, high):
            if len(np.unique(arm[column == value])) == 1:
                alone |= column == value
                where.append(name)
    return alone, where


def _repeated(x: Floats, names: Sequence[str]) -> list[str]:
    """Columns that are one before them over again, but for place and scale: 0/1 turned round, other units."""
    found, seen = [], dict[bytes, str]()
    for name, column in zip(names, x.T, strict=True):
        known = np.isfinite(column)
        spread = np.where(known, column - column[known].min(initial=np.inf), 0.0)
        largest = spread.max(initial=0.0)
        if not largest > 0:
            continue
        spread = np.round(spread / largest, 9) + 0.0  # no negative zero
        ways = [
            hashlib.blake2b(np.where(known, each, -1.0).data).digest()
            for each in (spread, np.round(1 - spread, 9) + 0.0)
        ]
        if any(way in seen for way in ways):
            found.append(name)
        else:
            seen[ways[0]] = name
    return found


def balance(design: ScoreDesign, left_out: pl.DataFrame, arm: Floats, weights: Floats, base: Floats) -> pl.DataFrame:
    """covariate, in_score, smd_before, smd_after: of covariates, their squares and products, and those left out."""
    parts = [balance_table(design.covariates, design.covariate_names, arm, weights, before=base)]
    # what is missing for everybody is told elsewhere
    numbers = [c.name for c in left_out.iter_columns() if c.dtype.is_numeric() and c.null_count() < len(c)]
    if numbers:
        others = left_out.select(pl.col(numbers).cast(pl.Float64).fill_null(np.nan)).to_numpy()
        parts.append(balance_table(others, numbers, arm, weights, before=base, products=False))
    within = [*design.covariate_names, *design.names]
    return pl.concat(parts).select(
        "covariate", pl.col("covariate").is_in(within).cast(pl.Float64).alias("in_score"), "smd_before", "smd_after"
    )
