"""MME of a fill: METHODS B1's golden values, what stays unknown and why, and factor tables of a user."""

import polars as pl
import pytest
from one_dose import SCHEMA, dose

from opioid_outcomes.config import shipped
from opioid_outcomes.exposure import mme, mme_tables
from opioid_outcomes.exposure.product_names import ingredients, parse

# MME of 1 mg a day by each table (METHODS B1; PEERS A; Von Korff 2008): None is no factor, and that is not 0.
TABLES = ("cdc_2022", "cdc_2016_tiers", "cdc_2016_flat", "heal", "consort_2008")
PER_MG = {
    #                 2022  tiers  flat  heal  consort
    "codeine":        (0.15, 0.15, 0.15, 0.15, 0.15),
    "dihydrocodeine": (0.25, 0.25, 0.25, 0.25, 0.25),
    "hydrocodone":    (1.00, 1.00, 1.00, 1.00, 1.00),
    "hydromorphone":  (5.00, 4.00, 4.00, 5.00, 4.00),
    "levorphanol":    (11.0, 11.0, 11.0, 11.0, 11.0),
    "meperidine":     (0.10, 0.10, 0.10, 0.10, 0.10),
    "methadone":      (4.70, 4.00, 3.00, 4.70, 3.00),
    "morphine":       (1.00, 1.00, 1.00, 1.00, 1.00),
    "opium":          (1.00, 1.00, 1.00, 1.00, None),
    "oxycodone":      (1.50, 1.50, 1.50, 1.50, 1.50),
    "oxymorphone":    (3.00, 3.00, 3.00, 3.00, 3.00),
    "pentazocine":    (0.37, 0.37, 0.37, 0.37, 0.37),
    "propoxyphene":   (None, None, None, None, 0.23),
    "tapentadol":     (0.40, 0.40, 0.40, 0.30, None),
    "tramadol":       (0.20, 0.10, 0.10, 0.20, 0.10),
    "nalbuphine":     (None, None, None, None, None),
}  # fmt: skip


@pytest.mark.parametrize("column", range(len(TABLES)), ids=TABLES)
@pytest.mark.parametrize("ingredient", PER_MG)
def test_one_milligram_a_day(ingredient: str, column: int) -> None:
    per_mg = PER_MG[ingredient][column]
    expected = (None, "no_factor") if per_mg is None else (pytest.approx(per_mg, rel=1e-12), None)
    assert dose(ingredient, 1, "mg", 30, 30, table=TABLES[column]) == expected


@pytest.mark.parametrize("table", TABLES)
def test_ten_fentanyl_patches_of_25_for_30_days_are_60(table: str) -> None:
    """METHODS B1: 25 x (10/30) x 7.2 = 25 x 2.4 = 60, by every table: 7.2 a patch is 2.4 a day of wear."""
    assert dose("fentanyl", 25, "mcg/h", 10, 30, route="transdermal", table=table) == (pytest.approx(60), None)


@pytest.mark.parametrize(
    ("table", "expected"),
    [("cdc_2016_tiers", 240), ("cdc_2022", 141), ("heal", 141), ("cdc_2016_flat", 90), ("consort_2008", 90)],
)
def test_methadone_30_mg_a_day(table: str, expected: float) -> None:
    assert dose("methadone", 10, "mg", 90, 30, table=table) == (pytest.approx(expected, rel=1e-12), None)


# mg of methadone in a day: MME. Tiers are (0, 20] x 4, (20, 40] x 8, (40, 60] x 10, above x 12, with no gap between
# them: 20.5 mg falls in the second.
TIERED = {
    0: 0, 0.5: 2, 1: 4, 20: 80, 20.01: 160.08, 20.5: 164, 30: 240, 40: 320, 40.5: 405, 60: 600, 60.5: 726, 61: 732,
    100: 1200, 20.000000001: 80.000000004,  # 20 mg, but for the rounding of a sum
}  # fmt: skip


def test_methadone_by_the_total_of_the_day() -> None:
    tiers = mme.tiers(mme.factors("cdc_2016_tiers"))
    assert tiers is not None
    assert tiers.rows() == [("methadone", 0, 4), ("methadone", 20, 8), ("methadone", 40, 10), ("methadone", 60, 12)]
    mg = pl.Series("mg", [*TIERED, None], dtype=pl.Float64)
    found = mg.to_frame().select(mme.mme_of_tiered(pl.col("mg"), tiers)).to_series().to_list()
    assert found == [*(pytest.approx(value, rel=1e-12) for value in TIERED.values()), None]


@pytest.mark.parametrize("table", [name for name in TABLES if name != "cdc_2016_tiers"])
def test_other_tables_have_no_tiers(table: str) -> None:
    assert mme.tiers(mme.factors(table)) is None


def test_a_fill_of_methadone_goes_along_with_its_milligrams_so_that_the_days_total_can_decide() -> None:
    """Twice 10 mg and 15 mg a day: 40 and 60 MME alone; together 25 mg, so 200."""
    table = mme.factors("cdc_2016_tiers")
    rows = [
        (name, "oral", None, strength, "mg", 60.0, 30.0, apart, reason)
        for name, strength, apart, reason in [
            ("methadone", 5.0, 1, None), ("methadone", 7.5, 1, None), ("morphine", 10.0, 1, None),
            ("methadone", 10.0, 0, "opioid_use_disorder"),
        ]
    ]  # fmt: skip
    found = mme.attach(pl.LazyFrame(rows, schema=SCHEMA, orient="row"), table).collect()
    assert found.select("mme_per_day", "tiered_mg_per_day").rows() == [(40, 10), (60, 15), (20, None), (None, None)]
    tiers = mme.tiers(table)
    assert tiers is not None
    total = found.select(mme.mme_of_tiered(pl.col("tiered_mg_per_day").sum(), tiers)).item()
    assert total == 200


@pytest.mark.parametrize(
    ("fill", "cdc", "heal"),
    [
        ({"strength": 8, "unit": "mg", "route": "sublingual", "quantity": 30}, None, 8 * 38.8),
        ({"strength": 300, "unit": "mcg", "route": "buccal", "quantity": 60}, None, 600 * 0.039),
        ({"strength": 0.3, "unit": "mg", "route": "buccal", "quantity": 60}, None, 600 * 0.039),
        # four patches of 10 mcg/h for 28 days, each worn 7: 10 x 2.2
        ({"strength": 10, "unit": "mcg/h", "route": "transdermal", "quantity": 4, "days": 28}, None, 22),
    ],
)
def test_buprenorphine_is_missing_by_the_cdc_and_known_by_heal(fill: dict, cdc: None, heal: float) -> None:
    fill = {"ingredient": "buprenorphine", "days": 30, **fill}
    for table in TABLES:
        expected = (pytest.approx(heal, rel=1e-12), None) if table == "heal" else (cdc, "buprenorphine")
        assert dose(**fill, table=table) == expected


def test_oxycodone_er_30_mg_sixty_for_thirty_days_and_5_mg_fourteen_for_seven() -> None:
    """METHODS B2: 90 and 15 MME/day; 2,700 and 105 MME in all."""
    assert dose("oxycodone", 30, "mg", 60, 30)[0] == pytest.approx(90, rel=1e-12)
    assert dose("oxycodone", 5, "mg", 14, 7)[0] == pytest.approx(15, rel=1e-12)


@pytest.mark.parametrize(
    ("route", "form", "per_mcg"),
    [
        ("buccal", "lozenge", 0.13), ("buccal", "tablet", 0.13), ("buccal", None, 0.13), ("sublingual", None, 0.13),
        ("buccal", "film", 0.18), ("sublingual", "spray", 0.18), ("buccal", "spray", 0.18), ("nasal", "spray", 0.16),
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
        ({"ingredient": "fentanyl", "strength": 0.1, "unit": "mg", "route": None}, "route_unknown"),
        ({"ingredient": "fentanyl", "strength": 25, "unit": "mcg", "route": "transdermal"}, "no_factor"),
        ({"ingredient": "morphine", "strength": 25, "unit": "mcg/h"}, "no_factor"),
        ({"ingredient": "buprenorphine", "strength": 10, "unit": "mcg/h", "route": "transdermal"}, "buprenorphine"),
        ({"ingredient": "morphine", "strength": None, "unit": None}, "strength_unknown"),
        ({"ingredient": "morphine", "strength": 10, "unit": None}, "strength_unknown"),
        ({"ingredient": "morphine", "strength": 0, "unit": "mg"}, "strength_unknown"),
        ({"ingredient": "morphine", "strength": -5, "unit": "mg"}, "strength_unknown"),
        ({"ingredient": "morphine", "strength": 10, "unit": "mg", "quantity": None}, "quantity_unknown"),
        ({"ingredient": "morphine", "strength": 10, "unit": "mg", "days": None}, "no_days_supply"),
        ({"ingredient": "morphine", "strength": 1e9, "unit": "mg"}, "implausible_dose"),
        ({"ingredient": "codeine", "strength": 2, "unit": "mg/mL", "analgesic": 0}, "cough"),
    ],
)
def test_a_dose_that_cannot_be_known_is_missing_and_says_why(fill: dict, reason: str) -> None:
    assert dose(**{"quantity": 30, "days": 30, **fill}) == (None, reason)


@pytest.mark.parametrize("name", TABLES)
def test_shipped_factors_have_a_source_and_name_known_opioids(name: str) -> None:
    table = mme.factors(name)
    assert table.get_column("source").null_count() == 0
    assert set(table.get_column("ingredient")) <= set(ingredients().values())
    assert not table.select("ingredient", "route", "form", "above").is_duplicated().any()
    assert set(table.get_column("unit")) <= set(mme_tables.UNITS)
    assert ("buprenorphine" in table.get_column("ingredient")) == (name == "heal")
    mme_tables._check(table.with_columns(pl.col("above", "factor").cast(pl.String)), name)


def test_every_shipped_table_is_tested_here() -> None:
    assert set(shipped.mme_factors()) == set(TABLES)


def test_the_same_fills_by_another_table() -> None:
    """Clean fills carry doses and reasons of one table; those of the other take their place."""
    rows = [
        ("buprenorphine", "transdermal", None, 10.0, "mcg/h", 4.0, 28.0, 1, None),
        ("tapentadol", "oral", None, 50.0, "mg", 60.0, 30.0, 1, None),
    ]
    clean = mme.attach(pl.LazyFrame(rows, schema=SCHEMA, orient="row"), mme.factors("cdc_2022"))
    assert clean.collect().select("mme_per_day", "reason").rows() == [(None, "buprenorphine"), (40, None)]
    other = mme.attach(clean, mme.factors("heal")).collect()
    assert other.get_column("mme_per_day").to_list() == [pytest.approx(22), pytest.approx(30)]
    assert other.get_column("reason").null_count() == 2


def test_fills_of_which_no_more_is_told_are_analgesic() -> None:
    rows = [
        ("oxycodone", "oral", None, 5.0, "mg", 60.0, 30.0, 1, None),
        ("x", "oral", None, 5.0, "mg", 6.0, 3.0, 1, None),
    ]
    fills, table = pl.DataFrame(rows, schema=SCHEMA, orient="row"), mme.factors("cdc_2022")
    whole = mme.attach(fills.lazy(), table).collect()
    assert whole.select("mme_per_day", "reason").rows() == [(15, None), (None, "no_factor")]
    assert mme.attach(fills.drop("form", "analgesic", "reason"), table).collect().select(whole.columns).equals(whole)
    with pytest.raises(ValueError, match=r"^missing columns: strength_unit, quantity$"):
        mme.attach(fills.drop("quantity", "strength_unit"), table)


def test_mme_of_one_unit_of_a_product() -> None:
    """A tablet, a mL, a patch (all its 3 days), a tablet with tiers, and what has none."""
    rows = [
        ("oxycodone", "oral", None, 5.0, "mg", 7.5, None, None),
        ("morphine", "oral", "solution", 2.0, "mg/mL", 2.0, None, None),
        ("fentanyl", "transdermal", "patch", 25.0, "mcg/h", 180.0, None, None),
        ("methadone", "oral", "tablet", 10.0, "mg", None, 10.0, None),
        ("buprenorphine", "transdermal", "patch", 10.0, "mcg/h", None, None, "buprenorphine"),
        ("nalbuphine", "oral", None, 10.0, "mg", None, None, "no_factor"),
        ("gabapentin", "oral", None, 300.0, "mg", None, None, "no_factor"),
        ("methadone", "oral", None, None, None, None, None, "strength_unknown"),
    ]
    schema = {name: SCHEMA[name] for name in mme.KIND}
    products = pl.DataFrame([row[:5] for row in rows], schema=schema, orient="row")
    found = mme.per_unit(products, mme.factors("cdc_2016_tiers"))
    assert found.select(mme.KIND).equals(products)
    assert found.select(mme.OF_UNIT).rows() == [row[5:] for row in rows]


def test_text_may_be_categorical() -> None:
    rows = [
        ("methadone", "oral", None, 10.0, "mg", 90.0, 30.0, 1, None),
        ("fentanyl", "transdermal", "patch", 25.0, "mcg/h", 10.0, 30.0, 1, None),
        ("codeine", "oral", "solution", 2.0, "mg/mL", 10.0, 30.0, 0, "cough"),
        (None, None, None, None, None, 10.0, 30.0, 1, None),
    ]
    fills = pl.LazyFrame(rows, schema=SCHEMA, orient="row")
    for name in ("cdc_2016_tiers", "cdc_2022"):
        table = mme.factors(name)
        as_text = mme.attach(fills, table).collect()
        categorical = mme.attach(fills.with_columns(pl.col(pl.String).cast(pl.Categorical)), table).collect()
        assert categorical.with_columns(pl.col(pl.Categorical).cast(pl.String)).equals(as_text)


# A product as its source names it, quantity and days_supply: MME a day by cdc_2022
FROM_NAME_TO_DOSE = {
    # the opioid's milligrams count, not its partner's
    ("acetaminophen 325 MG / oxycodone hydrochloride 10 MG Oral Tablet [Percocet]", 90, 30): 45,
    ("OXYCODONE-ACETAMINOPHEN 10-325 MG TABLET", 90, 30): 45,
    ("HYDROCODONE-ACETAMINOPHEN 5-325", 120, 30): 20,
    ("Hydrocodone Bitartrate 7.5 MG / Ibuprofen 200 MG Oral Tablet", 40, 10): 30,
    ("ACETAMINOPHEN-COD #3 TABLET", 120, 30): 18,
    ("Acetaminophen 325 MG / tramadol hydrochloride 37.5 MG Oral Tablet", 80, 10): 60,
    # liquids: mg/mL x mL
    ("Morphine Sulfate 2 MG/ML Oral Solution", 300, 30): 20,
    ("MORPHINE SULFATE 100 MG/5 ML (20 MG/ML)", 30, 30): 20,
    ("HYDROCODONE-ACETAMINOPHEN 7.5-325 MG/15 ML SOLUTION", 450, 10): 22.5,
    # patches, 72 hours each
    ("fentanyl 0.025 MG/HR Transdermal System", 10, 30): 60,
    ("FENTANYL 25 MCG/HR PATCH", 10, 30): 60,
    ("FENTANYL 25 MCG PATCH", 10, 30): 60,
    ("72 HR Fentanyl 0.1 MG/HR Transdermal System [Duragesic]", 5, 15): 240,
    # mcg and mg
    ("Fentanyl 0.4 MG Oral Lozenge [Actiq]", 30, 30): 52,
    ("fentanyl 400 mcg lozenge", 30, 30): 52,
    ("Fentanyl 0.1 MG/ACTUAT Nasal Spray", 60, 30): 32,
    ("Fentanyl 0.1 MG/ACTUAT Mucosal Spray [Subsys]", 60, 30): 36,
    ("tramadol ER 100mg", 30, 30): 20,
    ("methadone hydrochloride 10 MG Oral Tablet", 90, 30): 141,
    # on, but the dose is missing, not zero
    ("168 HR buprenorphine 0.01 MG/HR Transdermal Patch", 4, 28): "buprenorphine",
    ("propoxyphene napsylate 100 MG Oral Tablet", 60, 30): "no_factor",
    ("Percocet", 60, 30): "strength_unknown",
}  # fmt: skip


@pytest.mark.parametrize(("name", "quantity", "days"), FROM_NAME_TO_DOSE)
def test_from_the_name_to_the_dose(name: str, quantity: float, days: float) -> None:
    product = parse(name)
    assert product is not None
    found = dose(
        product.ingredient, product.strength, product.strength_unit, quantity, days,
        route=product.route, form=product.form,
    )  # fmt: skip
    expected = FROM_NAME_TO_DOSE[name, quantity, days]
    assert found == ((None, expected) if isinstance(expected, str) else (pytest.approx(expected, rel=1e-12), None))
