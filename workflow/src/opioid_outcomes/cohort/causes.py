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


INTENTS = (
    (r"^X4", "unintentional"),
    (r"^X6", "self-harm"),
    (r"^X85", "assault"),
    (r"^Y1", "undetermined intent"),
)
OPIOID_OVERDOSE = "opioid overdose"
NO_CONTRIBUTING = "contributing causes are not recorded"


def group(cause: pl.Expr, contributing: pl.Expr) -> pl.Expr:
    """Cause group of a death, of an opioid overdose with its intent; null where the underlying cause is not known.

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
            .then(pl.lit(f"{OPIOID_OVERDOSE}: ") + _intent(underlying))
            .otherwise(pl.lit("other overdose"))
        )
    )
    for pattern, name in GROUPS:
        result = result.when(underlying.str.contains(pattern)).then(pl.lit(name))
    return result.otherwise(pl.lit("other"))


UNKNOWN_CAUSE = "unknown cause"
OVERDOSES = (OPIOID_OVERDOSE, "other overdose", "overdose, drug not recorded")


def main_group(cause: pl.Expr) -> pl.Expr:
    """The group of a death without the intent; "unknown cause" where it is not known."""
    return cause.str.split(": ").list.first().fill_null(UNKNOWN_CAUSE)


def _intent(underlying: pl.Expr) -> pl.Expr:
    result = pl.lit(INTENTS[0][1])
    for pattern, name in INTENTS[1:]:
        result = pl.when(underlying.str.contains(pattern)).then(pl.lit(name)).otherwise(result)
    return result


def contributing_recorded(deaths: pl.DataFrame) -> bool:
    """Whether any of the deaths (canonical) has a contributing cause: if none has, they are not recorded."""
    return bool(deaths.select((_plain(pl.col("contributing")) != "").fill_null(value=False).any()).item())


def groups_in(causes: pl.Series, *, contributing: bool = True) -> dict[str, str | None]:
    """The cause groups of some deaths (null is unknown), and for one that cannot be told apart, why; null else.

    Opioid overdose is always among them, with a reason where the cohort's contributing causes are not recorded (then of
    no poisoning can it be known), where the drugs of the overdoses among these deaths are not, and where there is none.
    """
    found = sorted(causes.to_frame("cause").select(main_group(pl.col("cause"))).to_series().unique())
    groups: dict[str, str | None] = dict.fromkeys(found)
    overdose, other, unclear = OVERDOSES
    if not contributing:
        return {overdose: NO_CONTRIBUTING} | {name: why for name, why in groups.items() if name != overdose}
    if overdose not in found:
        silent = unclear in found and other not in found
        why = "the drugs of overdoses are not among the recorded causes" if silent else "no such death"
        groups = {overdose: why, **groups}
    return groups


def _plain(code: pl.Expr) -> pl.Expr:
    return code.str.strip_chars().str.replace_all(".", "", literal=True).str.to_uppercase()
