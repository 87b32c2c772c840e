"""Counts in sentences that may leave."""

from __future__ import annotations


def about(count: int) -> str:
    """A count of people or rows as words: small ones are not told, others rounded to 5 (DISCLOSURE, Out)."""
    if count == 0:
        return "none"
    return "fewer than 11" if count < 11 else f"about {(2 * count + 5) // 10 * 5:,}"


def share(part: float, whole: float) -> str:
    """A percentage in steps of 5, too coarse to give a small count back."""
    if part == 0:
        return "none"
    if 20 * part < whole:
        return "under 5 %"
    if whole > part > 0.95 * whole:
        return "over 95 %"
    return f"{5 * round(20 * part / whole)} %"
