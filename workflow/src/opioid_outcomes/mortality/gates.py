"""When mortality may not be read, whatever the model."""

from __future__ import annotations

MOST_UNOBSERVED = 0.05  # ANALYSES 4, gates


def unobserved_deaths(followed: int, after_observation: int) -> str | None:
    """The gate of a cohort of whose deaths too many fall outside follow-up for want of observation; None if it passes.

    followed: deaths that end follow-up; after_observation: deaths of people whose observation had ended before. Who
    leaves observation to die elsewhere is missing from every rate, and not at random.
    """
    total = followed + after_observation
    if total == 0 or after_observation / total <= MOST_UNOBSERVED:
        return None
    return f"fail: more than {100 * MOST_UNOBSERVED:.0f} % of deaths fall outside follow-up for want of observation"
