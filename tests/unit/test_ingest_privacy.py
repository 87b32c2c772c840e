"""The door in: what is refused by name, by value, and what a waiver lets through."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes.config.cohorts import Cohort, TableMapping
from opioid_outcomes.config.privacy import Privacy, Quality
from opioid_outcomes.errors import UserError
from opioid_outcomes.ingest import privacy
from opioid_outcomes.ingest.run import Read, read_cohort
from opioid_outcomes.ingest.tables import read


@pytest.mark.parametrize(
    "column",
    ["name", "Last_Name", "firstName", "MRN", "ssn", "NHS number", "birth_date", "DateOfBirth", "e-mail", "phone_1",
     "home address", "ZIP", "postcode", "ip_address", "url", "device-id", "account", "Clinical_Note", "comment"],
)  # fmt: skip
def test_names_that_say_identity(column: str) -> None:
    assert privacy.identity_word(column)


@pytest.mark.parametrize(
    "column",
    ["shipping", "birth_year", "zip3", "username_hash", "phoneme", "texture", "curl", "person_id", "nhs_region"],
)
def test_whole_words_only(column: str) -> None:
    assert privacy.identity_word(column) is None


def test_a_products_name_is_no_persons_name() -> None:
    assert privacy.identity_word("drug_name", products=True) is None
    assert privacy.identity_word("drug_name") == "name"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("ann@example.org", "e-mail address"),
        ("555-123-4567", "telephone number"),
        ("(0131) 496 0123", "telephone number"),
        ("123-45-6789", "social security number"),
        ("EH1 1YZ", "UK postcode"),
        ("192.168.0.1", "IP address"),
        ("see https://example.org/x", "web address"),
        ("943 476 5919", "NHS number"),  # the worked example of the check digit
    ],
)
def test_values_that_look_like_identity(value: str, kind: str) -> None:
    found = privacy.value_pattern(pl.Series(["never", "former", value]))
    assert found is not None
    assert kind in found
    assert "has fewer than 11 values" in found
    assert value not in found


@pytest.mark.parametrize(
    "value", ["never", "2001-2002", "00406-0552-01", "9434765918", "1.5", "Doctor's office or HMO"]
)
def test_ordinary_values_pass(value: str) -> None:
    assert privacy.value_pattern(pl.Series([value, None])) is None


def test_free_text() -> None:
    texts = [f"patient number {i} said that the pain was worse again" for i in range(20)]
    assert "free text" in (privacy.value_pattern(pl.Series(texts)) or "")
    assert privacy.value_pattern(pl.Series(texts[:1] * 20)) is None  # a long label is a label


def cohort(folder: Path, header: str, row: str) -> Cohort:
    (folder / "persons.csv").write_text(f"person_id,sex,birth_year,{header}\n1,F,1950,{row}\n")
    (folder / "observation.csv").write_text("person_id,start,end\n1,2010-01-01,2011-01-01\n")
    return Cohort(path=str(folder))


def test_only_columns_that_are_used_are_looked_at(tmp_path: Path) -> None:
    given = cohort(tmp_path, "email,region", "a@example.org,b@example.org")
    assert privacy.check(read(given, "c", []), Privacy()) == []
    with pytest.raises(UserError) as raised:
        privacy.check(read(given, "c", ["email", "region"]), Privacy())
    assert "column email (table persons): is called email" in str(raised.value)
    assert "column region (table persons): has fewer than 11 values that look like an e-mail" in str(raised.value)
    assert "example.org" not in str(raised.value)


def test_a_waiver_lets_a_column_through_and_is_told(tmp_path: Path) -> None:
    given = cohort(tmp_path, "account", "x")
    waiver = {"table": "persons", "column": "Account", "reason": "type of insurance"}
    said = privacy.check(read(given, "c", ["account"]), Privacy(waive=[waiver]))
    assert said == ["Column account of persons is called account, which says identity; waived: type of insurance"]


@pytest.mark.parametrize(
    "persons",
    [
        {"derive": {"region": "contact"}},
        {"derive": {"region": "contact || '.uk'"}},
        {"recode": {"region": {"column": "contact", "map": {"none": "b@example.org"}}}},
    ],
)
def test_derived_and_recoded_values_pass_the_same_door(tmp_path: Path, persons: dict) -> None:
    given = cohort(tmp_path, "contact", "a@example.org\n2,F,1950,none")
    given = given.model_copy(update={"tables": {"persons": TableMapping(**persons)}})
    with pytest.raises(
        UserError, match=r"column region \(table persons\): has fewer than 11 values that look like an e-mail"
    ):
        privacy.check(read(given, "c", ["region"]), Privacy())
    waiver = {"table": "persons", "column": "region", "reason": "no address"}
    assert len(privacy.check(read(given, "c", ["region"]), Privacy(waive=[waiver]))) == 1


def with_ids(folder: Path, ids: list[object]) -> Cohort:
    (folder / "persons.csv").write_text("id,sex,birth_year\n" + "".join(f"{i},F,1950\n" for i in ids))
    (folder / "observation.csv").write_text("person_id,start,end\n1,2010-01-01,2011-01-01\n")
    return Cohort(path=str(folder), tables={"persons": TableMapping(columns={"person_id": "id"})})


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        (["120-45-6710", "1"], "a social security number"),
        (["AB 12 34 56 C", "1"], "a UK national insurance number"),
        (["9434765919", "4010232137", "1"], "an NHS number"),
    ],
)
def test_ids_that_are_national_numbers(tmp_path: Path, ids: list, kind: str) -> None:
    given = with_ids(tmp_path, ids)
    with pytest.raises(
        UserError, match=f"column id .table persons.: has fewer than 11 ids that look like {kind}"
    ) as raised:
        privacy.check(read(given, "c", []), Privacy())
    assert not any(one in str(raised.value) for one in ids if len(one) > 1)
    waiver = {"table": "persons", "column": "id", "reason": "made up"}
    assert "waived: made up" in privacy.check(read(given, "c", []), Privacy(waive=[waiver]))[0]


def test_one_id_in_eleven_is_an_nhs_number_by_chance(tmp_path: Path) -> None:
    given = with_ids(tmp_path, ["9434765919", "9434765918", "4010232138"])
    assert privacy.check(read(given, "c", []), Privacy()) == []


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (list(range(111, 91, -1)), True),
        (list(range(20, 40, 2)), False),
        (list(range(5)), False),
        ([f"p{i}" for i in range(20)], False),
    ],
)
def test_consecutive_ids_are_told(tmp_path: Path, ids: list, told: bool) -> None:
    said = privacy.check(read(with_ids(tmp_path, ids), "c", []), Privacy())
    assert ["consecutive" in one for one in said] == [True] * told


def test_codes_are_not_telephone_numbers(tmp_path: Path) -> None:
    given = cohort(tmp_path, "x", "y")
    rows = "person_id,date,code,vocabulary\n1,2010-02-01,555-123-4567,ICD10\n"
    (tmp_path / "diagnoses.csv").write_text(rows)
    assert privacy.check(read(given, "c", []), Privacy()) == []


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(("ids", "kinds"), [([9434765919, 4010232137], "an NHS number"), (range(20, 40), None)])
def test_ids_of_a_cdm_pass_the_same_door(tmp_path: Path, ids: list[int], kinds: str | None, kind: str) -> None:
    day = "2010-01-01"
    person = pl.DataFrame([{"person_id": i, "gender_concept_id": 8532, "year_of_birth": 1950} for i in ids])
    period = {"observation_period_start_date": day, "observation_period_end_date": day}
    for name, frame in (
        ("person", person),
        ("observation_period", person.select("person_id", **{key: pl.lit(value) for key, value in period.items()})),
    ):
        getattr(frame, f"write_{kind}")(tmp_path / f"{name}.{kind}")
    given = Cohort(path=str(tmp_path), format="omop")
    if kinds is None:
        assert any("consecutive" in one for one in ingested(given, Privacy()).warnings)
        return
    with pytest.raises(
        UserError, match=f"person, column person_id .table persons.: has fewer than 11 ids that look like {kinds}"
    ):
        ingested(given, Privacy())
    waiver = {"table": "persons", "column": "person_id", "reason": "made up"}
    assert any("waived: made up" in one for one in ingested(given, Privacy(waive=[waiver])).warnings)


def ingested(given: Cohort, door: Privacy) -> Read:
    return read_cohort(given, "c", privacy=door, quality=Quality(), person_columns=[])
