"""Counts and shares in sentences that may leave."""

from __future__ import annotations

import pytest

from opioid_outcomes.counts import about, share, tellable


@pytest.mark.parametrize(
    ("part", "people", "said"),
    [
        (0.0, 0, "none"), (0.036, 0, "under 5 %"), (0.05, 0, "5 %"), (0.27, 0, "25 %"), (0.97, 0, "over 95 %"),
        (1.0, 0, "100 %"), (0.036, 999, "under 5 %"), (0.036, 1_000, "4 %"), (0.004, 1_000, "under 1 %"),
        (0.97, 1_000, "97 %"), (0.995, 1_000, "over 99 %"), (1.0, 1_000, "100 %"),
    ],
)  # fmt: skip
def test_shares_are_coarse_and_finer_of_many_people(part: float, people: int, said: str) -> None:
    assert share(part, 1, people=people) == said


def test_shares_of_few_are_not_told() -> None:
    assert tellable(0, 11, 500)
    assert not tellable(0, 10)
    assert not tellable(1, 500)
    assert [about(count) for count in (0, 10, 11, 23)] == ["none", "fewer than 11", "about 10", "about 25"]
