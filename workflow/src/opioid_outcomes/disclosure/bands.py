"""Bands of few people told together with their neighbours, rather than hidden month after month (DISCLOSURE, Out 6)."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.contracts.bands import OFF, TREATMENT, UNKNOWN, ordered, parts, together
from opioid_outcomes.disclosure.profile import Profile

MOST_SMALL = 0.1  # of its months: a band small in more of them is told together with a neighbour in all


def told_together(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Rows month, band, persons, share in which few bands are small, the smallest joined first.

    A band is joined in all months alike, so that no month's difference gives it away: a dose with the next higher, the
    highest with the next lower, unknown and treatment with each other, else (they are together already, or one of them
    is not there) with the dose of fewest people or, without one, with off, and treatment alone with off; off with the
    lowest dose. What is small in few months only stays, to be
    hidden there. The order of rows is kept.
    """
    while (small := _smallest(frame, profile)) is not None:
        partner = _partner(small, ordered(frame["band"].unique()), _fewest_first(frame))
        if partner is None:
            return frame
        joined = together(small, partner)
        frame = (
            frame.with_columns(pl.col("band").replace({small: joined, partner: joined}))
            .group_by("month", "band", maintain_order=True)
            .agg(pl.col("persons", "share").sum())
        )
    return frame


def _smallest(frame: pl.DataFrame, profile: Profile) -> str | None:
    """Of the bands that are small in too many of their months the one of fewest people."""
    often = (
        frame.group_by("band")
        .agg(profile.small("persons").mean().alias("small"), pl.col("persons").sum())
        .filter(pl.col("small") > MOST_SMALL)
        .sort("persons", "band")
    )
    return None if often.is_empty() else often.item(0, "band")


def _fewest_first(frame: pl.DataFrame) -> list[str]:
    people = frame.group_by("band").agg(pl.col("persons").sum()).sort("persons", "band")
    return people.get_column("band").to_list()


def _partner(small: str, bands: list[str], fewest_first: list[str]) -> str | None:
    others = [band for band in bands if band != small]
    doses = [band for band in others if not {OFF, TREATMENT, UNKNOWN} & set(parts(band))]
    mine = set(parts(small))
    if mine & {TREATMENT, UNKNOWN}:
        state = next((band for band in others if set(parts(band)) & {TREATMENT, UNKNOWN} - mine), None)
        off = next((band for band in others if OFF in parts(band)), None)
        dose = next((band for band in fewest_first if band in doses), None) if UNKNOWN in mine else None
        return state or dose or off
    if OFF in mine:
        return next(iter([*doses, *others]), None)
    higher = [band for band in doses if bands.index(band) > bands.index(small)]
    return next(iter(higher), None) or next(iter(reversed(doses)), None)
