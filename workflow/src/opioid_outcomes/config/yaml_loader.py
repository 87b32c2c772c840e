"""Reads a config file: YAML 1.2 scalars, every key with its line, and nothing that can hurt whoever walks it.

Snakemake's own reader takes the last of two equal keys, reads NDC 00406055201 as an octal number, ``Yes`` as true and
2020-01-01 as a date, and runs Python where ``__use_yte__`` is set; so the file is read again here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from opioid_outcomes.errors import Problem, Problems, UserError

Key = tuple[str | int, ...]

MAX_BYTES = 2_000_000
MAX_NODES = 100_000  # with every alias written out; the largest real config is far below
MAX_DEPTH = 50  # the deepest key of a config lies 7 below its top; pydantic reads no JSON deeper than some 200
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")  # a leading zero makes it a code, not a number
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# Written as an escape ("\0", "\ud800"): half a character has no UTF-8, and no path or report can hold the others.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CONSTANTS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_CONSTANTS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_PLAIN, _QUOTED, _LIST, _MAPPING = "plain", "quoted", "list", "mapping"


@dataclass(frozen=True)
class Document:
    """A config file as read: its values, and where each stands."""

    path: Path
    values: dict[str, Any]
    lines: dict[Key, int] = field(default_factory=dict)

    def line_of(self, key: Key) -> int:
        """The line of a key, or of the nearest section around it that is in the file."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def place_of(self, key: Key) -> str:
        return f"{self.path}:{self.line_of(key)}"


class _Loader(yaml.SafeLoader):
    """Composes nodes; leaves what a plain scalar means to us and keeps tags visible."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _QUOTED
        return _LIST if kind is yaml.SequenceNode else _MAPPING


def load(path: Path) -> Document:
    """The file's values; raises one ``UserError`` naming file, line and fix for whatever is wrong with the YAML."""
    text = _text(path)
    try:
        root = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise UserError(Problem(f"not valid YAML: {error.problem}", place, _yaml_fix(error))) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(Problem("not valid YAML: a control character", f"{path}:{line}", "remove it")) from None
    except RecursionError:
        raise _too_big(path, "nested too deeply") from None
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == _PLAIN and root.value in ("", "~", "null")):
        raise UserError(
            Problem("the config is empty", str(path), "`opioid-outcomes init FILE` writes one to start from")
        )
    if not isinstance(root, yaml.MappingNode):
        raise UserError(Problem("the config is not a set of keys", f"{path}:1", "write `key: value`, one to a line"))
    try:
        if _expanded(root, {}, set()) > MAX_NODES:
            raise _too_big(path, f"with its aliases written out it has more than {MAX_NODES:,} values")
        builder = _Builder(path)
        values = builder.build(root, ())
    except RecursionError:
        raise _too_big(path, "nested too deeply") from None
    builder.problems.raise_if_any()
    return Document(path, values, builder.lines)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        fix = "check the path; `opioid-outcomes init FILE` writes one to start from"
        raise UserError(Problem("there is no such file", str(path), fix)) from None
    except OSError as error:
        raise UserError(Problem(f"cannot be read ({error.strerror})", str(path), "name a readable file")) from None
    if len(content) > MAX_BYTES:
        raise _too_big(path, f"larger than {MAX_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(Problem("not UTF-8 text", f"{path}:{line}", "save the file as UTF-8")) from None


def _too_big(path: Path, why: str) -> UserError:
    return UserError(Problem(f"this is no config: {why}", str(path), "write the values out, without nested aliases"))


def _yaml_fix(error: yaml.MarkedYAMLError) -> str:
    if error.problem and "\\t" in error.problem:
        return "indent with spaces, not tabs"
    if isinstance(error, yaml.composer.ComposerError):
        return "one document in a file, and an anchor (&name) before each alias (*name)"
    return "look at this line and the one before: indentation, a missing `: `, an unclosed quote or bracket"


def _expanded(node: yaml.Node, sizes: dict[int, int], above: set[int]) -> float:
    """Values below a node with each alias counted as often as it is used; infinite when it contains itself."""
    if id(node) in sizes:
        return sizes[id(node)]
    if id(node) in above:
        return math.inf
    above.add(id(node))
    children: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        children = node.value
    elif isinstance(node, yaml.MappingNode):
        children = [child for pair in node.value for child in pair]
    size: Any = 1
    for child in children:
        size += _expanded(child, sizes, above)
    above.remove(id(node))
    sizes[id(node)] = size
    return size


class _Builder:
    """Turns nodes into values, noting lines and problems on the way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Key, int] = {}
        self.problems = Problems()

    def build(self, node: yaml.Node, key: Key) -> Any:
        self.lines.setdefault(key, node.start_mark.line + 1)
        if node.tag not in (_PLAIN, _QUOTED, _LIST, _MAPPING):
            self._problem("tags (!...) have no meaning here", node, "write the plain value; quote what must stay text")
            return None
        if len(key) > MAX_DEPTH:
            self._problem(f"nested more than {MAX_DEPTH} deep", node, "look for brackets that do not belong here")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*key, index)) for index, child in enumerate(node.value)]
        if _UNPRINTABLE.search(node.value):
            self._unprintable(node)
        return scalar(node.value) if node.tag == _PLAIN else node.value

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        values: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for name_node, value_node in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                self._problem("a key is a list or a mapping", name_node, "keys are single words")
                continue
            name, line = name_node.value, name_node.start_mark.line + 1
            if _UNPRINTABLE.search(name):
                self._unprintable(name_node)
                continue
            if name == "__use_yte__":
                self._problem("__use_yte__ would run code from the config", name_node, "remove it: values only")
            elif name == "<<" and name_node.tag == _PLAIN:
                self._problem("merge keys (<<) are not part of YAML 1.2", name_node, "write the keys out")
            elif name in seen:
                what = f"`{name}` stands twice, here and on line {seen[name]}"
                self._problem(what, name_node, "keep one of them")
            else:
                seen[name] = line
                self.lines[(*key, name)] = line
                values[name] = self.build(value_node, (*key, name))
        return values

    def _unprintable(self, node: yaml.Node) -> None:
        what = "an escape that stands for a control character or for half of a character"
        self._problem(what, node, "remove it, or write the character itself")

    def _problem(self, what: str, node: yaml.Node, fix: str) -> None:
        self.problems.add(what, where=f"{self.path}:{node.start_mark.line + 1}", fix=fix)


def scalar(text: str) -> Any:
    """What a plain (unquoted) scalar means: null, true/false, a decimal number, else the text as it stands."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and not text.lstrip("+-").isdigit() and math.isfinite(float(text)):
        return float(text)
    return text
