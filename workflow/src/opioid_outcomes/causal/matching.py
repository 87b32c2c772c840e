"""Matching on the propensity score, and strata of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from opioid_outcomes.survival.risk_sets import Floats, Ints

Bools = npt.NDArray[np.bool_]
NOBODY = -1


@dataclass(frozen=True)
class Matched:
    """``group``: (n,) number of the matched set, from 0, or -1 of who is in none. ``caliper``: on the logit.

    ``weights``: (n,) for the effect in the treated who found a match: 1 in the treated, one over the number of
    comparators of the set in each of them, 0 outside.
    """

    group: Ints
    weights: Floats
    caliper: float


def match(score: npt.ArrayLike, treated: npt.ArrayLike, caliper: float = 0.2, ratio: int = 1) -> Matched:
    """Nearest neighbours on the logit of the score without replacement, at most ``caliper`` SD of it apart.

    Of all possible pairs the closest is matched first, then the closest of those left, and so on (MatchIt's m.order =
    "closest"), so that neither the order of rows nor a seed matters; ties go to the lower score, then to the earlier
    row. SD of the logits of everybody. Each treated finds a first comparator before anybody finds a second, up to
    ``ratio``. Caliper 0.2: Austin (2011) Pharm Stat 10:150. Cost: a sort, then a few dozen passes over who is left.
    """
    e, one = np.asarray(score, dtype=np.float64), np.asarray(treated).astype(bool)
    if e.shape != one.shape or ratio < 1 or not caliper >= 0:
        raise ValueError("score and treated must be of one length, the ratio at least 1, the caliper at least 0")
    logit = special.logit(e)
    known = np.isfinite(logit)
    spread = float(np.std(logit[known], ddof=1)) if known.sum() > 1 else 0.0
    width = caliper * spread if np.isfinite(caliper) else np.inf
    order = np.lexsort((np.arange(len(e)), one, logit))
    order = order[known[order]]
    group = np.full(len(e), NOBODY)
    looking = order
    for turn in range(ratio):
        first, second = _closest_pairs(logit[looking], one[looking], width)
        left, right = looking[first], looking[second]
        pair_treated, comparator = np.where(one[left], left, right), np.where(one[left], right, left)
        if turn == 0:
            group[np.sort(pair_treated)] = np.arange(len(pair_treated))
        group[comparator] = group[pair_treated]
        again = np.zeros(len(e), dtype=bool)
        again[pair_treated] = True
        looking = order[np.where(one[order], again[order], group[order] == NOBODY)]
    return Matched(group, _match_weights(group, one), width)


def _match_weights(group: Ints, one: Bools) -> Floats:
    inside = group != NOBODY
    comparators = np.bincount(group[inside & ~one], minlength=int(group.max(initial=-1)) + 1)
    weights = np.zeros(len(group))
    weights[inside & one] = 1.0
    weights[inside & ~one] = 1 / comparators[group[inside & ~one]]
    return weights


def _closest_pairs(place: Floats, one: Bools, width: float) -> tuple[Ints, Ints]:
    """Numbers of the lower and the higher of each pair, from ascending ``place`` and the arm.

    Neighbouring stretches of one arm each face each other: the k-th on either side of the border are a pair if, with
    those between them gone, neither is nearer to the other end of its neighbour; then the greedy order takes them too.
    All such pairs of all borders are taken at once, again and again until nobody has a partner within ``width``.
    """
    left_found, right_found = [], []
    rows = np.arange(len(place))
    while len(rows) > 1:
        z, arm = place[rows], one[rows]
        starts = np.flatnonzero(np.r_[True, arm[1:] != arm[:-1]])
        ends = np.r_[starts[1:], len(rows)] - 1
        stretch = np.repeat(np.arange(len(starts)), ends - starts + 1)
        from_end = ends[stretch] - np.arange(len(rows))
        before = np.r_[-np.inf, z[ends[:-1]]][stretch]  # the nearest of the other arm on either side
        after = np.r_[z[starts[1:]], np.inf][stretch]
        partner = np.r_[starts[1:], len(rows)][stretch] + from_end
        lower = np.flatnonzero(partner <= np.r_[ends[1:], -1][stretch])
        upper = partner[lower]
        gap = z[upper] - z[lower]
        taken = (gap <= width) & (gap < z[lower] - before[lower]) & (gap <= after[upper] - z[upper])
        lower, upper = lower[taken], upper[taken]
        if not len(lower):
            break
        left_found.append(rows[lower])
        right_found.append(rows[upper])
        still = np.minimum(z - before, after - z) <= width
        still[lower] = still[upper] = False
        rows = rows[still]
    if not left_found:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.concatenate(left_found), np.concatenate(right_found)


def strata(
    score: npt.ArrayLike, treated: npt.ArrayLike, k: int = 10, of: Literal["everybody", "treated"] = "everybody"
) -> Ints:
    """Stratum 0 .. k - 1 of each row by quantiles of the score (in everybody, or in the treated), (n,).

    Equal scores fall into one stratum, so that there may be fewer than k. Rosenbaum & Rubin (1984) JASA 79:516.
    """
    e, one = np.asarray(score, dtype=np.float64), np.asarray(treated).astype(bool)
    if k < 1:
        raise ValueError("k must be at least 1")
    reference = e[one] if of == "treated" else e
    if not len(reference):
        return np.zeros(len(e), dtype=np.int64)
    edges = np.quantile(reference, np.arange(1, k) / k)
    return np.searchsorted(edges, e, side="left").astype(np.int64)


def stratum_weights(stratum: npt.ArrayLike, treated: npt.ArrayLike, estimand: Literal["iptw", "att"]) -> Floats:
    """Marginal mean weights through stratification, (n,): 0 in strata without both arms, who stand for nobody.

    iptw: share of the arm in all x size of the stratum / those of the arm in it. att: 1, and treated / comparators of
    the stratum. Hong (2010) J Educ Behav Stat 35:499.
    """
    numbered, one = np.unique(np.asarray(stratum), return_inverse=True)[1], np.asarray(treated).astype(bool)
    if estimand not in ("iptw", "att"):
        raise ValueError("estimand must be iptw or att")
    ones, others = np.bincount(numbered, one), np.bincount(numbered, ~one)
    both = ((ones > 0) & (others > 0))[numbered]
    ones, others = ones[numbered], others[numbered]
    with np.errstate(divide="ignore", invalid="ignore"):
        if estimand == "att":
            return np.where(both, np.where(one, 1.0, ones / others), 0.0)
        share = one[both].mean() if both.any() else 0.0
        return np.where(both, np.where(one, share / ones, (1 - share) / others) * (ones + others), 0.0)
