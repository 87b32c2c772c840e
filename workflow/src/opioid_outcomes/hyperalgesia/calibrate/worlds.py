"""The worlds of a calibration: what one step of dose does to pain, who decides on what, and who comes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.hyperalgesia.person_days import Floats

MONTH = 30.0  # days
WANING = 2.0  # months in which relief falls to a third (METHODS D2)
GROWTH = 3.0  # months in which harm grows to two thirds
FIRST_RELIEF = 0.8  # what a step relieves at once where it harms later (METHODS D2)
EFFECT = 1.0  # points of pain per step of dose at the lag that names the world


@dataclass(frozen=True)
class World:
    """Effect on pain, in points per step of dose, and how decisions and visits depend on pain.

    relief wanes, harm grows over months, lasting stays (METHODS D2: kappa, h, s). by_true_pain: decisions follow the
    true pain, of which the recorded score is a noisy copy. visits_by_pain: log odds of coming per point of pain now;
    visits_by_arm: log odds added once the dose has been raised.
    """

    relief: float = 0.0
    harm: float = 0.0
    lasting: float = 0.0
    by_true_pain: bool = False
    visits_by_pain: float = 0.0
    visits_by_arm: float = 0.0

    @property
    def inert(self) -> bool:
        return (self.relief, self.harm, self.lasting) == (0.0, 0.0, 0.0)

    @property
    def informative(self) -> bool:
        return (self.visits_by_pain, self.visits_by_arm) != (0.0, 0.0)

    def effect(self, days: Floats) -> Floats:
        """Effect of one step so many days ago; none before it, full relief at once."""
        months = np.maximum(days, 0.0) / MONTH
        waning = -self.relief * _waning(months)
        return np.where(days > 0, waning + self.harm * -np.expm1(-months / GROWTH) + self.lasting, 0.0)


def of(name: str, long: tuple[int, int]) -> World:
    """The world of a name; harm is such that its mean effect over the days of the ``long`` window is ``EFFECT``."""
    match name:
        case "null":
            return World()
        case "relief":
            return World(lasting=-EFFECT)
        case "tolerance":
            return World(relief=EFFECT)
        case "hyperalgesia":
            months = np.arange(long[0], long[1] + 1) / MONTH
            left = FIRST_RELIEF * float(_waning(months).mean())
            return World(relief=FIRST_RELIEF, harm=(EFFECT + left) / float(-np.expm1(-months / GROWTH).mean()))
        case "noisy_null":
            return World(by_true_pain=True)
        case "informative_visits":
            return World(visits_by_pain=0.35, visits_by_arm=0.5)
    raise ValueError(f"there is no world {name!r}")


def _waning(months: Floats) -> Floats:
    waned: Floats = np.exp(-np.maximum(months - 1, 0) / WANING)
    return waned
