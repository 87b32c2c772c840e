"""``privacy`` and ``quality``: what may come in."""

from __future__ import annotations

from opioid_outcomes.config.base import Section, key


class Waiver(Section):
    """A column that looks like identity and is not."""

    table: str = key(..., "Contract table.")
    column: str = key(..., "Source column.")
    reason: str = key(..., "Why it is no identifier; printed in the report.", min_length=1)


class Privacy(Section):
    """The door in."""

    safe_harbor: bool = key(False, "true declares the data HIPAA Safe Harbor; contradicts date_basis: actual.")
    waive: list[Waiver] = key(list, "Columns that look like identity and are not, each with a reason.")
    quasi_identifiers: list[str] = key(
        list, "Columns of persons that together could single somebody out.", available=([],)
    )


class Quality(Section):
    """How much bad input is too much."""

    max_rejected_share: float = key(
        0.2,
        "Share of a table's rows that may be rejected before the run stops; raise it only knowing why.",
        ge=0,
        le=1,
    )
