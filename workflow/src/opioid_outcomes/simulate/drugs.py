"""The products that simulated people are given: real drugs, strengths and forms; CDC 2022 factors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """One product. ``mme`` is MME per unit taken per day; ``step`` the units/day added by an escalation (0: never)."""

    name: str  # as RxNorm would write it
    ingredient: str
    strength: float
    unit: str
    route: str = "oral"
    release: str | None = "IR"
    mme: float = 0.0
    start: float = 0.0
    step: float = 0.0
    long_term: float = 0.0  # share of long-term prescriptions
    short_term: float = 0.0  # share of short-term prescriptions
    in_drug_strength: bool = False  # whether OMOP's DRUG_STRENGTH lists it; otherwise the name carries the strength


# CDC 2022: codeine .15, hydrocodone 1, morphine 1, oxycodone 1.5, tramadol .2, transdermal fentanyl 2.4 per mcg/h; a
# patch is worn 3 days, so one unit per day of a 25 mcg/h patch would be 25 x 2.4 x 3.
OPIOIDS: tuple[Product, ...] = (
    Product(
        "oxycodone hydrochloride 5 MG Oral Tablet",
        "oxycodone",
        5,
        "mg",
        mme=7.5,
        start=4,
        step=3,
        long_term=0.22,
        short_term=0.2,
        in_drug_strength=True,
    ),
    Product(
        "oxycodone hydrochloride 10 MG Oral Tablet",
        "oxycodone",
        10,
        "mg",
        mme=15,
        start=2,
        step=1.5,
        long_term=0.12,
        in_drug_strength=True,
    ),
    Product(
        "12 HR oxycodone hydrochloride 20 MG Extended Release Oral Tablet",
        "oxycodone",
        20,
        "mg",
        release="ER",
        mme=30,
        start=2,
        step=1,
        long_term=0.08,
    ),
    Product(
        "12 HR oxycodone hydrochloride 40 MG Extended Release Oral Tablet",
        "oxycodone",
        40,
        "mg",
        release="ER",
        mme=60,
        start=2,
        long_term=0.03,
    ),
    Product(
        "morphine sulfate 15 MG Extended Release Oral Tablet",
        "morphine",
        15,
        "mg",
        release="ER",
        mme=15,
        start=2,
        step=2,
        long_term=0.1,
    ),
    Product(
        "morphine sulfate 30 MG Extended Release Oral Tablet",
        "morphine",
        30,
        "mg",
        release="ER",
        mme=30,
        start=2,
        step=1,
        long_term=0.06,
        in_drug_strength=True,
    ),
    Product(
        "morphine sulfate 60 MG Extended Release Oral Tablet",
        "morphine",
        60,
        "mg",
        release="ER",
        mme=60,
        start=2,
        long_term=0.03,
        in_drug_strength=True,
    ),
    Product(
        "acetaminophen 325 MG / hydrocodone bitartrate 5 MG Oral Tablet",
        "hydrocodone",
        5,
        "mg",
        mme=5,
        start=4,
        step=4,
        long_term=0.18,
        short_term=0.4,
    ),
    Product(
        "tramadol hydrochloride 50 MG Oral Tablet",
        "tramadol",
        50,
        "mg",
        mme=10,
        start=4,
        step=2,
        long_term=0.12,
        short_term=0.2,
        in_drug_strength=True,
    ),
    Product(
        "72 HR fentanyl 0.025 MG/HR Transdermal System",
        "fentanyl",
        25,
        "mcg/h",
        route="transdermal",
        release="ER",
        mme=180,
        start=1 / 3,
        long_term=0.04,
    ),
    Product(
        "72 HR fentanyl 0.05 MG/HR Transdermal System",
        "fentanyl",
        50,
        "mcg/h",
        route="transdermal",
        release="ER",
        mme=360,
        start=1 / 3,
        long_term=0.02,
    ),
    Product("codeine sulfate 30 MG Oral Tablet", "codeine", 30, "mg", mme=4.5, start=4, short_term=0.2),
)
BENZODIAZEPINE = len(OPIOIDS)
OTHERS: tuple[Product, ...] = (
    Product("diazepam 5 MG Oral Tablet", "diazepam", 5, "mg", start=2, in_drug_strength=True),
    Product("ibuprofen 600 MG Oral Tablet", "ibuprofen", 600, "mg", start=3, in_drug_strength=True),
    Product("gabapentin 300 MG Oral Capsule", "gabapentin", 300, "mg", start=3, in_drug_strength=True),
    Product("sertraline 50 MG Oral Tablet", "sertraline", 50, "mg", start=1, in_drug_strength=True),
)
PRODUCTS = (*OPIOIDS, *OTHERS)
