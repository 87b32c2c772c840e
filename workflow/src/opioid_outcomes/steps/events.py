"""Daily dose and fills to dose events, long-term therapy and concurrent use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.config.exposure import DaysSupply, DoseEvents
from opioid_outcomes.contracts.derived import CONCURRENT, DOSE_EVENTS, LONG_TERM
from opioid_outcomes.exposure import concurrent, daily_dose, events, long_term, mme

TABLES = ("daily_dose", "dispensings_clean", "dispensings", "observation", "deaths")


def find_dose_events(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes dose_events, long_term, concurrent and their displays; returns one line of counts."""
    rules = settings["exposure"]
    daily, fills, dispensings, observation, deaths = (io.read_table(inputs[name]) for name in TABLES)
    last_days = daily_dose.last_days(observation, deaths)
    tiers = mme.tiers(mme.factors(rules["mme_factors"]))
    changes = events.find(daily, observation, deaths, fills, rules=DoseEvents(**rules["events"]), tiers=tiers)
    met = long_term.find(daily, fills, last_days)
    most = DaysSupply(**rules["days_supply"]).max
    both = concurrent.find(daily, fills, dispensings, last_days, max_days_supply=most)

    calendar = io.is_calendar(inputs["observation"], "end")
    io.write_table(changes, outputs["events"], DOSE_EVENTS, calendar=calendar)
    io.write_table(met, outputs["long_term"], LONG_TERM, calendar=calendar)
    io.write_table(both.stretches, outputs["concurrent"], CONCURRENT, calendar=calendar)
    io.write_frame(events.display(changes), outputs["events_display"])
    io.write_frame(long_term.display(met, fills, last_days), outputs["long_term_display"])
    io.write_frame(both.display, outputs["concurrent_display"])
    return (
        f"{changes.height:,} dose events, {met['person_id'].n_unique():,} people on long-term therapy by some"
        f" definition, {both.stretches['person_id'].n_unique():,} with concurrent use"
        f" ({both.left_out:,} fills of these classes without a usable supply)"
    )
