"""Cause groups of deaths."""

from __future__ import annotations

import polars as pl
import pytest

from opioid_outcomes.cohort import causes


@pytest.mark.parametrize(
    ("cause", "contributing", "expected"),
    [
        ("X42", "T402;F112", "opioid overdose: unintentional"),
        ("X420", "F112; T40.4", "opioid overdose: unintentional"),
        ("X62", "T40.6", "opioid overdose: self-harm"),
        ("X85", "T401", "opioid overdose: assault"),
        ("Y14", "T400", "opioid overdose: undetermined intent"),
        ("X42", "T405", "other overdose"),  # cocaine
        ("X41", "T424", "other overdose"),
        ("X44", None, "overdose, drug not recorded"),
        ("I219", None, "cardiovascular"),
        ("J44.9", None, "respiratory"),
        ("c509", None, "cancer"),
        ("X70", None, "suicide or other injury"),
        ("V892", "T402", "suicide or other injury"),  # an opioid in a road death is not a poisoning
        ("X59", None, "suicide or other injury"),
        ("E119", "T402", "other"),
        ("F112", None, "other"),
        (None, "T402", None),
        ("", None, None),
    ],
)
def test_group(cause: str | None, contributing: str | None, expected: str | None) -> None:
    frame = pl.DataFrame(
        {"cause": [cause], "contributing": [contributing]}, schema={"cause": pl.String, "contributing": pl.String}
    )
    assert frame.select(causes.group(pl.col("cause"), pl.col("contributing"))).item() == expected


def test_groups_are_told_without_intent_and_opioid_overdose_is_always_among_them() -> None:
    some = pl.Series(["opioid overdose: self-harm", "opioid overdose: unintentional", "cancer", None])
    assert causes.groups_in(some) == {"cancer": None, "opioid overdose": None, "unknown cause": None}
    told = causes.groups_in(pl.Series(["overdose, drug not recorded", "cancer"]))
    assert told["opioid overdose"] == "the drugs of overdoses are not among the recorded causes"
    assert causes.groups_in(pl.Series(["cancer", "other overdose"])) == {
        "opioid overdose": "no such death", "cancer": None, "other overdose": None,
    }  # fmt: skip


def test_nothing_is_told_of_opioid_overdose_where_contributing_causes_are_not_recorded() -> None:
    """Also where nobody died of poisoning: that there is no such death is not known then."""
    told = causes.groups_in(pl.Series(["cancer", None]), contributing=False)
    assert told == {
        "opioid overdose": "contributing causes are not recorded", "cancer": None, "unknown cause": None,
    }  # fmt: skip
    for values, recorded in (([None, None], False), ([" ", None], False), ([None, "I10"], True), ([], False)):
        deaths = pl.DataFrame({"contributing": values}, schema={"contributing": pl.String})
        assert causes.contributing_recorded(deaths) is recorded
