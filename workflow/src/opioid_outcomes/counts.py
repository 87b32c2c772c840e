"""Counts in sentences that may leave."""

from __future__ import annotations


def about(count: int) -> str:
    """A count of people or rows as words: small ones are not told, others rounded to 5 (DISCLOSURE, Out)."""
    if count == 0:
        return "none"
    return "fewer than 11" if count < 11 else f"about {(2 * count + 5) // 10 * 5:,}"
