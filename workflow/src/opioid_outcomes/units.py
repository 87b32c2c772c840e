"""Units of time that are the same everywhere."""

from __future__ import annotations

DAYS_PER_YEAR = 365.25
