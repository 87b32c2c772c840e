"""Clean fills to the four MME definitions by every factor table, and who is over 50 and 90 by each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.contracts.derived import MME_DEFINITIONS
from opioid_outcomes.exposure import daily_dose, definitions, mme


def define_doses(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes mme_definitions and the display mme_thresholds; returns one line of counts.

    One pass over the fills for each factor table; memory holds one table's windows, and the rows of all in the end.
    """
    rules = settings["exposure"]
    fills, stays = io.read_table(inputs["dispensings_clean"]), io.read_table(inputs["stays"])
    last_days = daily_dose.last_days(io.read_table(inputs["observation"]), io.read_table(inputs["deaths"]))
    tables, crossings = [], []
    for label, name in factor_tables(rules["mme_factors"]).items():
        wide = definitions.of_fills(
            fills,
            mme.factors(name),
            last_days,
            window_days=rules["definition_window_days"],
            stockpile_cap_days=rules["stockpile_cap_days"],
            stays=stays if rules["stays"] == "extend" else None,
        )
        tables.append(definitions.long(wide, label))
        crossings.append(definitions.thresholds(wide, label, rules["threshold_rule"]))
    calendar = io.is_calendar(inputs["observation"], "end")
    io.write_table(pl.concat(tables), outputs["mme_definitions"], MME_DEFINITIONS, calendar=calendar)
    io.write_frame(pl.concat(crossings).sort("definition", "factors"), outputs["thresholds"])
    people = wide["person_id"].n_unique()
    return f"MME of {people:,} people in {wide.height:,} windows by {len(tables)} factor tables, 4 definitions each"


def factor_tables(configured: str) -> dict[str, str]:
    """Label and name, or path, of the shipped factor tables and of the study's own, if it has one."""
    own = {} if configured in shipped.mme_factors() else {Path(configured).stem: configured}
    known = {name: name for name in shipped.mme_factors()}
    # an own table that is called like a shipped one keeps a name of its own
    return known | {f"{label} (own)" if label in known else label: path for label, path in own.items()}
