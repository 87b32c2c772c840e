"""MME of a fill: METHODS B1's golden values, what stays unknown and why, and factor tables of a user."""

from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes.errors import UserError
from opioid_outcomes.exposure import mme

SCHEMA = {
    "ingredient": pl.String, "route": pl.String, "form": pl.String, "strength": pl.Float64, "strength_unit": pl.String,
    "quantity": pl.Float64, "days_supply": pl.Float64, "analgesic": pl.Int64, "reason": pl.String,
}  # fmt: skip


def dose(
    ingredient: str,
    strength: float | None,
    unit: str | None,
    quantity: float | None,
    days: float | None,
    *,
    route: str | None = "oral",
    form: str | None = None,
    analgesic: int = 1,
    table: pl.DataFrame | None = None,
) -> tuple[float | None, str | None]:
    reason = None if analgesic else "cough"
    row = (ingredient, route, form, strength, unit, quantity, days, analgesic, reason)
    fills = pl.LazyFrame([row], schema=SCHEMA, orient="row")
    factors = mme.factors("cdc_2022") if table is None else table
    return mme.attach(fills, factors).select("mme_per_day", "reason").collect().row(0)


@pytest.mark.parametrize(
    ("ingredient", "per_mg"),
    [
        ("codeine", 0.15), ("hydrocodone", 1), ("hydromorphone", 5), ("methadone", 4.7), ("morphine", 1),
        ("oxycodone", 1.5), ("oxymorphone", 3), ("tapentadol", 0.4), ("tramadol", 0.2),
        ("dihydrocodeine", 0.25), ("levorphanol", 11), ("meperidine", 0.1), ("pentazocine", 0.37), ("opium", 1),
    ],
)  # fmt: skip
def test_one_milligram_a_day(ingredient: str, per_mg: float) -> None:
    assert dose(ingredient, 1, "mg", 30, 30) == (pytest.approx(per_mg, rel=1e-12), None)


def test_ten_fentanyl_patches_of_25_for_30_days_are_60() -> None:
    """METHODS B1: 25 x (10/30) x 7.2 = 25 x 2.4 = 60."""
    assert dose("fentanyl", 25, "mcg/h", 10, 30, route="transdermal") == (pytest.approx(60, rel=1e-12), None)


def test_methadone_30_mg_a_day_is_141() -> None:
    assert dose("methadone", 10, "mg", 90, 30) == (pytest.approx(141, rel=1e-12), None)


def test_oxycodone_er_30_mg_sixty_for_thirty_days_and_5_mg_fourteen_for_seven() -> None:
    """METHODS B2: 90 and 15 MME/day; 2,700 and 105 MME in all."""
    assert dose("oxycodone", 30, "mg", 60, 30)[0] == pytest.approx(90, rel=1e-12)
    assert dose("oxycodone", 5, "mg", 14, 7)[0] == pytest.approx(15, rel=1e-12)


@pytest.mark.parametrize(
    ("route", "form", "per_mcg"),
    [
        ("buccal", "lozenge", 0.13), ("buccal", "tablet", 0.13), ("buccal", None, 0.13), ("sublingual", None, 0.13),
        ("buccal", "film", 0.18), ("sublingual", "spray", 0.18), ("nasal", "spray", 0.16),
    ],
)  # fmt: skip
def test_fentanyl_by_mucosa_is_per_microgram(route: str, form: str | None, per_mcg: float) -> None:
    """0.4 mg and 400 mcg are the same dose."""
    expected = (pytest.approx(400 * per_mcg, rel=1e-12), None)
    assert dose("fentanyl", 0.4, "mg", 30, 30, route=route, form=form) == expected
    assert dose("fentanyl", 400, "mcg", 30, 30, route=route, form=form) == expected


def test_liquids_are_milligrams_per_millilitre_times_millilitres() -> None:
    assert dose("morphine", 2, "mg/mL", 300, 30) == (pytest.approx(20, rel=1e-12), None)


@pytest.mark.parametrize(
    ("fill", "reason"),
    [
        ({"ingredient": "propoxyphene", "strength": 65, "unit": "mg"}, "no_factor"),
        ({"ingredient": "fentanyl", "strength": 0.1, "unit": "mg", "route": None}, "no_factor"),
        ({"ingredient": "fentanyl", "strength": 25, "unit": "mcg", "route": "transdermal"}, "no_factor"),
        ({"ingredient": "morphine", "strength": 25, "unit": "mcg/h"}, "no_factor"),
        ({"ingredient": "buprenorphine", "strength": 10, "unit": "mcg/h", "route": "transdermal"}, "buprenorphine"),
        ({"ingredient": "morphine", "strength": None, "unit": None}, "strength_unknown"),
        ({"ingredient": "morphine", "strength": 10, "unit": None}, "strength_unknown"),
        ({"ingredient": "morphine", "strength": 10, "unit": "mg", "quantity": None}, "quantity_unknown"),
        ({"ingredient": "morphine", "strength": 10, "unit": "mg", "days": None}, "no_days_supply"),
        ({"ingredient": "morphine", "strength": 1e9, "unit": "mg"}, "implausible_dose"),
        ({"ingredient": "codeine", "strength": 2, "unit": "mg/mL", "analgesic": 0}, "cough"),
    ],
)
def test_a_dose_that_cannot_be_known_is_missing_and_says_why(fill: dict, reason: str) -> None:
    assert dose(**{"quantity": 30, "days": 30, **fill}) == (None, reason)


def user_table(path: Path, rows: str) -> pl.DataFrame:
    path.write_text("ingredient,route,form,unit,factor,source\n" + rows, encoding="utf-8")
    return mme.factors(str(path))


def test_a_users_table_may_give_buprenorphine_a_factor_worn_for_seven_days(tmp_path: Path) -> None:
    """Four patches of 10 mcg/h for 28 days: 10 x 2.2 MME/day."""
    table = user_table(tmp_path / "own.csv", "Buprenorphine,transdermal,,mcg/h,2.2,HEAL\n")
    expected = (pytest.approx(22, rel=1e-12), None)
    assert dose("buprenorphine", 10, "mcg/h", 4, 28, route="transdermal", table=table) == expected


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
    [("cdc_2019", "one of cdc_2022, or the path of a .csv"), ("nowhere.csv", "no such file")],
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


def test_shipped_factors_have_a_source_and_name_known_opioids() -> None:
    from opioid_outcomes.exposure.product_names import ingredients

    table = mme.factors("cdc_2022")
    assert table.get_column("source").null_count() == 0
    assert set(table.get_column("ingredient")) <= set(ingredients().values())
    assert not table.select("ingredient", "route", "form").is_duplicated().any()
    assert set(table.get_column("unit")) <= set(mme.UNITS)
    assert "buprenorphine" not in table.get_column("ingredient")
