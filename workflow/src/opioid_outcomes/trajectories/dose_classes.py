"""Latent classes of the course of dose: from person-time to classes of persons and the two displays.

Descriptive (ANALYSES 2): a class is told from the whole window, so it may not be used as an exposure for anything that
happens inside the window; a follow-up by class starts where the window ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.trajectories.curves import Floats
from opioid_outcomes.trajectories.latent_class import LatentClasses
from opioid_outcomes.trajectories.monthly import monthly_mean
from opioid_outcomes.trajectories.selection import Candidate

DoseScale = Literal["log", "linear"]
# Floor of a class's sigma, in standard deviations of all doses (``latent_class.fit``). Many people are on exactly one
# dose, month after month: below a tenth, each such group is worth a class to the likelihood, and which of them the
# maximum holds depends on the starts; classes are to be courses that differ, not doses that are exactly equal.
LEAST_SIGMA = 0.1

MODELS = {
    "classes": pl.Int64, "persons": pl.Int64, "log_likelihood": pl.Float64, "bic": pl.Float64, "entropy": pl.Float64,
    "mean_posterior": pl.Float64, "smallest_share": pl.Float64, "smallest_class": pl.Int64, "chosen": pl.Int64,
    "why": pl.String, "left_never_on": pl.Int64, "left_few_months": pl.Int64,
}  # fmt: skip
CLASSES = {
    "class": pl.Int64, "month": pl.Int64, "persons": pl.Int64, "persons_observed": pl.Int64, "mean": pl.Float64,
    "ci_low": pl.Float64, "ci_high": pl.Float64, "observed": pl.Float64, "share": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Courses:
    """Monthly doses of those who have a course (person_id, month, mme; no nulls; sorted), and how many have none.

    never_on: persons without a day on opioids in the window. too_few_months: of the others, those with fewer than
    the least number of months of known dose.
    """

    months: pl.DataFrame
    never_on: int
    too_few_months: int

    @cached_property
    def person_ids(self) -> pl.Series:
        return self.months["person_id"].unique(maintain_order=True)

    @cached_property
    def person(self) -> npt.NDArray[np.int64]:
        """Place in ``person_ids`` of each row's person."""
        return self.months["person_id"].rle_id().cast(pl.Int64).to_numpy()


def courses(person_time: pl.DataFrame, months: int, min_months: int) -> Courses:
    """Each person's mean MME/day over all days of each of the first ``months`` months, as ``monthly_mean`` has it."""
    monthly = monthly_mean(person_time, months)
    persons = monthly.group_by("person_id", maintain_order=True).agg(
        on=pl.col("days_on").sum() > 0, enough=pl.col("mme").is_not_null().sum() >= min_months
    )
    kept = persons.filter("on", "enough").select("person_id")
    rows = monthly.filter(pl.col("mme").is_not_null()).join(kept, on="person_id", how="semi", maintain_order="left")
    return Courses(
        rows.select("person_id", "month", "mme"),
        persons.filter(~pl.col("on")).height,
        persons.filter(pl.col("on"), ~pl.col("enough")).height,
    )


def to_scale(mme: Floats, scale: DoseScale) -> Floats:
    """MME/day as the classes see it: log(1 + MME/day), so that off is 0 and high doses do not decide; or as it is."""
    return np.log1p(mme) if scale == "log" else mme


def to_mme(value: Floats, scale: DoseScale) -> Floats:
    """Back to MME/day; a curve that dips below no dose is shown as none."""
    return np.maximum(np.expm1(value) if scale == "log" else value, 0.0)


def trajectories(found: LatentClasses, person_ids: pl.Series) -> pl.DataFrame:
    """TRAJECTORIES: person_id, class (1 = lowest mean dose), posterior of that class, posterior_1 .. posterior_K."""
    highest = found.posterior[np.arange(len(found.members)), found.members]
    each = {f"posterior_{k + 1}": found.posterior[:, k] for k in range(found.classes)}
    return pl.DataFrame({"person_id": person_ids, "class": found.members + 1, "posterior": highest, **each})


def models_display(candidates: list[Candidate], courses: Courses, refusal: str = "") -> pl.DataFrame:
    """Display ``trajectory_models``: one row per number of classes tried; null where there is no fit.

    bic counts persons; mean_posterior is the lowest of the classes; smallest_class the fewest members (by highest
    posterior) and smallest_share their share of persons. left_never_on and left_few_months, the same in each row: who
    has no course of dose, as ``courses`` has it. Where no model was tried, one row says why: ``refusal``.
    """
    left = {"left_never_on": courses.never_on, "left_few_months": courses.too_few_months}
    rows: list[dict[str, object]] = []
    if not candidates:
        whole = dict.fromkeys(("persons", "smallest_class"), len(courses.person_ids))  # nobody is set apart
        rows.append({"classes": 1, "chosen": 0, "why": refusal} | whole | left)
    for each in candidates:
        row: dict[str, object] = {"classes": each.classes, "chosen": int(each.chosen), "why": each.why} | left
        if each.fit is not None:
            smallest, persons = int(each.fit.sizes.min()), len(each.fit.members)
            row |= {
                "persons": persons, "log_likelihood": each.fit.loglik, "bic": each.fit.bic,
                "entropy": each.fit.entropy, "mean_posterior": float(each.fit.mean_posterior.min()),
                "smallest_share": smallest / persons, "smallest_class": smallest,
            }  # fmt: skip
        rows.append(row)
    return pl.DataFrame(rows, schema=MODELS)


def classes_display(found: LatentClasses, courses: Courses, scale: DoseScale) -> pl.DataFrame:
    """Display ``trajectory_classes``: curve of each class with pointwise 95 % limits, by observed month, in MME/day.

    ``courses``: what the classes were told from. persons and share: members by highest posterior, whatever the
    month. mean, ci_low, ci_high: the class's curve taken back from the scale of the classes; on the log scale that is
    about the geometric mean of 1 + MME/day, less 1, and below the arithmetic mean. observed: plain arithmetic mean of
    the members' MME/day, of the persons_observed with a known dose that month.
    """
    months = courses.months
    distinct, place = np.unique(months["month"].to_numpy(), return_inverse=True)
    cell = found.members[courses.person] * len(distinct) + place
    cells = found.classes * len(distinct)
    counts = np.bincount(cell, minlength=cells)
    sums = np.bincount(cell, months["mme"].to_numpy(), cells)
    seen = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    low, high = found.band(distinct)
    persons = np.repeat(found.sizes, len(distinct))
    return pl.DataFrame(
        {
            "class": np.repeat(np.arange(found.classes) + 1, len(distinct)),
            "month": np.tile(distinct, found.classes),
            "persons": persons,
            "persons_observed": counts,
            "mean": to_mme(found.curve(distinct), scale).ravel(),
            "ci_low": to_mme(low, scale).ravel(),
            "ci_high": to_mme(high, scale).ravel(),
            "observed": seen,
            "share": persons / len(found.members),
        },
        schema=CLASSES,
        nan_to_null=True,
    )
