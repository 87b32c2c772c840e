"""The YAML loader: scalars stay what they look like, lines are known, and nothing hurts whoever reads."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opioid_outcomes.config.yaml_loader import load, scalar
from opioid_outcomes.errors import UserError


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "study.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(UserError) as caught:
        load(write(folder, text))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Yes", "Yes"), ("no", "no"), ("on", "on"), ("2020-01-01", "2020-01-01"), ("00406055201", "00406055201"),
        ("1_000", "1_000"), ("12:30", "12:30"), ("0x1F", "0x1F"), ("017", "017"), (".inf", ".inf"), (".nan", ".nan"),
        ("1e999", "1e999"), ("12345678901234567890", "12345678901234567890"), ("-", "-"), ("1.2.3", "1.2.3"),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("0", 0), ("-7", -7), ("+7", 7), ("365", 365), ("0.2", 0.2), (".5", 0.5), ("1e3", 1000.0), ("1.", 1.0),
        ("-2.5E-1", -0.25),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@given(st.text(alphabet="0123456789.eE+-_~xainftrul", max_size=30))
def test_a_scalar_is_text_unless_it_reads_back_as_the_same_number(text: str) -> None:
    value = scalar(text)
    if isinstance(value, str):
        assert value == text
    elif value is not None and not isinstance(value, bool):
        assert value == float(text)


def test_quoted_scalars_and_keys_stay_text(tmp_path: Path) -> None:
    document = load(write(tmp_path, "a: '1'\nb: \"true\"\nmap: {1: one, true: two, 2020-01-01: three}\n"))
    assert document.values == {"a": "1", "b": "true", "map": {"1": "one", "true": "two", "2020-01-01": "three"}}


def test_every_key_and_item_has_its_line(tmp_path: Path) -> None:
    document = load(write(tmp_path, "a:\n  b: 1\n  c:\n    - x\n    - y\nd: {e: 2}\n"))
    lines = {(): 1, ("a",): 1, ("a", "b"): 2, ("a", "c", 1): 5, ("d", "e"): 6}
    assert {key: document.line_of(key) for key in lines} == lines
    assert document.line_of(("a", "c", "not there", "at all")) == 3  # the nearest section around it


def test_aliases_are_written_out(tmp_path: Path) -> None:
    document = load(write(tmp_path, "a: &x [1, 2]\nb: *x\n"))
    assert document.values == {"a": [1, 2], "b": [1, 2]}


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    assert load(write(tmp_path, b"\xef\xbb\xbfa: 1\n")).values == {"a": 1}


def test_duplicate_keys_are_refused_with_both_lines(tmp_path: Path) -> None:
    message = refusal(tmp_path, "a: 1\nb: {c: 1,\n  c: 2}\na: 3\n")
    assert "study.yaml:3: `c` stands twice, here and on line 2" in message
    assert "study.yaml:4: `a` stands twice, here and on line 1" in message


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "aliases written out it has more than"),
        ("a: &a [1, *a]\n", "aliases written out it has more than"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a: " + "x" * 2_000_001, "larger than"),
        ("study: {__use_yte__: true}\n", "study.yaml:1: __use_yte__"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "study.yaml:2: tags"),
        ("a: &b {c: 1}\nd:\n  <<: *b\n", "study.yaml:3: merge keys"),
        ("a: 1\n? [x]\n: 2\n", "study.yaml:2: a key is a list"),
        ("a: *b\n", "study.yaml:1: not valid YAML"),
        ("a: 1\n---\nb: 2\n", "one document in a file"),
        ("a:\n\tb: 1\n", "study.yaml:2: not valid YAML"),
        ("a: [1, 2\nb: 3\n", "not valid YAML"),
        ("a: 1\nb: [x,\n  " + "[" * 60 + "]" * 60 + "]\n", "study.yaml:3: nested more than 50 deep"),
        ('a: 1\nb: "\\ud800"\n', "study.yaml:2: an escape that stands for"),
        ('a: 1\n? "\\udc00x"\n: 2\n', "study.yaml:2: an escape that stands for"),
        ('a: 1\nb: ["x\\0"]\n', "study.yaml:2: an escape that stands for"),
        ("a: 1\nb: \x01\n", "study.yaml:2: not valid YAML: a control character"),
        ("", "the config is empty"),
        ("# nothing but a comment\n", "the config is empty"),
        ("null\n", "the config is empty"),
        ("- a\n- b\n", "not a set of keys"),
        ("just words\n", "not a set of keys"),
        ("a: 1\nb: \xe9\n".encode("latin-1"), "study.yaml:2: not UTF-8"),
        ("a: 1\n".encode("utf-16"), "not UTF-8"),
    ],
)
def test_each_broken_file_is_one_message(tmp_path: Path, text: str | bytes, says: str) -> None:
    message = refusal(tmp_path, text)
    assert says in message
    assert "\n    -> " in message  # the fix


def test_a_tab_is_told_apart(tmp_path: Path) -> None:
    assert "indent with spaces" in refusal(tmp_path, "a:\n\tb: 1\n")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        load(tmp_path / "no.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path)
