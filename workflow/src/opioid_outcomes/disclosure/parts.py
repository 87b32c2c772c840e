"""Which rates are parts of which: what is hidden must not be what is left when the parts shown leave their total.

A rate is of a group of person-time. The same deaths are split again and again: by use, by days since the use or the
stop, by dose, by cause. Each split is an equation that an outsider can solve for one hidden count, and two splits of
one total for two; so in every split the hidden parts must hold together at least the threshold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

ADDICTION, SMR, STOPPING = "addiction", "smr", "mortality.stopping"
RATE = "rate_per_1000py"
STRATEGIES = ("always vs never", "start and stay vs never")
REFERENCE = " vs general population"
# Groups of person-time, and the group that they add up to.
USE = {
    "never": "off", "recent": "off", "former": "off",
    "on": "all", "off": "all", "treatment": "all", "unknown": "all", "baseline user": "all", "non user": "all",
}  # fmt: skip
OF_PEOPLE = ("baseline user", "non user")  # groups in one of which each person is
# The clock of stopping runs without carry-over; with that of 30 days, and recent up to 90, its bands add up to these.
CLOCK = {
    "current supply": "on", "0-30 days since stopping": "on", "31-90 days since stopping": "recent",
    "91-180 days since stopping": "former", "181-400 days since stopping": "former",
    "over 400 days since stopping": "former",
}  # fmt: skip
LENGTH = re.compile(r"^(.+) after (?:.+) days of therapy$")
LAG = re.compile(r"_lag_(\d+)$")


@dataclass(frozen=True)
class Cell:
    """A group of person-time and the deaths in it. ``clock`` tells apart what does not add up with each other."""

    cohort: str
    spec: str
    clock: str
    outcome: str
    window: str
    group: str


def cell_of(row: dict[str, Any], group: str) -> Cell:
    """The group of a row, without the lag where only ratios are lagged."""
    analysis, lag = row["analysis"], LAG.search(row["method"])
    clock = ""
    if analysis.startswith(ADDICTION):
        clock = ADDICTION
    elif analysis == STOPPING and lag:
        clock = f"lag {lag[1]}"
    elif REFERENCE in row["contrast"]:
        clock = SMR
    return Cell(row["cohort"], row["spec"], clock, row["outcome"], row["window"], group)


def wholes(cell: Cell) -> Iterator[tuple[Cell, str]]:
    """The groups that a cell is a part of, each with the name of the split."""
    group, outcome = cell.group, cell.outcome
    if cell.clock == ADDICTION:
        if group.endswith(("MME", "days on")):  # no total is printed, but the other split of it may be
            yield replace(cell, group="on"), "dose" if group.endswith("MME") else "duration"
        return
    length = LENGTH.match(group)
    if length:
        yield replace(cell, group=length[1]), "length"
    elif cell.window:
        yield replace(cell, window=""), "window"
    elif outcome.startswith("death:"):
        intent = outcome.count(": ")
        yield replace(cell, outcome=outcome.rsplit(": ", 1)[0] if intent else "death"), "intent" if intent else "cause"
    elif group in USE:
        yield replace(cell, group=USE[group]), "use"
    elif group in CLOCK and not cell.clock:
        yield replace(cell, group=CLOCK[group]), "clock"
    elif group in ("new user on", "prevalent user on"):
        yield replace(cell, group="on"), "user"
    elif group.startswith("on at "):
        yield replace(cell, group="on"), "dose"


def protected(cells: Iterable[tuple[Cell, int, bool]], threshold: int) -> tuple[set[Cell], set[Cell]]:
    """Cells that are small, and cells hidden beside them so that no split gives a small one back.

    cells: each with its deaths and whether it is small. In a split with a hidden part, or of a hidden total, the next
    smallest parts go until the hidden ones hold ``threshold`` deaths together; if there are none left, the total goes.
    Parts without a death, which may be told, are not protected.
    A total that has no row of its own is taken to be known. Cost: hundreds of rates, never people.
    """
    deaths: dict[Cell, int] = {}
    small: set[Cell] = set()
    for cell, events, is_small in cells:
        deaths[cell] = max(events, deaths.get(cell, 0))
        small |= {cell} if is_small else set()
    splits: dict[tuple[Cell, str], list[Cell]] = {}
    for cell in deaths:
        for split in wholes(cell):
            splits.setdefault(split, []).append(cell)
    hidden, before = set(small), -1
    while before != (before := len(hidden)):
        for (whole, _), parts in splits.items():
            hidden |= _beside(whole, parts, deaths, hidden, threshold)
    return small, hidden - small


def _beside(whole: Cell, parts: list[Cell], deaths: dict[Cell, int], hidden: set[Cell], threshold: int) -> set[Cell]:
    """What must go with the hidden cells of one split."""
    inside = [cell for cell in parts if cell in hidden]
    if not inside and whole not in hidden:
        return set()
    more: set[Cell] = set()
    together = sum(deaths[cell] for cell in inside)
    if not together and whole not in hidden and not any(cell.group in OF_PEOPLE for cell in inside):
        return set()  # few people, of whom none died: people are in several groups, so only deaths add up
    shown = sorted((cell for cell in parts if cell not in hidden and deaths[cell]), key=lambda cell: deaths[cell])
    while together < threshold and shown:
        together += deaths[shown[0]]
        more.add(shown.pop(0))
    if together < threshold and whole in deaths:
        more.add(whole)
    return more


def hidden_groups(rows: list[dict[str, Any]], threshold: int) -> list[str]:
    """For each row what of its groups is hidden: ``small``, ``protected`` (hidden beside a small one) or nothing.

    rows: of ``estimates.csv`` with ``small``. A row speaks of the groups of its contrast; a group of a window is
    looked for in the window first. Contrasts of strategies are of other people.
    """
    rates = [row for row in rows if _is_split(row)]
    cells = [(cell_of(row, _group(row)), row["events"] or 0, row["small"]) for row in rates]
    small, beside = protected(cells, threshold)
    known = {cell for cell, _, _ in cells}
    return [_of_row(row, known, small, beside) for row in rows]


def _is_split(row: dict[str, Any]) -> bool:
    """Whether a row is a crude rate of a group, or one of its SMR."""
    if row["scale"] == SMR:
        return True
    return bool(row["scale"] == RATE and row["method"].startswith(("crude", "excess")))


def _group(row: dict[str, Any]) -> str:
    return str(row["contrast"]).removesuffix(REFERENCE)


def _of_row(row: dict[str, Any], known: set[Cell], small: set[Cell], beside: set[Cell]) -> str:
    found: list[Cell] = []
    if row["contrast"] in STRATEGIES:
        return ""
    for group in _group(row).split(" vs "):
        cell = cell_of(row, group)
        plain = replace(cell, clock="") if cell.clock == SMR else cell
        near = [each for each in (cell, plain, replace(plain, window="")) if each in known]
        # an SMR goes with the rate of its group
        found += near if cell.clock == SMR else near[:1]
    if small & set(found):
        return "small"
    return "protected" if beside & set(found) else ""
