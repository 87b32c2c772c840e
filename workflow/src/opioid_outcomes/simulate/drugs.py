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
    fall: float = 1.0  # units a day taken off by each step of a taper
    days: int = 0  # days a fill is for; 0: drawn
    long_term: float = 0.0  # share of long-term prescriptions
    short_term: float = 0.0  # share of short-term prescriptions
    listed: bool = False  # in OMOP's DRUG_STRENGTH; otherwise the strength is in the name alone
    indication: str = ""  # as recorded with the fill; OMOP has no place for it, the name must tell
    code: str = ""  # recorded as this NDC and nothing else: no dictionary holds it


OXYCODONE, MORPHINE = "oxycodone hydrochloride", "morphine sulfate"
HYDROCODONE = "acetaminophen 325 MG / hydrocodone bitartrate"
# MME a unit by CDC 2022: oxycodone 1.5 a mg, morphine 1, hydrocodone 1, tramadol .2, codeine .15, methadone 4.7,
# hydromorphone 5, tapentadol .4; transdermal fentanyl 2.4 a mcg/h and day, and a patch is worn for 3 days. Steps are 20
# to 30 MME. Buprenorphine has no factor there, and nobody escalates it; pain answers to what it is by the HEAL
# calculator (Adams 2025, Pain): 2.2 a mcg/h and day, worn for 7 days.
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
            mme=90, start=1 / 3, step=1 / 3, fall=1 / 3, days=30, long_term=0.06),
    Product("72 HR fentanyl 0.05 MG/HR Transdermal System", "fentanyl", 50, "mcg/h", "transdermal", "ER",
            mme=360, start=1 / 3, fall=1 / 3, days=30, long_term=0.01),
    Product("codeine sulfate 30 MG Oral Tablet", "codeine", 30, mme=4.5, start=4, short_term=0.2),
    Product("methadone hydrochloride 10 MG Oral Tablet", "methadone", 10, mme=47, start=1, step=0.5, fall=0.5,
            long_term=0.04, listed=True),
    Product("hydromorphone hydrochloride 2 MG Oral Tablet", "hydromorphone", 2, mme=10, start=3, step=2,
            long_term=0.05, short_term=0.05, listed=True),
    Product("tapentadol 50 MG Oral Tablet", "tapentadol", 50, mme=20, start=2, step=1, long_term=0.03, listed=True),
    Product(f"{MORPHINE} 2 MG/ML Oral Solution", "morphine", 2, "mg/mL", mme=2, start=15, step=10, fall=5,
            long_term=0.03, short_term=0.03),
    Product("168 HR buprenorphine 0.02 MG/HR Transdermal System", "buprenorphine", 20, "mcg/h", "transdermal", "ER",
            mme=308, start=1 / 7, fall=1 / 7, days=28, long_term=0.025),
)  # fmt: skip
# What is no analgesic opioid to take at home: other drugs, and opioids that are kept apart
OTHERS: tuple[Product, ...] = (
    Product("diazepam 5 MG Oral Tablet", "diazepam", 5, start=2, days=30, listed=True),
    Product("ibuprofen 600 MG Oral Tablet", "ibuprofen", 600, start=3, days=30, listed=True),
    Product("gabapentin 300 MG Oral Capsule", "gabapentin", 300, start=3, days=30, listed=True),
    Product("sertraline 50 MG Oral Tablet", "sertraline", 50, start=1, days=30, listed=True),
    Product("codeine phosphate 2 MG/ML / guaifenesin 20 MG/ML Oral Solution", "codeine", 2, "mg/mL", start=20, days=6,
            indication="cough"),
    Product("1 ML morphine sulfate 10 MG/ML Injection", "morphine", 10, "mg/mL", "injection", start=1, days=1),
    Product("buprenorphine 8 MG / naloxone 2 MG Sublingual Tablet", "buprenorphine", 8, route="sublingual", start=2,
            days=28, indication="opioid_use_disorder"),
    Product("", "", 0, code="99999000101", start=2, days=30),
    Product("", "", 0, code="99999000202", start=1, days=30),
)  # fmt: skip
# Started at visits, whatever becomes of opioids: other analgesics, with which new users are compared, and one drug that
# bears on nothing
LATER: tuple[Product, ...] = (
    Product("naproxen 500 MG Oral Tablet", "naproxen", 500, start=2, days=30, listed=True),
    Product("pregabalin 75 MG Oral Capsule", "pregabalin", 75, start=2, days=30, listed=True),
    Product("duloxetine 60 MG Delayed Release Oral Capsule", "duloxetine", 60, start=1, days=30),
    Product("atorvastatin 20 MG Oral Tablet", "atorvastatin", 20, start=1, days=30, listed=True),
)
PRODUCTS = (*OPIOIDS, *OTHERS, *LATER)
BENZODIAZEPINE, IBUPROFEN, GABAPENTIN, SERTRALINE, SYRUP, INJECTION, TREATMENT, *UNLISTED = range(
    len(OPIOIDS), len(OPIOIDS) + len(OTHERS)
)
NAPROXEN, PREGABALIN, DULOXETINE, ATORVASTATIN = range(len(OPIOIDS) + len(OTHERS), len(PRODUCTS))
