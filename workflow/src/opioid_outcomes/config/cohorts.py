"""``cohorts``: where each cohort's data are and how their columns map to the contract."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import AfterValidator

from opioid_outcomes.config.base import Section, key


class Recode(Section):
    """Values of one source column translated to the contract's."""

    column: str = key(..., "The source column.")
    map: dict[str, str | int | float | None] = key(..., "Source value: contract value. Null means missing.")
    default: str | int | float | None = key(
        None, "Value for everything not in map; leave empty to make what is not in map missing."
    )


class TableMapping(Section):
    """How one contract table is read from one source file."""

    file: str | None = key(None, "File inside the cohort's path; default: the table's name with any known ending.")
    columns: dict[str, str] = key(dict, "Contract column: source column, where their names differ.")
    recode: dict[str, Recode] = key(dict, "Contract column: a source column with its values translated.")
    derive: dict[str, str] = key(dict, "Contract column: an SQL expression over the source columns.")
    where: str | None = key(None, "SQL condition over source columns; other rows are counted as not selected.")


class Simulate(Section):
    """A simulated cohort with known truth, written to the cohort's path before it is read."""

    world: str = key(..., "World to simulate; `opioid-outcomes simulate --help` lists them.")
    persons: int = key(5000, "Number of people.", ge=50, le=1_000_000)
    seed: int = key(20260101, "Any whole number.", ge=0)


class Cohort(Section):
    """One cohort."""

    format: Literal["tables", "omop"] = key(
        "tables",
        "tables: plain files, one per table or a wide one mapped to several; omop: a folder of OMOP CDM 5.2-5.4.",
    )
    path: Annotated[str, AfterValidator(os.path.normpath)] = key(
        ..., "Folder of the cohort's files, relative to the working directory.", min_length=1
    )
    connection_env: str | None = key(
        None, "Environment variable with the address of an OMOP database.", available=(None,)
    )
    date_basis: Literal["shifted", "actual", "offset"] = key(
        "shifted",
        "shifted: dates moved per person; actual: true dates; offset: integer days. When unsure: shifted.",
    )
    deaths_complete_until: str | int | None = key(
        None,
        "Last day up to which deaths are known for everybody; default: end of each observation. New-user analyses by"
        " intention to treat follow people to it.",
    )
    country: str | None = key(
        None, "Country of the cohort, as us: mortality.smr compares it with the life table of the same country."
    )
    reference_year: int | None = key(
        None,
        "Calendar year that shifted dates stand for; mortality.smr needs it unless dates are actual.",
        ge=1,
        le=9999,
    )
    tables: dict[str, TableMapping] = key(dict, "Contract table: how it is read (format tables only).")
    simulate: Simulate | None = key(None, "Simulate this cohort instead of reading real data.")
