"""Entry, exit and exclusions, rule by rule; days are small integers (offsets)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from opioid_outcomes.cohort import eligibility
from opioid_outcomes.config.population import Population
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.derived import OPIOID_STATUS

PAIN, CANCER = ("M545", "ICD10CM"), ("C509", "ICD10CM")
PALLIATIVE = ("Z515", "ICD10CM")


def table(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    schema = CANONICAL[name].schema(pl.Int64())
    return pl.DataFrame([{column: row.get(column) for column in schema} for row in rows], schema=schema)


def diagnoses(*rows: tuple[int, int, tuple[str, str]]) -> pl.DataFrame:
    return table(
        "diagnoses",
        [{"person_id": person, "date": day, "code": code, "vocabulary": book} for person, day, (code, book) in rows],
    )


def observed(*rows: tuple[int, int, int]) -> pl.DataFrame:
    return table("observation", [{"person_id": p, "start": start, "end": end} for p, start, end in rows])


def status(*rows: tuple[int, int, int, str]) -> pl.DataFrame:
    records = [(*row, *(None,) * 6) for row in rows]
    return pl.DataFrame(records, schema=OPIOID_STATUS.schema(pl.Int64()), orient="row")


def select(
    observation: pl.DataFrame,
    diagnosed: pl.DataFrame,
    *,
    age: float | None = 50.0,
    deaths: list[dict[str, Any]] | None = None,
    states: pl.DataFrame | None = None,
    study: tuple[int | None, int | None] = (None, None),
    **population: Any,
) -> eligibility.Eligible:
    ids = observation["person_id"].unique().sort()
    persons = table("persons", [{"person_id": person, "sex": "F", "age_at_entry": age} for person in ids])
    return eligibility.select(
        persons,
        observation,
        diagnoses=diagnosed,
        deaths=table("deaths", deaths or []),
        status=status() if states is None else states,
        population=Population(**population),
        calendar=False,
        study_start=study[0],
        study_end=study[1],
    )


def entries(found: eligibility.Eligible) -> list[tuple[int, int]]:
    return found.people.select("person_id", "entry").rows()


class TestQualifyingDay:
    @pytest.mark.parametrize(
        ("days", "needed", "window", "day"),
        [
            ([10, 375], 2, 365, 375),  # 365 days apart: within
            ([10, 376], 2, 365, None),  # 366 days apart: not
            ([10, 10, 10], 2, 365, None),  # one day is one day, however many codes
            ([10, 500, 600, 700], 2, 365, 600),  # the earliest pair that qualifies
            ([30, 10, 20], 3, 365, 30),  # order in the file does not matter
            ([40], 1, 365, 40),
        ],
    )
    def test_is_the_day_of_the_last_needed_code(self, days: list[int], needed: int, window: int, day: int) -> None:
        frame = pl.DataFrame({"person_id": [1] * len(days), "date": days})
        found = eligibility.qualifying_day(frame, needed, window)["qualified"].to_list()
        assert found == ([] if day is None else [day])

    def test_does_not_pair_days_of_two_people(self) -> None:
        frame = pl.DataFrame({"person_id": [1, 2], "date": [10, 12]})
        assert eligibility.qualifying_day(frame, 2, 365).is_empty()


class TestEntry:
    def test_waits_for_the_second_code(self) -> None:
        found = select(observed((1, 0, 999)), diagnoses((1, 200, PAIN), (1, 300, PAIN)))
        assert entries(found) == [(1, 300)]

    def test_waits_for_the_look_back(self) -> None:
        found = select(observed((1, 0, 999)), diagnoses((1, 20, PAIN), (1, 30, PAIN)))
        assert entries(found) == [(1, 180)]

    def test_waits_for_the_age(self) -> None:
        """Aged 17.5 on day 0: 18 after 182.625 days, so the first whole day is 183."""
        found = select(observed((1, 0, 999)), diagnoses((1, 20, PAIN), (1, 30, PAIN)), age=17.5)
        assert entries(found) == [(1, 183)]
        assert found.people["age"][0] == pytest.approx(17.5 + 183 / 365.25)

    def test_lies_in_the_first_period_that_can_hold_it(self) -> None:
        """The first period is too short for the look-back, the second begins it anew."""
        found = select(observed((1, 0, 100), (1, 150, 999)), diagnoses((1, 20, PAIN), (1, 30, PAIN)))
        assert entries(found) == [(1, 330)]
        assert found.people["exit"].to_list() == [1000]

    def test_may_be_the_last_observed_day_but_not_the_day_after(self) -> None:
        coded = diagnoses((1, 20, PAIN), (1, 30, PAIN), (2, 20, PAIN), (2, 30, PAIN))
        found = select(observed((1, 0, 180), (2, 0, 179)), coded)
        assert found.people.select("person_id", "entry", "exit").rows() == [(1, 180, 181)]

    def test_first_observation_takes_everybody_after_the_look_back(self) -> None:
        found = select(observed((1, 5, 999), (2, 5, 10)), diagnoses(), entry="first_observation", lookback_days=30)
        assert entries(found) == [(1, 35)]

    def test_unknown_age_cannot_enter_unless_no_age_is_asked_for(self) -> None:
        coded = diagnoses((1, 20, PAIN), (1, 30, PAIN))
        assert entries(select(observed((1, 0, 999)), coded, age=None)) == []
        found = select(observed((1, 0, 999)), coded, age=None, min_age=0)
        assert entries(found) == [(1, 180)]
        assert found.people["age"].to_list() == [None]

    def test_study_start_delays_and_study_end_shuts(self) -> None:
        coded = diagnoses((1, 20, PAIN), (1, 30, PAIN))
        assert entries(select(observed((1, 0, 999)), coded, study=(400, None))) == [(1, 400)]
        assert entries(select(observed((1, 0, 999)), coded, study=(None, 179))) == []
        found = select(observed((1, 0, 999)), coded, study=(None, 180))
        assert found.people.select("entry", "exit", "exit_reason").rows() == [(180, 181, "study end")]

    def test_ages_of_90_and_over_are_one(self) -> None:
        found = select(observed((1, 0, 999)), diagnoses((1, 20, PAIN), (1, 800, PAIN), (1, 900, PAIN)), age=89.9)
        assert found.people["age"].to_list() == [90.0]

    def test_birth_year_stands_for_its_first_of_july(self) -> None:
        persons = table("persons", [{"person_id": 1, "sex": "F", "birth_year": 1970}])
        born = eligibility.ages(persons, observed((1, 15_000, 16_000)), calendar=True)["born"].to_list()
        assert born == [181.0]  # 1 July 1970
        assert eligibility.ages(persons, observed((1, 0, 9)), calendar=False)["born"].to_list() == [None]


class TestExclusion:
    CODED = diagnoses((1, 200, PAIN), (1, 300, PAIN))

    @pytest.mark.parametrize(("day", "kept"), [(299, False), (300, True), (301, True), (-900, False)])
    def test_only_what_is_on_record_before_entry_excludes(self, day: int, kept: bool) -> None:
        found = select(observed((1, 0, 999)), pl.concat([self.CODED, diagnoses((1, day, CANCER))]))
        assert bool(entries(found)) is kept

    @pytest.mark.parametrize(("start", "kept"), [(299, False), (300, True)])
    def test_dispensed_treatment_of_opioid_use_disorder_excludes_too(self, start: int, kept: bool) -> None:
        found = select(observed((1, 0, 999)), self.CODED, states=status((1, start, 400, "treatment")))
        assert bool(entries(found)) is kept

    def test_an_own_list_excludes_by_its_path(self, tmp_path: Path) -> None:
        own = tmp_path / "sickle_cell.csv"
        own.write_text("vocabulary,code_prefix\nICD10CM,D57\n", encoding="utf-8")
        coded = pl.concat([self.CODED, diagnoses((1, 10, ("D571", "ICD10CM")))])
        found = select(observed((1, 0, 999)), coded, exclude=[str(own)])
        assert entries(found) == []
        assert found.rules[-1].text == "no sickle cell on record before entry"

    def test_an_empty_list_excludes_nobody(self) -> None:
        coded = pl.concat([self.CODED, diagnoses((1, 10, CANCER))])
        assert entries(select(observed((1, 0, 999)), coded, exclude=[])) == [(1, 300)]


class TestExit:
    CODED = diagnoses((1, 20, PAIN), (1, 30, PAIN))

    def follow(self, died: int | None, **population: Any) -> tuple[Any, ...]:
        deaths = [] if died is None else [{"person_id": 1, "date": died, "cause": "I219"}]
        found = select(observed((1, 0, 500)), self.CODED, deaths=deaths, **population)
        assert found.people.height == 1
        return found.people.select("entry", "exit", "death", "cause", "exit_reason").row(0)

    def test_end_of_observation_is_inclusive(self) -> None:
        assert self.follow(None) == (180, 501, 0, None, "end of observation")

    @pytest.mark.parametrize("died", [180, 400, 500, 501, 530])
    def test_a_death_up_to_30_days_after_the_last_observed_day_counts(self, died: int) -> None:
        assert self.follow(died) == (180, died + 1, 1, "cardiovascular", "death")

    def test_a_later_death_does_not_and_is_counted(self) -> None:
        assert self.follow(531) == (180, 501, 0, None, "end of observation")
        found = select(observed((1, 0, 500)), self.CODED, deaths=[{"person_id": 1, "date": 531}])
        assert found.deaths_after_observation == 1

    @pytest.mark.parametrize(("days", "counts"), [(0, 500), (90, 590)])
    def test_days_after_observation_within_which_a_death_counts_are_a_choice(self, days: int, counts: int) -> None:
        assert self.follow(counts, death_after_observation_days=days)[2] == 1
        assert self.follow(counts + 1, death_after_observation_days=days)[2] == 0

    def test_follow_up_ends_at_its_longest(self) -> None:
        assert self.follow(190, max_followup_days=10) == (180, 190, 0, None, "max follow-up")
        assert self.follow(189, max_followup_days=10) == (180, 190, 1, "cardiovascular", "death")

    def test_the_dead_do_not_enter(self) -> None:
        found = select(observed((1, 0, 500)), self.CODED, deaths=[{"person_id": 1, "date": 179}])
        assert found.people.is_empty()
        assert found.rules[-4].text == "alive at entry"


class TestCensoring:
    """population.censor_at: a sensitivity analysis. Entry is day 180, observation ends with day 500."""

    CODED = diagnoses((1, 20, PAIN), (1, 30, PAIN), (1, 300, PALLIATIVE), (1, 350, PALLIATIVE), (1, 400, CANCER))

    def follow(self, died: int | None, coded: pl.DataFrame = CODED, **population: Any) -> tuple[Any, ...]:
        deaths = [] if died is None else [{"person_id": 1, "date": died}]
        asked = {"censor_at": ["palliative_care"]} | population
        found = select(observed((1, 0, 500)), coded, deaths=deaths, **asked)
        return found.people.select("exit", "death", "exit_reason").row(0)

    @pytest.mark.parametrize("died", [None, 301, 500, 520])
    def test_follow_up_ends_on_the_day_of_the_first_record(self, died: int | None) -> None:
        assert self.follow(died) == (301, 0, "censored at palliative care")

    @pytest.mark.parametrize("died", [250, 300])
    def test_a_death_before_it_or_on_that_day_counts(self, died: int) -> None:
        assert self.follow(died) == (died + 1, 1, "death")

    def test_by_default_nothing_recorded_later_ends_follow_up(self) -> None:
        assert self.follow(450, censor_at=[]) == (451, 1, "death")

    @pytest.mark.parametrize(("day", "end"), [(180, 181), (500, 501)])
    def test_a_record_on_the_first_or_last_day_leaves_that_day(self, day: int, end: int) -> None:
        coded = diagnoses((1, 20, PAIN), (1, 30, PAIN), (1, day, PALLIATIVE))
        assert self.follow(None, coded) == (end, 0, "censored at palliative care")

    def test_a_record_after_the_end_of_follow_up_changes_nothing(self) -> None:
        assert self.follow(None, max_followup_days=10) == (190, 0, "max follow-up")
        late = diagnoses((1, 20, PAIN), (1, 30, PAIN), (1, 600, PALLIATIVE))
        assert self.follow(None, late) == (501, 0, "end of observation")

    def test_of_several_lists_the_first_record_ends_it(self) -> None:
        both = ["cancer", "palliative_care"]
        assert self.follow(None, censor_at=both, exclude=[]) == (301, 0, "censored at palliative care")
        same = diagnoses((1, 20, PAIN), (1, 30, PAIN), (1, 300, PALLIATIVE), (1, 300, CANCER))
        assert self.follow(None, same, censor_at=both) == (301, 0, "censored at cancer")

    def test_deaths_after_it_are_not_lost_for_want_of_observation(self) -> None:
        died = [{"person_id": 1, "date": 700}]
        asked = {"deaths": died, "censor_at": ["palliative_care"]}
        assert select(observed((1, 0, 500)), self.CODED, **asked).deaths_after_observation == 0


def test_rules_are_nested_and_say_what_was_asked() -> None:
    observation = observed((1, 0, 999), (2, 0, 999), (3, 0, 100), (4, 0, 999))
    coded = diagnoses(
        *((person, day, PAIN) for person in (1, 3, 4) for day in (20, 30)), (2, 20, PAIN), (4, 25, CANCER)
    )
    found = select(observation, coded)
    assert [(rule.text, rule.kept) for rule in found.rules] == [
        ("observed at all", 4),
        ("2 codes of chronic pain on distinct days within 365 days", 3),
        ("observed at entry and for 180 days before", 2),
        ("age known", 2),
        ("aged 18 or over while observed", 2),
        ("alive at entry", 2),
        ("no cancer on record before entry", 1),
        ("no palliative care on record before entry", 1),
        ("no opioid use disorder treatment on record before entry", 1),
    ]


def test_a_code_list_that_matches_nothing_is_noticed() -> None:
    found = select(observed((1, 0, 999)), diagnoses((1, 20, ("Z00", "ICD10CM")), (1, 40, ("Z00", "ICD10CM"))))
    assert found.nobody_matched
    assert found.people.is_empty()
