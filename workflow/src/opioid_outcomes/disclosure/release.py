"""The one door out: frames about groups go in, what may be shown comes out."""

from __future__ import annotations

from typing import Any

import polars as pl

from opioid_outcomes.contracts.displays import Display
from opioid_outcomes.contracts.estimates import NUMBERS, SCHEMA
from opioid_outcomes.disclosure import curves
from opioid_outcomes.disclosure.profile import Profile, round_half_up

# The parts into which every input row of a table falls.
LEDGER_WHOLE = "canonical"


def estimates(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Rows of ``estimates.csv`` as they may leave.

    Where a count behind a row, in either arm, or what is left of its people after the events, is small, the numbers,
    the counts and the person-time go together. A rate hidden alone takes the next smallest with it, as the parts add up
    to a total. Cost O(rows).
    """
    rest = (pl.col("persons") - pl.col("events")).is_between(1, profile.threshold - 1).fill_null(value=False)
    small = profile.small("persons") | profile.small("events") | profile.small("smallest_cell") | rest
    frame = frame.with_columns(hidden=small).with_columns(hidden=pl.col("hidden") | _next_smallest_rate())
    counts = {name: profile.rounded(name) for name in ("persons", "events")}
    counts["person_years"] = profile.rounded("person_years").cast(pl.Float64)
    withheld = pl.lit(f"not evaluable: {profile.reason_hidden}")
    gate = pl.when(pl.col("hidden") & (pl.col("gate") == "pass")).then(withheld).otherwise(words("gate", profile))
    return frame.with_columns(
        *(pl.when("hidden").then(None).otherwise(pl.col(name)).alias(name) for name in NUMBERS),
        *(pl.when("hidden").then(None).otherwise(count).alias(name) for name, count in counts.items()),
        gate.alias("gate"),
        pl.when("hidden").then(pl.lit("")).otherwise(words("note", profile)).alias("note"),
    ).select(*SCHEMA)


def _next_smallest_rate() -> pl.Expr:
    """Whether a rate must be hidden with the only hidden one of its kind."""
    kind = ["cohort", "analysis", "method", "outcome", "window", "scale", "spec"]
    is_rate = pl.col("scale") == "rate_per_1000py"
    alone = pl.col("hidden").sum().over(kind) == 1
    events = pl.when(is_rate & ~pl.col("hidden") & (pl.col("events") > 0)).then("events")
    return (is_rate & alone & (events.rank("ordinal").over(kind) == 1)).fill_null(value=False)


def words(column: str, profile: Profile) -> pl.Expr:
    """Sentences with small counts of people or deaths in them blurred."""
    if profile.threshold == 1:
        return pl.col(column)
    small = "|".join(str(count) for count in range(1, profile.threshold))
    people = "people|persons|deaths|events|visits|users"
    return pl.col(column).str.replace_all(rf"\b(?:{small}) ({people})\b", f"<{profile.threshold} $1")


def display(frame: pl.DataFrame, contract: Display, profile: Profile) -> pl.DataFrame:
    """A display as it may leave: the contract's columns and ``suppressed``.

    suppressed: 1 where cells were blanked because a count is small, 2 where only to protect another row, else 0.
    """
    frame = frame.select(*contract.columns, *([contract.behind] if contract.behind else []))
    match contract.kind:
        case "curve":
            return curves.thinned(frame, profile)
        case "attrition":
            return _attrition(frame, profile)
        case "ledger":
            return _ledger(frame, contract, profile)
        case _:
            return _cells(frame, contract, profile)


def _cells(frame: pl.DataFrame, contract: Display, profile: Profile) -> pl.DataFrame:
    """Row by row: any small count, or a small remainder of a count in the next, takes the row's values with it."""
    behind = contract.behind or contract.counts[-1]
    hidden = pl.any_horizontal(profile.small(name) for name in {*contract.counts, behind})
    for whole, part in _nested(contract):
        hidden |= (pl.col(whole) - pl.col(part)).is_between(1, profile.threshold - 1).fill_null(value=False)
    frame = frame.with_columns(hidden=hidden, small=pl.any_horizontal(profile.small(name) for name in contract.counts))
    if contract.family is not None:
        frame = _never_one_alone(frame, contract)
    few = pl.col(behind) < 2 * profile.threshold
    shown = [
        *(profile.rounded(name).alias(name) for name in contract.counts),
        *(profile.rounded(name).cast(pl.Float64).alias(name) for name in contract.person_years),
        *(
            pl.when(few).then(None).otherwise(pl.col(name)).alias(name)
            for name in contract.quantiles
            if profile.base > 1
        ),
    ]
    blank = (*contract.counts, *contract.person_years, *contract.values)
    return (
        frame.with_columns(shown)
        .with_columns(pl.when("hidden").then(None).otherwise(pl.col(name)).alias(name) for name in blank)
        .with_columns(suppressed=pl.when(~pl.col("hidden")).then(0).when("small").then(1).otherwise(2).cast(pl.Int8))
        .select(*contract.columns, "suppressed")
    )


def _nested(contract: Display) -> list[tuple[str, str]]:
    """Counts of which the second is a part of the first, so that their difference is a group too."""
    pairs = (("of_persons", "persons"), ("persons", "persons_on"))
    return [pair for pair in pairs if set(pair) <= set(contract.counts)]


def _never_one_alone(frame: pl.DataFrame, contract: Display) -> pl.DataFrame:
    """Where one row of a family is hidden alone, its next smallest goes with it: the total would give it back."""
    size = pl.col(contract.counts[0])
    family = [pl.col(name) for name in contract.family or ()] or [pl.lit(1)]
    alone = pl.col("hidden").sum().over(family) == 1
    candidate = pl.when(~pl.col("hidden") & (size > 0)).then(size)
    next_smallest = candidate.rank("ordinal").over(family) == 1
    return frame.with_columns(hidden=pl.col("hidden") | (alone & next_smallest).fill_null(value=False))


def _ledger(frame: pl.DataFrame, contract: Display, profile: Profile) -> pl.DataFrame:
    """Cell by cell; with a small part goes the part that it would otherwise be subtracted from."""
    small = {name: profile.small(name) for name in contract.counts}
    any_small = pl.any_horizontal(small.values())
    hidden = {name: any_small if name == LEDGER_WHOLE else rule for name, rule in small.items()}
    return frame.with_columns(
        *(pl.when(rule).then(None).otherwise(profile.rounded(name)).alias(name) for name, rule in hidden.items()),
        suppressed=any_small.cast(pl.Int8),
    )


def _attrition(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Steps that drop too few people are told together with the next, so that no difference reveals them."""
    if profile.base == 1:
        return frame.with_columns(suppressed=pl.lit(0, pl.Int8))
    told: list[dict[str, Any]] = []
    rules: list[str] = []
    for step in frame.sort("step").iter_rows(named=True):  # a dozen steps, never people
        rules.append(step["rule"])
        if not told or _tellable(told[-1]["kept"], step["persons_kept"], profile):
            told.append({"rule": "; ".join(rules), "kept": step["persons_kept"]})
            rules = []
    while rules:  # the last steps drop too few to be told alone: they join the steps before them
        rules.insert(0, told.pop()["rule"])
        if not told or _tellable(told[-1]["kept"], step["persons_kept"], profile):
            told.append({"rule": "; ".join(rules), "kept": step["persons_kept"]})
            rules = []
    small = profile.small("kept")
    shown = pl.when(small).then(None).otherwise(profile.rounded("kept"))
    steps = pl.DataFrame(told, schema={"rule": pl.String(), "kept": pl.Int64()})
    return steps.select(
        step=pl.int_range(pl.len(), dtype=pl.Int64),
        rule="rule",
        persons_kept=shown,
        persons_dropped=shown.shift(1) - shown,
        suppressed=small.cast(pl.Int8),
    ).with_columns(pl.when(pl.col("step") == 0).then(0).otherwise("persons_dropped").alias("persons_dropped"))


def _tellable(before: int, after: int, profile: Profile) -> bool:
    """Whether the people between two steps, and what the rounded counts say of them, are none or enough."""
    shown = round_half_up(before, profile.base) - round_half_up(after, profile.base)
    return before == after or min(before - after, shown) >= profile.threshold
