"""Collects what is wrong with a config, by key."""

from __future__ import annotations

from opioid_outcomes.config.yaml_loader import Document, Key
from opioid_outcomes.errors import Problem, UserError


def placed(problem: Problem, document: Document) -> Problem:
    """A problem found in the inputs that names a key of the config, told with that key's line."""
    if not problem.where.startswith("cohorts."):
        return problem
    place = document.place_of(tuple(problem.where.split(".")))
    return Problem(f"{problem.where}: {problem.what}", place, problem.fix)


class KeyProblems:
    """Problems by key; a second one of the same key is dropped, for it usually follows from the first."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.found: dict[Key, Problem] = {}

    def add(self, key: Key, what: str, fix: str = "") -> None:
        name = ".".join(str(part) for part in key if not isinstance(part, int))
        text = f"{name}: {what}" if name else what
        self.found.setdefault(key, Problem(text, self.document.place_of(key), fix))

    def raise_if_any(self) -> None:
        """One ``UserError`` with all of them, in the order of the file."""
        if self.found:
            keys = sorted(self.found, key=lambda key: (self.document.line_of(key), str(key)))
            # items of one list may earn the same words
            raise UserError(*dict.fromkeys(self.found[key] for key in keys))
