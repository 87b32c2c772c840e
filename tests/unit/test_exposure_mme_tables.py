"""Factor tables of users: what counts, what is refused and told by row."""

from pathlib import Path

import polars as pl
import pytest
from one_dose import dose

from opioid_outcomes.errors import UserError
from opioid_outcomes.exposure import mme


def user_table(path: Path, rows: str) -> pl.DataFrame:
    path.write_text("ingredient,route,form,unit,factor,source\n" + rows, encoding="utf-8")
    return mme.factors(str(path))


def test_a_users_table_may_give_buprenorphine_a_factor_worn_for_seven_days(tmp_path: Path) -> None:
    """Four patches of 10 mcg/h for 28 days: 10 x 2.2 MME/day."""
    table = user_table(tmp_path / "own.csv", "Buprenorphine,transdermal,,mcg/h,2.2,HEAL\n")
    expected = (pytest.approx(22, rel=1e-12), None)
    assert dose("buprenorphine", 10, "mcg/h", 4, 28, route="transdermal", table=table) == expected


@pytest.mark.parametrize(
    ("ingredient", "route", "name", "reason"),
    [
        ("buprenorphine", None, "heal", "route_unknown"),
        ("buprenorphine", None, "cdc_2022", "buprenorphine"),
        ("buprenorphine", "sublingual", "heal", None),
        ("buprenorphine", "oral", "heal", "no_factor"),
        ("butorphanol", None, "cdc_2022", "route_unknown"),
        ("butorphanol", None, "heal", None),
        ("fentanyl", "rectal", "cdc_2022", "no_factor"),
    ],
)
def test_a_factor_by_route_needs_the_route(ingredient: str, route: str | None, name: str, reason: str | None) -> None:
    assert dose(ingredient, 1, "mg", 30, 30, route=route, table=mme.factors(name))[1] == reason


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("fentanyl,buccal,wafer,mcg,0.13,a", "form is not known in data rows 1"),
        ("fentanyl,,,mcg/h,2.4,a", "mcg/h is the unit of patches alone in data rows 1"),
        ("fentanyl,buccal,,mcg/h,2.4,a", "mcg/h is the unit of patches alone in data rows 1"),
    ],
)
def test_a_factor_that_no_product_could_have_is_refused(tmp_path: Path, row: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        user_table(tmp_path / "own.csv", f"{row}\n")


def test_the_most_specific_row_of_a_table_counts(tmp_path: Path) -> None:
    rows = "morphine,,,mg,1,a\nmorphine,rectal,,mg,2,a\nmorphine,rectal,suppository,mg,3,a\n"
    table = user_table(tmp_path / "own.csv", rows)
    found = [
        dose("morphine", 1, "mg", 1, 1, route=route, form=form, table=table)[0]
        for route, form in (("oral", None), (None, None), ("rectal", None), ("rectal", "suppository"))
    ]
    assert found == [1, 1, 2, 3]


def test_every_mistake_in_a_users_table_is_told_by_row(tmp_path: Path) -> None:
    rows = "morphine,mouth,,mg,1,a\n,oral,,mg,1,a\ncodeine,,,grain,1,a\ncodeine,,,mg,lots,a\ntramadol,,,mg,-1,a\n"
    with pytest.raises(UserError) as raised:
        user_table(tmp_path / "own.csv", rows)
    told = str(raised.value)
    for sentence in (
        "route is not known in data rows 1", "ingredient is missing in data rows 2", "unit is not known in data rows 3",
        "factor is no number in data rows 4, 5", "the product is there twice in data rows 3, 4",
    ):  # fmt: skip
        assert sentence in told


@pytest.mark.parametrize(
    "second", ["Oxycodone,,,mg,3,b", " oxycodone ,,,mg,3,b", "oxycodone,,,MG,3,b", "oxycodone,,,mcg,3,b"]
)
def test_two_factors_of_one_product_are_refused_however_they_are_written(tmp_path: Path, second: str) -> None:
    with pytest.raises(UserError, match="the product is there twice in data rows 1, 2"):
        user_table(tmp_path / "own.csv", f"oxycodone,,,mg,1.5,a\n{second}\n")


def test_routes_forms_and_units_are_read_in_any_letter_case(tmp_path: Path) -> None:
    table = user_table(tmp_path / "own.csv", "MORPHINE,Rectal,Suppository,MG,2,a\n")
    assert dose("morphine", 1, "mg", 1, 1, route="rectal", form="suppository", table=table)[0] == 2


@pytest.mark.parametrize(
    ("name", "fix"),
    [("oxycodone hydrochloride", "write oxycodone if that is meant"),
     ("Pethidine", "write meperidine if that is meant"),
     ("hydromorfone", "write hydromorphone if that is meant"),
     ("ibuprofen", "write the plain name of an opioid, or drop the row")],
)  # fmt: skip
def test_a_factor_that_no_fill_could_use_is_refused_with_the_nearest_name(tmp_path: Path, name: str, fix: str) -> None:
    with pytest.raises(UserError) as raised:
        user_table(tmp_path / "own.csv", f"morphine,,,mg,1,a\n{name},,,mg,1.5,a\n")
    [problem] = raised.value.problems
    assert (problem.what, problem.fix) == ("ingredient is no known opioid in data row 2", fix)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cdc_2019", "one of cdc_2016_flat, cdc_2016_tiers, cdc_2022, consort_2008, heal, or the path of a .csv"),
        ("nowhere.csv", "no such file"),
    ],
)
def test_a_table_that_is_not_there(name: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        mme.factors(name)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"ingredient,route\nmorphine,oral\n", "lacks the columns form, unit"), (b"", "is empty"),
     (b"\xff\xfe\x00bad", "is not UTF-8 text")],
)  # fmt: skip
def test_a_file_that_is_no_factor_table(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=told):
        mme.factors(str(path))


TIERED_HEADER = "ingredient,route,form,unit,above,factor,source\n"


def test_a_users_table_may_have_tiers(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(TIERED_HEADER + "methadone,oral,,mg,0,3,a\nmethadone,oral,,mg,30,9,a\nmethadone,rectal,,mg,,5,a\n")
    table = mme.factors(str(path))
    found = [dose("methadone", mg, "mg", 30, 30, table=table)[0] for mg in (30, 31)]
    assert found == [pytest.approx(90), pytest.approx(279)]
    assert dose("methadone", 31, "mg", 30, 30, route="rectal", table=table) == (pytest.approx(155), None)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("methadone,,,mg,20,8,a\nmethadone,,,mg,40,10,a\n", "tiers do not start at 0 in data rows 1, 2"),
        ("methadone,,,mg,0,8,a\nmethadone,,,mg,40,10,a\nmethadone,,,mg,20,9,a\n", "tiers do not rise in data rows 3"),
        ("methadone,,,mg,0,8,a\nmethadone,,,mg,0,10,a\n", "the product is there twice in data rows 1, 2"),
        ("methadone,,,mg,0,8,a\nmethadone,,,mg,,10,a\n", "rows with and without above in data rows 1, 2"),
        ("methadone,,,mcg,0,8,a\n", "tiers are not in mg in data rows 1"),
        ("methadone,,,mg,0,8,a\nmethadone,,,mg,lots,9,a\n", "above is no number in data rows 2"),
        ("methadone,,,mg,-5,8,a\n", "above is no number in data rows 1"),
        ("methadone,,,mg,0,8,a\ncodeine,,,mg,0,8,a\n", "tiers of another product in data rows 2"),
        ("methadone,oral,,mg,0,8,a\nmethadone,rectal,,mg,0,8,a\n", "tiers of another product in data rows 2"),
    ],
)
def test_tiers_that_leave_a_gap_or_contradict_each_other_are_refused(tmp_path: Path, rows: str, told: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(TIERED_HEADER + rows)
    with pytest.raises(UserError, match=told):
        mme.factors(str(path))
