"""What is read from a product's name, by example: RxNorm names as OMOP holds them, and looser ones of pharmacies."""

import pytest

from opioid_outcomes.exposure.product_names import parse

OUD = "opioid_use_disorder"

# name: ingredient, route, release, strength, unit, indication
OPIOIDS = {
    "oxycodone hydrochloride 10 MG Oral Tablet": ("oxycodone", "oral", "IR", 10, "mg", None),
    "Oxycodone Hydrochloride 5 MG Oral Capsule": ("oxycodone", "oral", "IR", 5, "mg", None),
    "Oxycodone 80 MG Extended Release Tablet": ("oxycodone", "oral", "ER", 80, "mg", None),
    "Abuse-Deterrent 12 HR oxycodone hydrochloride 10 MG Extended Release Oral Tablet [Oxycontin]":
        ("oxycodone", "oral", "ER", 10, "mg", None),
    "acetaminophen 325 MG / oxycodone hydrochloride 10 MG Oral Tablet [Percocet]":
        ("oxycodone", "oral", "IR", 10, "mg", None),
    "Acetaminophen 400 MG / Oxycodone Hydrochloride 10 MG Oral Tablet [Magnacet 10/400]":
        ("oxycodone", "oral", "IR", 10, "mg", None),
    "oxycodone hydrochloride 5 MG / acetaminophen 325 MG Oral Tablet": ("oxycodone", "oral", "IR", 5, "mg", None),
    "OXYCODONE-ACETAMINOPHEN 10-325 MG TABLET": ("oxycodone", "oral", "IR", 10, "mg", None),
    "oxycodone hcl/acetaminophen 5mg-325mg tablet": ("oxycodone", "oral", "IR", 5, "mg", None),
    "acetaminophen 325 mg-oxycodone 5 mg tablet": ("oxycodone", "oral", "IR", 5, "mg", None),
    "oxycodone 5 mg/5 mL oral solution": ("oxycodone", "oral", "IR", 1, "mg/mL", None),
    "Oxycodone": ("oxycodone", None, "IR", None, None, None),
    "12 HR hydrocodone bitartrate 10 MG Extended Release Oral Capsule": ("hydrocodone", "oral", "ER", 10, "mg", None),
    "Hydrocodone Bitartrate 7.5 MG / Ibuprofen 200 MG Oral Tablet": ("hydrocodone", "oral", "IR", 7.5, "mg", None),
    "acetaminophen 750 MG / hydrocodone bitartrate 7.5 MG Oral Tablet": ("hydrocodone", "oral", "IR", 7.5, "mg", None),
    "HYDROCODONE-ACETAMINOPHEN 7.5-325 MG/15 ML SOLUTION": ("hydrocodone", "oral", "IR", 0.5, "mg/mL", None),
    "hydrocodone / acetaminophen 325 mg": ("hydrocodone", None, "IR", None, None, None),  # not 325: that is not ours
    "homatropine methylbromide 1.5 MG / Hydrocodone Bitartrate 5 MG Oral Tablet":
        ("hydrocodone", "oral", "IR", 5, "mg", "cough"),
    "guaiacolsulfonate 60 MG/ML / Hydrocodone Bitartrate 1 MG/ML Oral Solution [Protex]":
        ("hydrocodone", "oral", "IR", 1, "mg/mL", "cough"),
    "Hydrocodone Bitartrate 0.332 MG/ML / Phenylephrine 1 MG/ML Oral Solution [Nalex DH]":
        ("hydrocodone", "oral", "IR", 0.332, "mg/mL", "cough"),
    "acetaminophen 300 MG / codeine phosphate 15 MG Oral Tablet": ("codeine", "oral", "IR", 15, "mg", None),
    "acetaminophen-codeine 300-30 mg tablet": ("codeine", "oral", "IR", 30, "mg", None),
    "Aspirin 325 MG / Carisoprodol 200 MG / Codeine Phosphate 16 MG Oral Tablet":
        ("codeine", "oral", "IR", 16, "mg", None),
    "codeine phosphate 2 MG/ML Oral Solution": ("codeine", "oral", "IR", 2, "mg/mL", None),
    "Codeine Phosphate 2 MG/ML / Promethazine Hydrochloride 1.25 MG/ML Oral Solution":
        ("codeine", "oral", "IR", 2, "mg/mL", "cough"),
    "Acetaminophen 356.4 MG / Caffeine 30 MG / dihydrocodeine bitartrate 16 MG Oral Capsule":
        ("dihydrocodeine", "oral", "IR", 16, "mg", None),
    "Brompheniramine Maleate 0.6 MG/ML / dihydrocodeine bitartrate 1.5 MG/ML Oral Solution [J-Cof DHC]":
        ("dihydrocodeine", "oral", "IR", 1.5, "mg/mL", "cough"),
    "Fentanyl 0.025 MG/HR Transdermal System": ("fentanyl", "transdermal", "ER", 25, "mcg/h", None),
    "72 HR Fentanyl 0.025 MG/HR Transdermal Patch": ("fentanyl", "transdermal", "ER", 25, "mcg/h", None),
    "fentanyl 12 mcg/hr patch": ("fentanyl", "transdermal", "ER", 12, "mcg/h", None),
    "Fentanyl 0.4 MG Oral Lozenge [Actiq]": ("fentanyl", "buccal", "IR", 0.4, "mg", None),
    "Fentanyl 0.1 MG/ACTUAT Metered Dose Nasal Spray [Lazanda]": ("fentanyl", "nasal", "IR", 0.1, "mg", None),
    "Injection, fentanyl citrate, 0.1 mg": ("fentanyl", "injection", "IR", 0.1, "mg", None),
    "10 ML fentanyl 0.05 MG/ML Injection": ("fentanyl", "injection", "IR", 0.05, "mg/mL", None),
    "Bupivacaine Hydrochloride 1.25 MG/ML / Fentanyl 0.002 MG/ML Injectable Solution":
        ("fentanyl", "injection", "IR", 0.002, "mg/mL", None),
    "5 ML sufentanil 0.05 MG/ML Injection": ("sufentanil", "injection", "IR", 0.05, "mg/mL", None),
    "10 ML alfentanil 0.5 MG/ML Injection": ("alfentanil", "injection", "IR", 0.5, "mg/mL", None),
    "remifentanil 2 MG Injection": ("remifentanil", "injection", "IR", 2, "mg", None),
    "12 HR tramadol ER 100mg": ("tramadol", None, "ER", 100, "mg", None),
    "24 HR tramadol hydrochloride 100 MG Extended Release Oral Tablet [Ultram]":
        ("tramadol", "oral", "ER", 100, "mg", None),
    "Acetaminophen 325 MG / tramadol hydrochloride 37.5 MG Oral Tablet": ("tramadol", "oral", "IR", 37.5, "mg", None),
    "168 HR buprenorphine 0.01 MG/HR Transdermal Patch": ("buprenorphine", "transdermal", "ER", 10, "mcg/h", None),
    "buprenorphine 2 MG / naloxone 0.5 MG Sublingual Tablet": ("buprenorphine", "sublingual", "IR", 2, "mg", OUD),
    "buprenorphine 8 MG / naloxone 2 MG Oral Strip": ("buprenorphine", "sublingual", "IR", 8, "mg", OUD),
    "buprenorphine / naloxone": ("buprenorphine", None, "IR", None, None, OUD),
    "Suboxone 8 mg-2 mg film": ("buprenorphine", "sublingual", "IR", 8, "mg", OUD),
    "Subutex 8 mg tablet": ("buprenorphine", "sublingual", "IR", 8, "mg", OUD),
    "Butrans 10 mcg/hour": ("buprenorphine", "transdermal", "ER", 10, "mcg/h", None),
    "Morphine Sulfate 15 MG Oral Capsule [MSIR]": ("morphine", "oral", "IR", 15, "mg", None),
    "Morphine Sulfate 200 MG Extended Release Oral Tablet [MS Contin]": ("morphine", "oral", "ER", 200, "mg", None),
    "Morphine Sulfate 20 MG/ML Oral Solution": ("morphine", "oral", "IR", 20, "mg/mL", None),
    "1 ML morphine sulfate 5 MG/ML Injection": ("morphine", "injection", "IR", 5, "mg/mL", None),
    "Naloxone 0.5 MG / Pentazocine 50 MG Oral Tablet": ("pentazocine", "oral", "IR", 50, "mg", None),
    "Acetaminophen 650 MG / propoxyphene napsylate 100 MG Oral Tablet": ("propoxyphene", "oral", "IR", 100, "mg", None),
    "meperidine hydrochloride 50 MG Oral Tablet": ("meperidine", "oral", "IR", 50, "mg", None),
    "meperidine 50 MG / promethazine 25 MG Oral Capsule": ("meperidine", "oral", "IR", 50, "mg", None),
    "pethidine 50 mg tablet": ("meperidine", "oral", "IR", 50, "mg", None),
    "Nalbuphine Hydrochloride 10 MG/ML Injectable Solution": ("nalbuphine", "injection", "IR", 10, "mg/mL", None),
    "methadone hydrochloride 5 MG Oral Tablet": ("methadone", "oral", "IR", 5, "mg", None),
    # strengths of liquids and patches in words
    "Morphine Sulfate 100 MG in 5 ML Oral Solution": ("morphine", "oral", "IR", 20, "mg/mL", None),
    "morphine 10 mg per 5 mL oral solution": ("morphine", "oral", "IR", 2, "mg/mL", None),
    "oxycodone 5 mg/5 millilitres oral solution": ("oxycodone", "oral", "IR", 1, "mg/mL", None),
    "oxycodone-acetaminophen 5-325 mg in 5 mL solution": ("oxycodone", "oral", "IR", 1, "mg/mL", None),
    "oxycodone 5 mg per tablet": ("oxycodone", "oral", "IR", 5, "mg", None),
    "fentanyl 12.5 mcg per hour patch": ("fentanyl", "transdermal", "ER", 12.5, "mcg/h", None),
    "fentanyl 25 micrograms/hour": ("fentanyl", "transdermal", "ER", 25, "mcg/h", None),
    # what cannot be told: a decimal comma, one of two strengths, a partner's
    "hydromorphone 0,5 MG tablet": ("hydromorphone", "oral", "IR", None, None, None),
    "morphine 2,500 mg tablet": ("morphine", "oral", "IR", None, None, None),
    "morphine 10 mg in 2,5 ml oral solution": ("morphine", "oral", "IR", None, None, None),
    "oxycodone-acetaminophen 2,5-325 mg tablet": ("oxycodone", "oral", "IR", None, None, None),
    "fentanyl 1,200 mcg lozenge": ("fentanyl", "buccal", "IR", 1.2, "mg", None),
    "acetaminophen 325 mg with oxycodone tablet": ("oxycodone", "oral", "IR", None, None, None),
    "10 mg oxycodone tablet": ("oxycodone", "oral", "IR", 10, "mg", None),
    # brands alone
    "OxyContin 10 mg tablet": ("oxycodone", "oral", "ER", 10, "mg", None),
    "MS Contin 15 MG": ("morphine", "oral", "ER", 15, "mg", None),
    "Percocet": ("oxycodone", None, "IR", None, None, None),
    "PERCOCET 10-325 MG TABLET": ("oxycodone", "oral", "IR", 10, "mg", None),
    "Percocet (oxycodone 5 mg / acetaminophen 325 mg) tablet": ("oxycodone", "oral", "IR", 5, "mg", None),
    "Vicodin ES 7.5/300": ("hydrocodone", None, "IR", 7.5, "mg", None),
    "Norco 325 mg tablet": ("hydrocodone", "oral", "IR", None, None, None),
    "Duragesic 25 mcg/hr": ("fentanyl", "transdermal", "ER", 25, "mcg/h", None),
    "Co-codamol 30mg/500mg tablets": ("codeine", "oral", "IR", 30, "mg", None),
    "co-codamol 500 mg": ("codeine", None, "IR", None, None, None),
    "Tussionex suspension": ("hydrocodone", "oral", "ER", None, None, "cough"),
    "belladonna / opium 60 MG Rectal Suppository": ("opium", "rectal", "IR", 60, "mg", None),
    # brands with a partner: the smaller of two strengths, if the larger is one that only the partner has
    "Ultracet 37.5-325": ("tramadol", None, "IR", 37.5, "mg", None),
    "LORTAB 7.5-325 MG/15 ML ELIXIR": ("hydrocodone", "oral", "IR", 0.5, "mg/mL", None),
    "Vicoprofen 200/7.5": ("hydrocodone", None, "IR", 7.5, "mg", None),
    "Percocet 10-20": ("oxycodone", None, "IR", None, None, None),
    "Norco 10 mg tablet": ("hydrocodone", "oral", "IR", 10, "mg", None),
    # brands of one route or one release tell it
    "Kadian 20 mg": ("morphine", "oral", "ER", 20, "mg", None),
    "Xtampza 9 mg capsule": ("oxycodone", "oral", "ER", 9, "mg", None),
    "Belbuca 75 mcg film": ("buprenorphine", "buccal", "IR", 0.075, "mg", None),
    "Kadian 20 mg rectal": ("morphine", "rectal", "ER", 20, "mg", None),  # what the name says goes first
    "Abstral 100 mcg": ("fentanyl", "sublingual", "IR", 0.1, "mg", None),
    "Sublocade 100 MG/0.5 ML": ("buprenorphine", "injection", "ER", 200, "mg/mL", OUD),
    "Butrans 20": ("buprenorphine", "transdermal", "ER", None, None, None),
    # buprenorphine and fentanyl are not swallowed
    "Fentora 200 mcg tablet": ("fentanyl", "buccal", "IR", 0.2, "mg", None),
    "FENTANYL CITRATE 200 MCG TABLET": ("fentanyl", "buccal", "IR", 0.2, "mg", None),
    "BUPRENORPHINE HCL 8 MG TABLET": ("buprenorphine", "sublingual", "IR", 8, "mg", None),
    "BUPRENORPHIN-NALOXON 8-2 MG SL": ("buprenorphine", "sublingual", "IR", 8, "mg", OUD),
    "buprenorphine 8 MG / naloxone 2 MG Sublingual Film": ("buprenorphine", "sublingual", "IR", 8, "mg", OUD),
    "Buprenorphine 0.15 MG Buccal Film [Belbuca]": ("buprenorphine", "buccal", "IR", 0.15, "mg", None),
    # claims: strengths without a unit, names cut off, abbreviations
    "HYDROCODONE-ACETAMINOPHEN 5-325": ("hydrocodone", None, "IR", 5, "mg", None),
    "oxycodone-acetaminophen 5-325-10": ("oxycodone", None, "IR", None, None, None),
    "HYDROCODON-ACETAMINOPHN 10-325": ("hydrocodone", None, "IR", 10, "mg", None),
    "HYDROCODONE BIT/APAP 7.5-500 TABS": ("hydrocodone", "oral", "IR", 7.5, "mg", None),
    "OXYCODONE W/APAP 5/325 TAB MCK": ("oxycodone", "oral", "IR", 5, "mg", None),
    "OXYCODONE HCL 5MG /ACETAMINOPHEN 325MG TAB": ("oxycodone", "oral", "IR", 5, "mg", None),
    "oxyCODONE-acetaminophen (PERCOCET) 5-325 mg tablet": ("oxycodone", "oral", "IR", 5, "mg", None),
    "BUTALBITAL-ACETAMINOPHEN-CAFF-CODEINE 50-325-40-30 MG CAPSULE": ("codeine", "oral", "IR", 30, "mg", None),
    "TRAMADOL-ACETAMINOPHN 37.5-325": ("tramadol", None, "IR", 37.5, "mg", None),
    "PENTAZOCINE-NALOXONE 50-0.5 MG": ("pentazocine", None, "IR", 50, "mg", None),
    "ACETAMINOPHEN-COD #3 TABLET": ("codeine", "oral", "IR", 30, "mg", None),
    "TYLENOL-CODEINE NO.4 TABLET": ("codeine", "oral", "IR", 60, "mg", None),
    "Tylenol #2": ("codeine", None, "IR", 15, "mg", None),
    "ACETAMINOPHEN-CODEINE 120-12 MG/5 ML": ("codeine", None, "IR", 2.4, "mg/mL", None),
    "MORPHINE SULF ER 15 MG TABLET": ("morphine", "oral", "ER", 15, "mg", None),
    "MORPHINE SULFATE SA 30MG TAB": ("morphine", "oral", "ER", 30, "mg", None),
    "OXYCODONE HCL CR 20 MG": ("oxycodone", None, "ER", 20, "mg", None),
    "MORPHINE SULFATE ER12H 60 MG": ("morphine", None, "ER", 60, "mg", None),
    "oxycodone 5mg tablet every 4 hr": ("oxycodone", "oral", "IR", 5, "mg", None),
    "tramadol ER 100mg": ("tramadol", None, "ER", 100, "mg", None),
    "tramadol hcl er (ultram) 100 mg": ("tramadol", None, "ER", 100, "mg", None),
    "oxycodone 5mg/5ml": ("oxycodone", None, "IR", 1, "mg/mL", None),
    "OXYCODONE 10 MG/5ML SOLN": ("oxycodone", "oral", "IR", 2, "mg/mL", None),
    "morphine sulfate 100 mg/5 mL (20 mg/mL)": ("morphine", None, "IR", 20, "mg/mL", None),
    "morphine 10 MG/0.5ML concentrate": ("morphine", "oral", "IR", 20, "mg/mL", None),
    "fentanyl 100 MCG/ACT nasal spray": ("fentanyl", "nasal", "IR", 0.1, "mg", None),
    "Fentanyl 0.1 MG/ACTUAT Mucosal Spray [Subsys]": ("fentanyl", "buccal", "IR", 0.1, "mg", None),
    "FENTANYL 50 MCG PATCH": ("fentanyl", "transdermal", "ER", 50, "mcg/h", None),
    "FENTANYL 75 MCG/HR PATCH TD72": ("fentanyl", "transdermal", "ER", 75, "mcg/h", None),
    "Fentanyl 0.04 MG Transdermal System [Ionsys]": ("fentanyl", "transdermal", "ER", 0.04, "mg", None),
    "hydromorphone 2 mg/ml inj": ("hydromorphone", "injection", "IR", 2, "mg/mL", None),
    "HYDROMORPHONE 3 MG SUPP": ("hydromorphone", "rectal", "IR", 3, "mg", None),
    # other languages
    "Morphin 10 mg retard": ("morphine", None, "ER", 10, "mg", None),
    "Codein 30 mg": ("codeine", None, "IR", 30, "mg", None),
    # two salts of one opioid add up
    "Aspirin 325 MG / Oxycodone Hydrochloride 4.5 MG / oxycodone terephthalate 0.38 MG Oral Tablet":
        ("oxycodone", "oral", "IR", 4.88, "mg", None),
    "bromodiphenhydramine hydrochloride 2.5 MG/ML / Codeine Phosphate 2 MG/ML Oral Solution":
        ("codeine", "oral", "IR", 2, "mg/mL", "cough"),
    "Levomethadyl 10 MG/ML Oral Solution": ("levomethadyl", "oral", "IR", 10, "mg/mL", None),
    "Methadone Hydrochloride 40 MG Tablet for Oral Suspension [Diskets]": ("methadone", "oral", "IR", 40, "mg", None),
}  # fmt: skip

NOT_OPIOIDS = [
    "Vico cream",
    "continus theophylline 200 MG",
    "Ipratropium Bromide 0.2 MG/ML Inhalant Solution",  # holds "opium"
    "apomorphine hydrochloride 10 MG/ML Injection",  # holds "morphine"
    "naloxone hydrochloride 0.4 MG/ML Injectable Solution",
    "Naltrexone hydrochloride 50 MG Oral Tablet",
    "dextromethorphan 3 MG/ML Oral Solution",
    "gabapentin 800 MG Oral Tablet",
    "cod liver oil 500 MG Oral Capsule",
    "acetaminophen 500 MG / cod liver oil",
    "Tylenol 325 mg tablet",
    "",
]

FORMS = {
    "oxycodone hydrochloride 5 MG Oral Tablet": "tablet",
    "OXYCODONE 5 MG TAB": "tablet",
    "OXYCODONE 5 MG CAPS": "capsule",
    "Morphine sulfate 15 MG film-coated tablet": "tablet",
    "Methadone Hydrochloride 40 MG Tablet for Oral Suspension": "tablet",
    "Buprenorphine 0.15 MG Buccal Film": "film",
    "buprenorphine 8 MG / naloxone 2 MG Oral Strip": "film",
    "Fentanyl 0.1 MG/ACTUAT Mucosal Spray": "spray",
    "Fentanyl 0.4 MG Oral Lozenge": "lozenge",
    "72 HR Fentanyl 0.025 MG/HR Transdermal System": "patch",
    "Morphine Sulfate 2 MG/ML Oral Solution": "solution",
    "hydrocodone-acetaminophen elixir": "solution",
    "Morphine Sulfate 2 MG/ML Oral Suspension": "suspension",
    "Oxycodone 10 MG Rectal Suppository": "suppository",
    "Buprenorphine 74.2 MG Drug Implant": "implant",
    "oxycodone": None,
}


@pytest.mark.parametrize("name", OPIOIDS)
def test_opioid(name: str) -> None:
    product = parse(name)
    assert product is not None
    found = (product.ingredient, product.route, product.release, product.strength, product.strength_unit)
    assert (*found, product.indication) == OPIOIDS[name]


@pytest.mark.parametrize("name", NOT_OPIOIDS)
def test_no_opioid(name: str) -> None:
    assert parse(name) is None


@pytest.mark.parametrize("name", FORMS)
def test_form(name: str) -> None:
    product = parse(name)
    assert product is not None
    assert product.form == FORMS[name]


@pytest.mark.parametrize("name", OPIOIDS)
def test_letter_case_and_blanks_say_nothing(name: str) -> None:
    assert parse(name) == parse(f"  {name.upper()} ") == parse(name.lower().replace(" ", "  "))
