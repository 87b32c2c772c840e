"""Which product a fill is: as given, by its code, from its name - in this order - and which fills are kept apart."""

from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.contracts.canonical import DISPENSINGS
from opioid_outcomes.errors import UserError
from opioid_outcomes.exposure import products, set_apart
from opioid_outcomes.exposure.product_forms import FORMS
from opioid_outcomes.exposure.product_names import OTHER_NAMES, brand_facts, ingredients, opioids, parse

HEADER = "code,vocabulary,ingredient,route,release,strength,strength_unit\n"


def fills(*rows: dict) -> pl.DataFrame:
    defaults = {"person_id": 1, "date": 0}
    return pl.DataFrame([defaults | row for row in rows], schema=DISPENSINGS.schema(pl.Int64()))


def resolve(*rows: dict, dictionary: str | None = None) -> list[dict]:
    """Each row with its product."""
    found = products.resolve(fills(*rows), products.dictionary(dictionary))
    return found.fills.join(found.products, on="product_row", how="left", maintain_order="left").to_dicts()


def own_dictionary(path: Path, rows: str) -> str:
    path.write_text(HEADER + rows, encoding="utf-8")
    return str(path)


def test_what_is_given_stands_before_code_and_name(tmp_path: Path) -> None:
    path = own_dictionary(tmp_path / "codes.csv", "00406055201,NDC,oxycodone,oral,IR,5,mg\n")
    name = "morphine sulfate 15 MG Extended Release Oral Tablet"
    coded = {"code": "00406-0552-01", "vocabulary": "NDC", "product_name": name}
    given = coded | {
        "ingredient": "Hydrocodone",
        "route": "rectal",
        "release": "ER",
        "strength": 7.5,
        "strength_unit": "mg",
    }
    by_hand, by_code, by_name = resolve(given, coded, {"product_name": name}, dictionary=path)

    def told(row: dict) -> tuple:
        return tuple(row[key] for key in ("ingredient", "route", "release", "strength", "strength_unit", "opioid"))

    assert told(by_hand) == ("hydrocodone", "rectal", "ER", 7.5, "mg", True)
    assert told(by_code) == ("oxycodone", "oral", "IR", 5, "mg", True)
    assert told(by_name) == ("morphine", "oral", "ER", 15, "mg", True)
    assert by_code["code"] == "00406-0552-01"  # as recorded


def test_strength_and_unit_come_from_one_source(tmp_path: Path) -> None:
    path = own_dictionary(tmp_path / "codes.csv", "1,NDC,fentanyl,transdermal,ER,25,mcg/h\n")
    [row] = resolve({"code": "1", "vocabulary": "NDC", "product_name": "fentanyl 0.1 MG"}, dictionary=path)
    assert (row["strength"], row["strength_unit"]) == (25, "mcg/h")
    [row] = resolve({"code": "1", "vocabulary": "NDC", "strength": 50.0}, dictionary=path)
    assert (row["strength"], row["strength_unit"]) == (25, "mcg/h")


def test_a_strength_without_a_unit_is_unknown() -> None:
    alone, named = resolve(
        {"ingredient": "oxycodone", "strength": 5.0},
        {"ingredient": "oxycodone", "strength": 5.0, "product_name": "oxycodone 10 MG Oral Tablet"},
    )
    assert (alone["strength"], alone["strength_unit"]) == (None, None)
    assert (named["strength"], named["strength_unit"]) == (10, "mg")


def test_a_strength_in_mg_of_a_liquid_is_unknown() -> None:
    given = {
        "ingredient": "morphine",
        "strength": 10.0,
        "strength_unit": "mg",
        "product_name": "morphine oral solution",
    }
    told, unsaid, tablet, injection = resolve(
        given | {"product_name": "morphine 10 MG/5 ML oral solution"},
        given,
        given | {"product_name": "morphine tablet"},
        given | {"route": "injection"},
    )
    assert (told["strength"], told["strength_unit"]) == (2, "mg/mL")
    assert unsaid["strength"] is None
    assert tablet["strength"] == injection["strength"] == 10


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"code": "N02AA05", "vocabulary": "ATC"}, ("oxycodone", None, None, None, None)),
        ({"ingredient": "Oxycodone"}, ("oxycodone", None, None, None, None)),
        ({"ingredient": "oxycodone", "code": "1049621", "vocabulary": "RxNorm"}, ("oxycodone", "oral", "IR", 5, "mg")),
        ({"ingredient": "morphine", "code": "1049621", "vocabulary": "RxNorm"}, ("morphine", None, None, None, None)),
    ],
)  # fmt: skip
def test_what_name_or_code_say_of_another_drug_is_not_used(row: dict, told: tuple) -> None:
    [found] = resolve(row | {"product_name": "12 HR tramadol 50 MG Extended Release Oral Tablet"})
    assert tuple(found[name] for name in ("ingredient", "route", "release", "strength", "strength_unit")) == told
    assert found["opioid"]


@pytest.mark.parametrize(
    ("row", "recognised"),
    [
        ({"product_name": "Naproxen 500 MG"}, True),
        ({"product_name": "OXYCODN/APAP 5-325MG TAB"}, False),  # almost an opioid
        ({"ingredient": "oxycodn/apap"}, False),
        ({"code": "99999999999", "vocabulary": "NDC", "product_name": "hydrocodne 5 mg"}, False),
        ({"product_name": "hydrocortisone 5 MG"}, True),
        ({"ingredient": "ibuprofen", "product_name": "oxycodone 5 MG Oral Tablet"}, False),  # which of the two?
        ({"ingredient": "ibuprofen", "product_name": "ibuprofen 200 MG Oral Tablet"}, True),
        ({"product_name": "Fentanyl test strip"}, True),
    ],
)
def test_what_is_almost_an_opioid_is_no_other_medicine(row: dict, recognised: bool) -> None:
    [found] = resolve(row)
    assert (found["opioid"], found["recognised"]) == (False, recognised)


def test_users_codes_go_before_shipped_ones(tmp_path: Path) -> None:
    path = own_dictionary(tmp_path / "codes.csv", "N02AX02,ATC,tapentadol,,,,\n")
    row = {"code": "N02AX02", "vocabulary": "ATC"}
    assert resolve(row)[0]["ingredient"] == "tramadol"
    assert resolve(row, dictionary=path)[0]["ingredient"] == "tapentadol"


@pytest.mark.parametrize(
    ("ingredient", "resolved", "opioid"),
    [("Oxycodone Hydrochloride", "oxycodone", True), ("pethidine", "meperidine", True),
     ("codeine / acetaminophen", "codeine", True), ("dihydrocodeine", "dihydrocodeine", True),
     ("gabapentin", "gabapentin", False), ("ipratropium", "ipratropium", False)],
)  # fmt: skip
def test_ingredients_are_matched_by_whole_words(ingredient: str, resolved: str, opioid: bool) -> None:
    [row] = resolve({"ingredient": ingredient})
    assert (row["ingredient"], row["opioid"]) == (resolved, opioid)


def test_a_given_ingredient_that_is_no_opioid_is_not_overruled_by_the_name() -> None:
    [row] = resolve({"ingredient": "naloxone", "product_name": "naloxone 0.5 MG / pentazocine 50 MG Oral Tablet"})
    assert not row["opioid"]


def test_a_code_that_no_dictionary_knows_is_not_recognised() -> None:
    unknown, named = resolve({"code": "99999999999", "vocabulary": "NDC"}, {"product_name": "Naproxen 500 MG"})
    assert (unknown["opioid"], unknown["recognised"]) == (False, False)
    assert (named["opioid"], named["recognised"]) == (False, True)


def test_one_row_in_one_row_out_in_order() -> None:
    rows = [
        {"product_name": name, "quantity": float(i)} for i, name in enumerate(["tramadol 50 MG", "x", "codeine"] * 5)
    ]
    assert [row["quantity"] for row in resolve(*rows)] == [float(i) for i in range(15)]
    empty = products.resolve(fills(), products.dictionary())
    assert empty.fills.is_empty()
    assert empty.products.is_empty()


def test_a_product_is_worked_out_once_whatever_the_order_of_rows() -> None:
    names = ["tramadol 50 MG", None, "codeine 30 MG", "x"] * 25
    mg = {"strength": 5.0, "strength_unit": "mg"}
    rows = [{"product_name": name} | (mg if i % 8 == 0 else {}) for i, name in enumerate(names)]
    ahead = products.resolve(fills(*rows), products.dictionary())
    back = products.resolve(fills(*rows[::-1]), products.dictionary())
    assert ahead.products.height == 5
    assert ahead.products.equals(back.products)
    assert ahead.products["product_row"].to_list() == list(range(5))
    assert ahead.fills["product_row"].to_list() == back.fills["product_row"].to_list()[::-1]
    told = ahead.products.select("product_name", "ingredient", "strength").rows()
    assert [told[row] for row in ahead.fills["product_row"].head(4)] == [
        ("tramadol 50 MG", "tramadol", 5), (None, None, None), ("codeine 30 MG", "codeine", 30), ("x", None, None),
    ]  # fmt: skip


def test_dispensings_that_say_nothing_of_a_product_are_one_product() -> None:
    found = products.resolve(fills({}, {"person_id": 2}), products.dictionary())
    assert found.fills["product_row"].to_list() == [0, 0]
    assert found.products.select("opioid", "recognised", "product").rows() == [(False, False, None)]


def test_upper_ends_of_ranges_go_along_where_they_are_recorded() -> None:
    row = fills({"quantity": 1.0}).with_columns(quantity_to=pl.lit(2.0))
    [fill] = products.resolve(row, products.dictionary()).fills.to_dicts()
    assert (fill["quantity"], fill["quantity_to"], fill["strength_to"], fill["days_supply_to"]) == (1, 2, None, None)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"product_name": "oxycodone 5 MG Oral Tablet"}, "oxycodone|5|oral|IR"),
        ({"ingredient": "oxycodone", "strength": 5000.0, "strength_unit": "mcg", "route": "oral", "release": "IR"},
         "oxycodone|5|oral|IR"),
        ({"product_name": "72 HR fentanyl 0.0125 MG/HR Transdermal System"}, "fentanyl|0.0125/h|transdermal|ER"),
        ({"product_name": "morphine 2 MG/ML Oral Solution"}, "morphine|2/mL|oral|IR"),
        ({"ingredient": "morphine"}, "morphine|||"),
    ],
)  # fmt: skip
def test_product_key_is_ingredient_strength_in_mg_route_release(row: dict, key: str) -> None:
    [found] = resolve(row)
    assert found["product"] == key


@pytest.mark.parametrize(
    ("code", "vocabulary", "told"),
    [
        ("7804", "RxNorm", ("oxycodone", None, None, None, None)),
        ("1049683", "RxNorm", ("oxycodone", "oral", "IR", 10, "mg")),
        ("245134", "RxNorm", ("fentanyl", "transdermal", "ER", 25, "mcg/h")),
        ("00093-0741-01", "NDC", ("propoxyphene", "oral", "IR", 65, "mg")),
        ("N02AA05", "ATC", ("oxycodone", None, None, None, None)),
    ],
)
def test_shipped_codes(code: str, vocabulary: str, told: tuple) -> None:
    [row] = resolve({"code": code, "vocabulary": vocabulary})
    assert tuple(row[name] for name in ("ingredient", "route", "release", "strength", "strength_unit")) == told


def test_a_strength_per_hour_without_a_route_is_a_patch() -> None:
    patch = {"ingredient": "fentanyl", "strength": 25.0, "strength_unit": "mcg/h"}
    assert resolve(patch)[0]["route"] == "transdermal"
    assert resolve(patch | {"route": "other"})[0]["route"] == "other"
    assert resolve(patch | {"strength_unit": "mcg"})[0]["route"] is None


def test_a_name_stands_in_one_column_for_one_opioid() -> None:
    table = opioids()
    names = [
        name for column in ("ingredient", *OTHER_NAMES) for row in table[column].drop_nulls() for name in row.split("|")
    ]
    assert len(names) == len(set(names)) == len(ingredients())
    assert all(name == name.lower().strip() for name in names)


def test_shipped_codes_name_known_opioids_once() -> None:
    codes = products.dictionary()
    assert set(codes.get_column("ingredient")) <= set(ingredients().values())
    assert not codes.select("code", "vocabulary").is_duplicated().any()


def shipped_rows() -> pl.DataFrame:
    """The shipped dictionary as it stands in its file."""
    return io.read_text_table(shipped.DATA / "drugs" / "dictionary.csv").with_columns(pl.col("strength").cast(float))


def test_every_shipped_product_is_what_its_name_says() -> None:
    named = shipped_rows().drop_nulls("name")
    assert named.height > 850
    for row in named.iter_rows(named=True):
        product = parse(row["name"])
        assert product is not None
        release = product.release if product.route else None  # a name without a route says nothing of it
        told = (product.ingredient, product.route, release, product.strength, product.strength_unit, product.form)
        columns = ("ingredient", "route", "release", "strength", "strength_unit", "form")
        assert tuple(row[name] for name in columns) == told
        assert row["indication"] == product.indication


def test_every_shipped_clinical_drug_has_route_and_strength() -> None:
    drugs = shipped_rows().filter(pl.col("name").str.contains(r"\d"))
    lacking = drugs.filter(pl.any_horizontal(pl.col("route", "strength", "strength_unit").is_null()))
    assert lacking["name"].str.to_lowercase().to_list() == ["fentanyl 0.1 mg"]  # a drug component
    assert set(drugs["form"].drop_nulls()) <= set(FORMS)
    unnamed = shipped_rows().filter(pl.col("name").is_null())
    assert unnamed["strength"].null_count() == unnamed.height


def test_shipped_ndc_have_eleven_digits() -> None:
    codes = shipped_rows().filter(vocabulary="NDC")["code"]
    assert codes.str.contains(r"^\d{11}$").all()


def test_brands_are_those_of_opioids() -> None:
    assert set(brand_facts()) <= set(ingredients())


def test_largest_strengths_are_those_of_the_shipped_dictionary() -> None:
    rows = products.dictionary().drop_nulls(["strength", "route"])
    per_unit = rows.filter(~pl.col("route").is_in(["injection", "implant"]))
    table = {row["ingredient"]: row for row in opioids().iter_rows(named=True)}
    for unit, column, drugs in (
        ("mg", "largest_mg", per_unit), ("mg/mL", "largest_mg_per_ml", rows), ("mcg/h", "largest_mcg_per_hour", rows),
    ):  # fmt: skip
        largest = dict(drugs.filter(strength_unit=unit).group_by("ingredient").agg(pl.col("strength").max()).rows())
        largest |= {"tramadol": 100.0} if unit == "mg/mL" else {}  # drops, which RxNorm does not have
        assert {name: row[column] for name, row in table.items() if row[column]} == largest


@pytest.mark.parametrize(
    ("ingredient", "strength", "unit", "route", "plausible"),
    [
        ("oxycodone", 160.0, "mg", "oral", True),
        ("oxycodone", 320.0, "mg", "oral", True),  # twice the largest
        ("oxycodone", 325.0, "mg", "oral", False),  # its partner's
        ("fentanyl", 25.0, "mg", "transdermal", False),  # mcg/h
        ("fentanyl", 1600.0, "mcg", "buccal", True),
        ("fentanyl", 100.0, "mcg/h", "transdermal", True),
        ("fentanyl", 2500.0, "mcg/h", "transdermal", False),  # 25.00
        ("morphine", 100.0, "mg/mL", "oral", True),
        ("morphine", 200.0, "mg/mL", "oral", False),
        ("buprenorphine", 75.0, "mg", "buccal", False),  # mcg
        ("buprenorphine", 74.2, "mg", "implant", True),
        ("hydromorphone", 250.0, "mg", "injection", True),
        ("nalbuphine", 5000.0, "mg", "oral", True),  # its largest is not known
        ("gabapentin", 5000.0, "mg", "oral", True),  # no opioid
        ("oxycodone", 5000.0, None, "oral", True),  # of what?
        ("oxycodone", None, None, "oral", True),
        ("oxycodone", float("inf"), "mg", "oral", True),  # not used: see below
    ],
)
def test_a_strength_is_plausible_up_to_twice_the_largest(
    ingredient: str, strength: float | None, unit: str | None, route: str, plausible: bool
) -> None:
    [row] = resolve({"ingredient": ingredient, "strength": strength, "strength_unit": unit, "route": route})
    assert row["strength_plausible"] == plausible


@pytest.mark.parametrize("strength", [0.0, -5.0, float("nan"), float("inf")])
def test_a_strength_that_is_none_is_not_used(strength: float) -> None:
    given = {"ingredient": "oxycodone", "strength": strength, "strength_unit": "mg"}
    alone, named, coded = resolve(
        given, given | {"product_name": "oxycodone 10 MG"}, given | {"code": "1049621", "vocabulary": "RxNorm"}
    )
    assert (alone["strength"], alone["product"]) == (None, "oxycodone|||")
    assert (named["strength"], named["strength_unit"]) == (10, "mg")
    assert (coded["strength"], coded["strength_unit"]) == (5, "mg")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("0406-0552-01,NDC,oxycodone,oral,IR,5,mg\n406055201,NDC,morphine,oral,IR,15,mg\n",
         "one NDC is there in two spellings with different products in data rows 2"),
        ("1,NDC,oxycodone,oral,IR,325,mg\n", "strength is more than twice the largest marketed in data rows 1"),
        ("1,NDC,fentanyl,transdermal,ER,2500,mcg/h\n", "twice the largest marketed in data rows 1"),
        ("1,NDC,oxycodone,oral,IR,5,\n", "strength has no unit in data rows 1"),
    ],
)  # fmt: skip
def test_a_dictionary_that_would_give_wrong_doses_is_refused(tmp_path: Path, rows: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        products.dictionary(own_dictionary(tmp_path / "codes.csv", rows))


def test_a_dictionary_may_hold_other_medicines_and_salts(tmp_path: Path) -> None:
    path = own_dictionary(
        tmp_path / "codes.csv",
        "1,NDC,Gabapentin,,,,\n2,NDC,Oxycodone Hydrochloride,oral,IR,5,mg\n"
        "0406-0552-01,NDC,oxycodone,oral,IR,5,mg\n406055201,NDC,oxycodone,oral,IR,5,mg\n",
    )
    other, salt, _ = resolve(
        *({"code": code, "vocabulary": "NDC"} for code in ("1", "2", "406055201")), dictionary=path
    )
    assert (other["ingredient"], other["opioid"], other["recognised"]) == ("gabapentin", False, True)
    assert (salt["ingredient"], salt["strength"], salt["opioid"]) == ("oxycodone", 5, True)


def test_a_users_dictionary_may_tell_the_form(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    header = HEADER.replace("strength_unit", "strength_unit,form")
    path.write_text(header + "1,NDC,fentanyl,buccal,IR,200,mcg,film\n2,NDC,fentanyl,buccal,IR,200,mcg,\n")
    by_code, unsaid = resolve(
        {"code": "1", "vocabulary": "NDC"},
        {"code": "2", "vocabulary": "NDC", "product_name": "fentanyl 200 mcg lozenge"},
        dictionary=str(path),
    )
    assert (by_code["form"], unsaid["form"]) == ("film", "lozenge")
    path.write_text(header + "1,NDC,fentanyl,buccal,IR,200,mcg,wafer\n")
    with pytest.raises(UserError, match="form not known in data rows 1"):
        products.dictionary(str(path))


def test_mistakes_in_a_users_dictionary_are_told_by_row(tmp_path: Path) -> None:
    rows = "1,GTIN,oxycodone,,,,\n2,NDC,,,,,\n3,NDC,codeine,mouth,slow,ten,grain\n"
    with pytest.raises(UserError) as raised:
        products.dictionary(own_dictionary(tmp_path / "codes.csv", rows))
    told = str(raised.value)
    for sentence in (
        "vocabulary not known in data rows 1", "ingredient is missing in data rows 2", "route not known in data rows 3",
        "release not known in data rows 3", "strength is no positive number in data rows 3",
        "strength_unit not known in data rows 3",
    ):  # fmt: skip
        assert sentence in told


@pytest.mark.parametrize(
    "second",
    ["1-2,NDC,oxycodone,oral,IR,10,mg", "12,NDC,morphine,oral,IR,5,mg", "12,NDC,oxycodone,oral,,5,mg"],
    ids=["strength", "ingredient", "release"],
)
def test_two_products_of_one_code_are_refused_however_the_code_is_written(tmp_path: Path, second: str) -> None:
    rows = f"12,NDC,oxycodone,oral,IR,5,mg\n12,RxNorm,morphine,,,,\n{second}\n"
    with pytest.raises(UserError, match="one code is there with different products in data rows 1, 3"):
        products.dictionary(own_dictionary(tmp_path / "codes.csv", rows))


def test_a_row_of_a_dictionary_may_be_there_twice(tmp_path: Path) -> None:
    path = own_dictionary(tmp_path / "codes.csv", "1-2,NDC,oxycodone,oral,IR,5,mg\n12,NDC,Oxycodone,oral,IR,5.0,mg\n")
    [row] = products.dictionary(path).filter(code="12").to_dicts()
    assert (row["ingredient"], row["strength"]) == ("oxycodone", 5)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"product_name": "oxycodone 5 MG Oral Tablet"}, None),
        ({"product_name": "1 ML morphine sulfate 5 MG/ML Injection"}, "injection"),
        ({"product_name": "1 ML morphine sulfate 5 MG/ML Injection", "indication": "pain"}, "injection"),
        ({"product_name": "homatropine 1.5 MG / hydrocodone bitartrate 5 MG Oral Tablet"}, "cough"),
        ({"product_name": "codeine 2 MG/ML Oral Solution", "indication": "cough"}, "cough"),
        ({"product_name": "codeine 2 MG/ML Oral Solution"}, None),
        ({"code": "R05DA04", "vocabulary": "ATC"}, "cough"),
        ({"product_name": "loperamide 2 MG Oral Capsule"}, "diarrhoea"),
        ({"product_name": "opium tincture 10 MG/ML", "indication": "pain"}, None),
        ({"product_name": "sufentanil 0.03 MG Sublingual Tablet"}, "anaesthesia"),
        ({"product_name": "buprenorphine 8 MG / naloxone 2 MG Sublingual Film"}, "opioid_use_disorder"),
        ({"product_name": "buprenorphine 8 MG Sublingual Tablet", "indication": "pain"}, None),
        ({"product_name": "buprenorphine 2 MG / naloxone 0.5 MG Oral Strip"}, "opioid_use_disorder"),
        ({"ingredient": "buprenorphine / naloxone"}, "opioid_use_disorder"),
        ({"product_name": "Suboxone"}, "opioid_use_disorder"),
        ({"ingredient": "buprenorphine", "product_name": "Suboxone"}, "opioid_use_disorder"),
        ({"product_name": "Suboxone", "indication": "pain"}, None),
        ({"product_name": "Sublocade 100 MG Injection"}, "opioid_use_disorder"),
        ({"product_name": "Belbuca 75 mcg film"}, None),
        ({"product_name": "168 HR buprenorphine 0.01 MG/HR Transdermal Patch"}, None),
        ({"product_name": "methadone 10 MG Oral Tablet"}, None),
        (
            {"product_name": "methadone 10 MG/ML Oral Solution", "indication": "opioid_use_disorder"},
            "opioid_use_disorder",
        ),
        ({"code": "N07BC02", "vocabulary": "ATC"}, "opioid_use_disorder"),
        (
            {"product_name": "buprenorphine 300 MG Injection", "indication": "opioid_use_disorder"},
            "opioid_use_disorder",
        ),
    ],
)
def test_fills_kept_apart_and_why(row: dict, reason: str | None) -> None:
    resolved = products.resolve(fills(row), products.dictionary()).products
    found = set_apart.classify(resolved, "opioid_use_disorder")
    assert found.get_column("reason").item() == reason
    assert found.get_column("analgesic").item() == (reason is None)


def test_sublingual_buprenorphine_without_indication_may_be_declared_for_pain() -> None:
    resolved = products.resolve(fills({"product_name": "buprenorphine 8 MG Sublingual Tablet"}), products.dictionary())
    assert set_apart.classify(resolved.products, "pain").get_column("analgesic").item() == 1
