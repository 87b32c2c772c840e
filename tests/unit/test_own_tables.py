"""The user's own code lists, factors and products: one reader, with the rules of text of every other input."""

import codecs
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.cohort import codelists
from opioid_outcomes.errors import UserError
from opioid_outcomes.exposure import mme, products

CODES = "# mine\nVocabulary,CODE_PREFIX ,label\n\nICD10CM, M54. ,R\u00fccken\nICD10CM,NA,nothing\n"
FACTORS = "# mine\nIngredient,Route,form,UNIT,factor ,source\n\nmorphine,NA,., mg ,1,B\u00fcrgi\n"
PRODUCTS = (
    "# mine\nCode,vocabulary,Ingredient,route,release,strength,STRENGTH_UNIT,label\n\n"
    "12,NDC,oxycodone,oral,NULL, 5 ,mg,Schl\u00fcssel\n"
)
Kind = tuple[str, Callable[[str], pl.DataFrame], dict]
KINDS: list[Kind] = [
    (CODES, codelists.load, {"vocabulary": "ICD10CM", "code_prefix": "M54"}),
    (FACTORS, mme.factors,
     {"ingredient": "morphine", "route": None, "form": None, "unit": "mg", "above": None, "factor": 1,
      "source": "B\u00fcrgi"}),
    (PRODUCTS, lambda path: products.dictionary(path).head(1),
     {"code": "12", "vocabulary": "NDC", "ingredient": "oxycodone", "route": "oral", "release": None, "strength": 5,
      "strength_unit": "mg", "form": None, "indication": None}),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=["codes", "factors", "products"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_own_tables_are_read_by_the_rules_of_text(
    tmp_path: Path, kind: Kind, delimiter: str, encoding: str, newline: str
) -> None:
    text, read, row = kind
    path = tmp_path / "own.csv"
    path.write_bytes(text.replace(",", delimiter).replace("\n", newline).encode(encoding))
    assert read(str(path)).to_dicts() == [row]
    warned = ["own.csv is not UTF-8; it was read as Windows-1252 (cp1252)."] if encoding == "cp1252" else []
    assert io.encoding_warnings([str(path), "cdc_2022", None]) == warned


def test_the_byte_order_mark_may_stand_before_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(codecs.BOM_UTF8 + b"# mine\nvocabulary,code_prefix\nICD10,M54\n# no more")
    assert codelists.load(str(path)).rows() == [("ICD10", "M54")]


@pytest.mark.parametrize("kind", KINDS, ids=["codes", "factors", "products"])
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda text: "", "is empty"),
        (lambda text: "# mine\n", "is empty"),
        (lambda text: text + "one,two\n", r"data row \d has not as many fields as the header"),
        (lambda text: text + '"', "a quotation mark is never closed"),
        (lambda text: re.sub("label|source", "source,UNIT,Code,code_prefix", text, count=1), "two columns are called"),
        (lambda text: text + "\0", "is not UTF-8 text"),
    ],
    ids=["nothing", "comments", "ragged", "quote", "twice", "zero"],
)
def test_what_is_no_table_is_told(tmp_path: Path, kind: Kind, spoil: Callable[[str], str], told: str) -> None:
    text, read, _ = kind
    path = tmp_path / "own.csv"
    path.write_text(spoil(text), encoding="utf-8")
    with pytest.raises(UserError, match=told):
        read(str(path))
