"""Rows of ``estimates.csv`` as they may leave."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import polars as pl

from opioid_outcomes.contracts.estimates import NUMBERS, SCHEMA
from opioid_outcomes.disclosure.profile import Profile
from opioid_outcomes.disclosure.sentences import blurred
from opioid_outcomes.survival.rates import log_rate_ratio, per_1000_person_years

COUNTS = ("persons", "events", "person_years")
RATE, RATIO = "rate_per_1000py", "log_rate_ratio"
# Rows that speak of the same people: the parts of one population, in one cohort.
KIND = ["cohort", "analysis", "method", "outcome", "window", "scale", "spec"]
# Groups of person-time, and the group that they add up to.
PART_OF = {
    "never": "off", "recent": "off", "former": "off",
    "on": "all", "off": "all", "treatment": "all", "unknown": "all", "baseline user": "all", "non user": "all",
}  # fmt: skip
ESTIMAND = ["analysis", "method", "outcome", "contrast", "window", "scale", "spec"]

Counted = tuple[int, float]  # events, person-years
Group = tuple[object, ...]


def released(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """The rows with what may not leave withheld, and what may rounded. Cost O(rows).

    Withheld as small: a count behind the row, in either arm, or what is left of its people after the events, is small.
    Withheld to protect: the next smallest of the rates that add up to a total with few small ones; contrasts with a
    group whose rate is withheld; a pooled row of which a part is withheld. Rates and their ratios are computed from the
    rounded counts: rate, standard error and person-years would give the exact ones back.
    """
    if profile.base == 1:
        return frame.select(*SCHEMA)
    rest = (pl.col("persons") - pl.col("events")).is_between(1, profile.threshold - 1).fill_null(value=False)
    counts = ("persons", "events", "smallest_cell")
    frame = frame.with_columns(small=pl.any_horizontal(rest, *(profile.small(name) for name in counts)))
    frame = frame.with_columns(hidden=pl.col("small") | _next_smallest_rate(profile.threshold))
    frame = frame.with_columns(hidden=pl.col("hidden") | _contrast_with_a_withheld_group(frame))
    frame = frame.with_columns(hidden=pl.col("hidden") | _pooled_of_a_withheld_part(frame))
    return _blanked(_rates_of_rounded_counts(_rounded(frame, profile)), profile)


def _next_smallest_rate(threshold: int) -> pl.Expr:
    """Whether a rate is the next smallest beside small ones that are few together, among those of the same total."""
    total = pl.when(pl.col("scale") == RATE).then(pl.col("contrast").replace_strict(PART_OF, default=None))
    siblings = [*KIND, total]
    together = pl.when("small").then("events").otherwise(0).sum().over(siblings)
    few = pl.col("small").any().over(siblings) & (together < threshold)
    events = pl.when(~pl.col("small") & (pl.col("events") > 0)).then("events")
    return (total.is_not_null() & few & (events.rank("ordinal").over(siblings) == 1)).fill_null(value=False)


def _contrast_with_a_withheld_group(frame: pl.DataFrame) -> pl.Series:
    groups = frame.filter((pl.col("scale") == RATE) & pl.col("hidden")).select("cohort", group="contrast")
    arms = frame.select("cohort", arm=pl.col("contrast").str.split(" vs "), row=pl.int_range(pl.len())).explode("arm")
    found = arms.join(groups, left_on=["cohort", "arm"], right_on=["cohort", "group"], how="semi")
    return frame.select(pl.int_range(pl.len()).is_in(found["row"].implode())).to_series()


def _pooled_of_a_withheld_part(frame: pl.DataFrame) -> pl.Series:
    return frame.select((pl.col("cohort") == "pooled") & pl.col("hidden").any().over(ESTIMAND)).to_series()


def _rounded(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    person_years = profile.rounded("person_years").cast(pl.Float64).alias("person_years")
    return frame.with_columns(profile.rounded("persons"), profile.rounded("events"), person_years)


def _rates_of_rounded_counts(frame: pl.DataFrame) -> pl.DataFrame:
    """Rates and ratios of rates again, from the counts that are shown: a dozen rows per cohort, never people."""
    rows = frame.to_dicts()
    shown = {
        _group(row, row["contrast"]): (row["events"], row["person_years"])
        for row in rows
        if row["scale"] == RATE and row["person_years"]
    }
    return pl.DataFrame([row | _recomputed(row, shown) for row in rows], schema=frame.schema)


def _group(row: dict[str, Any], contrast: str) -> Group:
    return (*(row[name] for name in KIND if name != "scale"), contrast)


def _recomputed(row: dict[str, Any], shown: dict[Group, Counted]) -> dict[str, Any]:
    """The numbers of a rate or ratio of rates from the counts shown; nothing for other rows."""
    if row["estimate"] is None or row["cohort"] == "pooled" or row["scale"] not in (RATE, RATIO):
        return {}
    counted = [shown.get(_group(row, arm)) for arm in row["contrast"].split(" vs ")]
    known = [each for each in counted if each and (row["scale"] == RATE or each[0])]
    if len(known) < len(counted):
        nothing_left = "not evaluable: nothing is left of its deaths or person-years when rounded"
        return dict.fromkeys(NUMBERS) | {"gate": nothing_left}
    events, person_years = zip(*known, strict=True)
    if row["scale"] == RATE:
        rate = per_1000_person_years(events[0], person_years[0])
        numbers = {"estimate": rate.rate, "ci_low": rate.ci_low, "ci_high": rate.ci_high, "se": rate.se}
    else:
        numbers = asdict(log_rate_ratio(events, person_years))
    return numbers | {"note": "; ".join(filter(None, [row["note"], "from the rounded counts shown"]))}


def _blanked(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    reason = pl.when("small").then(pl.lit(profile.withheld_small)).otherwise(pl.lit(profile.withheld_to_protect))
    gate = pl.when(pl.col("hidden") & (pl.col("gate") == "pass")).then(pl.format("not evaluable: {}", reason))
    return frame.with_columns(
        *(pl.when("hidden").then(None).otherwise(pl.col(name)).alias(name) for name in (*NUMBERS, *COUNTS)),
        gate.otherwise(blurred("gate", profile)).alias("gate"),
        pl.when("hidden").then(pl.lit("")).otherwise(blurred("note", profile)).alias("note"),
    ).select(*SCHEMA)
