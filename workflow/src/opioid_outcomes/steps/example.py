"""How a history is read, shown on a person who never was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.exposure import clean, episodes, events, example, mme
from opioid_outcomes.steps.exposure import doses_and_status, opioid_fills


def explain_exposure(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the example's timeline, read by the study's own rules. It holds no person: it may leave as it is."""
    rules = Exposure(**settings["exposure"])
    lanes = timeline(rules)
    io.write_frame(lanes, outputs["example"])
    return f"worked example: {lanes.height} stretches in {lanes['lane'].n_unique()} lanes"


def timeline(rules: Exposure) -> pl.DataFrame:
    """The lanes of ``example.lanes`` under these rules."""
    history = example.history()
    _, fills = opioid_fills(history["dispensings"], rules)
    daily, supply, status = doses_and_status(fills, history, rules)
    of_last_supply = None if rules.gap_share is None else clean.analgesic_fills(fills).lazy()
    merged = episodes.build(daily.lazy(), rules.gap_days, gap_share=rules.gap_share, fills=of_last_supply).collect()
    found = events.find(
        daily, history["observation"], history["deaths"], fills, rules=rules.events,
        tiers=mme.tiers(mme.factors(rules.mme_factors)),
    )  # fmt: skip
    return example.lanes(
        fills=clean.as_text(fills),
        supply=supply,
        daily=daily,
        status=clean.as_text(status),
        episodes=merged,
        events=found,
    )
