"""Which product a code stands for, by example: NDC as packages, claims and spreadsheets write them; RxNorm; ATC."""

from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes.contracts.canonical import DISPENSINGS
from opioid_outcomes.exposure import products

# A user's dictionary: NDC in every spelling, two of codeine and tramadol that ten digits cannot tell apart
DICTIONARY = """code,vocabulary,ingredient,route,release,strength,strength_unit,form
00406055201,NDC,oxycodone,oral,IR,5,mg,tablet
59011-0410-10,NDC,oxycodone,oral,ER,10,mg,tablet
0054-0235-25,NDC,morphine,oral,IR,15,mg,tablet
12345-678-90,NDC,codeine,oral,IR,30,mg,
01234567890,NDC,tramadol,oral,IR,50,mg,
11111-2222-3,NDC,methadone,oral,IR,5,mg,tablet
11111222203,NDC,methadone,oral,IR,5,mg,tablet
406012301,NDC,hydrocodone,oral,IR,5,mg,tablet
00002-0001-01,NDC,morphine,oral,IR,30,mg,tablet
S1,NDC,codeine,oral,IR,15,mg,
1049621,RxNorm,tapentadol,oral,IR,5,mg,
4711,OMOP,morphine,oral,ER,60,mg,tablet
"""

# (vocabulary, code as recorded): the product, None if it is not recognised
CODES = {
    # 11 digits: labeler 5, product 4, package 2
    ("NDC", "00406055201"): ("oxycodone", 5),
    ("NDC", "00406-0552-01"): ("oxycodone", 5),
    ("NDC", " 00406 0552 01 "): ("oxycodone", 5),
    ("NDC", "59011041010"): ("oxycodone", 10),
    # 10 digits with hyphens: 4-4-2, 5-3-2, 5-4-1
    ("NDC", "0406-0552-01"): ("oxycodone", 5),
    ("NDC", "59011-410-10"): ("oxycodone", 10),
    ("NDC", "00406-0552-1"): ("oxycodone", 5),
    ("NDC", "0054-0235-25"): ("morphine", 15),
    ("NDC", "11111-2222-3"): ("methadone", 5),
    # 10 digits without hyphens: whichever of the three is in a dictionary
    ("NDC", "0406055201"): ("oxycodone", 5),  # 4-4-2
    ("NDC", "5901141010"): ("oxycodone", 10),  # 5-3-2
    ("NDC", "1111122223"): ("methadone", 5),  # 5-4-1
    # 12345-678-90 and 01234-5678-90 are both there: it cannot be told
    ("NDC", "1234567890"): None,
    # zeros that a spreadsheet ate
    ("NDC", "406055201"): ("oxycodone", 5),
    ("NDC", "54023525"): ("morphine", 15),
    ("NDC", "2000101"): ("morphine", 30),
    # ... in the dictionary
    ("NDC", "00406012301"): ("hydrocodone", 5),
    ("NDC", "406012301"): ("hydrocodone", 5),
    ("NDC", "0406-0123-01"): ("hydrocodone", 5),
    # as spreadsheets and exports write them
    ("NDC", "406055201.0"): ("oxycodone", 5),
    ("NDC", "4.06055201E+08"): ("oxycodone", 5),
    ("NDC", "5.901141010e+9"): ("oxycodone", 10),
    ("NDC", "4.06055E+08"): None,  # digits are lost
    ("NDC", "'00406055201"): ("oxycodone", 5),
    ("NDC", "NDC 00406-0552-01"): ("oxycodone", 5),
    ("NDC", "NDC:00406055201"): ("oxycodone", 5),
    ("NDC", "00406\u20130552\u201301"): ("oxycodone", 5),
    ("NDC", "00406055201.5"): None,
    ("RxNorm", "1049621.0"): ("tapentadol", 5),
    ("OMOP", "4711.00"): ("morphine", 60),
    # labeler and product alone have lost no zeros
    ("NDC", "004060552"): None,
    ("NDC", "00406-0552"): None,
    # not known, or no NDC
    ("NDC", "99999999999"): None,
    ("NDC", "S1"): ("codeine", 15),  # a code of the user's own, as written
    ("NDC", "s-1"): ("codeine", 15),
    ("NDC", "0"): None,
    ("NDC", "123456789012"): None,
    # other vocabularies: as they are; the user's before the shipped ones
    ("RxNorm", "1049621"): ("tapentadol", 5),
    ("RxNorm", "01049621"): None,
    ("RxNorm", "1049683"): ("oxycodone", 10),
    ("RxNorm", "577057"): ("fentanyl", 12),
    ("ATC", "n02aa05"): ("oxycodone", None),
    ("ATC", "N02AG01"): ("morphine", None),
    ("ATC", "N02AC52"): ("methadone", None),
    ("ATC", "R05FA02"): ("codeine", None),
    ("OMOP", "4711"): ("morphine", 60),
    # a code counts in its own vocabulary only
    ("RxNorm", "00406055201"): None,
    ("NDC", "1049683"): None,
    (None, "00406055201"): None,
}


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    path = tmp_path_factory.mktemp("codes") / "own.csv"
    Path(path).write_text(DICTIONARY, encoding="utf-8")
    return products.dictionary(str(path))


@pytest.mark.parametrize(("vocabulary", "code"), CODES)
def test_code(codes: pl.DataFrame, vocabulary: str | None, code: str) -> None:
    row = {"person_id": 1, "date": 0, "code": code, "vocabulary": vocabulary}
    dispensings = pl.DataFrame([row], schema=DISPENSINGS.schema(pl.Int64()))
    [product] = products.resolve(dispensings, codes).products.to_dicts()
    told = CODES[vocabulary, code]
    assert (product["ingredient"], product["strength"]) == (told or (None, None))
    assert product["recognised"] == product["opioid"] == (told is not None)
    assert product["code"] == code  # as recorded


def test_all_codes_at_once_are_read_as_each_alone(codes: pl.DataFrame) -> None:
    rows = [{"person_id": 1, "date": 0, "code": code, "vocabulary": vocabulary} for vocabulary, code in CODES]
    found = products.resolve(pl.DataFrame(rows, schema=DISPENSINGS.schema(pl.Int64())), codes)
    ingredients = found.fills.join(found.products, on="product_row", maintain_order="left")["ingredient"]
    assert ingredients.to_list() == [told and told[0] for told in CODES.values()]
