"""What a world is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """A group of causes of death: its share of the deaths off opioids, and its hazard on opioids over that off."""

    group: str
    codes: tuple[str, ...]  # underlying ICD-10 codes, equally frequent; () unknown
    share: float
    hazard_ratio: float
    contributing: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Susceptible:
    """A share of people whom nothing on record tells apart, and their hazard of death a year off and on opioids."""

    share: float
    off: float
    on: float


@dataclass(frozen=True)
class World:
    """Parameters of a simulated world. Pain parameters as in METHODS D2, per +20 MME."""

    sentence: str
    hazard_ratio: float = 1.6  # of death, on against off
    tolerance: float = 0.0  # relief that wanes with a half-life of about a month and a half (kappa)
    hyperalgesia: float = 0.0  # harm that grows over months (h)
    lasting: float = 0.0  # effect that stays (s; negative is relief)
    initiation: float = 0.0  # log odds added to starting opioids at a visit
    initiation_pain: float = 0.25  # log odds of starting per point of recorded pain
    escalation: float = -3.7  # log odds of escalating at pain 5 on 40 MME
    noise: float = 0.0  # SD of the error of a recorded pain score
    decided_on_pain: bool = False  # doses follow the pain itself, which is not what is recorded
    missed: float = 0.08  # share of visits missed, at pain 5
    comes_for_pain: float = 0.0  # fall of the log odds of missing a visit per point of pain
    comes_once_raised: float = 0.0  # a further fall per point in the 90 days after an escalation
    blunting: float = 0.6  # share of the relief of other therapies that is lost on opioids
    records_pain: bool = True  # False: no score is recorded, and pain before entry does not bear on death
    illness: float = 0.0  # points of pain from entry on, per SD by which somebody is nearer to death than others
    stopping: float = 1.0  # hazard ratio of death in the days after supply has ended, ``STOPPING_DAYS`` of them
    susceptible: Susceptible | None = None
    causes: tuple[Cause, ...] = ()  # if any, ``hazard_ratio`` is the sum of share x hazard_ratio

    @property
    def dose_changes_pain(self) -> bool:
        return (self.tolerance, self.hyperalgesia, self.lasting) != (0.0, 0.0, 0.0)

    @property
    def proportional(self) -> bool:
        """Whether being on opioids multiplies everybody's hazard by the same at all times."""
        return self.stopping == 1.0 and self.susceptible is None


STOPPING_DAYS = 91  # days 0 to 90 since the end of supply, so that windows 0-30 and 31-90 are wholly inside
CAUSES = (
    Cause("opioid overdose", ("X42",), 0.04, 8.0, ("T40.2", "T40.2;T42.4", "T40.4")),
    Cause("cardiovascular", ("I25.1", "I50.9"), 0.38, 1.5),
    Cause("respiratory", ("J44.9",), 0.14, 2.0),
    Cause("cancer", ("C34.9",), 0.16, 1.0),
    Cause("suicide or other injury", ("W19", "X70"), 0.05, 2.0),
    Cause("other", ("E11.9", "K74.6", "N18.5"), 0.17, 1.0),
    Cause("unknown cause", (), 0.06, 1.6),
)

WORLDS: dict[str, World] = {
    "null": World("Opioids neither kill nor change pain.", hazard_ratio=1.0, blunting=0.0),
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
    "time_varying_confounding": World(
        "Who is near death has more pain, pain leads to opioids, and opioids lower pain; death is 1.6 times as frequent"
        " on opioids, whatever the pain, but neither leaving out later pain nor adjusting for it finds that.",
        lasting=-0.5,
        illness=0.8,
        initiation_pain=0.5,
    ),
    "causes": World(
        "Opioids raise some causes of death and not others, overdose most; some causes are not recorded.",
        hazard_ratio=sum(cause.share * cause.hazard_ratio for cause in CAUSES),
        causes=CAUSES,
    ),
    "stopping": World(
        "Opioids do nothing while they last; death is 3 times as frequent in the 91 days after supply has ended.",
        hazard_ratio=1.0,
        stopping=3.0,
    ),
    "depletion": World(
        "Opioids kill the few who are susceptible, soon after they start: those who are still on them seem protected.",
        hazard_ratio=1.0,
        susceptible=Susceptible(share=0.06, off=0.3, on=8.0),
    ),
    "noisy": World(
        "Opioids do nothing; doses follow the pain that people feel, which is recorded with an error of 1 point.",
        hazard_ratio=1.0,
        noise=1.0,
        decided_on_pain=True,
        blunting=0.0,
    ),
    "informative_visits": World(
        "Opioids do nothing; who has more pain comes more often, more so after an escalation.",
        hazard_ratio=1.0,
        missed=0.3,
        comes_for_pain=0.3,
        comes_once_raised=0.2,
        blunting=0.0,
    ),
}
