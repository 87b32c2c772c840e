"""A mistake in the config, as a person meets it: one message, exit code 2, no traceback, nothing written."""

import subprocess
import sys
from pathlib import Path

import pytest

GOOD = "study: {name: mine}\ncohorts:\n  a: {path: data}\n"

BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "unknown key": (GOOD + "popluation: {min_age: 20}\n", ["bad.yaml:4: popluation", "did you mean `population`?"]),
    "duplicate key": (GOOD + "study: {name: other}\n", ["bad.yaml:4: `study` stands twice, here and on line 1"]),
    "wrong type": (GOOD + "population:\n  min_age: young\n", ["bad.yaml:5: population.min_age: is text where a whole"]),
    "boolean for a number": (GOOD + "population: {min_age: true}\n", ["is true or false where a whole number"]),
    "scalar for a list": (GOOD + "covariates: {baseline: age}\n", ["is text where a list"]),
    "bad cohort name": (GOOD + "  My Cohort: {path: x}\n", ["bad.yaml:4: cohorts.My Cohort: is no valid name"]),
    "taken name": (GOOD + "  pooled: {path: x}\n", ["bad.yaml:4: cohorts.pooled: this name is taken"]),
    "later version": (
        GOOD + "privacy: {quasi_identifiers: [race]}\n",
        ["privacy.quasi_identifiers: this choice is not in this version"],
    ),
    "yte": (GOOD + "__use_yte__: true\n", ["bad.yaml:4: __use_yte__ would run code"]),
    "alias bomb": (
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}' if i else '*a'] * 10)}]\n" for i in range(9)),
        ["aliases written out it has more than 100,000 values"],
    ),
    "broken YAML": ("study: {name: mine\ncohorts: {}\n", ["bad.yaml:", "not valid YAML"]),
    "empty": ("", ["the config is empty", "opioid-outcomes init"]),
    "not UTF-8": ("study: {title: \xe9}\n".encode("latin-1"), ["bad.yaml:1: not UTF-8"]),
    "several at once": (
        GOOD + "population: {min_age: true, lookbak_days: 3}\nreport: {formats: [docx]}\ndisclosure: {profile: none}\n",
        ["population.min_age", "did you mean `lookback_days`?", "bad.yaml:5: report.formats", "profile none needs"],
    ),
}


def check(folder: Path, name: str = "bad.yaml") -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "import sys; from opioid_outcomes.cli import main; sys.exit(main())",
        "check",
        name,
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("mistake", list(BAD))
def test_a_mistake_ends_in_one_message(tmp_path: Path, mistake: str) -> None:
    text, says = BAD[mistake]
    (tmp_path / "bad.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    ended = check(tmp_path)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    for part in says:
        assert part in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


def test_a_missing_file(tmp_path: Path) -> None:
    ended = check(tmp_path, "no.yaml")
    assert ended.returncode == 2
    assert "no.yaml: there is no such file" in ended.stderr
    assert "Traceback" not in ended.stderr
