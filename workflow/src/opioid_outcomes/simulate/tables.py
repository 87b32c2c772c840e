"""Simulated records as the contract's own tables, in CSV."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.simulate.drugs import PRODUCTS
from opioid_outcomes.simulate.records import Records


def write(records: Records, folder: Path) -> None:
    """Every table of the contract but ``opioid_use``, one CSV each."""
    products = pl.DataFrame(
        {
            "product": range(len(PRODUCTS)),
            "code": [product.code or None for product in PRODUCTS],
            "vocabulary": ["NDC" if product.code else None for product in PRODUCTS],
            "ingredient": [None if product.code else product.ingredient for product in PRODUCTS],
            "route": [None if product.code else product.route for product in PRODUCTS],
            "strength": [None if product.code else float(product.strength) for product in PRODUCTS],
            "strength_unit": [None if product.code else product.unit for product in PRODUCTS],
            "release": [None if product.code else product.release for product in PRODUCTS],
            "indication": [product.indication or None for product in PRODUCTS],
        }
    )
    low, high = (pl.col(name).cast(pl.String).str.strip_suffix(".0") for name in ("quantity", "quantity_to"))
    quantity = pl.when(pl.col("quantity_to").is_null()).then(low).otherwise(low + "-" + high).alias("quantity")
    lost = pl.col("no_strength").fill_null(False)  # other drugs lose nothing
    dispensings = records.dispensings.join(products, on="product", maintain_order="left").with_columns(
        quantity, *(pl.when(~lost).then(name).alias(name) for name in ("strength", "strength_unit"))
    )
    pain = records.pain.select(
        "person_id",
        "date",
        scale=pl.when("vas").then(pl.lit("VAS100")).otherwise(pl.lit("NRS")),
        score=pl.when("vas").then(pl.col("score") * 10).otherwise("score").cast(pl.Int64),
    )
    tables = {
        "persons": records.persons,
        "observation": records.observation,
        "dispensings": dispensings.select("person_id", "date", *products.columns[1:], "quantity", "days_supply"),
        "diagnoses": records.diagnoses.with_columns(vocabulary=pl.lit("ICD10CM")),
        "pain": pain,
        "stays": records.stays,
        "deaths": records.deaths,
        "measurements": records.measurements,
        "therapies": records.therapies,
        "changes": records.changes,
    }
    for name, frame in tables.items():
        days = [column for column in ("date", "start", "end") if column in frame.columns]
        io.write_frame(frame.with_columns(pl.col(days).cast(pl.Int32).cast(pl.Date)), folder / f"{name}.csv")
