"""When a marginal structural model may be read: fixed before outcomes by use are looked at (ANALYSES 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.causal.time_varying_weights import FEWEST, Weights, diagnostics
from opioid_outcomes.mortality.msm_design import IF_RECORDED, NEVER_RECORDED, RECORDED, Design, MadeWeights
from opioid_outcomes.survival.products import column_sums
from opioid_outcomes.survival.risk_sets import Floats, Ints

MOST_SMD = 0.1
MOST_OUTSIDE = 0.05
SUPPORT = (0.01, 0.99)
MEAN_WEIGHT = (0.9, 1.1)
FEWEST_PEOPLE = 50
# effective size n1 n0 / (n1 + n0) of a band of periods: chance alone gives an SMD a standard error of 0.03, so that the
# largest of some fifty stays under 0.1; periods are joined until they have it. Large cohorts have no more bands but
# larger ones: the largest of hundreds would not stay under 0.1
BAND_SIZE, MOST_BANDS = 1_000, 10
STRATA = 20  # of past use and the numerator's probability


def gate(design: Design, made: MadeWeights) -> str:
    """``pass`` or ``fail: why``, in general words.

    A period's mean weight is looked at where 50 people or more are followed: that of fewer strays by chance alone.
    """
    periods = diagnostics(design.period, made.values).filter(pl.col("persons") >= FEWEST_PEOPLE)
    if not periods["mean"].is_between(*MEAN_WEIGHT).all():
        return (
            f"fail: the mean weight of a period with {FEWEST_PEOPLE} people or more is outside"
            f" {MEAN_WEIGHT[0]}-{MEAN_WEIGHT[1]}"
        )
    if min(arm_sizes(design, made.values)) < FEWEST_PEOPLE:
        return f"fail: the effective sample size of an arm is under {FEWEST_PEOPLE}"
    if outside_support(made.treatment) >= MOST_OUTSIDE:
        return (
            f"fail: {100 * MOST_OUTSIDE:.0f} % or more of decisions have a probability outside"
            f" {SUPPORT[0]}-{SUPPORT[1]}, relative to that by past use, time and baseline{_named(made.treatment)}"
        )
    worst = worst_difference(design, made)
    if not abs(worst.smd) < MOST_SMD:
        return f"fail: max |SMD| {abs(worst.smd):.2f} ({worst.covariate}) is not under {MOST_SMD}"
    return "pass"


def gate_of_loss(design: Design, made: MadeWeights, horizon: int) -> str:
    """``pass``, or why those still observed do not stand for everybody at a horizon."""
    worst = difference_of_observed(design, made, horizon)
    if abs(worst.smd) < MOST_SMD:
        return "pass"
    return (
        f"fail: max |SMD| {abs(worst.smd):.2f} ({worst.covariate}) between everybody and those not lost by the horizon"
        f" is not under {MOST_SMD}"
    )


def difference_of_observed(design: Design, made: MadeWeights, horizon: int) -> Worst:
    """The largest SMD of a covariate at entry between those not lost by the horizon, weighted, and everybody.

    Weights: one over the probability of not having been lost until the person's last period within the horizon (not
    stabilised, so that everybody's distribution is the aim); who died or whose study ended is not lost. Denominator:
    standard deviation in everybody.
    """
    d = design
    within = np.flatnonzero(d.start < horizon)
    person = d.person[within]
    final = np.append(person[1:] != person[:-1], True)
    first = np.append(True, final[:-1])
    leaves = np.nan_to_num(made.censoring.probability)[within]
    stays = np.log(np.maximum(1 - leaves, FEWEST))
    so_far = np.cumsum(stays) - stays
    weight = np.exp(so_far[first] - so_far[final])
    weight *= 1 - (d.censored[within] * (d.stop[within] <= horizon))[final]
    x = np.column_stack([d.people[person[first]], d.varying[within[first]]])
    names = (*d.people_names, *d.varying_names)
    spread = np.where(np.ptp(x, axis=0) > 0, x.std(axis=0), 0.0)  # rounding is no variation
    gap = column_sums(x, weight) / max(float(weight.sum()), FEWEST) - column_sums(x, np.ones(len(x))) / len(x)
    smd = np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 0)
    j = int(np.argmax(np.abs(smd)))
    return Worst(float(smd[j]), names[j].split("=", maxsplit=1)[0])


def _named(treatment: Weights) -> str:
    names = dict.fromkeys(name.split("=", maxsplit=1)[0] for name in treatment.separated)
    return f" ({', '.join(names)})" if names else ""


def arm_sizes(design: Design, weights: Floats) -> tuple[float, float]:
    """Effective number of people off and on: of the sums of each person's weights in the arm."""
    sizes = []
    for value in (0.0, 1.0):
        sums = np.bincount(design.person, weights * (design.treated == value), design.persons)
        squares = float((sums**2).sum())
        sizes.append(float(sums.sum()) ** 2 / squares if squares > 0 else 0.0)
    return sizes[0], sizes[1]


def outside_support(treatment: Weights) -> float:
    """Share of decisions whose probability is near 0 or 1 for the sake of time-varying covariates.

    Few people start or stop in any one month, so that a month's probability of it is small whatever the covariates; as
    in the preference score (Walker et al. 2013 Comp Eff Res 3:11) its log odds are taken relative to those by the
    numerator, which is what the stabilised weight divides by.
    """
    outside = decided = 0
    for above, below in zip(treatment.models[::2], treatment.models[1::2], strict=True):
        if not below.fitted:
            continue
        preference = _logit(below.probability) - _logit(above.probability)
        low, high = (float(_logit(np.array([bound]))[0]) for bound in SUPPORT)
        outside += int(((preference < low) | (preference > high)).sum())
        decided += len(preference)
    return outside / decided if decided else 0.0


def _logit(p: Floats) -> Floats:
    inside = np.clip(p, FEWEST, 1 - FEWEST)
    return np.asarray(np.log(inside / (1 - inside)))


@dataclass(frozen=True)
class Worst:
    smd: float
    covariate: str


def worst_difference(design: Design, made: MadeWeights) -> Worst:
    """The largest weighted SMD of a time-varying covariate between those on and off, before the decisions of a band.

    In the population of stabilised weights a decision depends on past treatment, time and baseline through the
    numerator's probability alone, and on no covariate besides: so the arms are compared within past use and within
    strata of that probability (Jackson (2016) Epidemiology 27:e41, diagnostic 3, with a score for V). SMDs are averaged
    over strata by their effective size; denominator: standard deviation in the unweighted arms (Austin 2009).
    Covariates at entry are not looked at: the numerator leaves them to the outcome model.

    Nor is whether a score was recorded, then or ever: nobody starts without a contact with care, so that it is part of
    the decision and no weight could make it alike, as little as the check-ups at which alone treatment begins in
    Havercroft & Didelez (2012) Stat Med 31:4190. It stays in the models of use. The score itself, where it was
    recorded, is compared among decisions at which it was.
    """
    d = design
    weights, stratum, decided = _decisions(d, made)
    shape = (int(d.period.max()) + 1, STRATA, 2)
    cell = (d.period * STRATA + stratum) * 2 + d.treated.astype(np.int64)

    def sums(values: Floats) -> Floats:
        return np.asarray(np.bincount(cell, values, int(np.prod(shape))).reshape(shape), dtype=np.float64)

    everybody = sums(weights), sums(weights**2), sums(decided)
    now = d.varying[:, d.varying_names.index(RECORDED)] > 0 if RECORDED in d.varying_names else np.ones(len(weights))
    seen = sums(weights * now), sums(weights**2 * now), sums(decided * now)
    bands, bands_of_seen = _bands(*everybody[:2]), _bands(*seen[:2])
    worst = Worst(0.0, "nothing")
    for j, name in enumerate(d.varying_names):
        if name in (RECORDED, NEVER_RECORDED):
            continue
        x = d.varying[:, j]
        recorded = name in IF_RECORDED
        total, squares, size = seen if recorded else everybody
        parts = (total, squares, sums(weights * x), size, sums(decided * x), sums(decided * x * x))
        found = _differences(*(np.add.reduceat(part, bands_of_seen if recorded else bands) for part in parts))
        largest = float(found[np.argmax(np.abs(found))])
        if abs(largest) > abs(worst.smd):
            worst = Worst(largest, name.split("=", maxsplit=1)[0])
    return worst


def _decisions(d: Design, made: MadeWeights) -> tuple[Floats, Ints, Floats]:
    """Stabilised weights of decisions (0 elsewhere), the stratum of their numerator's probability, and 0/1."""
    stratum = np.zeros(len(d.person), dtype=np.int64)
    decided = np.zeros(len(d.person))
    half = STRATA // 2
    for above in made.treatment.models[::2]:
        decided[above.rows] = 1
        past = d.past[above.rows]
        for value in (0, 1):
            mine = past == value
            changes = above.probability[mine & (d.treated[above.rows] != value)]
            if len(changes):
                bounds = np.unique(np.quantile(changes, np.arange(1, half) / half))
                stratum[above.rows[mine]] = value * half + np.searchsorted(bounds, above.probability[mine])
    return made.values * decided, stratum, decided


def _effective(total: Floats, squares: Floats) -> Floats:
    """n1 n0 / (n1 + n0) of effective sizes, arms in the last dimension."""
    ess = np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)
    both = ess.sum(axis=-1)
    return np.divide(ess.prod(axis=-1), both, out=np.zeros_like(both), where=both > 0)


def _bands(total: Floats, squares: Floats) -> Ints:
    """First periods of bands, joined from the beginning until each is of the size; the rest joins the last."""
    starts, begin = [0], 0
    size = max(BAND_SIZE, float(_effective(total.sum(axis=0), squares.sum(axis=0)).sum()) / MOST_BANDS)
    for k in range(1, len(total)):
        enough = _effective(total[begin:k].sum(axis=0), squares[begin:k].sum(axis=0)).sum() >= size
        rest = _effective(total[k:].sum(axis=0), squares[k:].sum(axis=0)).sum() >= size
        if enough and rest:
            starts.append(k)
            begin = k
    return np.array(starts, dtype=np.int64)


def _differences(  # noqa: PLR0917 - sums of one covariate
    total: Floats, squares: Floats, sums: Floats, size: Floats, plain: Floats, plain2: Floats
) -> Floats:
    """SMD per band, from (bands, strata, arms)."""
    mean = np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)
    share = _effective(total, squares)
    difference = ((mean[..., 1] - mean[..., 0]) * share).sum(axis=1) / np.maximum(share.sum(axis=1), FEWEST)
    n, first, second = size.sum(axis=1), plain.sum(axis=1), plain2.sum(axis=1)  # (bands, arms)
    variance = np.maximum(second / np.maximum(n, 1) - (first / np.maximum(n, 1)) ** 2, 0)
    spread = np.sqrt(variance.mean(axis=1))
    return np.divide(difference, spread, out=np.zeros_like(difference), where=spread > 0)
