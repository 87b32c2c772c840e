"""How records of fills are kept badly: lost, impossible and vague amounts.

Only what can be told from a person's other fills is spoilt, so that use stays known to the day and doses to the unit.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.simulate.care import Fills

KNOWN_BEFORE = 3  # fills of the same product and dose just before: the usual dose is told from so many
# Shares of the fills that follow such a run
SHARES = {
    "quantity missing": 0.004, "days_supply missing": 0.011, "days_supply impossible": 0.002, "quantity 0": 0.003,
    "quantity a range": 0.008, "strength missing": 0.004,
}  # fmt: skip
IMPOSSIBLE_DAYS = 700.0
RANGE = 0.2  # half the width of a range, as a share of its middle, which is what was dispensed


def recorded(fills: Fills, rng: np.random.Generator) -> pl.DataFrame:
    """Each fill's person, day, product, quantity, quantity_to (upper end of a range), days_supply and no_strength.

    no_strength: whether a source that does not name products leaves the strength out.
    """
    what = np.where(_settled(fills), np.searchsorted(np.cumsum(list(SHARES.values())), rng.random(len(fills.day))), -1)
    kind = {name: what == number for number, name in enumerate(SHARES)}
    quantity = np.round(fills.units * fills.days_supply, 6)
    half = np.where(kind["quantity a range"], np.maximum(1.0, np.round(RANGE * quantity)), np.nan)
    return pl.DataFrame(
        {
            "person": fills.person,
            "day": fills.day,
            "product": fills.product,
            "quantity": np.select(
                [kind["quantity missing"], kind["quantity 0"], kind["quantity a range"]],
                [np.nan, 0.0, quantity - half],
                quantity,
            ),
            "quantity_to": quantity + half,
            "days_supply": np.select(
                [kind["days_supply missing"], kind["days_supply impossible"]],
                [np.nan, IMPOSSIBLE_DAYS],
                fills.days_supply,
            ),
            "no_strength": kind["strength missing"],
        },
        nan_to_null=True,
    )


def _settled(fills: Fills) -> np.ndarray:
    """Whether the ``KNOWN_BEFORE`` fills before it are of the same person, product and dose."""
    columns = (fills.person, fills.product, fills.units)
    same = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    settled = np.zeros(len(fills.day), dtype=bool)
    run = np.ones(max(len(same) - KNOWN_BEFORE + 1, 0), dtype=bool)
    for back in range(KNOWN_BEFORE):
        run &= same[back : back + len(run)]
    settled[KNOWN_BEFORE:] = run
    return settled
