"""The default file, the schema and the table of keys say what the models say."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from opioid_outcomes.config import generate
from opioid_outcomes.config.load import load_config
from opioid_outcomes.config.model import Config

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", list(generate.generated()))
def test_generated_files_are_in_step_with_the_models(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == generate.generated()[name], f"run {generate.COMMAND}"


def test_check_fails_on_drift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(["--check"]) == 2
    assert "config/README.md" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "config/README.md").write_text("edited by hand\n")
    assert generate.main(["--check"]) == 2


def test_the_default_file_holds_the_defaults() -> None:
    given = {"path": "path/to/the/folder"}
    assert load_config(ROOT / "config/default.yaml") == Config.model_validate({"cohorts": {"my_cohort": given}})


@pytest.mark.parametrize("data_format", ["tables", "omop"])
def test_the_starter_loads_and_changes_nothing_but_the_cohort(tmp_path: Path, data_format: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(generate.starter(data_format), encoding="utf-8")
    given = {"path": "path/to/the/folder", "format": data_format}
    assert load_config(path) == Config.model_validate({"cohorts": {"my_cohort": given}})
    assert "Not in this version" not in path.read_text()


def test_the_mapping_example_of_the_starter_is_valid(tmp_path: Path) -> None:
    assert generate.MAPPING_EXAMPLE in generate.starter("tables")
    first, *example = generate.MAPPING_EXAMPLE.splitlines()
    lines = [line.replace("# ", "", 1) for line in example]
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join(["cohorts:", "  a:", "    path: x", first, *lines]) + "\n")
    tables = load_config(path).cohorts["a"].tables
    assert tables["persons"].recode["sex"].map == {"1": "M", "2": "F"}
    assert tables["observation"].columns["end"] == "LAST_DATE"


def test_the_schema_agrees_with_the_loader() -> None:
    schema = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    demo = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    assert list(validator.iter_errors(demo)) == []
    assert list(validator.iter_errors({"cohorts": {"a": {"path": "x"}}, "popluation": {}})) != []
    assert list(validator.iter_errors({"cohorts": {"a": {"path": "x"}}, "population": {"min_age": "18"}})) != []
    assert list(validator.iter_errors({"study": {"name": "a"}})) != []


def test_every_key_says_how_to_choose_it() -> None:
    readme = (ROOT / "config/README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    assert len(rows) > 70
    assert all(len(row.split(" | ")[3]) > 8 for row in rows), "a key without a sentence"


def test_the_demo_loads() -> None:
    config = load_config(ROOT / "config/config.yaml")
    assert {name: cohort.format for name, cohort in config.cohorts.items()} == {"clinic": "tables", "claims": "omop"}
