"""Code lists: the shipped ones are sound, matching is by prefix within a vocabulary, mistakes are told."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes.cohort import codelists
from opioid_outcomes.config import shipped
from opioid_outcomes.errors import UserError


def diagnoses(*codes: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(codes, schema=["code", "vocabulary"], orient="row").with_columns(
        pl.lit(1).alias("person_id"), pl.lit(10).alias("date")
    )


def matched(name: str, *codes: tuple[str, str]) -> list[str]:
    return codelists.matches(diagnoses(*codes), codelists.load(name))["code"].to_list()


@pytest.mark.parametrize("name", shipped.code_lists())
def test_shipped_lists_are_sound(name: str) -> None:
    text = (shipped.DATA / "codelists" / f"{name}.csv").read_text(encoding="utf-8")
    assert "2026-" in text
    assert text.startswith("#")  # source and date
    rows = pl.read_csv(shipped.DATA / "codelists" / f"{name}.csv", comment_prefix="#", infer_schema=False)
    assert rows.columns == ["vocabulary", "code_prefix", "label"]
    assert rows.null_count().sum_horizontal().item() == 0
    assert rows.select("vocabulary", "code_prefix").is_unique().all()
    assert codelists.load(name).height == rows.height
    assert set(rows["vocabulary"]) >= {"ICD10CM", "ICD10", "ICD9CM", "SNOMED"}


def test_dots_and_case_do_not_matter_and_a_prefix_covers_what_it_begins() -> None:
    assert matched("chronic_pain", ("m54.5", "ICD10CM"), ("M5450", "ICD10CM"), ("M53", "ICD10CM")) == ["m54.5", "M5450"]


def test_vocabularies_are_not_mixed() -> None:
    assert matched("chronic_pain", ("7242", "ICD10CM"), ("7242", "ICD9CM"), ("7242", "SNOMED")) == ["7242"]


def test_snomed_codes_match_whole() -> None:
    assert matched("chronic_pain", ("278860009", "SNOMED"), ("2788600091", "SNOMED")) == ["278860009"]


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("cancer", ["C50.9", "C79.5", "C92.0"], ["C44.9", "D05.1", "Z85.3"]),
        ("opioid_use_disorder", ["F11.20", "F11.10"], ["F11.90", "F12.20"]),
        ("diabetes", ["E11.9", "E10.65"], ["O24.4", "R73.0"]),
        ("heart_failure", ["I50.9", "I11.0"], ["I11.9", "I42.1"]),
        ("copd", ["J44.9", "J43.9"], ["J45.9", "J40"]),
        ("depression", ["F32.9", "F33.1", "F34.1"], ["F31.3", "F43.2"]),
    ],
)
def test_what_a_list_holds_and_what_it_does_not(name: str, inside: list[str], outside: list[str]) -> None:
    rows = [(code, "ICD10CM") for code in inside + outside]
    assert matched(name, *rows) == inside


def test_matching_keeps_every_row_of_a_code_in_order() -> None:
    frame = pl.concat([diagnoses(("M545", "ICD10CM")), diagnoses(("Z00", "ICD10CM")), diagnoses(("M545", "ICD10CM"))])
    frame = frame.with_columns(pl.Series("date", [3, 2, 1]))
    assert codelists.matches(frame, codelists.load("chronic_pain"))["date"].to_list() == [3, 1]


def test_own_list_from_a_path(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("# mine\nvocabulary,code_prefix\nICD10CM,Z99.\n")
    assert matched(str(own), ("Z991", "ICD10CM"), ("Z98", "ICD10CM")) == ["Z991"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("code,label\nM54,back\n", "lacks the columns vocabulary, code_prefix"),
        ("vocabulary,code_prefix\nICD11,ME84\n", "unknown vocabulary"),
        ("vocabulary,code_prefix\n", "holds no code"),
        ("", "is empty"),
    ],
)
def test_mistakes_in_an_own_list(tmp_path: Path, text: str, message: str) -> None:
    own = tmp_path / "own.csv"
    own.write_text(text)
    with pytest.raises(UserError, match=message):
        codelists.load(str(own))


def test_a_name_nobody_ships() -> None:
    with pytest.raises(UserError, match="no code list 'cronic_pain'"):
        codelists.load("cronic_pain")
