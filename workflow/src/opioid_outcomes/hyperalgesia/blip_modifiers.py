"""``hyperalgesia.modifier`` by g-estimation: what the effect of a dose step at the longest lags varies with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.hyperalgesia import blip
from opioid_outcomes.hyperalgesia.blip_decisions import Decisions
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.person_days import Floats

ANALYSIS = "hyperalgesia.modifier"
CONDITIONS = ("fibromyalgia", "depression")
DOSE, DURATION = "dose before the visit", "years on opioids"


@dataclass(frozen=True)
class Modifier:
    """Something known at each decision, in the unit of the contrast; values None: not in the data."""

    contrast: str
    values: Floats | None


def estimates(decisions: Decisions, histories: Histories, options: Hyperalgesia) -> list[Estimate]:
    """A row per modifier, each in a model of its own: mean change of the effect over the lags of the last window.

    Cost: that of ``nested_mean.fit`` per modifier.
    """
    terms = decisions.trial.confounders
    columns = {name: terms.values[:, place] for place, name in enumerate(terms.names)}
    return [_estimate(each, decisions, histories, options) for each in modifiers(columns, options.step_mme)]


def empty(options: Hyperalgesia, gate: str) -> list[Estimate]:
    """The rows of an analysis that cannot be made."""
    return [_row(options, each.contrast, gate) for each in modifiers({}, options.step_mme)]


def modifiers(columns: dict[str, Floats], step_mme: float) -> list[Modifier]:
    """Conditions, with minus without; dose, per step; duration, per year: from the terms at the visit, by name."""
    dose = columns.get(DOSE)
    return [
        *(Modifier(f"{name}: with minus without", columns.get(name)) for name in CONDITIONS),
        Modifier(f"dose: per {step_mme:g} MME/day more", None if dose is None else dose / step_mme),
        Modifier("duration: per year longer", columns.get(DURATION)),
    ]


def _row(options: Hyperalgesia, contrast: str, gate: str) -> Estimate:
    return Estimate(
        analysis=ANALYSIS, method=blip.METHOD, population=blip.POPULATION, outcome="pain", contrast=contrast,
        window="{}-{}".format(*options.windows_days[-1]), scale=blip.SCALE, gate=gate,
    )  # fmt: skip


def _estimate(modifier: Modifier, decisions: Decisions, histories: Histories, options: Hyperalgesia) -> Estimate:
    row, values = _row(options, modifier.contrast, "not evaluable: not estimated"), modifier.values
    lags = blip.lags_of(options.windows_days[-1], options.lags_months)
    if values is None:
        return replace(row, gate="not evaluable: not known at the visits")
    if not lags:
        return replace(row, gate="not evaluable: no lag lies in the window")
    if not len(values) or values.min() == values.max():
        return replace(row, gate="not evaluable: it is the same at every decision")
    cells = _cells(decisions, values)
    if cells and min(cells) < blip.FEWEST_PER_ARM:
        return replace(row, gate=f"not evaluable: fewer than {blip.FEWEST_PER_ARM} people with, or without, in an arm")
    fitted = blip.fit(decisions, histories, max(lags), values[:, None])
    if isinstance(fitted, str):
        return replace(row, gate=fitted)
    note = (
        f"{blip.mean_of(fitted, lags)}; the effect of a step is linear in what is known at the last decision up to it"
    )
    found = blip.told(row, fitted, lags, note, term=1)
    return replace(found, smallest_cell=smallest(found.smallest_cell, *cells))


def _cells(decisions: Decisions, values: Floats) -> list[int]:
    """People who raised and who kept the dose, with the condition and without it; nothing of other modifiers."""
    if not np.isin(values, (0, 1)).all():
        return []
    rises, person = decisions.rises(), decisions.trial.visits.person
    return [len(np.unique(person[(values == level) & arm])) for level in (0, 1) for arm in (rises, ~rises)]
