"""``hyperalgesia``: does pain rise or fall after a dose escalation."""

from __future__ import annotations

from opioid_outcomes.config.base import MAX_DAYS, Day, Section, key


class Escalation(Section):
    """What counts as an escalation of stable long-term therapy."""

    min_rise: float = key(0.2, "Smallest relative rise of the prescribed daily dose.", gt=0, le=10)
    min_mme: float = key(5, "Smallest absolute rise, MME/day.", gt=0, le=1_000)
    stable_days: int = key(90, "Days of stable dose (+/-20 %) needed before the decision.", ge=1, le=MAX_DAYS)
    grace_days: int = key(7, "Days after the visit within which the rise must be dispensed.", ge=0, le=MAX_DAYS)


class Hyperalgesia(Section):
    """Does pain rise (hyperalgesia) or fall (relief, then tolerance) after a dose escalation."""

    escalation: Escalation = key(Escalation, "What counts as an escalation.")
    windows_days: list[tuple[Day, Day]] = key(
        lambda: [(1, 30), (31, 90), (91, 180), (181, 365)], "Outcome windows, days after the visit (inclusive).",
        min_length=1,
    )  # fmt: skip
    smallest_effect: float = key(0.5, "Smallest difference in pain that matters, 0-10 scale.", ge=0.01, le=10)
    reliability: float | None = key(
        None, "Reliability of the pain score at the eligible visits, 0-1.", available=(None,)
    )
    error_sd: float | None = key(None, "SD of the error of one pain score.", available=(None,))
    step_mme: float = key(20, "Dose step per which effects are expressed, MME/day.", ge=0.1, le=1_000)
