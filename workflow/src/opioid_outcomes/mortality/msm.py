"""``mortality.msm``: death on against off opioids, use changing over time, by a marginal structural model.

Secondary causal answer (ANALYSES 4.4): stabilised treatment x censoring weights from the 30-day panel; weighted Cox
with current use, recent cumulative use and every numerator variable; risks had everybody used always, or never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from opioid_outcomes.causal import marginal_structural as ms
from opioid_outcomes.causal.contrasts import Contrast, Joint
from opioid_outcomes.causal.time_varying_weights import diagnostics, truncate
from opioid_outcomes.cohort.panel import PERIOD_DAYS
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.mortality import msm_design as made_of
from opioid_outcomes.mortality import msm_gates
from opioid_outcomes.mortality.contrasts import ON_OFF, Exposure, Missing
from opioid_outcomes.mortality.current_use import UNKNOWN
from opioid_outcomes.mortality.numbered import numbered
from opioid_outcomes.survival import binary_regression, cox
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.products import row_blocks
from opioid_outcomes.survival.risk_sets import Floats

ANALYSIS = "mortality.msm"
POPULATION = "eligible persons whose use is known, everybody's distribution of covariates (ATE)"
ALWAYS_NEVER = "always vs never"
RISKS = ("risk_difference", "risk_ratio", "rmst_days")
USE, RECENT, EARLIER = "use", "recent use", "earlier use"
SAMPLED = "people were sampled with unequal chances, which these weights do not take into account"
IN_UNITS = "people were sampled in units, which standard errors by person do not take into account"
CONTACT = (
    "whether pain was recorded is in the models of use and not among what must balance: nobody starts without a contact"
    " with care, so that it is part of the decision"
)
FEWEST_DEATHS = 10
FOLLOWING_PEOPLE, FOLLOWING_DEATHS = 50, 5  # ANALYSES 4.4
TRUNCATIONS = ((0.0, 100.0), (0.5, 99.5), (1.0, 99.0), (5.0, 95.0))  # Cole & Hernan 2008, table 2


@dataclass(frozen=True)
class Answer:
    """The rows, and the displays msm_weights and msm_truncation (without rows where nothing could be fitted)."""

    rows: list[Estimate]
    weights: pl.DataFrame | None = None
    truncation: pl.DataFrame | None = None


def msm(
    panel: pl.DataFrame, person_time: pl.DataFrame, cohort: pl.DataFrame, *, baseline: Sequence[str],
    time_varying: Sequence[str], missing: Missing, horizons: Sequence[int], truncation: Sequence[float],
    exposure: Exposure,
) -> Answer:  # fmt: skip
    """Log hazard ratio of current use, and always against never users' risks, as far as people follow them.

    panel, person_time, cohort: contracts PANEL, PERSON_TIME, COHORT. truncation: percentiles at which the weights are
    cut. What cannot be estimated is a row whose gate says why. Cost: linear in panel rows x columns squared.
    """
    if exposure != "time_varying":
        return _nothing(f"not evaluable: {UNKNOWN[exposure]}", horizons)
    if _unequal(cohort):
        return _nothing(f"not evaluable: {SAMPLED}", horizons)
    rows = made_of.follow_up(panel, person_time, cohort)
    if rows.is_empty():
        return _nothing("not evaluable: nobody is followed with known use", horizons)
    design = made_of.build(rows, baseline, time_varying, complete=missing == "complete")
    del rows
    if _in_units(cohort):
        design = replace(design, notes=(*design.notes, IN_UNITS))
    refused = _refusal(design)
    if refused:
        return _nothing(f"not evaluable: {refused}", horizons, design)
    try:
        return _answer(design, horizons, truncation)
    except RegressionFailure as failure:
        return _nothing(f"not evaluable: {_reason(failure)}, in the models of use", horizons, design)


def _answer(design: made_of.Design, horizons: Sequence[int], truncation: Sequence[float]) -> Answer:
    """All follow-up if the gates let it, else up to the longest horizon they let: told by weights, not by outcomes."""
    weights = made_of.weigh(design)
    gate = msm_gates.gate(design, weights)
    shown = diagnostics(design.period, weights.values).with_columns(
        pl.col("largest").round_sig_figs(2), pl.col("period").cast(pl.Int64), pl.col("persons").cast(pl.Int64)
    )
    rows, span = [], None
    if gate != "pass":
        rows.append(replace(_row(design, ON_OFF.label, "log_hr"), gate=gate))
        span = _longest(design, horizons)
    later = [h for h in horizons if span is not None and h > span[0]] if span else []
    window, notes = "", []
    if span is not None:
        rows += [
            replace(_row(design.until(h), ALWAYS_NEVER, scale, f"0-{h}"), gate=gate) for h in later for scale in RISKS
        ]
        day, design, weights = span
        window, notes = f"0-{day}", [f"follow-up ends on day {day}: with all of it, {gate.removeprefix('fail: ')}"]
        gate = "pass"
    notes += [*design.notes, *weights.notes]
    if made_of.RECORDED in design.varying_names:
        notes.append(CONTACT)
    if tuple(truncation) != (0, 100):
        notes.append(f"weights cut at percentiles {truncation[0]:g} and {truncation[1]:g}")
    cut = truncate(weights.values, truncation[0], truncation[1])
    ratio = hazard_ratio(design, cut, window, notes) if gate == "pass" else None
    rows += [ratio] if ratio else []
    rows += risks(design, cut, weights, gate, notes, [h for h in horizons if h not in later])
    known = {tuple(map(float, truncation)): ratio} if ratio else None
    table = truncation_table(design, weights, estimates=gate == "pass", known=known)
    return Answer([*rows, conditional(design, window)], shown, table)


def _unequal(cohort: pl.DataFrame) -> bool:
    """Whether sampling weights differ: multiplying them in would need their own models and standard errors."""
    return "survey_weight" in cohort.columns and cohort["survey_weight"].n_unique() > 1


def _in_units(cohort: pl.DataFrame) -> bool:
    """Whether several people share a sampling unit."""
    return "cluster" in cohort.columns and bool(cohort["cluster"].drop_nulls().is_duplicated().any())


def _longest(design: made_of.Design, horizons: Sequence[int]) -> tuple[int, made_of.Design, made_of.MadeWeights] | None:
    """The longest horizon within which the weights pass, with the rows and weights up to it."""
    for day in sorted(horizons, reverse=True):
        shorter = design.until(day)
        if day >= design.stop.max() or _refusal(shorter):
            continue
        weights = made_of.weigh(shorter)
        if msm_gates.gate(shorter, weights) == "pass":
            return day, shorter, weights
    return None


def _counts(design: made_of.Design) -> dict[str, object]:
    cells = []
    for value in (0.0, 1.0):
        arm = design.treated == value
        cells += [len(np.unique(design.person[arm])), int(design.died[arm].sum())]
    return {
        "persons": design.persons, "events": int(design.died.sum()), "person_years": design.person_years,
        "smallest_cell": smallest(*cells),
    }  # fmt: skip


def _row(design: made_of.Design | None, contrast: str, scale: str, window: str = "", method: str = "iptw") -> Estimate:
    counts = {} if design is None else _counts(design)
    return Estimate(
        analysis=ANALYSIS, method=method, population=POPULATION, outcome="death", contrast=contrast, scale=scale,
        window=window, gate="not evaluable: not fitted", **counts,  # type: ignore[arg-type]
    )  # fmt: skip


def _nothing(gate: str, horizons: Sequence[int], design: made_of.Design | None = None) -> Answer:
    """A row for the hazard ratio and one for each horizon, which say why."""
    first = [_row(design, ON_OFF.label, "log_hr")]
    later = [_row(design, ALWAYS_NEVER, "risk_difference", f"0-{h}") for h in horizons]
    return Answer([replace(row, gate=gate) for row in (*first, *later)])


def _refusal(design: made_of.Design) -> str | None:
    on = design.treated == 1
    if not len(on):
        return "nobody is followed with known use"
    for arm, name in ((on, "on"), (~on, "off")):
        if not arm.any():
            return f"nobody in group '{name}'"
    if not design.died.any():
        return "no deaths"
    if design.died.sum() < FEWEST_DEATHS:
        return "fewer than ten deaths"
    if not (design.died[on].any() and design.died[~on].any()):
        return "deaths in one group only"
    return None


def _reason(failure: RegressionFailure | cox.CoxFailure) -> str:
    named = ", ".join(dict.fromkeys(name.split("=", maxsplit=1)[0] for name in failure.columns))
    return f"{failure.reason} ({named})" if named else failure.reason


def outcome_columns(design: made_of.Design, *, varying: bool = False) -> tuple[Floats, list[str]]:
    """Use, its history and covariates at entry (and those that vary) of each row, and their names."""
    d = design
    names = [USE, RECENT, EARLIER, *d.people_names, *(d.varying_names if varying else ())]
    x = np.empty((len(d.person), len(names)))
    for r in row_blocks(*x.shape):
        parts = [d.treated[r], d.recent[r], d.earlier[r], d.people[d.person[r]]]
        x[r] = np.column_stack([*parts, d.varying[r].astype(np.float64)] if varying else parts)
    return x, names


def fit_cox(design: made_of.Design, weights: Floats | None, x: Floats, names: list[str]) -> cox.CoxFit:
    """Weighted Cox by days since entry, clustered by person; covariates that say nothing, or separate, left out."""
    while True:
        try:
            return cox.fit(
                design.start, design.stop, design.died, x, names=names, weights=weights, cluster=design.person
            )
        except cox.CoxFailure as failure:
            gone = failure.columns[-1:] if failure.reason == "collinear" else failure.columns
            if not gone or USE in gone or RECENT in gone:
                raise
            kept = [j for j, name in enumerate(names) if name not in gone]
            x, names = x[:, kept], [names[j] for j in kept]


def hazard_ratio(design: made_of.Design, weights: Floats, window: str, notes: list[str]) -> Estimate:
    """Log hazard ratio of current use, given recent and earlier use and every numerator variable."""
    row = _row(design, ON_OFF.label, "log_hr", window)
    x, names = outcome_columns(design)
    try:
        fitted = fit_cox(design, weights, x, names)
    except cox.CoxFailure as failure:
        return replace(row, gate=f"not evaluable: {_reason(failure)}")
    about = [
        "hazard ratio had everybody been on, against off, that day, use in the two years before being equal; given"
        " covariates at entry; Efron ties; SE clustered by person, conservative for estimated weights",
        "missing values: the last known carried on, and marked",
    ]
    return replace(numbered(row, _of_use(fitted)), note="; ".join([*about, *notes]))


def conditional(design: made_of.Design, window: str = "") -> Estimate:
    """The unweighted model given time-varying covariates: what treatment changes is adjusted away. Descriptive."""
    row = _row(design, ON_OFF.label, "log_hr", window, method="adjusted_full")
    x, names = outcome_columns(design, varying=True)
    try:
        fitted = fit_cox(design, None, x, names)
    except cox.CoxFailure as failure:
        return replace(row, gate=f"not evaluable: {_reason(failure)}")
    about = (
        "descriptive, not causal: conditional on covariates that treatment itself may change, without weights;"
        " SE clustered by person"
    )
    note = "; ".join([about, *design.notes])
    return replace(numbered(row, _of_use(fitted)), population="eligible persons whose use is known", note=note)


def _of_use(fitted: cox.CoxFit) -> Contrast:
    return Joint(fitted.params[:1], fitted.robust_covariance[:1, :1]).combination(np.ones(1))


def truncation_table(
    design: made_of.Design, weights: made_of.MadeWeights, *, estimates: bool = True,
    known: Mapping[tuple[float, ...], Estimate] | None = None,
) -> pl.DataFrame:  # fmt: skip
    """The hazard ratio with weights cut at several percentiles; null where it has no estimate or may not be told.

    known: rows already estimated, by their percentiles.
    """
    x, names = outcome_columns(design)
    found = []
    for low, high in TRUNCATIONS:
        cut = truncate(weights.values, low, high)
        total = float(cut.sum())
        log_hr = se = None
        told = (known or {}).get((low, high))
        if told is not None:
            log_hr, se = told.estimate, told.se
        elif estimates:
            with suppress(cox.CoxFailure):
                fitted = fit_cox(design, cut, x, names)
                log_hr, se = float(fitted.params[0]), float(np.sqrt(fitted.robust_covariance[0, 0]))
        found.append(
            {
                "lower": low, "upper": high, "persons": design.persons, "mean": total / len(cut),
                "largest": float(cut.max()), "ess": total**2 / float((cut**2).sum()), "log_hr": log_hr, "se": se,
                "smallest_cell": _counts(design)["smallest_cell"],
            }
        )  # fmt: skip
    schema = {
        "lower": pl.Float64, "upper": pl.Float64, "persons": pl.Int64, "mean": pl.Float64, "largest": pl.Float64,
        "ess": pl.Float64, "log_hr": pl.Float64, "se": pl.Float64, "smallest_cell": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema).with_columns(pl.col("largest").round_sig_figs(2))


def reach(design: made_of.Design, horizon: int) -> tuple[int, int]:
    """People still following the strategy that fewer follow, at the horizon, and deaths while following until then."""
    people, deaths = [], []
    last = -(-horizon // PERIOD_DAYS) - 1  # the period that holds the horizon's day
    for value in (0, 1):
        rows = ms.following(design.person, design.treated, value)
        people.append(int((rows & (design.period == last)).sum()))
        deaths.append(int((rows & (design.stop <= horizon)) @ design.died))
    return min(people), min(deaths)


def _spread(design: made_of.Design, periods: int) -> Floats:
    """Columns of time and use of the pooled model under always and never, (2, periods, q)."""
    steps = np.arange(periods)
    recent = np.minimum(steps, made_of.RECENT_PERIODS)
    earlier = np.clip(steps - made_of.RECENT_PERIODS, 0, made_of.EARLIER_PERIODS)
    always = np.column_stack([design.time[:periods], np.ones(periods), recent, earlier])
    never = np.column_stack([design.time[:periods], np.zeros((periods, 3))])
    return np.stack([always, never])


def risks(  # noqa: PLR0917
    design: made_of.Design, weights: Floats, made: made_of.MadeWeights, gate: str, notes: list[str],
    horizons: Sequence[int],
) -> list[Estimate]:  # fmt: skip
    """Risk difference, risk ratio and difference of mean survival time, always against never on, at each horizon."""
    by_horizon = {h: design.until(h) for h in horizons}  # deaths and person-years by the horizon, not of all follow-up
    rows = {(h, scale): _row(by_horizon[h], ALWAYS_NEVER, scale, f"0-{h}") for h in horizons for scale in RISKS}
    why = (
        f"not evaluable: fewer than {FOLLOWING_PEOPLE} people or {FOLLOWING_DEATHS} deaths still follow a strategy"
        " at the horizon"
    )
    cells = {h: reach(design, h) for h in horizons}
    refused = {h: why for h in horizons if cells[h][0] < FOLLOWING_PEOPLE or cells[h][1] < FOLLOWING_DEATHS}
    loss = {h: msm_gates.gate_of_loss(design, made, h) for h in horizons if h not in refused}
    refused |= {h: told for h, told in loss.items() if told != "pass"}
    held = [h for h in horizons if h not in refused]
    rows = {key: replace(row, gate=refused.get(key[0], row.gate)) for key, row in rows.items()}
    if gate != "pass" or not held:
        return [replace(row, gate=gate) if key[0] in held else row for key, row in rows.items()]
    try:
        risk = pooled_risks(design, weights, made, held)
    except RegressionFailure as failure:
        reason = f"not evaluable: {_reason(failure)}"
        return [replace(row, gate=reason) if key[0] in held else row for key, row in rows.items()]
    about = [
        "had everybody been on throughout, against off throughout, from entry; pooled complementary log-log model,"
        " standardised over covariates at entry; SE clustered by person, with the estimated weights",
    ]
    note = "; ".join([*about, *notes])
    for i, h in enumerate(held):
        numbers = (risk.risk_difference(i), risk.risk_ratio(i), risk.rmst_difference(i))
        for scale, number in zip(RISKS, numbers, strict=True):
            row = rows[h, scale]
            rows[h, scale] = replace(
                numbered(row, number), note=note, smallest_cell=smallest(row.smallest_cell, *cells[h])
            )
    return list(rows.values())


def pooled_risks(
    design: made_of.Design, weights: Floats, made: made_of.MadeWeights, horizons: Sequence[int]
) -> ms.Standardised:
    """Standardised risks [always, never] at the horizons, from the weighted pooled model of hazards by period."""
    d = design
    names = [*(f"time {j + 1}" for j in range(d.time.shape[1])), USE, RECENT, EARLIER, *d.people_names]
    x = made_of.stacked(
        len(d.person), len(names),
        lambda r: [d.time[d.period[r]], d.treated[r], d.recent[r], d.earlier[r], d.people[d.person[r]]],
    )  # fmt: skip
    lived = np.where(d.died == 1, float(PERIOD_DAYS), d.stop - d.start)
    fit = binary_regression.fit(
        x, d.died, names=names, weights=weights, cluster=d.person, link="cloglog", redundant="drop",
        offset=np.log(lived / PERIOD_DAYS),
    )  # fmt: skip
    influence = ms.pooled_influence(fit, d.person, (made.treatment, made.censoring))
    periods = -(-max(horizons) // PERIOD_DAYS)
    return ms.standardise(
        fit.params, influence, _spread(d, periods), d.people, horizons=list(horizons), length=float(PERIOD_DAYS)
    )
