"""Counts in sentences that may leave."""

from __future__ import annotations

SMALL = 11  # counts below it are not told (DISCLOSURE, Out)
MANY = 1_000  # people of whom one in a hundred is as many as counts are rounded by


def about(count: int) -> str:
    """A count of people or rows as words: small ones are not told, others rounded to 5 (DISCLOSURE, Out)."""
    if count == 0:
        return "none"
    return f"fewer than {SMALL}" if count < SMALL else f"about {(2 * count + 5) // 10 * 5:,}"


def tellable(*counts: int) -> bool:
    """Whether a share may be told of each of these counts of people: it is of nobody, or of no small number."""
    return all(count == 0 or count >= SMALL for count in counts)


def share(part: float, whole: float, *, people: int = 0) -> str:
    """A percentage in steps of 5, or of 1 where it is one of many ``people``: too coarse to give a small count back."""
    step = 1 if people >= MANY else 5
    if part == 0:
        return "none"
    if 100 * part < step * whole:
        return f"under {step} %"
    if whole > part and 100 * part > (100 - step) * whole:
        return f"over {100 - step} %"
    return f"{step * round(100 * part / (step * whole))} %"
