"""Mistakes a user can mend: one message saying what, where and what to do instead; exit code 2."""

from __future__ import annotations

from dataclasses import dataclass, field

USER_ERROR_EXIT = 2


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
