"""One hazard ratio from person-time: the function behind which the survival engine sits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.mortality.contrasts import Contrast, Missing
from opioid_outcomes.mortality.person_years import Amount, amount
from opioid_outcomes.survival import cox, design_matrix, survey
from opioid_outcomes.survival.risk_sets import Floats

Z = 1.959963984540054
FEWEST_DEATHS = 10  # ANALYSES 4, gates
DEATHS_PER_COVARIATE = 5  # fewer is said in the note: Vittinghoff & McCulloch 2007 Am J Epidemiol 165:710
EXPOSURE = "exposure"
BASIC = ("age", "sex")


@dataclass(frozen=True)
class Fitted:
    log_hr: float
    se: float
    notes: tuple[str, ...]


def adjusted_ratios(
    person_time: pl.DataFrame, contrast: Contrast, *, analysis: str, baseline: Sequence[str], missing: Missing
) -> Iterator[Estimate]:
    """Crude, adjusted for age and sex, for all of ``baseline``; complete cases beside where something is missing."""
    basic = [name for name in BASIC if name in baseline]
    methods: dict[str, list[str]] = {"crude": [], "adjusted": basic, "adjusted_full": list(baseline)}
    if not basic:
        del methods["adjusted"]
    if len(basic) == len(baseline):
        del methods["adjusted_full"]
    for method, adjust in methods.items():
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
            fitted = _fit(rows, design, weighted)
        except cox.CoxFailure as failure:
            refusal = _reason(failure, contrast)
    if refusal is not None:
        return replace(row, gate=f"not evaluable: {refusal}", note="; ".join(notes))
    if total.events < DEATHS_PER_COVARIATE * len(design.names):
        notes = (*notes, "fewer than five deaths per covariate")
    half = Z * fitted.se
    return replace(
        row, estimate=fitted.log_hr, se=fitted.se, ci_low=fitted.log_hr - half, ci_high=fitted.log_hr + half,
        p_value=math.erfc(abs(fitted.log_hr / fitted.se) / math.sqrt(2)), gate="pass",
        note="; ".join(dict.fromkeys((*notes, *fitted.notes))),
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
    columns = dict.fromkeys(contrast.label if name == EXPOSURE else _covariate(name) for name in failure.columns)
    named = ", ".join(columns)
    return f"{failure.reason} ({named})" if named else failure.reason


def _fit(rows: pl.DataFrame, design: design_matrix.Design, weighted: bool) -> Fitted:
    """Fit, leaving out covariate columns that say nothing: that changes no hazard ratio, only makes it computable."""
    exposure = rows[EXPOSURE].to_numpy()
    died = rows["death"].to_numpy() == 1
    weights = rows["survey_weight"].to_numpy().astype(float) if weighted else np.ones(rows.height)
    silent, x, names, notes = _without_deathless_levels(design.x, design.names, died & (weights > 0))
    weights = np.where(silent, 0.0, weights)
    told = amount(rows.filter(pl.Series(weights > 0)))
    if told.persons == told.events:  # what is left tells of nobody who lived
        raise cox.CoxFailure("separation", [_covariate(name) for name in design.names if name not in names])
    start, stop = rows["start"].to_numpy(), rows["stop"].to_numpy()
    person = rows["person_id"].rank("dense").to_numpy()
    while True:
        try:
            fitted = cox.fit(
                start, stop, died, np.column_stack([exposure, x]), names=[EXPOSURE, *names], weights=weights,
                cluster=person,
            )  # fmt: skip
            break
        except cox.CoxFailure as failure:
            redundant = _redundant(failure)
            notes += [f"no further information in a term of {_covariate(name)}" for name in redundant]
            x = x[:, [name not in redundant for name in names]]
            names = [name for name in names if name not in redundant]
    covariance, about = _covariance(fitted, rows)
    return Fitted(float(fitted.params[0]), math.sqrt(covariance[0, 0]), (*design.notes, *notes, about))


def _without_deathless_levels(
    x: Floats, names: Sequence[str], died: np.ndarray
) -> tuple[np.ndarray, Floats, list[str], list[str]]:
    """Rows of a category in which nobody dies, and the columns without those categories.

    Their coefficient runs to minus infinity, where their risk is 0: leaving them out is that limit, exactly.
    """
    silent = np.zeros(len(x), dtype=bool)
    kept, notes = [], []
    for j, name in enumerate(names):
        level = x[:, j] == x[:, j].max()
        two_valued = bool((level | (x[:, j] == x[:, j].min())).all())
        if two_valued and not level[died].any():
            silent |= level
            notes.append(f"no deaths in a category of {_covariate(name)}")
        elif two_valued and level[died].all():
            silent |= ~level
            notes.append(f"deaths in one category of {_covariate(name)} only")
        else:
            kept.append(j)
    return silent, x[:, kept], [names[j] for j in kept], notes


def _covariate(term: str) -> str:
    """The covariate of a term of the design, without its level: a level may be one person's."""
    return term.split("=", maxsplit=1)[0]


def _redundant(failure: cox.CoxFailure) -> tuple[str, ...]:
    """Covariate columns that can go; what concerns the exposure, or is no redundancy, stays a failure."""
    if EXPOSURE in failure.columns or failure.reason not in ("collinear", "no variation"):
        raise failure
    return failure.columns if failure.reason == "no variation" else failure.columns[-1:]


def _covariance(fitted: cox.CoxFit, rows: pl.DataFrame) -> tuple[Floats, str]:
    """The covariance of the sampling design if the cohort has one, else clustered by person; and what it is."""
    strata = None if rows["stratum"].is_null().all() else rows["stratum"].fill_null("")
    alone = pl.format("person {}", "person_id")  # who is in no sampling unit is one
    units = None if rows["cluster"].is_null().all() else rows.select(pl.coalesce("cluster", alone)).to_series()
    if strata is None and units is None:
        return fitted.robust_covariance, "SE clustered by person"
    members = rows["person_id"].rank("dense") if units is None else units.rank("dense")
    result = survey.design_covariance(
        fitted.residuals("dfbeta"), strata=None if strata is None else strata.rank("dense").to_numpy(),
        units=members.to_numpy(),
    )  # fmt: skip
    if result.degrees < 1:
        raise cox.CoxFailure("too few sampling units for a standard error")
    lonely = f", {result.lonely} strata with one sampling unit" if result.lonely else ""
    return result.covariance, f"SE of the sampling design, {result.degrees} degrees of freedom{lonely}"


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
