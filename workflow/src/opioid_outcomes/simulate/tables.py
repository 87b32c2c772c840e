"""Simulated records as the contract's own tables, in CSV."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.simulate.drugs import PRODUCTS
from opioid_outcomes.simulate.records import Records


def write(records: Records, folder: Path) -> None:
    """persons, observation, dispensings, diagnoses, pain and deaths, one CSV each."""
    products = pl.DataFrame(
        {
            "product": range(len(PRODUCTS)),
            "ingredient": [product.ingredient for product in PRODUCTS],
            "route": [product.route for product in PRODUCTS],
            "strength": [float(product.strength) for product in PRODUCTS],
            "strength_unit": [product.unit for product in PRODUCTS],
            "release": [product.release for product in PRODUCTS],
        }
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
        "dispensings": records.dispensings.join(products, on="product", maintain_order="left").select(
            "person_id", "date", *products.columns[1:], "quantity", "days_supply"
        ),
        "diagnoses": records.diagnoses.with_columns(vocabulary=pl.lit("ICD10CM")),
        "pain": pain,
        "deaths": records.deaths,
    }
    for name, frame in tables.items():
        days = [column for column in ("date", "start", "end") if column in frame.columns]
        io.write_frame(frame.with_columns(pl.col(days).cast(pl.Int32).cast(pl.Date)), folder / f"{name}.csv")
