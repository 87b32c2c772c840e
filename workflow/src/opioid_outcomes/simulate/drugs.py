"""The products that simulated people are given: real drugs, strengths and forms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """One product, named as RxNorm would."""

    name: str
    ingredient: str
    strength: float
    unit: str = "mg"
    route: str = "oral"
    release: str = "IR"
    mme: float = 0.0  # MME/day of one unit a day
    start: float = 0.0  # units a day at the start
    step: float = 0.0  # units a day added by an escalation; 0: never escalated
    long_term: float = 0.0  # share of long-term prescriptions
    short_term: float = 0.0  # share of short-term prescriptions
    listed: bool = False  # in OMOP's DRUG_STRENGTH; otherwise the strength is in the name alone


OXYCODONE, MORPHINE = "oxycodone hydrochloride", "morphine sulfate"
HYDROCODONE = "acetaminophen 325 MG / hydrocodone bitartrate"
# MME a unit by CDC 2022: oxycodone 1.5 a mg, morphine 1, hydrocodone 1, tramadol .2, codeine .15; transdermal fentanyl
# 2.4 a mcg/h and day, and a patch is worn for 3 days. Steps are 20 to 30 MME.
OPIOIDS: tuple[Product, ...] = (
    Product(f"{OXYCODONE} 5 MG Oral Tablet", "oxycodone", 5, mme=7.5, start=4, step=3,
            long_term=0.22, short_term=0.2, listed=True),
    Product(f"{OXYCODONE} 10 MG Oral Tablet", "oxycodone", 10, mme=15, start=2, step=1.5,
            long_term=0.12, listed=True),
    Product(f"12 HR {OXYCODONE} 20 MG Extended Release Oral Tablet", "oxycodone", 20, release="ER",
            mme=30, start=2, step=1, long_term=0.08),
    Product(f"12 HR {OXYCODONE} 40 MG Extended Release Oral Tablet", "oxycodone", 40, release="ER",
            mme=60, start=2, long_term=0.01),
    Product(f"{MORPHINE} 15 MG Extended Release Oral Tablet", "morphine", 15, release="ER",
            mme=15, start=2, step=2, long_term=0.1),
    Product(f"{MORPHINE} 30 MG Extended Release Oral Tablet", "morphine", 30, release="ER",
            mme=30, start=2, step=1, long_term=0.06, listed=True),
    Product(f"{MORPHINE} 60 MG Extended Release Oral Tablet", "morphine", 60, release="ER",
            mme=60, start=2, long_term=0.01, listed=True),
    Product(f"{HYDROCODONE} 5 MG Oral Tablet", "hydrocodone", 5, mme=5, start=4, step=4,
            long_term=0.18, short_term=0.4),
    Product("tramadol hydrochloride 50 MG Oral Tablet", "tramadol", 50, mme=10, start=4, step=2,
            long_term=0.12, short_term=0.2, listed=True),
    Product("72 HR fentanyl 0.0125 MG/HR Transdermal System", "fentanyl", 12.5, "mcg/h", "transdermal", "ER",
            mme=90, start=1 / 3, step=1 / 3, long_term=0.06),
    Product("72 HR fentanyl 0.05 MG/HR Transdermal System", "fentanyl", 50, "mcg/h", "transdermal", "ER",
            mme=360, start=1 / 3, long_term=0.01),
    Product("codeine sulfate 30 MG Oral Tablet", "codeine", 30, mme=4.5, start=4, short_term=0.2),
)  # fmt: skip
BENZODIAZEPINE = len(OPIOIDS)
OTHERS: tuple[Product, ...] = (
    Product("diazepam 5 MG Oral Tablet", "diazepam", 5, start=2, listed=True),
    Product("ibuprofen 600 MG Oral Tablet", "ibuprofen", 600, start=3, listed=True),
    Product("gabapentin 300 MG Oral Capsule", "gabapentin", 300, start=3, listed=True),
    Product("sertraline 50 MG Oral Tablet", "sertraline", 50, start=1, listed=True),
)
PRODUCTS = (*OPIOIDS, *OTHERS)
