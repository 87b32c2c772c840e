"""Loading a config: every problem at once, in plain words, with the line and the fix."""

import json
import re
from pathlib import Path
from typing import Annotated

import pytest
from config_files import ONE, config, problem, problems
from pydantic import TypeAdapter

from opioid_outcomes.config.checks import fields
from opioid_outcomes.config.load import _validated
from opioid_outcomes.config.model import Config
from opioid_outcomes.config.problems import KeyProblems
from opioid_outcomes.config.yaml_loader import Document


def test_defaults_need_only_a_path(tmp_path: Path) -> None:
    assert config(tmp_path, ONE) == Config.model_validate({"cohorts": {"a": {"path": "data"}}})


@pytest.mark.parametrize("section", [name for name in Config.model_fields if name != "cohorts"])
def test_an_empty_section_means_its_defaults(tmp_path: Path, section: str) -> None:
    assert config(tmp_path, f"{ONE}{section}:\n") == config(tmp_path, ONE)


def test_empty_sections_deep_down_mean_their_defaults(tmp_path: Path) -> None:
    text = (
        "cohorts: {a: {path: data, tables: {persons: , pain: {columns: , recode: }}}}\nhyperalgesia: {escalation: }\n"
    )
    read = config(tmp_path, text)
    assert read.cohorts["a"].tables["persons"].columns == {}
    assert read.hyperalgesia.escalation.min_rise == 0.2


def test_values_arrive_with_their_types(tmp_path: Path) -> None:
    read = config(
        tmp_path,
        """
cohorts:
  a:
    path: data
    date_basis: offset
    tables:
      persons:
        columns: {person_id: SEQN, smoking: SMQ}
        recode: {sex: {column: RIAGENDR, map: {Male: M, 2: F, "9": null}}}
        where: "RIDAGEYR >= 20 AND arthritis = 'Yes'"
      observation: {derive: {start: "0", end: "CAST(ROUND(permth_int * 30.4375) AS BIGINT)"}}
population: {study_end: 400}
exposure: {dose_bands: [20, 50.5]}
hyperalgesia: {windows_days: [[1, 30], [31, 90]]}
""",
    )
    cohort = read.cohorts["a"]
    assert cohort.tables["persons"].recode["sex"].map == {"Male": "M", "2": "F", "9": None}
    assert read.exposure.dose_bands == [20.0, 50.5]
    assert read.hyperalgesia.windows_days == [(1, 30), (31, 90)]


HUGE = 999_999_999_999_999_999
CENTURY = 36_525
WRONG = [
    # what the file says beside one good cohort -> what the message holds
    ("popluation: {min_age: 20}", ["study.yaml:2: popluation: there is no such key", "did you mean `population`?"]),
    ("population: {minage: 20}", ["study.yaml:2: population.minage: there is no such key", "`min_age`"]),
    ("study: {zzzz: 1}", ["there is no such key", "known: name, title, seed"]),
    ("population: {min_age: true}", ["population.min_age: is true or false where a whole number is wanted"]),
    ("population: {min_age: '18'}", ["is text where a whole number is wanted"]),
    ("population: {min_age: 18.5}", ["is a number where a whole number is wanted"]),
    ("population: {min_age: }", ["is nothing where a whole number is wanted"]),
    ("population: {min_age: -1}", ["is out of range", "at least 0"]),
    ("quality: {max_rejected_share: 2}", ["is out of range", "at most 1"]),
    ("quality: {max_rejected_share: false}", ["is true or false where a number is wanted"]),
    ("population: {min_age: 121}", ["is out of range", "at most 120"]),
    ("population: {min_diagnoses: 1001}", ["is out of range", "at most 1000"]),
    ("exposure: {dose_bands: [20, 1e300]}", ["is out of range", "at most 10000"]),
    ("hyperalgesia: {escalation: {min_rise: 11}}", ["is out of range", "at most 10"]),
    ("hyperalgesia: {escalation: {min_mme: 1e308}}", ["is out of range", "at most 1000"]),
    ("hyperalgesia: {smallest_effect: 10.1}", ["is out of range", "at most 10"]),
    ("hyperalgesia: {smallest_effect: 1e-300}", ["is out of range", "at least 0.01"]),
    ("hyperalgesia: {step_mme: 1001}", ["is out of range", "at most 1000"]),
    ("hyperalgesia: {step_mme: .inf}", ["is text where a number is wanted"]),
    ("hyperalgesia: {step_mme: 1e999}", ["is text where a number is wanted"]),
    ("hyperalgesia: {step_mme: .nan}", ["is text where a number is wanted"]),
    ("hyperalgesia: {windows_days: [[1]]}", ["windows_days: has too few entries", "give 2"]),
    ("hyperalgesia: {windows_days: [[1, 30], []]}", ["windows_days: has too few entries", "give 2"]),
    ("synthesis: {pool: Yes}", ["is text where true or false is wanted"]),
    ("synthesis: {pool: 1}", ["is a number where true or false is wanted"]),
    ("covariates: {baseline: age}", ["is text where a list"]),
    ("covariates: {baseline: [age, [sex]]}", ["is a list where text"]),
    ("covariates: [age]", ["study.yaml:2: covariates: is a list where keys of its own"]),
    ("exposure: {days_supply: 30}", ["exposure.days_supply: is a number where keys of its own"]),
    ("population: {study_start: 2020}", ["a day number needs date_basis: offset"]),
    ("population: {study_start: 2020-02-30}", ["is no date"]),
    ("population: {study_start: 20200131}", ["a day number"]),
    ("population: {study_start: '20200131'}", ["is no date"]),
    ("population: {study_start: 2021-01-01, study_end: 2020-01-01}", ["study_end: lies before study_start"]),
    ("population: {study_start: true}", ["is true or false where text", "or a whole number is wanted"]),
    ("study: {name: My Study}", ["study.name: is no valid name", "small letters"]),
    ("study: {name: pooled}", ["`pooled` is taken"]),
    ("study: {name: main}", ["`main` is taken"]),
    ("study: {name: 2020}", ["study.name: is a number where text"]),
    ("exposure: {dose_bands: [50, 20]}", ["the bounds do not rise"]),
    ("exposure: {dose_bands: [0, 20]}", ["exposure.dose_bands: is out of range", "above 0"]),
    ("exposure: {dose_bands: [20, 20]}", ["dose_bands"]),
    ("exposure: {dose_bands: []}", ["is empty"]),
    ("hyperalgesia: {windows_days: [[1, 30], [30, 90]]}", ["windows overlap"]),
    ("hyperalgesia: {windows_days: [[31, 90], [1, 30]]}", ["out of order"]),
    ("hyperalgesia: {windows_days: [[30, 1]]}", ["ends before it starts"]),
    ("hyperalgesia: {windows_days: [[1, 30], [400, 500]]}", ["lags_months: ends before the last", "at least 14"]),
    ("hyperalgesia: {lags_months: 6}", ["lags_months: ends before the last of windows_days", "at least 7"]),
    ("hyperalgesia: {windows_days: [[1, 30], [91, 119]]}", ["windows_days: no month after a step", "longer"]),
    ("hyperalgesia: {escalation: {grace_days: 31}}", ["grace_days: lasts beyond the first", "at most 30"]),
    ("hyperalgesia: {calibration: {worlds: [null]}}", ["calibration.worlds: is nothing", 'write "null", in quotes']),
    ("hyperalgesia: {windows_days: [1, 30]}", ["is a number where a pair"]),
    ("hyperalgesia: {windows_days: [[1, 30, 60]]}", ["windows_days: "]),
    ("mortality: {horizons_days: [365, 30]}", ["the horizons do not rise"]),
    ("mortality: {horizons_days: [0, 30]}", ["the horizons do not rise from above 0"]),
    ("mortality: {truncation: [99, 1]}", ["the percentiles do not rise", "as [1, 99]"]),
    ("mortality: {truncation: [50, 50]}", ["truncation: lists something twice"]),
    ("mortality: {truncation: [1]}", ["truncation: is empty or too short", "give at least 2"]),
    ("mortality: {truncation: [1, 50, 99]}", ["truncation: has too many entries"]),
    ("mortality: {truncation: [1, 101]}", ["truncation: is out of range", "at most 100"]),
    ("mortality: {analyses: [new_users]}", ["`new_users` is not one of its choices", "new_user"]),
    ("mortality: {comparators: [placebo]}", ["`placebo` is not one of its choices", "'non_user'"]),
    ("mortality: {comparators: []}", ["is empty"]),
    ("mortality: {comparators: [nsaid, nsaid]}", ["lists something twice"]),
    ("mortality: {weights: ipw}", ["`ipw` is not one of its choices", "'iptw'"]),
    ("mortality: {trim: all}", ["`all` is not one of its choices", "'crump'"]),
    ("mortality: {standard_error: jackknife}", ["is not one of its choices", "'bootstrap'"]),
    ("mortality: {replicates: 10}", ["is out of range", "at least 50"]),
    ("mortality: {penalty: -1}", ["is out of range", "at least 0"]),
    ("mortality: {encounter_window_days: 366}", ["is out of range", "at most 365"]),
    ("mortality: {grace_days: 0}", ["is out of range", "at least 1"]),
    ("mortality: {grace_days: 366}", ["is out of range", "at most 365"]),
    ("mortality: {top_coded_age: 91}", ["is out of range", "at most 90"]),
    ("mortality: {life_table: fr}", ["`fr` is neither shipped nor a file", "shipped: us; or the path of a CSV"]),
    (
        "mortality: {negative_controls: [statin, ingrown_nail]}",
        ["mortality.negative_controls", "`ingrown_nail` is neither shipped nor a file", "ingrowing_nail", "statin"],
    ),
    ("addiction: {codes: opioid_use}", ["`opioid_use` is neither shipped nor a file", "opioid_use_disorder"]),
    ("addiction: {analyses: [doses]}", ["`doses` is not one of its choices", "'dose'"]),
    ("covariates: {missing: impute}", ["`impute` is not one of its choices", "'mi'"]),
    ("covariates: {baseline: [age, sex, age]}", ["lists something twice"]),
    ("report: {formats: [html, html]}", ["lists something twice"]),
    ("report: {formats: []}", ["is empty"]),
    ("disclosure: {profile: none}", ["disclosure.reason: profile none needs a reason"]),
    ("disclosure: {profile: none, reason: ' '}", ["profile none needs a reason"]),
    ("disclosure: {profile: cms}", ["`cms` is not one of its choices", "'cms11'"]),
    ("population: {chronic_pain_codes: chronic_pian}", ["neither shipped nor a file", "chronic_pain"]),
    ("population: {exclude: [cancer, no/such.csv]}", ["`no/such.csv` is neither shipped nor a file", "cancer"]),
    ("exposure: {mme_factors: cdc_2018}", ["`cdc_2018`", "cdc_2022"]),
    ("exposure: {long_term_definition: d60}", ["`d60` is not one of its choices"]),
    ("exposure: {days_supply: {repair: [person_unit]}}", ["`person_unit` is not one of its choices", "person_units"]),
    ("exposure: {strength: {repair: [usual_product, usual_product]}}", ["lists something twice"]),
    ("exposure: {events: {min_fall: 1.5}}", ["min_fall: is out of range"]),
    ("trajectories: {curve: cubic}", ["`cubic` is not one of its choices"]),
    ("exposure: {drug_dictionary: none.csv}", ["there is no file `none.csv`"]),
    ("privacy: {waive: [{table: person, column: x, reason: y}]}", ["there is no table `person`", "`persons`"]),
    (
        "privacy: {waive: [{table: persons, column: x}]}",
        ["privacy.waive.reason: is missing", "Why it is no identifier"],
    ),
]


@pytest.mark.parametrize(("text", "says"), WRONG, ids=[text for text, _ in WRONG])
def test_each_mistake_is_one_message(tmp_path: Path, text: str, says: list[str]) -> None:
    message = problem(tmp_path, f"{ONE}{text}\n")
    assert message.startswith("study.yaml:2: ")
    assert "\n    -> " in message
    for part in says:
        assert part in message
    assert not re.search(r"pydantic|validation|Input should|instance of|type=|\bdict\b|None", message)


DAY_KEYS = [
    "population.diagnosis_window_days", "population.lookback_days", "population.max_followup_days",
    "population.death_after_observation_days",
    "exposure.gap_days", "exposure.carry_over_days", "exposure.stockpile_cap_days", "exposure.report_valid_days",
    "exposure.days_supply.max", "exposure.washout_days", "exposure.definition_window_days",
    "exposure.events.prior_days", "exposure.events.next_days", "exposure.events.taper_days",
    "exposure.events.discontinuation_days", "hyperalgesia.escalation.stable_days", "hyperalgesia.escalation.grace_days",
    "hyperalgesia.windows_days", "mortality.horizons_days", "mortality.lags_days", "addiction.lag_days",
]  # fmt: skip
SHORTER = {"mortality.encounter_window_days", "mortality.grace_days"}  # days that end after a year


def with_days(key: str, days: int) -> str:
    lists = {
        "hyperalgesia.windows_days": f"[[1, {days}]]",
        "mortality.horizons_days": f"[30, {days}]",
        "mortality.lags_days": f"[0, {days}]",
    }
    *sections, name = key.split(".")
    return (
        ONE
        + "".join(f"{section}: {{" for section in sections)
        + f"{name}: {lists.get(key, days)}"
        + (
            f"}}, windows_days: [[1, {CENTURY}]]}}"
            if name == "grace_days" and len(sections) == 2
            else "}" * len(sections)
        )
    )


@pytest.mark.parametrize("key", DAY_KEYS)
def test_days_end_after_a_century(tmp_path: Path, key: str) -> None:
    config(tmp_path, with_days(key, CENTURY))
    for days in (CENTURY + 1, HUGE):
        message = problem(tmp_path, with_days(key, days))
        assert f"{key}: is out of range" in message
        assert "write a number at most 36525" in message


def test_no_key_of_days_is_without_bounds() -> None:
    declared = {
        ".".join(map(str, key)): json.dumps(TypeAdapter(Annotated[field.annotation, field]).json_schema())
        for key, _, field in fields(Config.model_validate({"cohorts": {"a": {"path": "x"}}}))
        if "days" in str(key[-1]) and not isinstance(field.default_factory, type)
    }
    assert set(declared) - SHORTER == set(DAY_KEYS) - {"exposure.days_supply.max"}
    assert all(f'"maximum": {365 if key in SHORTER else CENTURY}' in told for key, told in declared.items())


LATER = [
    "sensitivity: {exposure.gap_days: [7, 60]}",
    "disclosure: {profile: opensafely}", "disclosure: {profile: ohdsi5}", "report: {formats: [html, docx]}",
    "privacy: {quasi_identifiers: [race]}",
]  # fmt: skip


@pytest.mark.parametrize("text", LATER)
def test_choices_of_later_versions_are_refused_not_ignored(tmp_path: Path, text: str) -> None:
    message = problem(tmp_path, f"{ONE}{text}\n")
    assert "not in this version" in message
    assert "\n    -> available: " in message or "\n    -> leave it out (it stays " in message


COHORTS = [
    ("{}", ["is empty"]),
    ("{pooled: {path: x}}", ["cohorts.pooled: this name is taken"]),
    ("{logs: {path: x}}", ["cohorts.logs: this name is taken"]),
    ("{main: {path: x}}", ["cohorts.main: this name is taken"]),
    ("{Clinic: {path: x}}", ["cohorts.Clinic: is no valid name"]),
    ("{a/b: {path: x}}", ["is no valid name"]),
    ("{-a: {path: x}}", ["is no valid name"]),
    (f"{{{'a' * 42}: {{path: x}}}}", ["is no valid name"]),
    ("{a: }", ["cohorts.a.path: is missing", "Folder of the cohort's files"]),
    ("{a: {path: 7}}", ["cohorts.a.path: is a number where text", "Folder of the cohort's files"]),
    ("{a: {path: ''}}", ["cohorts.a.path: is empty"]),
    ("{a: {path: x, format: sql}}", ["`sql` is not one of its choices"]),
    ("{a: {path: x, date_basis: real}}", ["`real`", "'shifted', 'actual' or 'offset'"]),
    (
        "{a: {path: x, deaths_complete_until: 2020-02-30}}",
        ["cohorts.a.deaths_complete_until: is no date", "2020-01-31"],
    ),
    ("{a: {path: x, deaths_complete_until: 900}}", ["a day number needs date_basis: offset"]),
    ("{a: {path: x, date_basis: offset, deaths_complete_until: 60000}}", ["is out of range", "from -50000 to 50000"]),
    ("{a: {path: x, date_basis: offset, deaths_complete_until: 2020-01-31}}", ["write the day's number"]),
    ("{a: {path: x, reference_year: 0}}", ["reference_year: is out of range", "at least 1"]),
    ("{a: {path: x, reference_year: '2008'}}", ["reference_year: is text where a whole number"]),
    ("{a: {path: x, format: omop, date_basis: offset}}", ["OMOP data have dates"]),
    ("{a: {path: x.duckdb, format: omop}}", ["reading a database is not in this version"]),
    ("{a: {path: x, format: omop, connection_env: DB}}", ["connection_env", "not in this version"]),
    ("{a: {path: x, format: omop, tables: {persons: {file: p.csv}}}}", ["format omop needs no mapping"]),
    ("{a: {path: x, tables: {person: {file: p.csv}}}}", ["tables.person: there is no such table", "`persons`"]),
    ("{a: {path: x, tables: {pain: {columns: {scor: NRS}}}}}", ["pain has no such column", "`score`"]),
    ("{a: {path: x, tables: {pain: {columns: {score: a}, derive: {score: '1'}}}}}", ["is given by `columns` as well"]),
    ("{a: {path: x, tables: {pain: {recode: {scale: {column: s, map: {}}}}}}}", ["map: is empty"]),
    ("{a: {path: x, tables: {pain: {where: 'score >'}}}}", ["where: is no SQL expression"]),
    ("{a: {path: x, tables: {pain: {where: ''}}}}", ["where: is no SQL expression"]),
    ('{a: {path: x, tables: {pain: {where: "name = \'Smith"}}}}', ["is no SQL expression (at character 8)"]),
    ("{a: {path: x, tables: {pain: {where: __import__('os')}}}}", ["no function __import__"]),
    ("{a: {path: x, tables: {pain: {derive: {score: 0}}}}}", ["derive.score: is a number where text (in quotes"]),
    ("{a: {path: x, simulate: {persons: 100}}}", ["simulate.world: is missing"]),
    ("{a: {path: x, simulate: {world: nul}}}", ["there is no world `nul`", "did you mean `null`"]),
    ("{a: {path: x, simulate: {world: 'null', persons: 3}}}", ["is out of range", "at least 50"]),
    ("{a: {path: x, simulate: {world: 'null'}}, b: {path: ./y/../x}}", ["simulated into the folder of cohort b"]),
    (
        "{a: {path: x, simulate: {world: 'null'}}, b: {path: x, simulate: {world: relief}}}",
        ["cohorts.b.path: is simulated into the folder of cohort a"],
    ),
]


@pytest.mark.parametrize(("cohorts", "says"), COHORTS, ids=[text for text, _ in COHORTS])
def test_each_mistake_in_a_cohort_is_one_message(tmp_path: Path, cohorts: str, says: list[str]) -> None:
    message = problem(tmp_path, f"cohorts: {cohorts}\n")
    for part in says:
        assert part in message


BRACES = [
    ("cohorts: {a: {path: 'data/{x}'}}", "cohorts.a.path"),
    ("cohorts: {a: {path: 'data}'}}", "cohorts.a.path"),
    ("cohorts: {a: {path: x, tables: {pain: {file: 'p{1}.csv'}}}}", "cohorts.a.tables.pain.file"),
    (f"{ONE}population: {{chronic_pain_codes: '{{mine}}.csv'}}", "population.chronic_pain_codes"),
    (f"{ONE}population: {{exclude: [cancer, '{{mine}}.csv']}}", "population.exclude"),
    (f"{ONE}exposure: {{mme_factors: '{{mine}}.csv'}}", "exposure.mme_factors"),
    (f"{ONE}exposure: {{drug_dictionary: '{{mine}}.csv'}}", "exposure.drug_dictionary"),
    (f"{ONE}addiction: {{codes: '{{mine}}.csv'}}", "addiction.codes"),
    (f"{ONE}mortality: {{life_table: '{{mine}}.csv'}}", "mortality.life_table"),
    (f"{ONE}mortality: {{negative_controls: [statin, '{{mine}}.csv']}}", "mortality.negative_controls"),
]


@pytest.mark.parametrize(("text", "key"), BRACES, ids=[key for _, key in BRACES])
def test_a_path_with_braces_is_refused(tmp_path: Path, text: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "{mine}.csv").write_text("vocabulary,code_prefix\nICD10CM,M54\n")
    message = problem(tmp_path, text)
    assert f"{key}: holds a brace" in message
    assert "rename the file or folder" in message


def test_paths_are_written_one_way(tmp_path: Path) -> None:
    read = config(tmp_path, "cohorts: {a: {path: ./data//demo/}}\n")
    assert read.cohorts["a"].path == "data/demo"


def test_two_cohorts_may_read_one_folder(tmp_path: Path) -> None:
    assert len(config(tmp_path, "cohorts: {a: {path: x}, b: {path: x}}\n").cohorts) == 2


def test_calendar_year_is_no_time_varying_covariate(tmp_path: Path) -> None:
    [message] = problems(tmp_path, f"{ONE}covariates: {{time_varying: [calendar_year]}}\n")
    assert "covariates.time_varying: calendar_year goes up with time itself" in message


def test_safe_harbor_contradicts_actual_dates(tmp_path: Path) -> None:
    text = "cohorts:\n  a: {path: x}\n  b: {path: y, date_basis: actual}\nprivacy: {safe_harbor: true}\n"
    message = problem(tmp_path, text)
    assert message.startswith("study.yaml:3: cohorts.b.date_basis: contradicts privacy.safe_harbor")


def test_a_study_start_cannot_fit_dates_and_offsets_at_once(tmp_path: Path) -> None:
    text = "cohorts:\n  a: {path: x}\n  b: {path: y, date_basis: offset}\npopulation: {study_end: 2020-01-01}\n"
    assert "some cohorts count days and others have dates" in problem(tmp_path, text)


@pytest.mark.parametrize("day", [50_001, -50_001, HUGE])
def test_a_day_number_lies_within_those_of_the_data(tmp_path: Path, day: int) -> None:
    offset = "cohorts: {a: {path: x, date_basis: offset}}\n"
    assert config(tmp_path, f"{offset}population: {{study_end: 50000}}\n").population.study_end == 50_000
    message = problem(tmp_path, f"{offset}population: {{study_end: {day}}}\n")
    assert "population.study_end: is out of range" in message
    assert "from -50000 to 50000" in message


def test_no_cohorts_is_said(tmp_path: Path) -> None:
    assert "cohorts: is missing" in problem(tmp_path, "study: {name: a}\n")


def test_a_users_own_code_list_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("vocabulary,code_prefix\nICD10CM,M54\n")
    read = config(tmp_path, f"{ONE}population: {{chronic_pain_codes: mine.csv, exclude: [cancer, mine.csv]}}\n")
    assert read.population.chronic_pain_codes == "mine.csv"


def test_files_of_the_user_stand_for_shipped_lists_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").touch()
    mortality = "mortality: {life_table: mine.csv, negative_controls: [statin, ingrowing_nail, mine.csv]}\n"
    read = config(tmp_path, f"{ONE}{mortality}addiction: {{codes: mine.csv}}\n")
    assert read.mortality.life_table == read.mortality.negative_controls[-1] == read.addiction.codes == "mine.csv"


@pytest.mark.parametrize(("basis", "day"), [("shifted", "2020-01-31"), ("offset", "900"), ("offset", "-1")])
def test_a_day_until_which_deaths_are_complete(tmp_path: Path, basis: str, day: str) -> None:
    read = config(tmp_path, f"cohorts: {{a: {{path: x, date_basis: {basis}, deaths_complete_until: {day}}}}}\n")
    assert str(read.cohorts["a"].deaths_complete_until) == day


def test_all_problems_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """
study: {tilte: x}
cohorts:
  good: {path: data}
  Bad: {path: data}
  worse: {date_basis: when}
population:
  min_age: true
exposure:
  dose_bands: [50, 20]
hyperalgesia: {reliability: 1.8}
disclosure: {profile: none}
"""
    found = problems(tmp_path, text)
    assert [one.split(": ")[:2] for one in found] == [
        ["study.yaml:2", "study.tilte"],
        ["study.yaml:5", "cohorts.Bad"],
        ["study.yaml:6", "cohorts.worse.date_basis"],
        ["study.yaml:6", "cohorts.worse.path"],
        ["study.yaml:8", "population.min_age"],
        ["study.yaml:10", "exposure.dose_bands"],
        ["study.yaml:11", "hyperalgesia.reliability"],
        ["study.yaml:12", "disclosure.reason"],
    ]


DEEP: list[object] = []
for _ in range(300):
    DEEP = [DEEP]


@pytest.mark.parametrize("title", ["\ud800", DEEP], ids=["half a character", "deep"])
def test_what_is_no_json_ends_with_one_problem(tmp_path: Path, title: object) -> None:
    found = KeyProblems(Document(tmp_path / "study.yaml", {}))
    assert _validated({"study": {"title": title}, "cohorts": {"a": {"path": "x"}}}, found) is None
    assert [problem.what for problem in found.found.values()] == ["this is no config"]


def test_a_wrong_type_does_not_bring_a_second_problem_of_the_same_key(tmp_path: Path) -> None:
    found = problems(tmp_path, f"{ONE}disclosure: {{profile: none, reason: 5}}\n")
    assert len(found) == 1
    assert "is a number where text" in found[0]
