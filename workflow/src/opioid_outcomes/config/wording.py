"""Says in plain words what a key wants."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import ErrorDetails

# validation error type -> what the key wants
_WANTS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "text (in quotes, if it looks like something else)",
    "list": "a list: [one, two]",
    "tuple": "a pair: [from, to]",
    "dict": "names with something under each",
    "model": "keys of its own under it",
    "none": "nothing",
}


def kind_of(value: Any) -> str:
    """What a value is, for people who do not programme."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a section of keys"


def as_yaml(value: Any) -> str:
    """A value as one writes it in YAML, on one line."""
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return f"[{', '.join(as_yaml(item) for item in value)}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if value in ("", "null", "true", "false"):  # unquoted, these are no text
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def wrong_value(details: list[ErrorDetails]) -> tuple[str, str]:
    """What is wrong with a key's value, and the fix where there is more to say than how to choose the key.

    ``details`` are the errors of every type the key may have.
    """
    closest = [detail for detail in details if not _is_type(detail)] or details
    first = closest[0]
    context = first.get("ctx", {})
    kind = first["type"]
    if kind == "literal_error":
        return _no_choice(first["input"], context["expected"])
    if kind == "string_pattern_mismatch":
        return "is no valid name", NAME_RULE
    if kind in ("too_short", "string_too_short"):
        return "is empty or too short", f"give at least {context.get('min_length', 1)}"
    if kind in ("missing", "too_long"):  # part of a pair
        return f"has too {'few' if kind == 'missing' else 'many'} entries", f"give {context.get('max_length', 2)}"
    if kind.startswith(("greater_than", "less_than")):
        limit = next(iter(context.values()))
        words = {"greater_than": "above", "less_than": "below", "greater_than_equal": "at least"}
        return "is out of range", f"write a number {words.get(kind, 'at most')} {limit}"
    wants = " or ".join(dict.fromkeys(_wants(detail) for detail in closest))
    return f"is {kind_of(first['input'])} where {wants} is wanted", ""


def _no_choice(value: Any, expected: str) -> tuple[str, str]:
    if value is None and "'null'" in expected:
        return "is nothing: without quotes, null is no text", 'write "null", in quotes'
    return f"{_shown(value)} is not one of its choices", f"write one of {expected}"


NAME_RULE = "use small letters, digits, - and _, at most 41, beginning with a letter or digit"


def _is_type(detail: ErrorDetails) -> bool:
    return bool(re.fullmatch(r"(\w+)_(type|parsing|from_float|attributes_type)", detail["type"]))


def _wants(detail: ErrorDetails) -> str:
    return _WANTS.get(detail["type"].split("_")[0], "something else")


def _shown(value: Any) -> str:
    return (
        f"`{value}`" if isinstance(value, str | int | float) and len(str(value)) <= 40 else f"this ({kind_of(value)})"
    )
