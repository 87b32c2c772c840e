"""``trajectories``: the course of dose, its classes and what goes with them."""

from __future__ import annotations

from typing import Literal

from opioid_outcomes.config.base import Section, key

TrajectoryAnalysis = Literal["drift", "taper", "predictors"]


class Trajectories(Section):
    """The course of dose over time."""

    analyses: list[TrajectoryAnalysis] = key(
        lambda: ["drift", "taper", "predictors"],
        "Analyses to run; those that the data cannot support are reported as not evaluable.",
    )
    months: int = key(24, "Months (30 days) since entry over which courses are compared.", ge=6, le=240)
    min_months: int = key(3, "Fewest months of known dose with which a person has a course.", ge=1, le=240)
    max_classes: int = key(6, "Most latent classes tried; BIC chooses among those that are distinct.", ge=1, le=12)
    curve: Literal["quadratic", "spline"] = key(
        "spline",
        "Shape of a class's course: spline (natural cubic, three inner knots) may stay level and then turn; quadratic.",
    )
    dose_scale: Literal["log", "linear"] = key(
        "log", "Scale on which classes are told apart: log (1 + MME/day) keeps a few high doses from deciding."
    )
    starts: int = key(20, "Random starts of each model; more find a better likelihood, seldom.", ge=1, le=1000)
