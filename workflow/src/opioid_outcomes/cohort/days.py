"""Days of the config on the clock of a cohort."""

from __future__ import annotations

from datetime import date

from opioid_outcomes.errors import Problem, UserError


def day_of(value: str | int | None, key: str, *, calendar: bool) -> int | None:
    """A day of the config as an integer: an ISO date in cohorts with dates, the offset itself in others.

    UserError, naming the ``key``, if it is neither.
    """
    if value is None:
        return None
    if isinstance(value, int) and not calendar:
        return value
    try:
        if calendar:
            return (date.fromisoformat(str(value)) - date(1970, 1, 1)).days
        return int(value)
    except ValueError:
        kind = (
            "an ISO date, as the cohort has dates" if calendar else "a whole number of days, as the cohort has offsets"
        )
        raise UserError(Problem(f"{key.rsplit('.', maxsplit=1)[-1]} must be {kind}", key)) from None
