"""What a world is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """Parameters of a simulated world. Pain parameters as in METHODS D2, per +20 MME."""

    sentence: str
    hazard_ratio: float = 1.6  # of death, on against off
    tolerance: float = 0.0  # relief that wanes with a half-life of about a month and a half (kappa)
    hyperalgesia: float = 0.0  # harm that grows over months (h)
    lasting: float = 0.0  # effect that stays (s; negative is relief)
    initiation: float = 0.0  # log odds added to starting opioids at a visit
    escalation: float = -3.7  # log odds of escalating at pain 5 on 40 MME
    noise: float = 0.0  # SD of the error of a recorded pain score
    records_pain: bool = True  # False: no score is recorded, and pain before entry does not bear on death

    @property
    def dose_changes_pain(self) -> bool:
        return (self.tolerance, self.hyperalgesia, self.lasting) != (0.0, 0.0, 0.0)


WORLDS: dict[str, World] = {
    "null": World("Opioids neither kill nor change pain.", hazard_ratio=1.0),
    "relief": World("Each dose step lowers pain for good; death is 1.6 times as frequent on opioids.", lasting=-0.5),
    "tolerance": World(
        "Each dose step lowers pain for some weeks only; death 1.6 times as frequent on.", tolerance=0.8
    ),
    "hyperalgesia": World(
        "Each dose step lowers pain for some weeks and raises it in the long run; death 1.6 times as frequent on.",
        tolerance=0.8,
        hyperalgesia=0.6,
    ),
    "mortality": World("Death is 1.6 times as frequent on opioids; pain does not answer to dose."),
    "claims": World(
        "Death is 1.6 times as frequent on opioids; pain is not recorded, as in insurance claims.", records_pain=False
    ),
    "immortal_time": World(
        "Opioids do nothing, but many start late, so that those who ever start must have lived to do so.",
        hazard_ratio=1.0,
        initiation=0.7,
    ),
}
