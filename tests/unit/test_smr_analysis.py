"""mortality.smr, .standardised_rates and .age: who is compared with whom, and what is said of those who are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.errors import UserError
from opioid_outcomes.mortality.age import aged
from opioid_outcomes.mortality.smr import Reference, load, reference, smr
from opioid_outcomes.mortality.standardised_rates import standardised_rates
from opioid_outcomes.survival.standardised import direct

US = load("us")
RATE = {(age, sex): US.rates[age, US.sexes.index(sex), list(US.years).index(2008)] for age in range(90) for sex in "FM"}
AGAINST = Reference(US, "US", 2008, 90)
DAY = 365.25


def person_time(*rows: tuple[int, float, float, int, int | None, float | None, str]) -> pl.DataFrame:
    """(person, start, stop, death, on opioids, age at entry, sex), as ``aged`` leaves it."""
    names = ["person_id", "start", "stop", "death", "on_opioid", "age", "sex"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    female = pl.col("sex").replace_strict({"F": 1, "M": 0}, default=None, return_dtype=pl.Int64)
    return frame.select(
        "person_id", pl.col("start", "stop").cast(pl.Int64), "death", pl.col("on_opioid").cast(pl.Int64),
        entered=pl.lit(0), born=-pl.col("age").cast(pl.Float64) * DAY, female=female, baseline_user=pl.lit(0),
    )  # fmt: skip


def found(rows: pl.DataFrame, against: Any = AGAINST) -> dict[tuple[str, str], Any]:
    return {(row.contrast, row.scale): row for row in smr(rows, against, exposure="time_varying")}


def test_observed_and_expected_deaths_by_state() -> None:
    rows = person_time(
        (1, 0, 100, 0, 0, 50.5, "F"), (1, 100, 300, 1, 1, 50.5, "F"), (2, 0, 400, 0, 0, 70.0, "M"),
    )  # fmt: skip
    half = 0.5 * DAY
    on = (100 * 0 + (half - 100) * RATE[50, "F"] + (300 - half) * RATE[51, "F"]) / DAY
    off = (100 * RATE[50, "F"] + DAY * RATE[70, "M"] + (400 - DAY) * RATE[71, "M"]) / DAY
    rows_by = found(rows)
    assert list(rows_by) == [
        (f"{name} vs general population", scale)
        for name in ("all", "on", "off")
        for scale in ("smr", "rate_per_1000py")
    ]
    assert rows_by["on vs general population", "smr"].estimate == pytest.approx(1 / on)
    assert rows_by["off vs general population", "smr"].estimate == 0
    assert rows_by["all vs general population", "smr"].estimate == pytest.approx(1 / (on + off))
    excess = rows_by["on vs general population", "rate_per_1000py"]
    assert (excess.method, excess.estimate) == ("excess", pytest.approx(1000 * (1 - on) / (200 / DAY)))
    assert "not to be compared with the ratio of another group" in excess.note


def test_time_from_ninety_on_leaves_with_its_deaths() -> None:
    rows = person_time((1, 0, 1000, 1, 0, 89.0, "F"), (2, 0, 300, 1, 0, 89.0, "F"), (3, 0, 300, 1, 0, 95.0, "F"))
    row = found(rows)["all vs general population", "smr"]
    assert (row.events, row.persons) == (1, 2)
    assert row.person_years == pytest.approx((DAY + 300) / DAY)
    assert row.smallest_cell == 1
    assert "person-time from age 90 on is left out" in row.note


def test_sex_and_age_not_known_leave_and_are_told_in_words() -> None:
    rows = person_time((1, 0, 300, 0, 0, 60.0, "U"), (2, 0, 300, 1, 0, None, "F"), (3, 0, 300, 1, 0, 60.0, "M"))
    row = found(rows)["all vs general population", "smr"]
    assert (row.persons, row.events) == (1, 1)
    assert "persons whose sex is neither F nor M are left out" in row.note
    assert "persons of unknown age are left out" in row.note


OLD = person_time((1, 0, 300, 0, 1, 95.0, "F"))


@pytest.mark.parametrize("rows", [OLD, OLD.clear()])
def test_nobody_to_compare(rows: pl.DataFrame) -> None:
    for row in found(rows).values():
        assert row.gate.startswith("not evaluable: nobody is followed in this group")


def told(**changes: Any) -> Any:
    settings = {"country": "US", "date_basis": "shifted", "reference_year": 2008, "top_coded_age": 90} | changes
    return reference(settings.pop("table", "us"), **settings)


def test_whom_to_compare_with() -> None:
    assert told().year == 2008
    assert told(date_basis="actual").year is None
    assert told(country="United States").name == "US"
    assert "set reference_year" in told(reference_year=None)
    assert "(UK) is not that of the life table 'us'" in told(country="UK")
    assert "not declared" in told(country=None)
    rows = smr(person_time((1, 0, 300, 0, 1, 50.0, "F")), told(country=None), exposure="time_varying")
    assert [(row.contrast, row.scale) for row in rows] == [("all vs general population", "smr")]
    assert rows[0].gate.startswith("not evaluable: ")


def test_actual_dates_take_the_year_of_each_day() -> None:
    rows = person_time((1, 0, 366, 0, 0, 60.0, "F")).with_columns(entered=pl.lit(10957 - 100))  # 2000 from day 100 on
    at = {year: US.rates[60, US.sexes.index("F"), list(US.years).index(year)] for year in (1999, 2000)}
    expected = (100 * at[1999] + (DAY - 100) * at[2000]) / DAY + 0.75 / DAY * US.rates[
        61, US.sexes.index("F"), list(US.years).index(2000)
    ]
    row = found(rows.with_columns(death=pl.lit(1)), Reference(US, "US", None, 90))["all vs general population", "smr"]
    assert row.estimate == pytest.approx(1 / expected)
    later = rows.with_columns(entered=pl.lit(18262))  # 2020
    assert (
        "years after 2014 take its rates"
        in found(later, Reference(US, "US", None, 90))["all vs general population", "smr"].note
    )


def test_own_table_with_ages_in_steps(tmp_path: Path) -> None:
    own = tmp_path / "norway.csv"
    lines = [f"{age},{sex},2000,{rate}" for age, rate in ((18, 0.001), (60, 0.02)) for sex in ("f", "M")]
    own.write_text("age,sex,year,rate\n" + "\n".join(lines))
    against = told(table=str(own), country="Norway", reference_year=2010)
    rows = person_time((1, 0, 366, 1, 0, 59.5, "F"), (2, 0, 400, 0, 0, 17.5, "M"))
    row = found(rows, against)["all vs general population", "smr"]
    young = 400 - 0.5 * DAY
    assert row.estimate == pytest.approx(DAY / (0.5 * DAY * 0.001 + (366 - 0.5 * DAY) * 0.02 + young * 0.001))
    assert "person-time before age 18 has no rate" in row.note
    assert "years after 2000 take its rates" in row.note
    own.write_text("age,sex,year,rate\n1,F,2000,0.1\n")
    with pytest.raises(UserError, match="both sexes"):
        load(str(own))
    own.write_text("age,sex,year,rate\n1,F,2000,high\n1,M,2000,0.1\n")
    with pytest.raises(UserError, match="rate is missing or no number"):
        load(str(own))
    with pytest.raises(UserError, match="no life table"):
        load("uk")


def test_ages_in_completed_years_are_half_a_year_older() -> None:
    time = pl.DataFrame({"person_id": [1, 2]})
    cohort = pl.DataFrame({"person_id": [1, 2], "entry": [100, 100]}, schema_overrides={"entry": pl.Int32})
    observation = pl.DataFrame({"person_id": [1, 2], "start": [0, 0]}, schema_overrides={"start": pl.Int32})

    def at_entry(*ages: float) -> list[float]:
        persons = pl.DataFrame(
            {"person_id": [1, 2], "sex": ["F", "U"], "birth_year": [None, None], "age_at_entry": ages}
        )
        rows = aged(
            time, cohort, persons.with_columns(pl.col("birth_year").cast(pl.Int64)), observation, calendar=False
        )
        assert rows["female"].to_list() == [1, None]
        return (-rows["born"] / DAY - 100 / DAY).to_list()

    np.testing.assert_allclose(at_entry(50.0, 60.0), [50.5, 60.5])
    np.testing.assert_allclose(at_entry(50.0, 60.25), [50.0, 60.25])


def test_a_top_coded_birth_year_is_ninety_whatever_the_day() -> None:
    """First observed in May 2010: born in 1920 is 90 then, though its middle is not reached; born in 1921 is 88.9."""
    first = 14_730
    days = {"entry": [first, first], "start": [first, first]}
    frame = pl.DataFrame({"person_id": [1, 2], **days}, schema_overrides=dict.fromkeys(days, pl.Int32))
    persons = pl.DataFrame({"person_id": [1, 2], "sex": ["F", "M"], "birth_year": [1920, 1921]}).with_columns(
        age_at_entry=pl.lit(None, pl.Float64)
    )
    rows = aged(frame.select("person_id"), frame, persons, frame, calendar=True)
    assert (-rows["born"] / DAY).to_list() == pytest.approx([90.0, 88.83], abs=0.01)


def test_standardised_rates_compare_the_same_ages() -> None:
    """The rate is 1 in 100 before 65 and 10 in 100 after, on and off alike; those on are older."""
    rows, person = [], 0
    for on, age, people in ((1, 50.0, 100), (1, 70.0, 300), (0, 50.0, 400), (0, 70.0, 100)):
        for k in range(people):
            person += 1
            rows.append((person, 0, 366, int(k < people * (0.01 if age == 50.0 else 0.1)), on, age, "FM"[k % 2]))
    found = {
        row.contrast: row for row in standardised_rates(person_time(*rows), exposure="time_varying", top_coded_age=90)
    }
    assert found["on"].method == "standardised"
    assert found["on"].estimate == pytest.approx(found["off"].estimate, rel=0.02)
    crude = (1 + 30) / 400 / ((4 + 10) / 500)
    assert abs(found["on vs off"].estimate) < 0.02 < np.log(crude)
    years = 366 / DAY
    women, men = (np.array(pair) for pair in ((1, 15), (0, 15)))
    sizes = np.array([50, 150, 50, 150]) * years
    whole = np.array([250, 200, 250, 200]) * years
    expected = direct(np.concatenate([women, men]), sizes, whole, per=1000)
    assert found["on"].estimate == pytest.approx(expected.rate)
    assert (found["on"].ci_low, found["on"].ci_high) == pytest.approx((expected.ci_low, expected.ci_high))


def test_ages_at_which_one_group_is_absent_leave_both() -> None:
    rows = person_time((1, 0, 366, 1, 1, 50.0, "F"), (2, 0, 366, 1, 0, 50.0, "F"), (3, 0, 366, 1, 0, 80.0, "F"))
    found = {row.contrast: row for row in standardised_rates(rows, exposure="time_varying", top_coded_age=90)}
    assert found["off"].events == 1
    assert "33 % of person-time, at ages and sexes without both groups, is left out" in found["off"].note
    apart = person_time((1, 0, 366, 1, 1, 50.0, "F"), (2, 0, 366, 1, 0, 80.0, "F"))
    gates = {row.gate for row in standardised_rates(apart, exposure="time_varying", top_coded_age=90)}
    assert gates == {"not evaluable: no age and sex at which both groups are followed"}
    assert standardised_rates(apart, exposure="none", top_coded_age=90) == []


def test_no_deaths_in_a_group_has_a_rate_and_no_ratio() -> None:
    rows = person_time((1, 0, 366, 0, 1, 50.0, "F"), (2, 0, 366, 1, 0, 50.0, "F"))
    found = {row.contrast: row for row in standardised_rates(rows, exposure="time_varying", top_coded_age=90)}
    assert (found["on"].estimate, found["on"].ci_low, found["on"].gate) == (0, 0, "pass")
    assert found["on vs off"].gate == "not evaluable: no deaths in group 'on'"


@pytest.mark.parametrize(("top", "bands"), [(90, "35, 45, 55, 65, 75, 85"), (80, "35, 45, 55, 65, 75, 80")])
def test_the_last_band_begins_at_the_top_coded_age(top: float, bands: str) -> None:
    rows = person_time((1, 0, 366, 1, 1, 50.0, "F"), (2, 0, 366, 1, 0, 50.0, "F"))
    assert f"(bands from {bands})" in standardised_rates(rows, exposure="time_varying", top_coded_age=top)[0].note
