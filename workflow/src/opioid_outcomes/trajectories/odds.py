"""What goes with an outcome: log odds ratios of baseline covariates in one regression, a term each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.survival import design_matrix
from opioid_outcomes.survival.multinomial import MultinomialFit, NoEstimate, fit
from opioid_outcomes.survival.risk_sets import Floats
from opioid_outcomes.trajectories.separation import empty_cells

Missing = Literal["indicator", "complete"]
Bools = npt.NDArray[np.bool_]
# Levels carried by fewer people are one level: their labels could be one person's (CONTRACT 7, Messages)
FEWEST_WITH_LABEL = 11
OTHER = "other"
SEPARATION = "separation"
# What one of a number is; of others a unit
UNITS = {"age": "year", "pain": "point", "prior_mme": "MME/day", "calendar_year": "year"}
# ANALYSES 4: people of the smaller outcome per column of the regression, below which it is said, and below which
# there is no estimate (Vittinghoff & McCulloch 2007 Am J Epidemiol 165:710; de Jong et al. 2019 Stat Med 38:1601 for
# several classes)
SAID_PER_COLUMN, LEAST_PER_COLUMN = 5, 1


@dataclass(frozen=True)
class Term:
    """One column of the regression: a level of a covariate against its most frequent one, or one unit of a number.

    ``level``: who of the people kept has the level, None for numbers. ``refusal``: why there is no number; else
    ``log_or`` and ``se``, one value per class but the first, NaN where that class separates from the first.
    """

    covariate: str
    contrast: str
    level: Bools | None = None
    refusal: str | None = None
    log_or: Floats | None = None
    se: Floats | None = None


@dataclass(frozen=True)
class Regression:
    """Terms in the order of the covariates; ``kept``: who of the people is in the model; ``notes``: what was done.

    ``columns``: of the regression, the intercept not among them.
    """

    terms: tuple[Term, ...]
    kept: Bools
    notes: tuple[str, ...]
    columns: int


def regress(people: pl.DataFrame, classes: Floats, covariates: Sequence[str], *, missing: Missing) -> Regression:
    """Log odds of each class against the first on all covariates together; one row of ``people`` per person.

    classes: (people, K) weights of each person in each class. Standard errors are robust, clustered by person. A column
    that does not vary, or that others tell already, is refused and leaves the model. Where less than one person of a
    class is expected in a level, or nobody there is likeliest in it, its log odds are infinite, whatever small weights
    make of them: they are refused, and the class is ruled out for the level, so that all other estimates are those of
    that limit, exactly; with two classes they are those without the people of that level. Columns that separate classes
    in another way, as a number does whose ranges do not overlap, are refused and leave the model. Cost: twice that of
    ``multinomial.fit``.
    """
    absent = [name for name in covariates if people[name].null_count() == people.height]
    present = [name for name in covariates if name not in absent]
    frame = people.with_columns(_common_levels(people, name) for name in present)
    design = design_matrix.build(frame, present, missing=missing)
    frame = frame.filter(pl.Series(design.keep))
    terms, inside, told = _solve(design.x, classes[design.keep], _terms(frame, present, design))
    refused = dict.fromkeys(absent, "missing for everybody")
    refused |= dict.fromkeys(design.constant, "the same in everybody")
    terms += [Term(name, name, refusal=why) for name, why in refused.items()]
    notes = [note for note in design.notes if not note.startswith("not varying")] + told
    if missing == "indicator" and any(people[name].null_count() for name in present):
        notes.append("missing covariates as a category of their own")
    kept = design.keep.copy()
    kept[design.keep] = inside
    ordered = sorted(terms, key=lambda term: list(covariates).index(term.covariate))
    return Regression(tuple(ordered), kept, tuple(notes), design.x.shape[1])


def has_missing(people: pl.DataFrame, covariates: Sequence[str]) -> bool:
    """Whether some people, not all, lack a covariate."""
    return any(0 < people[name].null_count() < people.height for name in covariates)


def _common_levels(people: pl.DataFrame, name: str) -> pl.Expr:
    """A category with its rare levels made one."""
    if people.schema[name].is_numeric():
        return pl.col(name)
    text = pl.col(name).cast(pl.String)
    return pl.when(text.is_null() | (pl.len().over(name) >= FEWEST_WITH_LABEL)).then(text).otherwise(pl.lit(OTHER))


def _terms(frame: pl.DataFrame, covariates: Sequence[str], design: design_matrix.Design) -> list[Term]:
    """A term per column of the design, in its order."""
    terms = []
    for name in covariates:
        column = frame[name]
        columns = [each for each in design.names if each in (name, f"{name} missing") or each.startswith(f"{name}=")]
        if column.dtype.is_numeric():
            binary = column.drop_nulls().cast(pl.Float64).is_in([0.0, 1.0]).all()
            for each in columns:
                if each != name:
                    terms.append(Term(name, f"{name}: missing vs known", column.is_null().to_numpy()))
                elif binary:
                    terms.append(Term(name, f"{name}: 1 vs 0", (column == 1).fill_null(value=False).to_numpy()))
                else:
                    terms.append(Term(name, f"{name} per {UNITS.get(name, 'unit')}"))
            continue
        text = column.cast(pl.String).fill_null(design_matrix.MISSING)
        levels = [each.removeprefix(f"{name}=") for each in columns]
        reference = next((level for level in text.unique(maintain_order=True) if level not in levels), "")
        terms += [Term(name, f"{name}: {level} vs {reference}", (text == level).to_numpy()) for level in levels]
    return terms


def _solve(x: Floats, classes: Floats, terms: list[Term]) -> tuple[list[Term], Bools, list[str]]:
    """The terms with their numbers or why not; who is in the model; what was done.

    Where everybody's likeliest class separates by numbers, or by several columns together, posterior probabilities hide
    it too: the model is tried on those classes first.
    """
    names, levels = [term.covariate for term in terms], [term.level for term in terms]
    cells = empty_cells(classes, names, levels)
    surest = np.eye(classes.shape[1])[classes.argmax(axis=1)] * classes.sum(axis=1, keepdims=True)
    surely = empty_cells(surest, names, levels)
    inside, without_odds = cells.undecided, cells.without_odds | surely.without_odds
    ways = [(surest[inside], (surely.never | cells.never)[inside]), (classes[inside], cells.never[inside])]
    terms = [replace(term, refusal=SEPARATION) if without_odds[j].all() else term for j, term in enumerate(terms)]
    active, endless = list(range(len(terms))), dict[str, None]()
    while active:
        try:
            found = _fit(x[inside][:, active], ways, active)
        except NoEstimate as failure:
            gone = [int(name) for name in failure.columns] if failure.reason != "empty class" else []
            concerned = ", ".join(dict.fromkeys(terms[j].covariate for j in gone))
            why = f"{failure.reason} ({concerned})" if concerned else failure.reason
            if failure.reason == SEPARATION and gone:
                endless |= dict.fromkeys(terms[j].covariate for j in gone)
            elif failure.reason == "collinear":
                gone = gone[-1:]
            elif failure.reason != "no variation":
                gone = active
            terms = [
                replace(term, refusal=why) if j in gone and term.refusal is None else term
                for j, term in enumerate(terms)
            ]
            active = [j for j in active if j not in gone]
            continue
        for place, j in enumerate(active, start=1):
            if terms[j].refusal is None:
                log_or = np.where(without_odds[j], np.nan, found.params[:, place])
                terms[j] = replace(terms[j], log_or=log_or, se=found.robust_se[:, place])
        break
    notes = _separation(dict.fromkeys(name for j, name in enumerate(names) if without_odds[j].any()), classes.shape[1])
    notes += [f"not adjusted for {name}, whose log odds are infinite" for name in endless]
    terms = [term if term.level is None else replace(term, level=term.level[inside]) for term in terms]
    return terms, inside, notes


def _fit(x: Floats, ways: list[tuple[Floats, Bools]], columns: list[int]) -> MultinomialFit:
    """The fit of the last of the ``ways`` people are in classes, unless they separate in one of them."""
    *tried, (classes, never) = ways
    names = [str(j) for j in columns]
    for weights, barred in tried:
        if (weights == classes).all():
            continue
        try:
            fit(x, weights, names=names, never=barred)
        except NoEstimate as failure:
            if failure.reason == SEPARATION:
                raise
    return fit(x, classes, names=names, never=never)


def _separation(names: Iterable[str], classes: int) -> list[str]:
    if classes == 2:
        return [f"one outcome only in a category of {name}, left out" for name in names]
    return [f"hardly anybody of a class in a category of {name}: no odds of it there" for name in names]
