"""Loads a study's config: all of its problems at once, each with file, line and what to write instead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from opioid_outcomes.config import wording, yaml_loader
from opioid_outcomes.config.base import Section
from opioid_outcomes.config.checks import CHECKS
from opioid_outcomes.config.model import Config
from opioid_outcomes.config.nearest import suggestion
from opioid_outcomes.config.problems import KeyProblems
from opioid_outcomes.config.yaml_loader import Key


def load_config(path: Path) -> Config:
    """The validated config of a study.

    Raises one ``UserError`` with every problem found: first the YAML itself, then keys and types, then what the keys
    must agree on (checked on whatever is left when the wrong keys are put aside). Reads no data.
    """
    document = yaml_loader.load(path)
    values = _fill_empty(document.values, Config)
    problems = KeyProblems(document)
    config = _validated(values, problems)
    if config is not None:
        for check in CHECKS:
            check(config, problems)
    problems.raise_if_any()
    assert config is not None  # every way to None has reported a problem
    return config


def _validated(values: dict[str, Any], problems: KeyProblems) -> Config | None:
    """Validates, reporting what is wrong; what is wrong is left out and the rest validated again."""
    while True:
        try:
            # as JSON, for that is what the YAML held: strict, yet a list may stand for a pair
            return Config.model_validate_json(json.dumps(values), strict=True)
        except ValidationError as error:
            wrong = _by_key(error.errors(include_url=False), values)
        for key, details in wrong.items():
            _explain(key, details, values, problems)
        left = values
        for key in wrong:
            left = _without(left, key)
        if left == values or not left.get("cohorts"):  # nothing could be put aside, or nothing is left to check
            return None
        values = left


def _by_key(errors: list[ErrorDetails], values: dict[str, Any]) -> dict[Key, list[ErrorDetails]]:
    """Errors by the key in the file: pydantic's path goes on into the alternatives of a type."""
    found: dict[Key, list[ErrorDetails]] = {}
    for error in errors:
        key = _existing(error["loc"], values)
        if error["type"] == "missing" and isinstance(name := error["loc"][len(key)], str):  # else half of a pair
            key = (*key, name)
        found.setdefault(key, []).append(error)
    return found


def _existing(loc: Key, values: Any) -> Key:
    for depth, part in enumerate(loc):
        in_list = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if not in_list and not (isinstance(values, dict) and part in values):
            return loc[:depth]
        values = values[part]
    return loc


def _explain(key: Key, details: list[ErrorDetails], values: dict[str, Any], problems: KeyProblems) -> None:
    parent = _model_at(key[:-1])
    if not key:
        problems.add(key, "this is no config", "`opioid-outcomes init FILE` writes one to start from")
    elif details[0]["type"] == "extra_forbidden":
        problems.add(key, "there is no such key", suggestion(str(key[-1]), parent.model_fields if parent else ()))
    elif details[0]["type"] == "missing" and isinstance(key[-1], str):
        field = parent.model_fields.get(str(key[-1])) if parent else None
        problems.add(key, "is missing", field.description or "" if field else "")
    else:
        what, fix = wording.wrong_value(details)
        problems.add(key, what, fix or _how_to_choose(key))


def _without(values: dict[str, Any], key: Key) -> dict[str, Any]:
    """A copy without the key, or without the list that holds it, or, where the key is missing, without its section."""
    lists = [depth for depth, part in enumerate(key) if isinstance(part, int)]
    key = key[: lists[0]] if lists else key
    if not key or key[0] not in values:
        return values
    first = str(key[0])
    inner = values[first]
    misses = len(key) > 1 and isinstance(inner, dict) and len(key) == 2 and key[1] not in inner
    if len(key) == 1 or misses:
        return {name: value for name, value in values.items() if name != first}
    return {**values, first: _without(inner, key[1:])}


def _fill_empty(values: Any, model: type[Section]) -> Any:
    """An empty section (`population:` and nothing under it) means its defaults."""
    if not isinstance(values, dict):
        return values
    filled = dict(values)
    for name in values.keys() & model.model_fields.keys():
        annotation = model.model_fields[name].annotation
        section, in_dict = section_of(annotation)
        if values[name] is None and (get_origin(annotation) is dict or annotation is section):
            filled[name] = {}
        elif section and in_dict and isinstance(values[name], dict):
            filled[name] = {key: _fill_empty({} if one is None else one, section) for key, one in values[name].items()}
        elif section and values[name] is not None:
            filled[name] = _fill_empty(values[name], section)
    return filled


def section_of(annotation: Any) -> tuple[type[Section] | None, bool]:
    """The section a type holds, and whether under names of the user's choice (a dict)."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, False
    for inner in get_args(annotation):
        if isinstance(inner, type) and issubclass(inner, Section):
            return inner, get_origin(annotation) in (dict, Mapping)
    return None, False


def _how_to_choose(key: Key) -> str:
    """The sentence of the key, or of the nearest key around it."""
    for depth in range(len(key), 0, -1):
        parent = _model_at(key[: depth - 1])
        if parent is not None and key[depth - 1] in parent.model_fields:
            return parent.model_fields[str(key[depth - 1])].description or ""
    return ""


def _model_at(key: Key) -> type[Section] | None:
    """The section whose keys stand under ``key``."""
    model: type[Section] | None = Config
    parts = list(key)
    while parts and model is not None:
        name = str(parts.pop(0))
        field = model.model_fields.get(name)
        if field is None:
            return None
        model, in_names = section_of(field.annotation)
        if parts and (in_names or get_origin(field.annotation) is list):
            parts.pop(0)
    return model
