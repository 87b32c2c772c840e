"""What analyses of death and of opioid use disorder should find in a simulated cohort."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from opioid_outcomes.simulate import deaths, futures, morbidity
from opioid_outcomes.simulate.cohort import Cohort
from opioid_outcomes.simulate.futures import DOES_NOT, STARTS, Futures
from opioid_outcomes.units import DAYS_PER_YEAR

HORIZONS = (180, 365)
Row = dict[str, Any]


def row(  # noqa: PLR0917
    analysis: str, method: str, contrast: str, scale: str, truth: float, description: str, **more: Any
) -> Row:
    """One number to find; the order of its keys is that of ``truth.json``."""
    return {
        "analysis": analysis,
        "method": method,
        "outcome": more.get("outcome", "death"),
        "contrast": contrast,
        "window": more.get("window", ""),
        "scale": scale,
        "truth": float(truth),
        "se": float(more.get("se", 0.0)),
        "description": description,
    }


def of(cohort: Cohort, lived: Futures | None) -> list[Row]:
    """By analysis, in the order of ANALYSES 4; what too few people leave without a number is not told."""
    with np.errstate(divide="ignore", invalid="ignore"):
        known = _all(cohort, lived)
    return [each for each in known if np.isfinite(each["truth"]) and np.isfinite(each["se"])]


def _all(cohort: Cohort, lived: Futures | None) -> list[Row]:
    return [
        *_current_use(cohort),
        *([] if lived is None else _new_user(cohort, lived)),
        *_msm(cohort),
        *_causes(cohort),
        *([] if lived is None else _shares(cohort, lived)),
        *_stopping(cohort),
        *_addiction(cohort),
    ]


def _new_user(cohort: Cohort, lived: Futures) -> Iterator[Row]:
    """Overlap weights e(1 - e): e the chance of starting opioids rather than nothing, or rather than the comparator."""
    chances = {"non user": (lived.chance, 1 - lived.chance)}
    if not cohort.world.illness:
        chances |= {name: (lived.chance, other) for name, other in lived.other.items()}
    what = "death after starting opioids against not, later care free, overlap population; both decisions simulated"
    for name, (treated, other) in chances.items():
        weight = lived.visits * treated * other / np.maximum(treated + other, 1e-300)
        for day in HORIZONS if name == "non user" else HORIZONS[-1:]:
            for scale, truth, se in _contrasts(lived, weight, day):
                yield row(
                    "mortality.new_user", "overlap", f"new user vs {name}", scale, truth, what,
                    window=f"0-{day}", se=se,
                )  # fmt: skip


def _contrasts(lived: Futures, weight: np.ndarray, day: int) -> list[tuple[str, float, float]]:
    alive = lived.alive
    # as the hazard ratio is 1 in all respects, both lives are equally long, and their difference exactly nothing
    present = weight * alive[STARTS, :, 0]
    risk = [(weight * (life[:, 0] - life[:, day])).sum() / present.sum() for life in alive]
    gone = [weight * (life[:, 0] - life[:, day]) - r * present for life, r in zip(alive, risk, strict=True)]
    days = [(weight[:, None] * life[:, :day]).sum() / present.sum() for life in alive]
    lost = [weight * life[:, :day].sum(axis=1) - d * present for life, d in zip(alive, days, strict=True)]
    ratio = risk[STARTS] / risk[DOES_NOT]

    def error(influence: np.ndarray) -> float:
        return float(np.sqrt((influence**2).sum()) / present.sum())

    return [
        ("risk_difference", risk[STARTS] - risk[DOES_NOT], error(gone[STARTS] - gone[DOES_NOT])),
        ("risk_ratio", ratio, error(gone[STARTS] - ratio * gone[DOES_NOT]) / risk[DOES_NOT]),
        ("rmst_days", days[STARTS] - days[DOES_NOT], error(lost[STARTS] - lost[DOES_NOT])),
    ]


def _shares(cohort: Cohort, lived: Futures) -> Iterator[Row]:
    """In the treated, of the deaths within a year more than without starting."""
    off, on = deaths.cause_shares(cohort.world)
    if cohort.world.hazard_ratio == 1.0 or not cohort.world.proportional or cohort.world.illness:
        return  # without an excess there is no share, and counts of deaths tell it badly
    day, weight = HORIZONS[-1], lived.visits * lived.chance
    gone = weight * (lived.alive[:, :, 0] - lived.alive[:, :, day])
    gone_on = weight * lived.died_on[:, :, day]
    more, more_on = (part[STARTS] - part[DOES_NOT] for part in (gone, gone_on))
    total = more.sum()
    for group in on:
        of_cause = on[group] * more_on + off[group] * (more - more_on)
        share = of_cause.sum() / total
        se = np.sqrt(((of_cause - share * more) ** 2).sum()) / abs(total)
        yield row(
            "mortality.overdose_share", "att", "new user vs non user", "share", share,
            "share of the cause, as recorded, in the deaths that starting opioids adds among those who start",
            outcome=f"death:{group}", window=f"0-{day}", se=se,
        )  # fmt: skip


def _msm(cohort: Cohort) -> Iterator[Row]:
    """Always and never on from entry on, in the people studied: exact, as the hazard of each is known."""
    world, risk = cohort.world, cohort.hazards
    for window in ("", f"0-{HORIZONS[-1]}") if world.proportional else ():
        yield row(
            "mortality.msm", "iptw", "on vs off", "log_hr", np.log(world.hazard_ratio),
            "hazard of death on against off opioids whatever the later pain, planted; given baseline covariates",
            window=window,
        )  # fmt: skip
    who = futures.qualified(cohort)
    base, chance = risk.base[who], risk.chance[who]
    if not len(base):
        return
    ill = (world.susceptible.on, world.susceptible.off) if world.susceptible else (0.0, 0.0)
    for day in HORIZONS:
        always, never = (
            1 - chance * np.exp(-susceptible / DAYS_PER_YEAR * day) - (1 - chance) * np.exp(-base * ratio * day)
            for ratio, susceptible in zip((world.hazard_ratio, 1.0), ill, strict=True)
        )
        for scale, truth in (
            ("risk_difference", always.mean() - never.mean()),
            ("risk_ratio", always.mean() / never.mean()),
        ):
            yield row(
                "mortality.msm", "iptw", "always vs never", scale, truth,
                "death if always on opioids from entry on against never, standardised to the people studied; exact",
                window=f"0-{day}",
            )  # fmt: skip


def _current_use(cohort: Cohort) -> Iterator[Row]:
    """Where the hazard ratio falls with time on opioids: deaths over those expected from covariates, on against off."""
    world, people, risk = cohort.world, cohort.people, cohort.hazards
    if world.susceptible is None:
        return
    days = int(people.length.max())
    use = deaths.Use.of(cohort.care.fills, world, people.n, days)
    windows = {"0-30": (0, 29), "31-180": (30, 179), "181-": (180, days)}
    dead, expected = np.zeros((2, len(windows) + 1, people.n))
    for first in range(0, people.n, deaths.CHUNK):
        rows = slice(first, first + deaths.CHUNK)
        since = morbidity.days_since_start(use.on[rows] == 1)
        day = np.arange(days)
        followed = (day >= people.entry[rows, None]) & (day < people.length[rows, None])
        followed &= futures.qualified(cohort)[rows, None]
        for kind, chance in ((1, risk.chance[rows]), (0, 1 - risk.chance[rows])):
            hazard = use.hazard(world, risk.base, kind, rows)
            borne = deaths.cumulative(world, use, risk.base, people.entry, kind, rows)
            here = followed * chance[:, None] * np.exp(-borne)
            for place, (low, high) in enumerate(((-1, -1), *windows.values())):
                inside = here * ((since >= low) & (since <= high))
                expected[place, rows] += inside.sum(axis=1) * risk.base[rows]
                dead[place, rows] += (inside * hazard).sum(axis=1)
    for place, window in enumerate(windows, start=1):
        log, se = _log_ratio(dead[[place, 0]], expected[[place, 0]])
        yield row(
            "mortality.current_use", "adjusted_full", "on vs off", "log_hr", log,
            "deaths over those expected from baseline covariates, in these days since start against off opioids",
            window=window, se=se,
        )  # fmt: skip


def _causes(cohort: Cohort) -> Iterator[Row]:
    world = cohort.world
    if world.illness or not world.proportional:
        return
    off, on = deaths.cause_shares(world)
    for group in on:
        yield row(
            "mortality.cause", "adjusted_full", "on vs off", "log_hr",
            np.log(world.hazard_ratio * on[group] / off[group]),
            "cause-specific hazard of death on against off opioids, planted; conditional on the baseline covariates",
            outcome=f"death:{group}",
        )  # fmt: skip


def _stopping(cohort: Cohort) -> Iterator[Row]:
    """Days since the end of supply against current supply, where nothing else sets the two apart."""
    world = cohort.world
    if world.susceptible or world.illness:
        return
    for days in ("0-30", "31-90", "91-180"):
        if world.hazard_ratio != 1.0 and days == "0-30":
            continue  # carry-over, which counts as on, ends a day earlier
        ratio = (world.stopping if days != "91-180" else 1.0) / world.hazard_ratio
        yield row(
            "mortality.stopping", "adjusted_full", f"{days} days since stopping vs current supply", "log_hr",
            np.log(ratio), "hazard of death in these days since the end of supply against during supply, planted",
        )  # fmt: skip


def _addiction(cohort: Cohort) -> Iterator[Row]:
    """Diagnoses over time at risk, integrals of the planted hazard along the use of everybody until death."""
    people, days = cohort.people, int(cohort.people.length.max())
    doses = ("<20 MME", "20-49 MME", "50-89 MME", ">=90 MME")
    lasting = {"0-90 days on": (0, 89), "91-365 days on": (90, 364), "over 365 days on": (365, days)}
    diagnosed, at_risk = np.zeros((2, len(doses) + len(lasting), people.n))
    mme = morbidity.held_mme(cohort.care.fills, people.n, days)
    end = np.where(cohort.deaths.day >= 0, np.minimum(cohort.deaths.day + 1, people.length), people.length)
    for first in range(0, people.n, deaths.CHUNK):
        rows = slice(first, first + deaths.CHUNK)
        band, since = morbidity.lagged_use(mme[rows])
        followed = (np.arange(days) > people.entry[rows, None]) & (np.arange(days) < end[rows, None])
        hazard = morbidity.oud_hazard(band, since) * (followed & futures.qualified(cohort)[rows, None])
        free = followed * np.exp(-np.cumsum(hazard, axis=1))
        groups = [band == k + 1 for k in range(len(doses))]
        groups += [(since >= low) & (since <= high) for low, high in lasting.values()]
        for place, inside in enumerate(groups):
            at_risk[place, rows] = (free * inside).sum(axis=1)
            diagnosed[place, rows] = (free * inside * hazard).sum(axis=1)
    for analysis, names, start in (("addiction.dose", doses, 0), ("addiction.duration", (*lasting,), len(doses))):
        for place, name in enumerate(names[1:], start=start + 1):
            if not at_risk[[start, place]].sum(axis=1).all():
                continue
            log, se = _log_ratio(diagnosed[[place, start]], at_risk[[place, start]])
            yield row(
                analysis, "adjusted_full", f"{name} vs {names[0]}", "log_hr", log,
                "hazard of a first diagnosis of opioid use disorder, by use 90 days before",
                outcome="opioid_use_disorder", se=se,
            )  # fmt: skip


def _log_ratio(events: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Of two rates, from events and what they are divided by, (2, persons); its error over people."""
    rate = events.sum(axis=1) / expected.sum(axis=1)
    influence = (events - rate[:, None] * expected) / events.sum(axis=1)[:, None]
    return float(np.log(rate[0] / rate[1])), float(np.sqrt(((influence[0] - influence[1]) ** 2).sum()))
