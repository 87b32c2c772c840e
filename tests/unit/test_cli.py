"""The shell commands: what they print, and how they end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from opioid_outcomes import cli, errors
from opioid_outcomes.config import load
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.estimates import DESCRIPTIONS, SCHEMA


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_init_writes_a_config_that_loads_and_never_overwrites(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "init", "--format", "omop")
    assert (code, err) == (0, "")
    assert "opioid-outcomes check my-study.yaml" in out
    assert load.load_config(Path("my-study.yaml")).cohorts["my_cohort"].format == "omop"
    Path("my-study.yaml").write_text("mine\n")
    code, _, err = run(capsys, "init")
    assert (code, Path("my-study.yaml").read_text()) == (2, "mine\n")
    assert "there is a file already" in err


def test_init_where_there_is_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "init", "no/such/folder/x.yaml")
    assert code == 2
    assert "cannot be written" in err


@pytest.mark.parametrize("data_format", ["tables", "omop"])
def test_simulate_then_check(capsys: pytest.CaptureFixture[str], data_format: str) -> None:
    options = ("--world", "null", "--persons", "120", "--seed", "5", "--format", data_format, "--out", "sim")
    code, out, _ = run(capsys, "simulate", *options)
    assert code == 0
    assert "120 persons, world null" in out
    assert json.loads(Path("sim/truth.json").read_text())
    Path("s.yaml").write_text(f"cohorts: {{c: {{path: sim, format: {data_format}}}}}\n")
    before = sorted(Path().rglob("*"))
    code, out, err = run(capsys, "check", "s.yaml")
    assert (code, err) == (0, "")
    assert out.startswith("c: ")
    assert "rows read" in out
    assert sorted(Path().rglob("*")) == before  # check writes nothing


def test_check_names_the_problems_of_every_cohort(capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text("cohorts: {one: {path: nowhere}, two: {path: elsewhere}}\n")
    code, _, err = run(capsys, "check", "s.yaml")
    assert code == 2
    assert "cohort one, nowhere: no such folder" in err
    assert "cohort two, elsewhere: no such folder" in err


def clinic() -> None:
    """A small cohort in ``clinic``, and its config ``s.yaml``."""
    people = [*range(99, 130), *range(131, 160)]  # consecutive ids would be told
    Path("clinic").mkdir()
    rows = {
        "persons": ["person_id,sex,birth_year", *(f"{i},F,{1900 + i // 2}" for i in people)],
        "observation": ["person_id,start,end", *(f"{i},2010-01-01,2012-12-31" for i in people)],
        "diagnoses": ["person_id,date,code,vocabulary", *(f"{i},2010-02-01,M54.5,ICD10CM" for i in people)],
        "pain": ["person_id,date,scale,points", *(f"{i},2010-03-01,NRS,{i % 10}" for i in people)],
    }
    for table, lines in rows.items():
        Path(f"clinic/{table}.csv").write_text("\n".join(lines) + "\n")
    Path("s.yaml").write_text(CLINIC)


CLINIC = """cohorts:
  clinic:
    path: clinic
    tables:
      pain:
        columns: {score: points}
"""


def test_check_says_what_missing_tables_cost(capsys: pytest.CaptureFixture[str]) -> None:
    clinic()
    Path("clinic/dispensing.csv").write_text("person_id,date\n")
    code, out, _ = run(capsys, "check", "s.yaml")
    assert code == 0
    assert out.splitlines()[0].startswith("clinic: 60 persons")
    assert "\n    Neither dispensings nor self-reports: " in out
    assert "\n    There are no deaths: " in out
    assert "pain scores" not in out


def test_check_says_what_is_rejected_and_what_is_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    clinic()
    rows = ["99,2010-03-01,NRS,7", "99,2010-04-01,NRS,11", "99,2010-05-01,NRS,12", "99,soon,NRS,1"]
    with Path("clinic/pain.csv").open("a") as file:
        file.write("\n".join(rows) + "\n")
    fills = "person_id,date,ingredient,quantity,days_supply\n99,2010-03-01,oxycodone,30,30\n"
    Path("clinic/dispensings.csv").write_text(fills)
    Path("clinic/opioid_use.csv").write_text("person_id,date,using\n100,2010-03-01,1\n")
    code, out, _ = run(capsys, "check", "s.yaml")
    assert code == 0
    assert "\n    pain: rows rejected by score_out_of_range 2, unreadable_date 1\n" in out
    assert "\n    The dose of most analgesic fills is unknown: " in out
    assert "\n    Dispensings decide who is on opioids; self-reports of use are not read beside them.\n" in out


def test_check_refuses_entry_on_diagnoses_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    clinic()
    Path("clinic/diagnoses.csv").unlink()
    code, out, err = run(capsys, "check", "s.yaml")
    assert (code, out) == (2, "")
    assert err.startswith("s.yaml:2: cohorts.clinic: there are no diagnoses")
    assert "set population.entry: first_observation" in err
    Path("s.yaml").write_text(CLINIC + "population: {entry: first_observation}\n")
    assert run(capsys, "check", "s.yaml")[0] == 0


def test_check_names_a_cohort_once_and_the_line_of_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    clinic()
    Path("s.yaml").write_text(CLINIC.replace("score: points", "score: poins"))
    code, _, err = run(capsys, "check", "s.yaml")
    assert code == 2
    assert err.startswith("s.yaml:6: cohorts.clinic.tables.pain.columns.score: no column poins in pain.csv\n")
    Path("s.yaml").write_text(CLINIC.replace("score: points", "score: scale"))
    code, _, err = run(capsys, "check", "s.yaml")
    assert code == 2
    assert err.startswith("cohort clinic, table pain: 60 of 60 rows were rejected")
    assert err.count("clinic") == 1


def test_a_folder_with_the_name_of_a_table_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    clinic()
    Path("clinic/deaths.csv").mkdir()
    code, _, err = run(capsys, "check", "s.yaml")
    assert code == 2
    assert "cohort clinic, clinic/deaths.csv: is a folder, not a file\n    -> " in err


OWN = {
    "empty": b"",
    "random": bytes(range(256)) * 40,
    "nul": b"\0" * 4000,
    "columns": b"a,b\n1,2\n",
    "header": b"vocabulary,code_prefix\n",
    "ragged": b"vocabulary,code_prefix\nICD10CM,M54,x,y\n",
    "unknown": b"vocabulary,code_prefix\n,M54\n",
}


@pytest.mark.parametrize("content", OWN.values(), ids=OWN.keys())
def test_check_reads_own_tables_as_the_run_will(capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    clinic()
    names = ("pain_codes", "excluded", "factors", "products", "table", "controls", "disorder")
    for name in names:
        Path(f"{name}.csv").write_bytes(content)
    own = (
        "population: {chronic_pain_codes: pain_codes.csv, exclude: [cancer, excluded.csv]}\n"
        "exposure: {mme_factors: factors.csv, drug_dictionary: products.csv}\n"
        "mortality: {life_table: table.csv, negative_controls: [statin, controls.csv]}\n"
        "addiction: {codes: disorder.csv}\n"
    )
    Path("s.yaml").write_text(CLINIC.replace("points", "poins") + own)
    code, out, err = run(capsys, "check", "s.yaml")
    assert (code, out) == (2, "")
    for name in names:
        assert f"{name}.csv: " in err
    assert "no column poins" in err  # all at once
    assert err.count("\n    -> ") == len([line for line in err.splitlines() if not line.startswith("    -> ")])


def test_check_warns_of_own_tables_that_are_not_utf8(capsys: pytest.CaptureFixture[str]) -> None:
    clinic()
    Path("codes.csv").write_text("vocabulary;code_prefix;label\nICD10CM;M54;R\u00fccken\n", encoding="cp1252")
    factors = "ingredient,route,form,unit,factor,source\nmorphine,,,mg,1,B\u00fcrgi\n"
    Path("factors.csv").write_text(factors, encoding="cp1252")
    Path("s.yaml").write_text(CLINIC + "population: {exclude: [codes.csv]}\nexposure: {mme_factors: factors.csv}\n")
    code, out, err = run(capsys, "check", "s.yaml")
    assert (code, err) == (0, "")
    for name in ("codes", "factors"):
        assert f"{name}.csv is not UTF-8; it was read as Windows-1252 (cp1252)." in out


def test_check_of_a_cohort_still_to_be_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text("cohorts: {one: {path: later, simulate: {world: relief, persons: 500}}}\n")
    code, out, _ = run(capsys, "check", "s.yaml")
    assert code == 0
    assert "one: will be simulated (world relief, 500 persons)" in out


def test_an_unknown_world_is_a_users_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "simulate", "--world", "tolerence", "--out", "x")
    assert code == 2
    assert "did you mean `tolerance`?" in err
    assert not Path("x").exists()


def test_simulate_leaves_other_peoples_files_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("real").mkdir()
    Path("real/persons.csv").write_text("mine\n")
    code, _, err = run(capsys, "simulate", "--world", "null", "--persons", "60", "--out", "real")
    assert (code, Path("real/persons.csv").read_text()) == (2, "mine\n")
    assert "files that no simulation wrote" in err


@pytest.mark.parametrize("out", ["file.txt", "file.txt/below", "/proc/no-such-folder"])
def test_simulate_where_nothing_can_be_written(capsys: pytest.CaptureFixture[str], out: str) -> None:
    Path("file.txt").write_text("mine\n")
    code, printed, err = run(capsys, "simulate", "--world", "null", "--persons", "60", "--out", out)
    assert (code, printed, Path("file.txt").read_text()) == (2, "", "mine\n")
    assert err.startswith(f"{out}: cannot be written (")
    assert "\n    -> " in err


@pytest.mark.parametrize(
    "arguments",
    [[], ["frob"], ["check"], ["simulate", "--world", "null", "--persons", "many", "--out", "x"],
     ["simulate", "--world", "null", "--persons", "0", "--out", "x"],
     ["simulate", "--world", "null", "--persons", "1000001", "--out", "x"],
     ["simulate", "--world", "null", "--seed", "9" * 5000, "--out", "x"], ["simulate", "--world", "null"]],
)  # fmt: skip
def test_a_wrong_command_line_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2


def test_help_lists_the_worlds(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["simulate", "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert all(f"\n  {world} " in out for world in ("null", "relief", "tolerance", "hyperalgesia", "mortality"))


def test_the_codebook_names_every_column_of_input_and_estimates(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "codebook")
    assert code == 0
    for table in CANONICAL.values():
        section = out.split(f"\n{table.name}{' (optional)' if table.optional else ''}: ")[1].split("\n\n")[0]
        assert all(f"\n  {name} " in section for name in table.names)
    assert set(DESCRIPTIONS) == set(SCHEMA)
    assert max(map(len, out.splitlines())) <= 120


def test_a_reader_that_has_enough_is_no_mistake() -> None:
    command = [sys.executable, "-c", "import sys; from opioid_outcomes.cli import main; sys.exit(main(['codebook']))"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()  # long before the first line is printed
        assert process.stderr.read() == b""
    assert process.returncode == 0


class PanicError(BaseException):
    """Stands for a panic of polars, which is no Exception."""


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, PanicError])
def test_anything_unforeseen_shows_type_and_place_only(
    kind: type[BaseException], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path) -> None:
        raise kind("patient 4711 was born 1950-01-01")

    monkeypatch.setattr(load, "load_config", fails)
    code, out, err = run(capsys, "check", "s.yaml")
    assert (code, out) == (1, "")
    assert err.startswith(f"unforeseen {kind.__name__} at opioid_outcomes/cli.py:")
    assert "4711" not in err


def test_exit_codes_of_the_shared_mapping(capsys: pytest.CaptureFixture[str]) -> None:
    mistake = errors.UserError(errors.Problem("the file is empty", "a.csv", "write rows"), errors.Problem("and more"))
    assert errors.report_and_exit_code(mistake) == 2
    assert capsys.readouterr().err == "a.csv: the file is empty\n    -> write rows\nand more\n"
    assert errors.report_and_exit_code(KeyboardInterrupt()) == 130
    assert errors.report_and_exit_code(ValueError("secret")) == 1
    assert "secret" not in capsys.readouterr().err


def test_the_place_is_the_innermost_line_of_the_package() -> None:
    with pytest.raises(AttributeError) as caught:
        load.load_config(None)  # type: ignore[arg-type]
    assert errors.place_of(caught.value).startswith("opioid_outcomes/config/yaml_loader.py:")
