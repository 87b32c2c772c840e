"""Causes of death from ICD-10: the groups in which deaths are reported."""

from __future__ import annotations

import polars as pl

# ANALYSES 4.6: opioid overdose is a poisoning as underlying cause (unintentional, self-harm, assault, undetermined)
# with an opioid among the contributing ones. T40.5 is cocaine and is not among them.
POISONING = r"^(?:X4[0-4]|X6[0-4]|X85|Y1[0-4])"
OPIOID = r"(?:^|;)\s*T40[012346]"
GROUPS = (
    (r"^C", "cancer"),
    (r"^I", "cardiovascular"),
    (r"^J", "respiratory"),
    (r"^[V-Y]", "suicide or other injury"),
)


def group(cause: pl.Expr, contributing: pl.Expr) -> pl.Expr:
    """Cause group of a death; null where the underlying cause is not known.

    A poisoning whose contributing causes are not recorded is neither an opioid overdose nor another one: it stays
    ``overdose, drug not recorded``.
    """
    underlying = _plain(cause)
    with_opioid = _plain(contributing).str.contains(OPIOID)
    result = (
        pl.when(underlying.is_null() | (underlying == ""))
        .then(None)
        .when(underlying.str.contains(POISONING))
        .then(
            pl.when(with_opioid.is_null())
            .then(pl.lit("overdose, drug not recorded"))
            .when(with_opioid)
            .then(pl.lit("opioid overdose"))
            .otherwise(pl.lit("other overdose"))
        )
    )
    for pattern, name in GROUPS:
        result = result.when(underlying.str.contains(pattern)).then(pl.lit(name))
    return result.otherwise(pl.lit("other"))


UNKNOWN_CAUSE = "unknown cause"
OVERDOSES = ("opioid overdose", "other overdose", "overdose, drug not recorded")


def groups_in(causes: pl.Series) -> dict[str, str | None]:
    """The cause groups of some deaths (null is unknown), and for one that cannot be told apart, why; null else.

    Opioid overdose is always among them: without contributing causes no overdose can be told to be one.
    """
    found = sorted(causes.fill_null(UNKNOWN_CAUSE).unique())
    groups: dict[str, str | None] = dict.fromkeys(found)
    told_apart = bool(set(found) & set(OVERDOSES[:2]))
    if not told_apart and OVERDOSES[2] in found:
        groups = {OVERDOSES[0]: "the drugs of overdoses are not among the recorded causes", **groups}
    return groups


def _plain(code: pl.Expr) -> pl.Expr:
    return code.str.strip_chars().str.replace_all(".", "", literal=True).str.to_uppercase()
