"""Configs written to a file and loaded, and the problems that come of it."""

from pathlib import Path

import pytest

from opioid_outcomes.config.load import load_config
from opioid_outcomes.config.model import Config
from opioid_outcomes.errors import UserError

ONE = "cohorts: {a: {path: data}}\n"


def config(folder: Path, text: str) -> Config:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        config(folder, text)
    return [str(problem).replace(str(folder) + "/", "") for problem in caught.value.problems]


def problem(folder: Path, text: str) -> str:
    found = problems(folder, text)
    assert len(found) == 1, found
    return found[0]
