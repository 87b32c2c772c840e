"""One hazard ratio from person-time: the function behind which the survival engine sits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.mortality import cox_model
from opioid_outcomes.mortality.contrasts import Contrast, Missing
from opioid_outcomes.mortality.person_years import Amount, amount
from opioid_outcomes.survival import cox, design_matrix, normal

FEWEST_DEATHS = 10  # ANALYSES 4, gates
DEATHS_PER_COVARIATE = 5  # fewer is said in the note: Vittinghoff & McCulloch 2007 Am J Epidemiol 165:710
EXPOSURE = "exposure"
BASIC = ("age", "sex")


def adjusted_ratios(
    person_time: pl.DataFrame, contrast: Contrast, *, analysis: str, baseline: Sequence[str], missing: Missing,
    only: Sequence[str] = ("crude", "adjusted", "adjusted_full"),
) -> Iterator[Estimate]:  # fmt: skip
    """Crude, adjusted for age and sex, and for all of ``baseline``; complete cases beside where something is missing.

    only: those wanted; where age and sex are all of ``baseline`` the last of them is ``adjusted``.
    """
    basic = [name for name in BASIC if name in baseline]
    methods: dict[str, list[str]] = {"crude": [], "adjusted": basic, "adjusted_full": list(baseline)}
    if not basic:
        del methods["adjusted"]
    if len(basic) == len(baseline):
        del methods["adjusted_full"]
    last = next(reversed(methods))
    for method, adjust in methods.items():
        if method not in only and not (method == last and "adjusted_full" in only):
            continue
        yield hazard_ratio(person_time, contrast, analysis=analysis, method=method, adjust=adjust, missing=missing)
        if missing != "complete" and any(person_time[name].null_count() for name in adjust):
            yield hazard_ratio(
                person_time, contrast, analysis=analysis, method=f"{method}_complete_case", adjust=adjust,
                missing="complete",
            )  # fmt: skip


def hazard_ratio(
    person_time: pl.DataFrame, contrast: Contrast, *, analysis: str, method: str, adjust: Sequence[str],
    missing: Missing,
) -> Estimate:  # fmt: skip
    """Log hazard ratio of death between two groups of person-time, on the clock of days since entry.

    person_time: contracts PERSON_TIME with the covariates in ``adjust``. Cox partial likelihood, Efron ties. Standard
    error clustered by person; where the cohort has sampling weights the fit is weighted, and where it names sampling
    units or strata the standard error is that of the design. What cannot be estimated is a row whose gate says why.
    """
    weighted = person_time["survey_weight"].null_count() < person_time.height
    rows = person_time.with_columns(contrast.exposure.cast(pl.Float64).alias(EXPOSURE)).filter(
        pl.col(EXPOSURE).is_not_null() & (pl.col("survey_weight").fill_null(0) > 0 if weighted else pl.lit(True))
    )
    design = design_matrix.build(rows, adjust, missing=missing)
    left_out = amount(rows.filter(~pl.Series(design.keep)))
    rows = rows.filter(pl.Series(design.keep))
    total, arms = amount(rows), [amount(rows.filter(pl.col(EXPOSURE) == value)) for value in (1, 0)]
    row = Estimate(
        analysis=analysis, method=method, outcome="death", contrast=contrast.label, scale="log_hr",
        population=population(weighted), **total.counts(), gate="not evaluable: not fitted",
        smallest_cell=smallest(*(cell for arm in arms for cell in arm.cells()), *left_out.cells()),
    )  # fmt: skip
    used = [name for name in adjust if name not in design.constant]
    notes = _definition(rows, used, missing) + _left_out(person_time, contrast, weighted)
    refusal = _refusal(contrast, total, arms)
    if refusal is None:
        try:
            model = cox_model.fit(rows, rows.select(EXPOSURE).to_numpy(), [EXPOSURE], design, weighted=weighted)
        except cox.CoxFailure as failure:
            refusal = _reason(failure, contrast)
    if refusal is not None:
        return replace(row, gate=f"not evaluable: {refusal}", note="; ".join(notes))
    if total.events < DEATHS_PER_COVARIATE * len(design.names):
        notes = (*notes, "fewer than five deaths per covariate")
    log_hr, se = float(model.params[0]), math.sqrt(model.covariance[0, 0])
    return replace(
        row, estimate=log_hr, se=se, ci_low=log_hr - normal.Z * se, ci_high=log_hr + normal.Z * se,
        p_value=normal.p_value(log_hr, se), gate="pass",
        note="; ".join(dict.fromkeys((*notes, *model.notes))),
    )  # fmt: skip


def not_asked(person_time: pl.DataFrame, contrast: Contrast, *, analysis: str, why: str) -> Estimate:
    """The one row of an analysis that a cohort's kind of exposure does not allow."""
    return Estimate(
        analysis=analysis, method="crude", population=population(False), outcome="death", contrast=contrast.label,
        scale="log_hr", **amount(person_time).counts(), gate=f"not evaluable: {why}",
    )  # fmt: skip


def population(weighted: bool) -> str:
    """Whom an estimate speaks of."""
    return "eligible persons, weighted to the sampled population" if weighted else "eligible persons"


def _refusal(contrast: Contrast, total: Amount, arms: Sequence[Amount]) -> str | None:
    """Why no hazard ratio can be estimated, before any model is tried."""
    if total.persons == 0:
        return "nobody is followed in either group"
    for name, arm in zip(contrast.arms, arms, strict=True):
        if arm.persons == 0:
            return f"nobody in group '{name}'"
    if total.events == 0:
        return "no deaths"
    if total.events < FEWEST_DEATHS:
        return "fewer than ten deaths"
    if min(arm.events for arm in arms) == 0:
        return "deaths in one group only"
    return None


def _reason(failure: cox.CoxFailure, contrast: Contrast) -> str:
    columns = dict.fromkeys(
        contrast.label if name == EXPOSURE else cox_model.covariate(name) for name in failure.columns
    )
    named = ", ".join(columns)
    return f"{failure.reason} ({named})" if named else failure.reason


def _definition(rows: pl.DataFrame, adjust: Sequence[str], missing: Missing) -> tuple[str, ...]:
    """What the number is, in phrases for the note."""
    kind = f"conditional hazard ratio given {', '.join(adjust)}" if adjust else "hazard ratio"
    notes = [f"{kind}, by days since entry; Efron ties"]
    if missing == "indicator" and any(rows[name].null_count() for name in adjust):
        notes.append("missing covariates as a category of their own")
    return tuple(notes)


def _coarse(share: float) -> str:
    """A share in whole percent: finer ones would give the rounded person-years back exactly."""
    return f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %"


def _left_out(person_time: pl.DataFrame, contrast: Contrast, weighted: bool) -> tuple[str, ...]:
    """Whose time is in neither group, as a share of all time: shares of persons could give small counts away."""
    notes = []
    everything, neither = amount(person_time), amount(person_time.filter(contrast.exposure.is_null()))
    if neither.person_years:
        notes.append(f"{_coarse(neither.person_years / everything.person_years)} of person-time is in neither group")
    if weighted and person_time["survey_weight"].null_count():
        notes.append("persons without a sampling weight left out")
    return tuple(notes)
