"""Mistakes a user can mend: one message saying what, where and what to do instead; exit code 2."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path

USER_ERROR_EXIT = 2
UNFORESEEN_EXIT = 1
INTERRUPTED_EXIT = 130
PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Problem:
    """One mistake. No part of it may hold a patient's value: file, table, column, rule, counts only."""

    what: str
    where: str = ""
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        fix = f"\n    -> {self.fix}" if self.fix else ""
        return f"{place}{self.what}{fix}"


class UserError(Exception):
    """One or more problems, reported together and without a traceback."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


@dataclass
class Problems:
    """Collects problems so that all are reported at once."""

    found: list[Problem] = field(default_factory=list)

    def add(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.found.append(Problem(what, where, fix))

    def raise_if_any(self) -> None:
        if self.found:
            raise UserError(*self.found)


def report_and_exit_code(exception: BaseException) -> int:
    """Prints an exception to stderr as a person may see it; returns the exit code.

    A user's mistake is shown whole. Of anything else only type and place: libraries print values in their messages.
    """
    if isinstance(exception, UserError):
        print(exception, file=sys.stderr)
        return USER_ERROR_EXIT
    if isinstance(exception, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
        return INTERRUPTED_EXIT
    print(f"unforeseen {type(exception).__name__} at {place_of(exception)}", file=sys.stderr)
    return UNFORESEEN_EXIT


def place_of(exception: BaseException) -> str:
    """Where an exception was raised: the innermost line of this package, else of whatever raised it."""
    frames = [(entry.filename, entry.lineno) for entry in traceback.extract_tb(exception.__traceback__)]
    own = [frame for frame in frames if frame[0].startswith(str(PACKAGE))]
    if not frames:
        return "an unknown place"
    file, line = (own or frames)[-1]
    name = Path(file).relative_to(PACKAGE.parent) if own else Path(file).name
    return f"{name}:{line}"
