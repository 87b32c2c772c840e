"""Which products of an opioid are analgesic exposure, and why the others are kept apart.

Spec: ANALYSES 2 (Not analgesic exposure), CONTRACT 7 (Factors, Vocabularies).
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from opioid_outcomes.exposure import product_names

OUD = "opioid_use_disorder"


def classify(
    products: pl.DataFrame, sublingual_without_indication: Literal["opioid_use_disorder", "pain"]
) -> pl.DataFrame:
    """Adds analgesic (1 enters daily dose, 0 kept apart) and reason (null where analgesic) to ``Resolved.products``.

    Reasons, the first that holds: opioid_use_disorder (recorded, or told by the code, by naloxone beside buprenorphine
    or by the brand; or sublingual buprenorphine and buprenorphine implants without an indication, unless the config
    says pain), injection, then cough, diarrhoea, anaesthesia as
    recorded, by the product's partners (homatropine), or by the drug itself (loperamide, remifentanil). A recorded
    indication of pain overrules the drug, not the injection. O(n).
    """
    drugs = product_names.opioids().select("ingredient", pl.col("reason").alias("of_drug"))
    presumed = (
        (pl.col("ingredient") == "buprenorphine")
        & pl.col("route").is_in(["sublingual", "implant"])
        & pl.col("indication").is_null()
        & (sublingual_without_indication == OUD)
    )
    recorded = pl.col("indication")
    reason = (
        pl.when((recorded == OUD) | presumed)
        .then(pl.lit(OUD))
        .when(pl.col("route") == "injection")
        .then(pl.lit("injection"))
        .when(recorded == "pain")
        .then(None)
        .otherwise(pl.coalesce(recorded, "of_drug"))
    )
    return (
        products.join(drugs, on="ingredient", how="left", maintain_order="left")
        .with_columns(reason=reason)
        .with_columns(analgesic=pl.col("reason").is_null().cast(pl.Int64))
        .drop("of_drug")
    )
