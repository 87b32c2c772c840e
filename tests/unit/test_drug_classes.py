"""Drug classes: which fills belong to a class."""

import polars as pl

from opioid_outcomes.config import shipped
from opioid_outcomes.exposure.drug_classes import fills_of_classes


def test_drug_classes_come_from_ingredient_name_or_atc_code() -> None:
    combination = "oxycodone 5 MG / ibuprofen 400 MG Oral Tablet"
    fills = pl.DataFrame(
        [
            (1, 5, "diazepam", None, None, None),
            (2, 6, None, "Diazepam 5 MG Oral Tablet", None, None),
            (3, 7, None, "midazolamide 5 MG", None, None),  # not a whole word
            (4, 8, None, None, None, None),
            (5, 9, "oxycodone", combination, None, None),  # the ingredient is recorded: it rules
            (6, 9, None, combination, None, None),
            (7, 9, None, None, "N05BA01", "ATC"),
            (8, 9, None, None, "N05BA01", "NDC"),  # a code of another vocabulary
            (9, 9, None, "sertraline 50 MG", "N06AB06", "ATC"),  # told twice, counted once
            (10, 9, None, None, "M01AX05", "ATC"),  # glucosamine
        ],
        schema=["person_id", "date", "ingredient", "product_name", "code", "vocabulary"],
        orient="row",
    )
    found = fills_of_classes(fills).select("person_id", "date", "class").rows()
    assert found == [
        (1, 5, "benzodiazepine"), (2, 6, "benzodiazepine"), (6, 9, "nsaid"), (7, 9, "benzodiazepine"),
        (9, 9, "antidepressant"),
    ]  # fmt: skip


def test_shipped_drug_classes() -> None:
    assert shipped.drug_classes() == (
        "antidepressant", "benzodiazepine", "gabapentinoid", "glaucoma_drops", "hypnotic", "muscle_relaxant", "nsaid",
        "proton_pump_inhibitor", "statin", "thyroid_hormone",
    )  # fmt: skip
