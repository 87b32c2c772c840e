"""``mortality.cause`` and ``mortality.overdose_share`` in new users: what part of the excess deaths is of which cause.

ANALYSES 4.6, METHODS C5. Weighted Aalen-Johansen incidence per arm in the treated (ATT): differences by cause come from
the same weights and risk sets as that of all deaths, so that shares add up to 1 exactly.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from opioid_outcomes.causal import bias
from opioid_outcomes.causal.risks import Risks
from opioid_outcomes.causal.weighted_risk import RiskFailure, risks
from opioid_outcomes.cohort.causes import OPIOID_OVERDOSE, UNKNOWN_CAUSE, groups_in, main_group
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.mortality import trial_arms
from opioid_outcomes.mortality.numbered import numbered
from opioid_outcomes.mortality.trial_arms import BEFORE_OUTCOMES, POPULATIONS, Arms, NotComparable
from opioid_outcomes.mortality.trial_estimates import (
    UNINFORMATIVE,
    Choices,
    Outcomes,
    amounts,
    few_followed,
    template,
    unfit,
)
from opioid_outcomes.survival.risk_sets import Floats

CAUSE, SHARE = "mortality.cause", "mortality.overdose_share"
DISPLAY = DISPLAYS["cause_incidence"]
NO_CAUSES = "no cause of any death is recorded"
NOTE = "cumulative incidence by cause, other causes competing; same weights and risk sets for all causes"


def causes_of(
    comparator: str, trials: pl.DataFrame, outcomes: Outcomes, base: Floats, choices: Choices, *,
    left_out: Sequence[str] = (), contributing: bool = True,
) -> tuple[list[Estimate], pl.DataFrame]:  # fmt: skip
    """Differences in risk by cause, and the share of each in the difference in all deaths, at each horizon.

    trials: TRIALS of one comparator with both arms; ``outcomes`` and ``base`` weights of its rows. contributing:
    whether the cohort's contributing causes are recorded; where not, nothing is told of opioid overdose. Unknown causes
    are a cause of their own; the note gives what the share is if all, or none, of them were of the cause, in the arm
    where it matters most. Cost: as ``causal.weighted_risk.risks`` with as many causes as there are.
    """
    row = _template(comparator, NOTE if choices.deaths_complete else f"{NOTE}; {UNINFORMATIVE}")
    row = replace(row, **amounts(outcomes, np.inf, base > 0))
    known = trials.filter(pl.col("event") == 1)["cause"]
    if not known.is_not_null().any():
        return _refused(row, f"not evaluable: {NO_CAUSES if len(known) else 'no deaths'}"), DISPLAY.empty()
    try:
        arms = trial_arms.compare(
            trials.drop(BEFORE_OUTCOMES), choices.baseline, left_out=left_out, weighting="att",
            missing=choices.missing, base=base, trim=choices.trim, ridge=choices.ridge,
        )  # fmt: skip
    except NotComparable as failure:
        return _refused(row, f"not evaluable: {failure.reason}"), DISPLAY.empty()
    row = replace(row, population="; ".join((row.population, *arms.restricted)))
    kept = trials.filter(pl.Series(arms.keep))
    followed = outcomes.rows(arms.keep)
    dead = kept.filter(pl.col("event") == 1)
    judged = arms.diagnose(kept["person_id"].rank("dense").to_numpy(), dead["person_id"].n_unique())
    gate = judged.gate(active=comparator != "non_user", event="death")
    if gate != "pass":
        return _refused(row, gate), DISPLAY.empty()
    groups = groups_in(dead["cause"], contributing=contributing)
    told = [group for group, why in groups.items() if why is None]
    try:
        found = _risks(followed, kept, told, arms, choices)
    except RiskFailure as failure:
        return _refused(row, f"not evaluable: {failure.reason}"), DISPLAY.empty()
    rows = [
        replace(row, analysis=analysis, outcome=f"death:{group}", scale=scale, gate=f"not evaluable: {why}")
        for group, why in groups.items() if why is not None
        for analysis, scale in ((CAUSE, "risk_difference"), (SHARE, "share"))
    ]  # fmt: skip
    counted = arms.final > 0
    people = _dead(found, followed, _kinds(kept, told), counted)
    for horizon in choices.horizons:
        rows += _at(row, found, followed, people, horizon, counted)
    near = {horizon for horizon in choices.horizons if few_followed(followed, horizon, counted) is None}
    return rows, _display(comparator, found, people, near)


def _template(comparator: str, note: str) -> Estimate:
    row = template(comparator, "att", f"eligible index dates, {POPULATIONS['att']}", note)
    return replace(row, analysis=CAUSE)


def not_told(comparator: str, gate: str) -> list[Estimate]:
    """The rows of a comparison that there is not."""
    return _refused(_template(comparator, NOTE), gate)


def _refused(row: Estimate, gate: str) -> list[Estimate]:
    share = replace(row, analysis=SHARE, scale="share", outcome=f"death:{OPIOID_OVERDOSE}", gate=gate)
    return [replace(row, outcome=f"death:{OPIOID_OVERDOSE}", gate=gate), share]


def _kinds(trials: pl.DataFrame, causes: Sequence[str]) -> np.ndarray:
    """(n,) 0 for the living, else the number of the cause, from 1."""
    number = {cause: place for place, cause in enumerate(causes, start=1)}
    kind = trials.select(
        pl.when(pl.col("event") == 1)
        .then(main_group(pl.col("cause")).replace_strict(number, default=None, return_dtype=pl.Int64))
        .otherwise(0)
    ).to_series()
    return kind.to_numpy()


def _risks(outcomes: Outcomes, trials: pl.DataFrame, causes: Sequence[str], arms: Arms, choices: Choices) -> Risks:
    return risks(
        outcomes.time, _kinds(trials, causes), outcomes.arm, arms.design.x, names=arms.design.names, causes=causes,
        horizons=choices.horizons, estimand="att", person=outcomes.unit, se=choices.standard_error,
        replicates=choices.replicates, seed=choices.seed, weights=arms.base, ridge=choices.ridge,
    )  # fmt: skip


def _dead(found: Risks, outcomes: Outcomes, kind: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(arms, horizons, causes) people who died, once each whatever the number of their index dates."""
    return np.array(
        [
            [
                [
                    len(np.unique(outcomes.person[counted & (outcomes.arm == arm) & died & (kind == k)]))
                    for k in range(1, len(found.causes) + 1)
                ]
                for horizon in found.horizons
                for died in [outcomes.until(horizon)[1]]
            ]
            for arm in (0, 1)
        ]
    )


def _at(  # noqa: PLR0917
    row: Estimate, found: Risks, outcomes: Outcomes, people: np.ndarray, horizon: int, counted: np.ndarray
) -> list[Estimate]:  # fmt: skip
    """Difference and share of every cause by a horizon."""
    here = replace(row, window=f"0-{horizon}", **amounts(outcomes, horizon, counted))
    refused = unfit(here.events or 0, outcomes, horizon, counted)
    place, shares = found.horizons.index(float(horizon)), found.share(horizon)
    rows = []
    for k, cause in enumerate(found.causes):
        deaths = people[:, place, k]
        smallest_cell = smallest(here.smallest_cell, *(int(count) for count in deaths))
        one = replace(here, outcome=f"death:{cause}", events=int(deaths.sum()), smallest_cell=smallest_cell)
        difference = replace(one, scale="risk_difference")
        share = replace(one, analysis=SHARE, scale="share", note=f"{row.note}{_bounds(found, place, cause)}")
        for told, contrast in ((difference, found.risk_difference(horizon, cause)), (share, shares[cause])):
            rows.append(replace(told, gate=refused) if refused else numbered(told, contrast))
    return rows


def _bounds(found: Risks, place: int, cause: str) -> str:
    """What the unknown causes could make of the share of opioid overdose, as words."""
    if cause != OPIOID_OVERDOSE or UNKNOWN_CAUSE not in found.causes:
        return ""
    of = found.incidence[:, place, found.causes.index(cause)]
    unknown = found.incidence[:, place, found.causes.index(UNKNOWN_CAUSE)]
    whole = float(np.diff(found.incidence[:, place].sum(axis=1))[0])
    if whole == 0 or not np.isfinite(whole):
        return ""
    bounds = bias.share_bounds((of[1], of[0]), (unknown[1], unknown[0]), whole)
    return f"; from {bounds.low:.2f} to {bounds.high:.2f} as the unknown causes may have been"


def _display(comparator: str, found: Risks, people: np.ndarray, told: Container[float]) -> pl.DataFrame:
    parts = [DISPLAY.empty()]
    for place, horizon in enumerate(found.horizons):
        comparators, treated = found.incidence[:, place]
        if horizon not in told or not np.isfinite(comparators + treated).all():
            continue
        shares = [found.share(horizon)[cause].estimate for cause in found.causes]
        events = people[:, place]
        parts.append(
            pl.DataFrame(
                {
                    "comparator": comparator, "cause": list(found.causes), "window": f"0-{horizon:g}",
                    "events_new_users": events[1].astype(int), "events_comparators": events[0].astype(int),
                    "risk_new_users": treated, "risk_comparators": comparators, "difference": treated - comparators,
                    "share": shares,
                },
                schema=DISPLAY.schema,
            ).with_columns(pl.col("share").fill_nan(None))
        )  # fmt: skip
    return pl.concat(parts)
