"""What is read from the names that pharmacies, claims and health records use, by example.

A wrong strength is worse than none, a missed opioid worse than an unknown dose. RxNorm's names:
test_product_names_spec.
"""

import pytest

from opioid_outcomes.exposure.product_names import parse, suspected

OUD = "opioid_use_disorder"

# name: ingredient, route, release, strength, unit, indication
OPIOIDS = {
    # liquids: what is per mL belongs to all that is in them; a strength in mg alone is none
    "OXYCODONE HCL 20MG/ML CONC": ("oxycodone", "oral", "IR", 20, "mg/mL", None),
    "OXYCODONE HCL 100MG/5ML CONC": ("oxycodone", "oral", "IR", 20, "mg/mL", None),
    "HYDROMORPHONE HCL 1MG/ML LIQD": ("hydromorphone", "oral", "IR", 1, "mg/mL", None),
    "METHADONE HCL 10MG/ML CONC": ("methadone", "oral", "IR", 10, "mg/mL", None),
    "METHADOSE SUGAR-FREE 10MG/ML CONC": ("methadone", "oral", "IR", 10, "mg/mL", None),
    "METHADONE INTENSOL 10MG/ML CONC": ("methadone", "oral", "IR", 10, "mg/mL", None),
    "HYDROCODONE-HOMATROPINE 5-1.5MG/5ML SYRP": ("hydrocodone", "oral", "IR", 1, "mg/mL", "cough"),
    "HYDROCODONE BITARTRATE/CHLORPHENIRAMINE POLISTIREX 10-8MG/5ML SUER":
        ("hydrocodone", "oral", "ER", 2, "mg/mL", "cough"),
    "HYDROCOD POLST-CPM POLST ER 10-8 MG/5ML PO SUER": ("hydrocodone", "oral", "ER", 2, "mg/mL", "cough"),
    "Hydromet 5-1.5 mg/5mL syrup": ("hydrocodone", "oral", "IR", 1, "mg/mL", "cough"),
    "PROMETHAZINE-CODEINE 6.25-10 MG/5ML PO SYRP": ("codeine", "oral", "IR", 2, "mg/mL", "cough"),
    "PROMETHAZINE/CODEINE 6.25-10MG/5ML SYRP": ("codeine", "oral", "IR", 2, "mg/mL", "cough"),
    "PROMETHAZINE VC/CODEINE 6.25-5-10MG/5ML SYRP": ("codeine", "oral", "IR", 2, "mg/mL", "cough"),
    "GUAIFENESIN AC 100-10MG/5ML SYRP": ("codeine", "oral", "IR", 2, "mg/mL", "cough"),
    "CHERATUSSIN AC 100-10MG/5ML SYRP": ("codeine", "oral", "IR", 2, "mg/mL", "cough"),
    "VIRTUSSIN AC 100-10 MG/5ML": ("codeine", None, "IR", 2, "mg/mL", "cough"),
    "Codeine 15mg/5ml linctus": ("codeine", "oral", "IR", 3, "mg/mL", "cough"),
    "Tramal Tropfen 100 mg/ml": ("tramadol", "oral", "IR", 100, "mg/mL", None),
    "morfine 20 mg/ml drank": ("morphine", "oral", "IR", 20, "mg/mL", None),
    "PAREGORIC 2MG/5ML TINC": ("opium", "oral", "IR", 0.4, "mg/mL", None),
    "DILAUDID 5 MG/5ML LIQD": ("hydromorphone", "oral", "IR", 1, "mg/mL", None),
    "morphine 10mg/1 0ml": ("morphine", None, "IR", None, None, None),
    "PROMETH/COD SYP 6.25-10": ("codeine", "oral", "IR", None, None, "cough"),
    "MEPERIDINE SOL 50MG/5ML": ("meperidine", "oral", "IR", 10, "mg/mL", None),
    "MORPHINE SUL SOL 100/5ML": ("morphine", "oral", "IR", None, None, None),
    "hydrocodone 7.5 mg-acetaminophen 325 mg/15 mL oral solution": ("hydrocodone", "oral", "IR", 0.5, "mg/mL", None),
    "hydrocodone 10 mg-acetaminophen 325 mg/15 mL(15 mL) oral solution":
        ("hydrocodone", "oral", "IR", 0.666666667, "mg/mL", None),
    "oxycodone 5 mg-acetaminophen 325 mg/5 mL oral solution": ("oxycodone", "oral", "IR", 1, "mg/mL", None),
    "codeine 10 mg-guaifenesin 100 mg/5 mL liquid": ("codeine", "oral", "IR", 2, "mg/mL", "cough"),
    "hydrocodone 5 mg/acetaminophen 325 mg per 15 mL": ("hydrocodone", None, "IR", 0.333333333, "mg/mL", None),
    "hydrocodone bitartrate 2.5 mg and acetaminophen 167 mg per 5 mL elixir":
        ("hydrocodone", "oral", "IR", 0.5, "mg/mL", None),
    "Morphine Sulfate 10 MG / 5 ML Oral Solution": ("morphine", "oral", "IR", 2, "mg/mL", None),
    "oxycodone 5 mg / 5 mL": ("oxycodone", None, "IR", 1, "mg/mL", None),
    "methadone 5 mg / 5 mL solution": ("methadone", "oral", "IR", 1, "mg/mL", None),
    "BUTORPHANOL TARTRATE 10 MG/ML NA SOLN": ("butorphanol", "nasal", "IR", 10, "mg/mL", None),
    "Tilidin/Naloxon 100/8 mg Tropfen": ("tilidine", "oral", "IR", None, None, None),
    "Robitussin AC 100-10 mg/5 ml codeine": ("codeine", None, "IR", 2, "mg/mL", "cough"),
    "ACETAMINOPHEN; HYDROCODONE BITARTRATE 325; 7.5 mg/15mL; mg/15mL": ("hydrocodone", None, "IR", 0.5, "mg/mL", None),
    "oxycodone 5 mg / acetaminophen 325 mg / 5 mL oral solution": ("oxycodone", "oral", "IR", 1, "mg/mL", None),
    "oxycodone 10 mg solution": ("oxycodone", "oral", "IR", None, None, None),
    "morphine 10 mg (2 mg/mL) solution": ("morphine", "oral", "IR", 2, "mg/mL", None),
    "methadone 10 mg/ml oral syringe": ("methadone", "oral", "IR", 10, "mg/mL", None),
    # the unit left out, but not the volume
    "HYDROCODONE-ACETAMINOPHEN 7.5-325/15 ML": ("hydrocodone", None, "IR", 0.5, "mg/mL", None),
    "HYDROCODONE/APAP 7.5/325/15ML": ("hydrocodone", None, "IR", 0.5, "mg/mL", None),
    "HYDROCODONE BIT/ACETAMINOPHEN 2.5-108/5 ML": ("hydrocodone", None, "IR", 0.5, "mg/mL", None),
    "HYCET 7.5-325/15ML": ("hydrocodone", None, "IR", 0.5, "mg/mL", None),
    "ZAMICET 10-325/15 ML": ("hydrocodone", None, "IR", 0.666666667, "mg/mL", None),
    "ACETAMINOPHEN-CODEINE 120-12/5ML": ("codeine", None, "IR", 2.4, "mg/mL", None),
    "ACETAMINOPHEN W/CODEINE 120-12/5ML": ("codeine", None, "IR", 2.4, "mg/mL", None),
    "OXYCODONE-ACETAMINOPHEN 5-325/5ML": ("oxycodone", None, "IR", 1, "mg/mL", None),
    "ROXICET 5-325/5 ML": ("oxycodone", None, "IR", 1, "mg/mL", None),
    "HYDROCODONE-HOMATROPINE 5-1.5/5 ML": ("hydrocodone", None, "IR", 1, "mg/mL", "cough"),
    "PROMETHAZINE-CODEINE 6.25-10/5ML": ("codeine", None, "IR", 2, "mg/mL", "cough"),
    "GUAIFENESIN-CODEINE 100-10/5ML": ("codeine", None, "IR", 2, "mg/mL", "cough"),
    "COD-GG 10-100/5ML SYRP": ("codeine", "oral", "IR", 2, "mg/mL", "cough"),
    "hydrocodone-acetaminophen 7.5-325 per 15 mL": ("hydrocodone", None, "IR", 0.5, "mg/mL", None),
    "hydrocodone-acetaminophen 7.5-325 / 15 mL": ("hydrocodone", None, "IR", 0.5, "mg/mL", None),
    "oxycodone-acetaminophen 5/325 per 5 ml": ("oxycodone", None, "IR", 1, "mg/mL", None),
    "acetaminophen-codeine 120-12 per 5 mL": ("codeine", None, "IR", 2.4, "mg/mL", None),
    "oxycodone 5 mg/5cc": ("oxycodone", None, "IR", 1, "mg/mL", None),
    # of how many mL, or mg at all, is not said
    "oxycodone-acetaminophen 5-325 5 ml": ("oxycodone", None, "IR", None, None, None),
    "hydrocodone-acetaminophen 5 mg-325 mg 15 ml cup": ("hydrocodone", None, "IR", None, None, None),
    "hydrocodone 5/acetaminophen 325/15 ml": ("hydrocodone", None, "IR", None, None, None),
    "oxycodone 5 mg 5 ml": ("oxycodone", None, "IR", None, None, None),
    "morphine 10-20/5 ml": ("morphine", None, "IR", None, None, None),
    "FENTANYL-BUPIVACAINE 2-0.125/ML": ("fentanyl", None, "IR", None, None, None),
    "ACETAMINOPHEN-CODEINE 120-12/5": ("codeine", None, "IR", None, None, None),
    "PROMETHAZINE-CODEINE 6.25-10MG/5": ("codeine", None, "IR", None, None, "cough"),
    # injections, though they are solutions
    "MORPHINE SULFATE (PF) 1MG/ML SOLN": ("morphine", "injection", "IR", 1, "mg/mL", None),
    "FENTANYL CITRATE (PF) 100MCG/2ML SOLN": ("fentanyl", "injection", "IR", 0.05, "mg/mL", None),
    "Buvidal 96mg/0.27ml prolonged-release solution for injection pre-filled syringes":
        ("buprenorphine", "injection", "ER", 355.555555556, "mg/mL", OUD),
    "MORPHINE SULFATE 4 MG/ML IJ SOLN": ("morphine", "injection", "IR", 4, "mg/mL", None),
    "MORPHINE SULFATE (PF) 4 MG/ML IJ SOLN": ("morphine", "injection", "IR", 4, "mg/mL", None),
    "HYDROMORPHONE HCL 1 MG/ML IJ SOLN": ("hydromorphone", "injection", "IR", 1, "mg/mL", None),
    "HYDROMORPHONE HCL PF 10 MG/ML IJ SOLN": ("hydromorphone", "injection", "IR", 10, "mg/mL", None),
    "FENTANYL CITRATE (PF) 100 MCG/2ML IJ SOLN": ("fentanyl", "injection", "IR", 0.05, "mg/mL", None),
    "FENTANYL CITRATE 0.05 MG/ML IJ SOLN": ("fentanyl", "injection", "IR", 0.05, "mg/mL", None),
    "MEPERIDINE HCL 25 MG/ML IJ SOLN": ("meperidine", "injection", "IR", 25, "mg/mL", None),
    "BUPRENORPHINE HCL 0.3 MG/ML IJ SOLN": ("buprenorphine", "injection", "IR", 0.3, "mg/mL", None),
    "BUTORPHANOL TARTRATE 2 MG/ML IJ SOLN": ("butorphanol", "injection", "IR", 2, "mg/mL", None),
    "morphine 0.5 mg/hr infusion": ("morphine", "injection", "IR", None, None, None),
    "Diamorphine 10mg powder for solution for injection ampoules": ("diamorphine", "injection", "IR", 10, "mg", None),
    # patches are per hour
    "Butec 10micrograms/hour transdermal patches": ("buprenorphine", "transdermal", "ER", 10, "mcg/h", None),
    "Hapoctasin 35micrograms/hour transdermal patches": ("buprenorphine", "transdermal", "ER", 35, "mcg/h", None),
    "Fencino 25micrograms/hour transdermal patches": ("fentanyl", "transdermal", "ER", 25, "mcg/h", None),
    "Fentanyl AL 12 Mikrogramm/Stunde transdermales Pflaster": ("fentanyl", "transdermal", "ER", 12, "mcg/h", None),
    "Buprenorphin AWD 52,5 µg/h transdermales Pflaster": ("buprenorphine", "transdermal", "ER", None, None, None),
    "fentanyl 25 mcg / hour": ("fentanyl", "transdermal", "ER", 25, "mcg/h", None),
    "FENTANYL 25 MCG PT72": ("fentanyl", "transdermal", "ER", 25, "mcg/h", None),
    "FENTANYL TD 25 MCG": ("fentanyl", "transdermal", "ER", 25, "mcg/h", None),
    "Fentanyl 2.5 mg/10 cm2 transdermal patch": ("fentanyl", "transdermal", "ER", None, None, None),
    "Fentanyl 4.2 mg transdermal patch": ("fentanyl", "transdermal", "ER", None, None, None),
    "fentanyl patch 2.55 mg (25 mcg/hr)": ("fentanyl", "transdermal", "ER", 25, "mcg/h", None),
    "fentanyl 25 mcg/hr and 50 mcg/hr patch": ("fentanyl", "transdermal", "ER", None, None, None),
    "fentanyl 12.5 mikrogram/time depotplaster": ("fentanyl", "transdermal", "ER", 12.5, "mcg/h", None),
    "Fentanyl 0.6 MG/24HR transdermal": ("fentanyl", "transdermal", "ER", 25, "mcg/h", None),
    "FENTANYL 2550 MCG PATCH": ("fentanyl", "transdermal", "ER", None, None, None),  # what is in it
    # packs, ranges, choices, two opioids: no strength
    "oxycodone 5 to 10 mg oral tablet": ("oxycodone", "oral", "IR", None, None, None),
    "TRAMADOL 50 MG, 100 MG": ("tramadol", None, "IR", None, None, None),
    "tramadol 50mg or 100mg tablets": ("tramadol", "oral", "IR", None, None, None),
    "morphine 1mg/hr": ("morphine", None, "IR", None, None, None),
    "oxycodone-acetaminophen 325 mg tablet": ("oxycodone", "oral", "IR", None, None, None),
    "OXYCODONE HCL/OXYCODONE TEREPHTHALATE/ASPIRIN 4.5-0.38-325": ("oxycodone", None, "IR", None, None, None),
    "{10 (acetaminophen 325 MG / oxycodone hydrochloride 5 MG Oral Tablet)"
    " / 5 (oxycodone hydrochloride 10 MG Oral Tablet) } Pack":
        ("oxycodone", "oral", "IR", None, None, None),
    "{1 (24 HR tramadol hydrochloride 100 MG Extended Release Oral Tablet)"
    " / 1 (24 HR tramadol hydrochloride 200 MG Extended Release Oral Tablet) } Pack":
        ("tramadol", "oral", "ER", None, None, None),
    "morphine sulfate 10 MG [MSIR] / 15 MG": ("morphine", None, "IR", None, None, None),
    "acetaminophen-tramadol 300 mg": ("tramadol", None, "IR", None, None, None),
    "butalbital-apap-caff-codeine 30 mg": ("codeine", None, "IR", None, None, None),
    "naltrexone 50 mg / morphine": ("morphine", None, "IR", None, None, None),
    "morphine 5 mg / kg": ("morphine", None, "IR", None, None, None),
    "morphine/oxycodone 10/5": ("morphine", None, "IR", None, None, None),
    "morphine 10 mg oxycodone 5 mg": ("morphine", None, "IR", None, None, None),
    "Hydromorphone 2 mg tab or 4 mg tab": ("hydromorphone", "oral", "IR", None, None, None),
    "oxycodone 5 mg 10 mg": ("oxycodone", None, "IR", None, None, None),
    # whose strength it is, by size
    "BUPRENORPHN-NALOXN 8-2 MG TAB": ("buprenorphine", "sublingual", "IR", 8, "mg", OUD),
    "Doreta 75mg/650mg tablets": ("tramadol", "oral", "IR", 75, "mg", None),
    "Paramol 7.46mg/500mg tablets": ("dihydrocodeine", "oral", "IR", 7.46, "mg", None),
    "acetaminophen-oxycodone 2.5-300 mg/15 ml solution": ("oxycodone", "oral", "IR", None, None, None),
    "2 mg buprenorphine / 0.5 mg naloxone": ("buprenorphine", None, "IR", 2, "mg", OUD),
    "somedrug 200 mg codeine 30 mg": ("codeine", None, "IR", 30, "mg", None),
    "325 mg acetaminophen / 5 mg oxycodone": ("oxycodone", None, "IR", 5, "mg", None),
    "OXYCOD/APAP 5-325MG TAB": ("oxycodone", "oral", "IR", 5, "mg", None),
    "SUBOXONE 8-2MG FILM": ("buprenorphine", "sublingual", "IR", 8, "mg", OUD),
    "ZUBSOLV 5.7-1.4MG SUBL": ("buprenorphine", "sublingual", "IR", 5.7, "mg", OUD),
    "HYDROCODONE 5/ACETAMINOPHEN 325MG TAB": ("hydrocodone", "oral", "IR", 5, "mg", None),
    "Hydrocodone Bitartrate and Acetaminophen Tablets USP CII 5 mg/325 mg":
        ("hydrocodone", "oral", "IR", 5, "mg", None),
    "HYDROCODONE BITARTRATE AND ACETAMINOPHEN TABLETS 7.5MG/325MG": ("hydrocodone", "oral", "IR", 7.5, "mg", None),
    "FIORICET/CODEINE 50-300-40-30MG CAPS": ("codeine", "oral", "IR", 30, "mg", None),
    "Targinact 20mg/10mg modified-release tablets": ("oxycodone", "oral", "ER", 20, "mg", None),
    "Tramacet 37.5mg/325mg tablets": ("tramadol", "oral", "IR", 37.5, "mg", None),
    "Tilidin comp. STADA 50 mg/4 mg Retardtabletten": ("tilidine", "oral", "ER", None, None, None),
    "Valoron N retard 100/8 mg": ("tilidine", None, "ER", 100, "mg", None),
    "Dafalgan codéine 500 mg/30 mg comprimé pelliculé": ("codeine", "oral", "IR", 30, "mg", None),
    "Paracetamol/codeïne 500/20 mg tablet": ("codeine", "oral", "IR", 20, "mg", None),
    "BELLADONNA & OPIUM 16.2-60MG SUPP": ("opium", "rectal", "IR", 60, "mg", None),
    "Belladonna and Opium Suppositories 16.2 mg/30 mg": ("opium", "rectal", "IR", 30, "mg", None),
    "PROPOXYPHENE-N 100/APAP 650MG TAB": ("propoxyphene", "oral", "IR", 100, "mg", None),
    "PROPOXY-N/APAP 100-650MG TAB": ("propoxyphene", "oral", "IR", 100, "mg", None),
    "HYDROCO/APAP TAB 5-325MG": ("hydrocodone", "oral", "IR", 5, "mg", None),
    "OXYCOD/APAP TAB 5-325MG": ("oxycodone", "oral", "IR", 5, "mg", None),
    "SUBOXONE MIS 8-2MG": ("buprenorphine", "sublingual", "IR", 8, "mg", OUD),
    "Solpadeine Max 500mg/12.8mg tablets": ("codeine", "oral", "IR", 12.8, "mg", None),
    "Solpadol 30mg/500mg caplets": ("codeine", "oral", "IR", 30, "mg", None),
    "Kapake 30mg/500mg tablets": ("codeine", "oral", "IR", 30, "mg", None),
    "Zapain 30mg/500mg tablets": ("codeine", "oral", "IR", 30, "mg", None),
    "Remedeine forte 30/500": ("dihydrocodeine", None, "IR", 30, "mg", None),
    "cocodamol 30/500": ("codeine", None, "IR", 30, "mg", None),
    "Targin 10/5": ("oxycodone", "oral", "ER", 10, "mg", None),
    "OXYCODONE AND ACETAMINOPHEN 5; 325 mg/1; mg/1": ("oxycodone", None, "IR", 5, "mg", None),
    "acetaminophen-hydrocodone 5-325": ("hydrocodone", None, "IR", 5, "mg", None),
    "acetaminophen-hydrocodone 10 mg-325 mg tab": ("hydrocodone", "oral", "IR", 10, "mg", None),
    "APAP-codeine 30-300 mg": ("codeine", None, "IR", 30, "mg", None),
    "Acetaminophen/Oxycodone 5/325 (Percocet)": ("oxycodone", None, "IR", 5, "mg", None),
    "ibuprofen-hydrocodone 7.5-200 mg": ("hydrocodone", None, "IR", 7.5, "mg", None),
    "naloxone-buprenorphine 8-2 mg film": ("buprenorphine", "sublingual", "IR", 8, "mg", OUD),
    "Buprenorphine/Naloxone 2/8 mg": ("buprenorphine", None, "IR", 8, "mg", OUD),
    "acetaminophen-tramadol 37.5-325": ("tramadol", None, "IR", 37.5, "mg", None),
    "hydrocodone 10/325 acetaminophen": ("hydrocodone", None, "IR", 10, "mg", None),
    "5/325mg oxycodone/apap": ("oxycodone", None, "IR", 5, "mg", None),
    "acetaminophen, caffeine, dihydrocodeine 320.5-30-16 mg caps": ("dihydrocodeine", "oral", "IR", 16, "mg", None),
    "ACETAMINOPHEN-CAFF-DIHYDROCOD 320.5-30-16 MG CAPS": ("dihydrocodeine", "oral", "IR", 16, "mg", None),
    "CELECOXIB-TRAMADOL 44-56 MG": ("tramadol", None, "IR", 44, "mg", None),
    "BUTALBITAL COMPOUND W/CODEINE 50-325-40-30 MG": ("codeine", None, "IR", 30, "mg", None),
    "Fioricet with Codeine 50 mg-300 mg-40 mg-30 mg capsule": ("codeine", "oral", "IR", 30, "mg", None),
    "Soma Compound with Codeine 200-325-16": ("codeine", None, "IR", 16, "mg", None),
    "Trezix 320.5 mg-30 mg-16 mg capsule": ("dihydrocodeine", "oral", "IR", 16, "mg", None),
    "Embeda 20 mg-0.8 mg capsule": ("morphine", "oral", "ER", 20, "mg", None),
    "Embeda 100-4 mg": ("morphine", "oral", "ER", 100, "mg", None),
    "hydrocodone-ibuprofen 10-200": ("hydrocodone", None, "IR", 10, "mg", None),
    "benzhydrocodone 6.12 MG / acetaminophen 325 MG Oral Tablet": ("benzhydrocodone", "oral", "IR", 6.12, "mg", None),
    "ACETAMIN-COD 300-30 MG TAB": ("codeine", "oral", "IR", 30, "mg", None),
    "CELECOXIB-TRAMADOL 56-44 MG": ("tramadol", None, "IR", 44, "mg", None),
    "Seglentis 56-44 mg tablet": ("tramadol", "oral", "IR", 44, "mg", None),
    "ACETAMINOPHEN-COD #3 300 mg-30 mg": ("codeine", None, "IR", 30, "mg", None),
    "oxycodone 5 mg – acetaminophen 325 mg": ("oxycodone", None, "IR", 5, "mg", None),
    # dose forms and abbreviations of pharmacies
    "OXYCODONE HCL ER 20MG T12A": ("oxycodone", "oral", "ER", 20, "mg", None),
    "MORPHINE SULF ER 15MG TBCR": ("morphine", "oral", "ER", 15, "mg", None),
    "MORPHINE SULFATE 15MG TBCR": ("morphine", "oral", "ER", 15, "mg", None),
    "MORPHINE SULFATE 30MG CP24": ("morphine", "oral", "ER", 30, "mg", None),
    "MORPHINE SULFATE BEADS 120MG CP24": ("morphine", "oral", "ER", 120, "mg", None),
    "fentanyl citrate 1200 MCG LPOP": ("fentanyl", "buccal", "IR", 1.2, "mg", None),
    "FENTANYL CITRATE 200MCG LPOP": ("fentanyl", "buccal", "IR", 0.2, "mg", None),
    "HYDROMORPHONE HCL ER 8MG T24A": ("hydromorphone", "oral", "ER", 8, "mg", None),
    "METHADONE HCL 40MG TBSO": ("methadone", "oral", "IR", 40, "mg", None),
    "TRAMADOL HCL ER 100MG TB24": ("tramadol", "oral", "ER", 100, "mg", None),
    "TRAMADOL HCL ER (BIPHASIC) 200MG TB24": ("tramadol", "oral", "ER", 200, "mg", None),
    "HYDROCODONE BITARTRATE ER 20MG C12A": ("hydrocodone", "oral", "ER", 20, "mg", None),
    "NUCYNTA ER 100MG TB12": ("tapentadol", "oral", "ER", 100, "mg", None),
    "OPANA ER 20MG TB12": ("oxymorphone", "oral", "ER", 20, "mg", None),
    "MORPHINE SULFATE ER 30 MG PO TBCR": ("morphine", "oral", "ER", 30, "mg", None),
    "MORPHINE SULFATE ER 30 MG PO CP24": ("morphine", "oral", "ER", 30, "mg", None),
    "OXYCODONE HCL ER 10 MG PO T12A": ("oxycodone", "oral", "ER", 10, "mg", None),
    "OXYCODONE HCL 10 MG PO T12A": ("oxycodone", "oral", "ER", 10, "mg", None),
    "FENTANYL CITRATE 400 MCG BU LPOP": ("fentanyl", "buccal", "IR", 0.4, "mg", None),
    "codeine #3": ("codeine", None, "IR", None, None, None),
    "codeine 30 mg tab no. 2 of 4": ("codeine", "oral", "IR", 30, "mg", None),
    "CODEINE SULFATE 15MG TAB #4": ("codeine", "oral", "IR", 15, "mg", None),
    "COD-GG": ("codeine", None, "IR", None, None, "cough"),
    "Methadone HCl Tab For Oral Susp 40 MG": ("methadone", "oral", "IR", 40, "mg", None),
    "methadone tablets for oral suspension 40 mg": ("methadone", "oral", "IR", 40, "mg", None),
    # brands and other languages
    "DF118 Forte 40mg tablets": ("dihydrocodeine", "oral", "IR", 40, "mg", None),
    "Oxyact 10mg tablets": ("oxycodone", "oral", "IR", 10, "mg", None),
    "DHC Continus 60mg tablets": ("dihydrocodeine", "oral", "ER", 60, "mg", None),
    "MXL 60mg capsules": ("morphine", "oral", "ER", 60, "mg", None),
    "Longtec 10mg modified-release tablets": ("oxycodone", "oral", "ER", 10, "mg", None),
    "Shortec 5mg capsules": ("oxycodone", "oral", "IR", 5, "mg", None),
    "Espranor 8mg oral lyophilisates": ("buprenorphine", "sublingual", "IR", 8, "mg", OUD),
    "Maxitram SR 50mg capsules": ("tramadol", "oral", "ER", 50, "mg", None),
    "Marol 100mg modified-release tablets": ("tramadol", "oral", "ER", 100, "mg", None),
    "Tramadol-ratiopharm 100 mg Retardtabletten": ("tramadol", "oral", "ER", 100, "mg", None),
    "Tramadol AL 50 Kapseln": ("tramadol", "oral", "IR", None, None, None),
    "Palladon retard 4 mg": ("hydromorphone", None, "ER", 4, "mg", None),
    "Hydromorphon HCl AL 8 mg Retardtabletten": ("hydromorphone", "oral", "ER", 8, "mg", None),
    "Oxygesic 10 mg Retardtabletten": ("oxycodone", "oral", "ER", 10, "mg", None),
    "MST 10 Mundipharma": ("morphine", "oral", "ER", None, None, None),
    "Morfin 10 mg": ("morphine", None, "IR", 10, "mg", None),
    "Morphine (sulfate) 10 mg LP gélule": ("morphine", "oral", "ER", 10, "mg", None),
    "Skenan LP 30 mg": ("morphine", "oral", "ER", 30, "mg", None),
    "tramadolo 100 mg compresse": ("tramadol", "oral", "IR", 100, "mg", None),
    "ossicodone 5 mg": ("oxycodone", None, "IR", 5, "mg", None),
    "B & O Supprettes No. 16A": ("opium", "rectal", "IR", None, None, None),
    "Kapanol 20 mg capsules": ("morphine", "oral", "ER", 20, "mg", None),
    "MST Continus Suspension 30mg sachets": ("morphine", "oral", "ER", 30, "mg", None),
    "{14 (12 HR tapentadol 100 MG Extended Release Oral Tablet) } Pack": ("tapentadol", "oral", "ER", 100, "mg", None),
    "codeine (free base) 30 mg tablet": ("codeine", "oral", "IR", 30, "mg", None),
}  # fmt: skip

NOT_OPIOIDS = [
    "Opium 30C homeopathic pellets",
    "Opium papaver somniferum 6X pellets",
    "codeine-free cough syrup",
    "Contac (codeine free)",
    "Fentanyl test strip",
    "oxycodone detection test kit",
    "morphine allergy alert",
    "dextropropoxyphene placebo",
]

# a word that begins like an opioid's name, but is none that is known
SUSPECTED = {
    "OXYCODN/APAP 5-325MG TAB": True,
    "hydrocodne 5 mg": True,
    "BUPRENRPH 8 MG": True,
    "Tramadlo 50 mg": True,
    "fentanyll 25 mcg/h": True,
    "MORPHIN5 MG": True,
    # other medicines
    "hydrocortisone 10 mg tablet": False,
    "oxybutynin 5 mg": False,
    "dextromethorphan 15 mg/5ml syrup": False,
    "diphenhydramine 25 mg": False,
    "apomorphine 10 mg/ml pen": False,
    "phenazopyridine 100 mg": False,
    "levomefolate 15 mg": False,
    "trazodone 50 mg": False,
    "methotrexate 2.5 mg": False,
    "dihydroergotamine 1 mg/ml": False,
    "Fentanyl test strip": False,
    "codeine-free cough syrup": False,
    "": False,
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


@pytest.mark.parametrize("name", SUSPECTED)
def test_suspected(name: str) -> None:
    assert suspected(name) == SUSPECTED[name]
    assert parse(name) is None


@pytest.mark.parametrize("name", OPIOIDS)
def test_letter_case_and_blanks_say_nothing(name: str) -> None:
    assert parse(name) == parse(f"  {name.upper()} ") == parse(name.lower().replace(" ", "  "))
