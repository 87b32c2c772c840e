"""The frames behind tables and figures as they may leave."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes.contracts.display import Display
from opioid_outcomes.disclosure import bands, curves
from opioid_outcomes.disclosure.profile import Profile

# What the other parts of a ledger's rows would be subtracted from.
LEDGER_WHOLE = "canonical"
OTHER = "other"  # what few carry
DECIMALS = 3  # of values: finer ones say nothing to a reader and give rounded counts back
SAME = 1e-9


def released(frame: pl.DataFrame, contract: Display, profile: Profile) -> pl.DataFrame:
    """A display as it may leave: the contract's columns and ``suppressed``.

    suppressed: 1 where cells were blanked because a count is small, 2 where only to protect another row, or where a
    count is told as that of another row of which it is all but a few, else 0.
    """
    frame = frame.select(*contract.columns, *contract.unpublished)
    match contract.kind:
        case "curve":
            return curves.rounded(frame, contract.keys, profile)
        case "attrition":
            return _attrition(frame, profile)
        case "ledger":
            return _ledger(frame, contract, profile)
        case "bands" if profile.base > 1:
            return _cells(bands.told_together(_listed(frame, contract, profile), profile), contract, profile)
        case _:
            return _cells(frame, contract, profile)


def _cells(frame: pl.DataFrame, contract: Display, profile: Profile) -> pl.DataFrame:
    """Row by row: any small count, or a small remainder of a count in the next, takes the row's values with it.

    A count declared as a part takes only its own values.
    """
    if contract.base and profile.base > 1:
        frame = _with_few_missing_as_none(frame, *contract.base, profile)
    parts = [count for count, _ in contract.parts]
    judged = dict.fromkeys([*contract.counts, contract.behind or contract.counts[-1], *parts])
    frame = _all_but_a_few_as_all(frame, contract, profile)
    goes = {name: profile.small(name) | _small_remainder(contract, name, profile) for name in judged}
    alone = dict.fromkeys(contract.alone, pl.lit(False))
    for count, outer, inner in contract.inside:
        if count in parts:  # told as the other row's
            continue
        hides = alone if count in alone else goes
        hides[count] |= _few_between_rows(frame, contract.keys[0], (count, outer, inner), profile)
    frame = frame.with_columns(
        *(goes[name].alias(f"hidden {name}") for name in parts),
        *(rule.alias(f"cell {name}") for name, rule in alone.items()),
        hidden=pl.any_horizontal(rule for name, rule in goes.items() if name not in parts),
        small=pl.any_horizontal(profile.small(name) for name in contract.counts or judged),
    )
    if profile.base > 1:
        frame = _listed(_never_one_alone(frame, contract, profile), contract, profile)
        frame = _folded(_rounded(frame, contract, profile), contract)
    return _blanked(frame, contract)


def _blanked(frame: pl.DataFrame, contract: Display) -> pl.DataFrame:
    """Without what is hidden: the row, or a part of it."""
    rows = (*contract.counts, *contract.person_years, *contract.values)
    goes = dict.fromkeys(rows, pl.col("hidden"))
    for count, values in contract.parts:
        goes |= {name: goes[name] | pl.col(f"hidden {count}") for name in (count, *values) if name in rows}
    goes |= {name: goes[name] | pl.col(f"cell {name}") for name in contract.alone}
    protected = pl.any_horizontal(*goes.values(), "as another")
    return frame.with_columns(
        *(pl.when(rule).then(None).otherwise(pl.col(name)).alias(name) for name, rule in goes.items()),
        suppressed=pl.when(~protected).then(0).when("small").then(1).otherwise(2).cast(pl.Int8),
    ).select(*contract.columns, "suppressed")


def _small_remainder(contract: Display, part: str, profile: Profile) -> pl.Expr:
    """Whether a count leaves but a few of a larger one of which it is a part."""
    apart = [pl.col(whole) - pl.col(part) for whole, inner in contract.nested if inner == part]
    few = [rest.is_between(1, profile.threshold - 1).fill_null(value=False) for rest in apart]
    return pl.any_horizontal(few) if few else pl.lit(False)


def _few_between_rows(frame: pl.DataFrame, key: str, inside: tuple[str, str, str], profile: Profile) -> pl.Expr:
    """Whether a count is that of people all but a few of whom another row counts too."""
    count, outer, inner = inside
    apart = frame.filter(pl.col(key) == outer).get_column(count).sum() - pl.col(count)
    return ((pl.col(key) == inner) & apart.is_between(1, profile.threshold - 1)).fill_null(value=False)


def _all_but_a_few_as_all(frame: pl.DataFrame, contract: Display, profile: Profile) -> pl.DataFrame:
    """Counts with values of their own that are all but a few of another row's become that row's: ``as another``."""
    key, values, exact = contract.keys[0], dict(contract.parts), frame
    frame = frame.with_columns(pl.lit(value=False).alias("as another"))
    for count, outer, inner in contract.inside:
        if count in values:
            few = _few_between_rows(exact, key, (count, outer, inner), profile)
            told = {name: pl.col(name).filter(pl.col(key) == outer).first() for name in (count, *values[count])}
            frame = frame.with_columns(
                *(pl.when(few).then(other).otherwise(pl.col(name)).alias(name) for name, other in told.items()),
                pl.col("as another") | few,
            )
    return frame


def _listed(frame: pl.DataFrame, contract: Display, profile: Profile) -> pl.DataFrame:
    """Without rows whose keys alone would tell of few people."""
    if contract.unlisted is None:
        return frame
    count, keys = contract.unlisted
    return frame.filter(~pl.col(count).sum().over(keys).is_between(1, profile.threshold - 1))


def _folded(frame: pl.DataFrame, contract: Display) -> pl.DataFrame:
    """Hidden rows of a family as one, whose name does not tell what few people have."""
    if contract.folded is None:
        return frame
    family = list(contract.families[0])
    name = pl.when("hidden").then(pl.lit(OTHER)).otherwise(pl.col(contract.folded)).alias(contract.folded)
    told = frame.filter((~pl.col("hidden")).any().over(family)).with_columns(name, small=pl.lit(value=False))
    return told.unique([*family, contract.folded], keep="last", maintain_order=True)


def _with_few_missing_as_none(frame: pl.DataFrame, whole: str, part: str, key: str, profile: Profile) -> pl.DataFrame:
    """Where a value is missing for few, the people with it are told as everybody: else subtraction counts the few."""
    everybody = pl.col(whole).max().over(key)
    with_value = pl.col(part) == pl.col(whole)  # the row speaks of all who have the value
    few = (everybody - pl.col(whole)).is_between(1, profile.threshold - 1)
    return frame.with_columns(
        pl.when(few & with_value).then(everybody).otherwise(pl.col(part)).alias(part),
        pl.when(few).then(everybody).otherwise(pl.col(whole)).alias(whole),
    )


def _rounded(frame: pl.DataFrame, contract: Display, profile: Profile) -> pl.DataFrame:
    """Counts rounded; shares of one count in another from the rounded ones; quantiles only with enough behind."""
    total = contract.families[0] if contract.families else ()
    for share, part, whole in contract.shares:
        among = pl.col(whole) if whole else pl.col(part).sum().over([pl.col(name) for name in total] or [pl.lit(1)])
        frame = frame.with_columns(among.alias(f"whole of {share}"))
    plain = {
        share: (pl.col(share) - pl.col(part) / pl.col(f"whole of {share}")).abs() < SAME
        for share, part, _ in contract.shares
    }
    few = pl.col(contract.behind or contract.counts[-1]) < 2 * profile.threshold
    frame = frame.with_columns(
        *(pl.when(few).then(None).otherwise(pl.col(name)).alias(name) for name in contract.quantiles),
        *(rule.fill_null(value=False).alias(f"plain {share}") for share, rule in plain.items()),
    ).with_columns(
        *(profile.rounded(name).alias(name) for name in contract.counts),
        *(profile.rounded(name).cast(pl.Float64).alias(name) for name in contract.person_years),
        *(profile.rounded(f"whole of {share}") for share, _, _ in contract.shares),
    )
    frame = frame.with_columns(
        pl.when(f"plain {share}").then(pl.col(part) / pl.col(f"whole of {share}")).otherwise(share).alias(share)
        for share, part, _ in contract.shares
    )
    return frame.with_columns(
        # a column without any value has no type of its own
        pl.col(name).cast(pl.Float64).round(0 if name in contract.whole else DECIMALS)
        for name in contract.values
    )


def _never_one_alone(frame: pl.DataFrame, contract: Display, profile: Profile) -> pl.DataFrame:
    """Where the rows of a family that are hidden are one alone, or few together, the next smallest goes with them.

    The total would give one back, and would tell of few that they are few. A row hidden in one family may leave another
    alone in the next, so this goes round until nothing more is hidden.
    """
    size = pl.col([*contract.counts, contract.behind or ""][0])
    before = -1
    while before != (before := int(frame["hidden"].sum())):
        for names in contract.families:
            family = [pl.col(name) for name in names] or [pl.lit(1)]
            together = pl.when("hidden").then(size).otherwise(0).sum().over(family)
            few = (together < profile.threshold) & (together > 0)
            alone = (pl.col("hidden").sum().over(family) == 1) | few
            candidate = pl.when(~pl.col("hidden") & (size > 0)).then(size)
            next_smallest = candidate.rank("ordinal").over(family) == 1
            frame = frame.with_columns(hidden=pl.col("hidden") | (alone & next_smallest).fill_null(value=False))
    return frame


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
    shown = profile.held(np.array([before, after]))
    return before == after or min(before - after, int(shown[0] - shown[1])) >= profile.threshold
