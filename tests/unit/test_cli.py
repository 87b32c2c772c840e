"""The shell commands: what they print, and how they end."""

import json
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
    assert "cohort one: " in err
    assert "cohort two: " in err


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
     ["simulate", "--world", "null", "--persons", "0", "--out", "x"], ["simulate", "--world", "null"]],
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
