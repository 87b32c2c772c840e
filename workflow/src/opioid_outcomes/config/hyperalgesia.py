"""``hyperalgesia``: does pain rise or fall after a dose escalation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from opioid_outcomes.config.base import MAX_DAYS, Day, Section, key

Scale = Literal["NRS", "VAS100", "PEG", "BPI_severity", "BPI_interference", "VRS"]
CalibrationWorld = Literal["null", "relief", "tolerance", "hyperalgesia", "noisy_null", "informative_visits"]
Points = Annotated[float, Field(ge=0, le=10)]


class Escalation(Section):
    """What counts as an escalation of stable long-term therapy."""

    min_rise: float = key(0.2, "Smallest relative rise of the prescribed daily dose.", gt=0, le=10)
    min_mme: float = key(5, "Smallest absolute rise, MME/day.", gt=0, le=1_000)
    stable_days: int = key(90, "Days of stable dose (+/-20 %) needed before the decision.", ge=1, le=MAX_DAYS)
    grace_days: int = key(7, "Days after the visit within which the rise must be dispensed.", ge=0, le=MAX_DAYS)


class Reduction(Section):
    """What counts as a reduction of stable long-term therapy; days of stable dose and of grace are the escalation's."""

    min_fall: float = key(0.2, "Smallest relative fall of the prescribed daily dose.", gt=0, le=1)
    min_mme: float = key(5, "Smallest absolute fall, MME/day.", gt=0, le=1_000)
    from_day: int = key(
        29, "First day whose pain counts: before it, withdrawal hurts whatever opioids do.", ge=0, le=MAX_DAYS
    )


class Calibration(Section):
    """How often the test errs: cohorts like the study's own, simulated by ``snakemake calibrate``."""

    worlds: list[CalibrationWorld] = key(
        lambda: ["null", "relief", "tolerance", "hyperalgesia", "noisy_null", "informative_visits"],
        "Worlds to simulate. In noisy_null doses follow the true pain and scores are recorded with the declared error;"
        " in informative_visits people come because it hurts.",
        min_length=1,
    )
    replicates: int = key(200, "Cohorts simulated in each world.", ge=2, le=10_000)
    persons: int = key(5_000, "People in each of them, at most.", ge=50, le=100_000)


class Hyperalgesia(Section):
    """Does pain rise (hyperalgesia) or fall (relief, then tolerance) after a dose escalation."""

    escalation: Escalation = key(Escalation, "What counts as an escalation.")
    reduction: Reduction = key(Reduction, "What counts as a reduction.")
    windows_days: list[tuple[Day, Day]] = key(
        lambda: [(1, 30), (31, 90), (91, 180), (181, 365)],
        "Outcome windows, days after the visit, both included. The verdict rests on the first and the last of them.",
        min_length=1,
    )  # fmt: skip
    smallest_effect: float = key(0.5, "Smallest difference in pain that matters, 0-10 scale.", ge=0.01, le=10)
    scale: Scale | None = key(
        None,
        "The one pain scale analysed. Left out: the commonest, and no answer where more than a tenth of the scores are"
        " on others, as points of different scales are not the same.",
    )
    reliability: float | None = key(
        None,
        "Reliability of the recorded pain score at the eligible visits, 0-1 (1: no error), as from a test-retest study."
        " Goes before error_sd.",
        gt=0,
        le=1,
    )
    error_sd: Points | dict[Scale, Points] | None = key(
        None,
        "SD of the error of one pain score in points of 0-10, or one per scale. Left out: estimated from scores of one"
        " person at most 7 days apart, and where there are too few, 1 point is assumed.",
    )
    step_mme: float = key(20, "Dose step per which effects are expressed, MME/day.", ge=0.1, le=1_000)
    lags_months: int = key(12, "Months after a step up to which hyperalgesia.blip follows its effect.", ge=1, le=60)
    standard_error: Literal["sandwich", "bootstrap"] = key(
        "sandwich",
        "sandwich: clustered by person, with every model's estimation in it; bootstrap: people redrawn and all models"
        " fitted again.",
    )
    replicates: int = key(500, "Replicates of the bootstrap.", ge=50, le=10_000)
    calibration: Calibration = key(Calibration, "How often the test errs.")
