"""Whatever stands in a config, loading it gives a config or a message, never a crash."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.config.load import load_config
from opioid_outcomes.config.model import Config
from opioid_outcomes.errors import UserError

BASE = Config.model_validate({"cohorts": {"a": {"path": "x", "tables": {"pain": {"columns": {"score": "s"}}}}}})


def paths(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(values, dict):
        for key, value in values.items():
            found += paths(value, (*path, key))
    if isinstance(values, list):
        for index, value in enumerate(values):
            found += paths(value, (*path, index))
    return found


def replaced(values: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if not isinstance(values, dict | list) or (isinstance(values, dict) and path[0] not in values):
        return values
    copy = values.copy()
    if isinstance(values, list) and not (isinstance(path[0], int) and path[0] < len(values)):
        return values
    copy[path[0]] = replaced(values[path[0]], path[1:], new)
    return copy


DEFAULTS = BASE.model_dump(mode="json")
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "age", "\ud800", "2020-01-01"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "path", "map"]), inner)
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(paths(DEFAULTS)), values), min_size=1, max_size=4))
def test_any_values_give_a_config_or_a_message(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    changed = DEFAULTS
    for path, new in changes:
        changed = replaced(changed, path, new)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(yaml.safe_dump(changed), encoding="utf-8")
        try:
            load_config(path)
            places = [str(path)]
        except UserError as error:
            places = [problem.where for problem in error.problems]
    assert places
    assert all(place.startswith(str(path)) for place in places)
