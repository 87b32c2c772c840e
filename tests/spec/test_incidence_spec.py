"""Incidence of competing causes, by example: who is at risk when, what a weight counts for, and what is not known.

A row is (start, stop, what, weight): at risk on the days after start up to and with stop; what happens at stop is a
cause ("a" or "b") or nothing (""), in which case the person leaves unharmed. At a tie what happens comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F

import numpy as np
import pytest

from opioid_outcomes.survival import incidence

Row = tuple[float, float, str, float]


@dataclass(frozen=True)
class Case:
    what: str
    why: str
    rows: list[Row]
    day: float
    a: F | None  # risk of cause a by the day; None: not known
    b: F | None
    mean: F | None  # mean days without either, of those up to the day


CASES = [
    Case("nobody leaves", "risks are proportions", [(0, 1, "a", 1), (0, 2, "b", 1), (0, 9, "", 1), (0, 9, "", 1)],
         9, F(1, 4), F(1, 4), F(1 + 2 + 9 + 9, 4)),
    Case("somebody leaves first", "those who stay stand in for who left",
         [(0, 1, "", 1), (0, 2, "a", 1), (0, 9, "", 1)], 9, F(1, 2), F(0), 2 + F(7, 2)),
    Case("one leaves on the day of an event", "the event comes first: three were at risk",
         [(0, 2, "", 1), (0, 2, "a", 1), (0, 9, "", 1)], 9, F(1, 3), F(0), 2 + 7 * F(2, 3)),
    Case("both causes on a day", "each has its part, and none takes from the other",
         [(0, 2, "a", 1), (0, 2, "b", 1), (0, 9, "", 1)], 9, F(1, 3), F(1, 3), 2 + F(7, 3)),
    Case("b takes away whom a might have taken", "later risks are of those neither took",
         [(0, 1, "b", 1), (0, 2, "a", 1), (0, 9, "", 1)], 9, F(2, 3) * F(1, 2), F(1, 3), 1 + F(2, 3) + F(7, 3)),
    Case("late entry", "who enters after day 3 was not at risk on it",
         [(0, 3, "a", 1), (0, 9, "", 1), (3, 9, "", 1), (5, 6, "a", 1)], 9, F(1, 2) + F(1, 2) * F(1, 3), F(0),
         3 + F(3, 2) + 3 * F(1, 3)),
    Case("a weight of two", "counts as two people", [(0, 1, "a", 2), (0, 9, "", 1), (0, 9, "", 1)],
         9, F(2, 4), F(0), 1 + F(8, 2)),
    Case("a weight that grows", "from day 4 who stays stands in for who left on it",
         [(0, 4, "", 1), (0, 4, "", 1), (4, 6, "a", 2), (0, 4, "", 1), (4, 9, "", 1)], 9, F(2, 3), F(0),
         6 + F(3, 3)),
    Case("no weight", "is nobody", [(0, 1, "a", 0), (0, 2, "a", 1), (0, 9, "", 1)], 9, F(1, 2), F(0), 2 + F(7, 2)),
    Case("before anything", "there is no risk yet", [(0, 5, "a", 1), (0, 9, "", 1)], 4, F(0), F(0), F(4)),
    Case("after everybody left", "nobody tells what comes", [(0, 5, "a", 1), (0, 9, "", 1)], 10, None, None, None),
    Case("after everybody died", "there is nothing more to know", [(0, 5, "a", 1), (0, 9, "b", 1)],
         99, F(1, 2), F(1, 2), F(7)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what.replace(" ", "-"))
def test_risks(case: Case) -> None:
    start, stop, what, weight = zip(*case.rows, strict=True)
    found = incidence.fit(start, stop, ["_ab".index(cause or "_") for cause in what], causes=2, weights=weight)
    expected = [np.nan if value is None else float(value) for value in (case.a, case.b, case.mean)]
    np.testing.assert_allclose(
        [*found.risk(case.day)[0], found.rmst(case.day)[0]], expected, rtol=1e-14, err_msg=case.why
    )
