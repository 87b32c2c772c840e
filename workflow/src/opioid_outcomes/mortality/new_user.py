"""``mortality.new_user`` (primary): death in new users of opioids against a comparator, by sequential trials.

ANALYSES 4.3. First the arms are made comparable and the gates are read, from a table without outcomes but for the
number of deaths in all (``trial_arms``, ``causal.gates``); only then is an outcome looked at by arm, and not where a
gate withholds it: neither crudely, nor as a count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.causal.weighted_risk import RiskFailure
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality import trial_arms, trial_displays
from opioid_outcomes.mortality.trial_arms import BEFORE_OUTCOMES, POPULATIONS, Arms, NotComparable
from opioid_outcomes.mortality.trial_causes import causes_of, not_told
from opioid_outcomes.mortality.trial_estimates import (
    SCALES,
    UNINFORMATIVE,
    Choices,
    Outcomes,
    amounts,
    groups,
    hazard_row,
    longest_evaluable,
    risk_rows,
    template,
    weighted_risks,
)
from opioid_outcomes.survival.risk_sets import Floats

MOST_COMPARATORS = 3_000_000  # index dates; a score on more would fill the memory, and tell no more
ERRORS = {
    "sandwich": "SE clustered by person, with the estimated score (sandwich)",
    "bootstrap": "SE by bootstrap of persons, score and weights redone in each replicate",
}


@dataclass
class Compared:
    """``rows``: estimates; ``displays``: by name. ``arms`` and ``outcomes`` of what passed the gates, else None."""

    rows: list[Estimate]
    displays: dict[str, pl.DataFrame] = field(default_factory=dict)
    trials: pl.DataFrame | None = None
    arms: Arms | None = None
    outcomes: Outcomes | None = None
    left_out: Sequence[str] = ()


def new_user(
    comparator: str, trials: pl.DataFrame, choices: Choices, *, left_out: Sequence[str] = (), nobody: str = ""
) -> Compared:
    """Risks by intention to treat, and crude ones beside them, of one comparator.

    trials: TRIALS of the comparator with the baseline covariates, the ``left_out`` covariates that the score does not
    hold, survey_weight and cluster. nobody: why there are no index dates, where that is known. What cannot be
    estimated, or may not be read, is a row whose gate says why. Cost: as ``trial_arms.compare`` and ``causal.risks``.
    """
    displays = {name: DISPLAYS[name].empty() for name in trial_displays.NAMES}
    row = template(comparator, choices.weighting, population(choices, trials), _note(comparator, choices))
    everybody = trials.height
    trials, base = sampled(trials)
    nobody = nobody or _empty_group(comparator, trials)
    if nobody:
        alone = outcomes_of(trials) if trials.height else None
        return Compared(by_horizon(replace(row, gate=f"not evaluable: {nobody}"), choices, alone), displays)
    if trials.height < everybody and not weighted(trials):
        row = replace(row, note=f"{row.note}; one in {base.max():.0f} index dates of comparators")
    displays["missing_by_arm"] = trial_displays.missing_by_arm(comparator, trials, choices.baseline)
    try:
        arms = trial_arms.compare(
            trials.drop(BEFORE_OUTCOMES), choices.baseline, left_out=left_out, weighting=choices.weighting,
            missing=choices.missing, base=base, trim=choices.trim, ridge=choices.ridge,
        )  # fmt: skip
    except NotComparable as failure:
        gate = f"not evaluable: {failure.reason}"
        everyone = outcomes_of(trials)
        return Compared(
            by_horizon(replace(row, gate=gate), choices, everyone) + _no_crude(gate, comparator, choices, trials),
            displays,
        )
    kept = trials.filter(pl.Series(arms.keep))
    row = replace(
        row, note="; ".join((row.note, *arms.notes)), population=population(choices, trials, arms.restricted)
    )  # fmt: skip
    deaths = kept.filter(pl.col("event") == 1)["person_id"].n_unique()
    judged = arms.diagnose(kept["person_id"].rank("dense").to_numpy(), deaths)
    gate = judged.gate(inverse=choices.weighting == "iptw", active=comparator != "non_user", event="death")
    displays["new_user_balance"] = trial_displays.balance(comparator, arms, kept["person_id"].rank("dense").to_numpy())

    outcomes = outcomes_of(kept)
    passed = gate == "pass"
    displays["new_user_diagnostics"] = trial_displays.diagnostics(comparator, outcomes, arms, judged, passed=passed)
    if not passed:
        withheld = by_horizon(replace(row, gate=gate), choices, outcomes, arms.final > 0)
        return Compared(withheld + _no_crude(gate, comparator, choices, trials), displays)
    crude = _crude(comparator, outcomes_of(trials), base, choices, trials)
    rows = itt(row, outcomes, arms, choices)
    displays["new_user_survival"] = trial_displays.survival(comparator, outcomes, arms.final, choices.horizons)
    return Compared(rows + crude, displays, kept, arms, outcomes, left_out)


def itt(row: Estimate, outcomes: Outcomes, arms: Arms, choices: Choices) -> list[Estimate]:
    """Risks and hazard ratio by intention to treat."""
    matched = choices.weighting == "match"  # pairs are taken as they are
    x, names = (None, ()) if matched else (arms.design.x, arms.design.names)
    base = arms.final if matched else arms.base
    try:
        found = weighted_risks(
            outcomes, x, names, base, "given" if choices.weighting == "match" else choices.weighting, choices
        )
    except RiskFailure as failure:
        return by_horizon(replace(row, gate=f"not evaluable: {failure.reason}"), choices, outcomes, arms.final > 0)
    return [
        *risk_rows(row, found, outcomes, choices.horizons, arms.final > 0),
        hazard_row(row, outcomes, arms.final, longest_evaluable(outcomes, choices.horizons, arms.final > 0)),
    ]


def _no_crude(gate: str, comparator: str, choices: Choices, trials: pl.DataFrame) -> list[Estimate]:
    """Crude rows where the arms may not be compared: they would tell by arm what the gate withholds."""
    return by_horizon(replace(_crude_row(comparator, trials, choices), gate=gate), choices, outcomes_of(trials))


def _crude_row(comparator: str, trials: pl.DataFrame, choices: Choices) -> Estimate:
    note = f"unadjusted; SE clustered by person{_losses(choices)}"
    return template(comparator, "crude", f"eligible index dates{_sampled(trials)}", note)


def _losses(choices: Choices) -> str:
    return "" if choices.deaths_complete else f"; {UNINFORMATIVE}"


def _crude(
    comparator: str, outcomes: Outcomes, base: Floats, choices: Choices, trials: pl.DataFrame
) -> list[Estimate]:  # fmt: skip
    row = _crude_row(comparator, trials, choices)
    simple = replace(choices, standard_error="sandwich")
    try:
        found = weighted_risks(outcomes, None, (), base, "given", simple)
    except RiskFailure as failure:
        return by_horizon(replace(row, gate=f"not evaluable: {failure.reason}"), choices, outcomes, base > 0)
    return [
        *risk_rows(row, found, outcomes, choices.horizons, base > 0),
        hazard_row(row, outcomes, base, longest_evaluable(outcomes, choices.horizons, base > 0)),
    ]


def complete_cases(
    comparator: str, trials: pl.DataFrame, choices: Choices, *, left_out: Sequence[str] = ()
) -> list[Estimate]:
    """The same risks among index dates without missing covariates; nothing where none is missing, or all are."""
    gaps = [name for name in choices.baseline if 0 < trials[name].null_count() < trials.height]
    if choices.missing == "complete" or not gaps or _empty_group(comparator, trials):
        return []
    found = new_user(comparator, trials, replace(choices, missing="complete"), left_out=left_out).rows
    method = f"{choices.weighting}_complete_case"
    return [replace(row, method=method) for row in found if row.method == choices.weighting]


def of_causes(
    comparator: str, trials: pl.DataFrame, choices: Choices, *, left_out: Sequence[str] = (), nobody: str = "",
    contributing: bool = True,
) -> tuple[list[Estimate], pl.DataFrame]:  # fmt: skip
    """Differences by cause of death, and their shares; a row of each that says why where an arm has nobody.

    nobody: as of ``new_user``. contributing: whether contributing causes are recorded.
    """
    trials, base = sampled(trials)
    nobody = nobody or _empty_group(comparator, trials)
    if nobody:
        return not_told(comparator, f"not evaluable: {nobody}"), DISPLAYS["cause_incidence"].empty()
    return causes_of(
        comparator, trials, outcomes_of(trials), base, choices, left_out=left_out, contributing=contributing
    )  # fmt: skip


def sampled(trials: pl.DataFrame) -> tuple[pl.DataFrame, Floats]:
    """The index dates that count, and their weights: of a sample those of people with a weight.

    Of very many comparators every m-th counts, for m.
    """
    if weighted(trials):
        trials = trials.filter(pl.col("survey_weight").fill_null(0) > 0)
    arm = trials["arm"].to_numpy()
    many = max(1, -(-int((arm == 0).sum()) // MOST_COMPARATORS))
    if many > 1:
        taken = every_mth_comparator(arm, many)
        trials, arm = trials.filter(pl.Series(taken)), arm[taken]
    stands = np.where(arm == 1, 1.0, float(many))
    return trials, trials["survey_weight"].to_numpy() * stands if weighted(trials) else stands


def every_mth_comparator(arm: npt.NDArray, many: int) -> npt.NDArray[np.bool_]:
    """All new users and one in ``many`` comparators in the order of the rows (people, then days): no chance in it."""
    other = np.asarray(arm) == 0
    return ~other | (np.cumsum(other) % many == 0)


def by_horizon(
    row: Estimate, choices: Choices, outcomes: Outcomes | None = None, counted: np.ndarray | None = None
) -> list[Estimate]:
    """The rows that would stand there, all withheld for one reason, with the people and the deaths of both arms."""
    rows = []
    for horizon in choices.horizons:
        here = replace(row, window=f"0-{horizon}")
        if outcomes is not None:
            of = np.ones(len(outcomes.arm), bool) if counted is None else counted
            here = replace(here, **amounts(outcomes, horizon, of))
        rows += [replace(here, scale=scale) for scale in SCALES]
    return rows


def outcomes_of(trials: pl.DataFrame) -> Outcomes:
    """Follow-up of the rows; errors are clustered by person, or by sampling unit where the cohort names these."""
    person = trials["person_id"].rank("dense").to_numpy()
    unit = person
    if trials["cluster"].null_count() < trials.height:
        unit = (
            trials.select(pl.coalesce("cluster", pl.format("person {}", "person_id")))
            .to_series()
            .rank("dense")
            .to_numpy()
        )
    return Outcomes(
        person, unit, trials["arm"].to_numpy().astype(float), trials["follow_up"].to_numpy().astype(float),
        trials["event"].to_numpy().astype(np.int64),
    )  # fmt: skip


def weighted(trials: pl.DataFrame) -> bool:
    """Whether the cohort is a sample with weights."""
    return trials["survey_weight"].null_count() < trials.height


def population(choices: Choices, trials: pl.DataFrame, restricted: Sequence[str] = ()) -> str:
    """Whom an estimate speaks of. restricted: ``Arms.restricted``."""
    return "; ".join((f"eligible index dates, {POPULATIONS[choices.weighting]}{_sampled(trials)}", *restricted))


def _sampled(trials: pl.DataFrame) -> str:
    return ", weighted to the sampled population" if weighted(trials) else ""


def _note(comparator: str, choices: Choices) -> str:
    other, treated = groups(comparator)
    what = f"{treated} against {other}"
    if comparator == "non_user":
        what = "starting an opioid against not starting one that day"
    errors = ERRORS[choices.standard_error]
    if choices.weighting == "match":
        errors = "SE clustered by person, matches taken as given"
    return (
        f"{what}, whatever was taken later (intention to treat); person-years count once per index date; {errors}"
        f"{_losses(choices)}"
    )


def _empty_group(comparator: str, trials: pl.DataFrame) -> str:
    for arm, name in reversed([*enumerate(groups(comparator))]):  # where nobody starts, that is the reason
        if not (trials["arm"] == arm).any():
            return f"nobody in group '{name}'"
    return ""
