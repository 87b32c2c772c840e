"""How a history is read: the fills of a person who never was, taken through the rules of the study.

The history holds what the rules are for: an early refill with a change of dose, a second product at the same time, a
stay in hospital, a fill without days of supply, an escalation, a gap, a product without a factor, an end of supply.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.columns import Table

PERSON = "example"
COLUMNS = {
    "lane": pl.String(), "label": pl.String(), "start": pl.Int32(), "stop": pl.Int32(), "value": pl.Float64(),
}  # fmt: skip
OBSERVED = (-200, 454)  # first and last observed day; day 0 is that of the first fill
STAY = (68, 75)

OXYCODONE_5 = {"ingredient": "oxycodone", "strength": 5.0, "strength_unit": "mg", "route": "oral", "release": "IR"}
OXYCODONE_10 = OXYCODONE_5 | {"strength": 10.0}
MORPHINE = {"ingredient": "morphine", "strength": 15.0, "strength_unit": "mg", "route": "oral", "release": "ER"}
PATCH = {"ingredient": "buprenorphine", "strength": 20.0, "strength_unit": "mcg/h", "route": "transdermal"}
FILLS: tuple[tuple[dict[str, Any], int, float, float | None], ...] = (  # product, day, quantity, days_supply
    (OXYCODONE_5, 0, 120, 30),
    (OXYCODONE_5, 25, 120, 20),
    (OXYCODONE_5, 48, 180, 30),
    (MORPHINE, 54, 60, 30),
    (OXYCODONE_5, 85, 180, None),
    (OXYCODONE_5, 115, 180, 30),
    (OXYCODONE_5, 145, 180, 30),
    (OXYCODONE_5, 175, 180, 30),
    (OXYCODONE_10, 205, 180, 30),
    (OXYCODONE_10, 235, 180, 30),
    (PATCH, 310, 4, 28),
)
EARLY_REFILL, SECOND_PRODUCT, NO_DAYS, RISE, SUPPLY_ENDS, PATCH_DAY, LAST_END = 25, 54, 85, 205, 265, 310, 338
# Where a rule is at work, in the order of days; the report explains each letter.
MARKS = (
    ("A", EARLY_REFILL), ("B", SECOND_PRODUCT), ("C", STAY[0]), ("D", NO_DAYS), ("E", RISE), ("F", SUPPLY_ENDS),
    ("G", PATCH_DAY), ("H", LAST_END),
)  # fmt: skip


def history() -> dict[str, pl.DataFrame]:
    """Canonical observation, dispensings, stays and deaths of the person; days are whole numbers."""
    fills = [
        {"person_id": PERSON, "date": day, "quantity": quantity, "days_supply": days, **product}
        for product, day, quantity, days in FILLS
    ]
    return {
        "observation": _canonical("observation", [{"person_id": PERSON, "start": OBSERVED[0], "end": OBSERVED[1]}]),
        "dispensings": _canonical("dispensings", fills),
        "stays": _canonical("stays", [{"person_id": PERSON, "start": STAY[0], "end": STAY[1]}]),
        "deaths": _canonical("deaths", []),
    }


def _canonical(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    table: Table = CANONICAL[name]
    return pl.DataFrame(rows, schema=table.schema(pl.String()))


def lanes(
    *,
    fills: pl.DataFrame,
    supply: pl.DataFrame,
    daily: pl.DataFrame,
    status: pl.DataFrame,
    episodes: pl.DataFrame,
    events: pl.DataFrame,
) -> pl.DataFrame:
    """The timeline in long form: lane, label, start, stop (half-open; null where not known), value.

    Lanes: fill (as dispensed; label: product, then what was dispensed; value: 1 if repaired), repair (the rule),
    supply (by product; value: MME/day), stock (by product, the corners of its line; value: units on hand), stay, dose
    (label: known, repaired, unknown; value: MME/day), status, episode, event, mark.
    """
    parts = [
        _fills(fills),
        _lane("repair", fills.drop_nulls("repair").rename({"date": "start"}), pl.col("repair"), stop=None),
        _lane("supply", supply, _product(fills), value=pl.col("mme_per_day")),
        _lane("stock", _on_hand(supply), _product(fills), stop=None, value=pl.col("units")),
        _rows("stay", [("hospital stay", *STAY)]),
        _lane("dose", daily, _quality_of_dose(), value=pl.col("mme")),
        _status(status),
        _lane("episode", episodes, pl.format("episode {}", "episode"), value=pl.col("mean_mme")),
        _lane("event", events.rename({"date": "start"}), pl.col("event"), stop=None, value=pl.col("change")),
        _rows("mark", [(letter, day, None) for letter, day in MARKS]),
    ]
    return pl.concat(parts)


def _lane(
    lane: str, frame: pl.DataFrame, label: pl.Expr, *, stop: str | None = "stop", value: pl.Expr | None = None
) -> pl.DataFrame:
    held = {
        "lane": pl.lit(lane), "label": label, "start": pl.col("start"),
        "stop": pl.col(stop) if stop else pl.lit(None), "value": pl.lit(None) if value is None else value,
    }  # fmt: skip
    columns = [held[name].cast(dtype).alias(name) for name, dtype in COLUMNS.items()]
    return frame.select(columns)


def _rows(lane: str, rows: list[tuple[str, int, int | None]]) -> pl.DataFrame:
    made = [{"lane": lane, "label": label, "start": start, "stop": stop} for label, start, stop in rows]
    return pl.DataFrame(made, schema=COLUMNS)


def _product(fills: pl.DataFrame) -> pl.Expr:
    """A product's key in a few words."""
    keys = dict(fills.select("date", "product").iter_rows())
    return pl.col("product").replace({keys[day]: _words(product) for product, day, _, _ in FILLS if day in keys})


def _words(product: dict[str, Any]) -> str:
    form = {"transdermal": " patch"}.get(product["route"], " ER" if product.get("release") == "ER" else "")
    return f"{product['ingredient']} {product['strength']:g} {product['strength_unit']}{form}"


def _on_hand(supply: pl.DataFrame) -> pl.DataFrame:
    """product, start, units: tablets or patches on hand at the corners of each product's line, in its order.

    What a supply still lasts for, times its units a day; supply held through the stay is not used up. Where the line
    jumps a day stands twice, before and after.
    """
    pieces = supply.filter(pl.col("start") < pl.col("stop"))
    held = (pl.col("start") >= STAY[0]) & (pl.col("stop") <= STAY[1])
    days = [pieces.select("product", day=name) for name in ("start", "stop")]
    spans = (
        pl.concat(days).unique().sort("product", "day")
        .with_columns(until=pl.col("day").shift(-1).over("product"))
        .drop_nulls("until")
    )  # fmt: skip
    left = [
        (pl.col("units_per_day") * (pl.col("end") - pl.when(held).then("stop").otherwise(day))).alias(f"units {day}")
        for day in ("day", "until")
    ]
    there = (
        spans.join(pieces, on="product")
        .filter(pl.col("start") <= pl.col("day"), pl.col("until") <= pl.col("stop"))
        .sort("product", "day", "end")
        .group_by("product", "day", maintain_order=True)
        .agg(each.sum() for each in left)
    )
    corners = spans.join(there, on=["product", "day"], how="left").with_columns(
        pl.col("units day", "units until").fill_null(0.0)
    )
    ends = [
        corners.select("product", "day", start=day, units=pl.col(f"units {day}").round(2), corner=pl.lit(place))
        for place, day in enumerate(("day", "until"))
    ]
    return pl.concat(ends).sort("product", "day", "corner")


def _fills(fills: pl.DataFrame) -> pl.DataFrame:
    """What was dispensed, as recorded, and whether it was repaired."""
    recorded = [
        {"start": day, "product_words": _words(product), "quantity": quantity, "days": days,
         "stop": None if days is None else day + int(days)}
        for product, day, quantity, days in FILLS
    ]  # fmt: skip
    repaired = fills.select("date", repaired=pl.col("repair").is_not_null().cast(pl.Float64))
    frame = pl.DataFrame(recorded, infer_schema_length=None).join(
        repaired, left_on="start", right_on="date", how="left", maintain_order="left"
    )
    days = pl.col("days").cast(pl.Int64).cast(pl.String).fill_null("?")
    told = pl.format("{}: {} / {}", "product_words", pl.col("quantity").cast(pl.Int64), days)
    return _lane("fill", frame, told, value=pl.col("repaired"))


def _quality_of_dose() -> pl.Expr:
    return (
        pl.when(pl.col("mme").is_null()).then(pl.lit("unknown"))
        .when(pl.col("repaired") == 1).then(pl.lit("repaired"))
        .otherwise(pl.lit("known"))
    )  # fmt: skip


def _status(status: pl.DataFrame) -> pl.DataFrame:
    """Stretches of one state; of those on, the days after the end of supply are carry-over."""
    on = pl.col("state") == "on"
    within = status.with_columns(
        stop=pl.when(on).then(pl.min_horizontal("stop", "supply_end")).otherwise("stop")
    ).select("start", "stop", "state")
    after = status.filter(on & (pl.col("supply_end") < pl.col("stop"))).select(
        pl.max_horizontal("start", "supply_end").alias("start"), "stop", state=pl.lit("carry-over")
    )
    both = pl.concat([within, after]).filter(pl.col("start") < pl.col("stop")).sort("start")
    changes = (pl.col("state") != pl.col("state").shift()).fill_null(True).cum_sum()
    merged = both.group_by(changes.alias("run"), maintain_order=True).agg(
        pl.col("state").first(), pl.col("start").first(), pl.col("stop").last()
    )
    return _lane("status", merged, pl.col("state"))
