"""What a product's name says of an opioid: ingredient, route, release, strength, form.

Reads RxNorm names ("acetaminophen 325 MG / oxycodone hydrochloride 10 MG Oral Tablet [Percocet]") and the looser ones
of claims and pharmacies ("OXYCODONE-ACETAMINOPHEN 10-325 MG TABLET"). Names are parsed one by one, so give unique ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from opioid_outcomes.exposure import shipped

# A product is a cough medicine by its partners only with these; others (meperidine and promethazine) stay analgesic.
ANTITUSSIVE_OPIOIDS = ("codeine", "dihydrocodeine", "hydrocodone")
INJECTION = (
    r"inject\w*|syringes?|auto-injector|cartridges?|intravenous|intramuscular|subcutaneous|epidural|intrathecal"
    r"|infusion|ampoules?|ampules?|vials?"
)
# The first that matches is the route: "Oral Lozenge" and "Oral Spray" act through the mucosa, not by being swallowed.
ROUTES = tuple(
    (re.compile(rf"\b(?:{words})\b"), route)
    for words, route in (
        (INJECTION, "injection"),
        (r"transdermal|patch|patches", "transdermal"),
        (r"sublingual|oral spray", "sublingual"),
        (r"buccal|lozenges?|mucosal|transmucosal|troches?", "buccal"),
        (r"nasal|intranasal", "nasal"),
        (r"rectal|suppository|suppositories", "rectal"),
        (r"implants?", "implant"),
        (r"inhal\w*", "inhaled"),
        (r"oral|tablets?|tabs?|capsules?|caps?|syrup|elixir|solution|suspension|liquid|tincture", "oral"),
    )
)
EXTENDED = re.compile(r"\b(?:(?:extended|sustained|controlled|prolonged)[ -]release|er|xr|sr|cr|la|xl|\d+ ?hr?)\b")
FORM = re.compile(r"\b(film|spray|lozenge|tablet|capsule|patch|solution|suspension|suppository|implant)")
MASS = r"(?P<unit>mg|milligrams?|mcg|ug|µg|micrograms?|g|grams?)"
STRENGTH = re.compile(
    rf"(?P<value>\d[\d,]*(?:\.\d+)?|\.\d+) ?{MASS}\b"
    r"(?: ?/ ?(?P<per>\d+(?:\.\d+)?)? ?(?P<of>ml|hr|h|hour|actuat|spray|dose|mg|g)\b)?"
)
# "oxycodone-acetaminophen 10-325 mg", "oxycodone hcl/acetaminophen 5mg-325mg": strengths in the order of ingredients
LISTED = re.compile(
    r"^(?P<names>[a-z][a-z ]*(?:[-/][a-z ]+)+?) "
    r"(?P<values>\d+(?:\.\d+)? ?(?:mg|mcg)?(?: ?[-/] ?\d+(?:\.\d+)?(?![\d.]| ?ml) ?(?:mg|mcg)?)+)(?P<rest>.*)$"
)
MILLIGRAMS = {
    "mg": 1.0,
    "milligram": 1.0,
    "mcg": 1e-3,
    "ug": 1e-3,
    "µg": 1e-3,
    "microgram": 1e-3,
    "g": 1e3,
    "gram": 1e3,
}


@dataclass(frozen=True)
class Product:
    """An opioid product; None is not said."""

    ingredient: str
    route: str | None
    release: str
    strength: float | None
    strength_unit: str | None
    form: str | None
    indication: str | None


def parse(name: str) -> Product | None:
    """The opioid that a product's name names, or None if it names none.

    Whole words decide (dihydrocodeine is not codeine, ipratropium not opium). Strength is in mg, mcg/h for patches or
    mg/mL for liquids, and belongs to the opioid, not to its partner.
    """
    text = " ".join(name.lower().split())
    found = opioid_words().search(text)
    if found is None:
        return None
    ingredient = ingredients()[found.group()]
    route = next((route for pattern, route in ROUTES if pattern.search(text)), None)
    strength, unit = _strength(text, found)
    forms = FORM.findall(text.replace("transdermal system", "patch"))
    cough = ingredient in ANTITUSSIVE_OPIOIDS and companion_words().search(text)
    extended = route in ("transdermal", "implant") or EXTENDED.search(text)
    return Product(
        ingredient,
        route,
        "ER" if extended else "IR",
        strength,
        unit,
        forms[-1] if forms else None,
        "cough" if cough else None,
    )


@cache
def ingredients() -> dict[str, str]:
    """Every name an opioid goes by, and its ingredient."""
    table = shipped.table("drugs", "opioids")
    return {
        name: ingredient
        for ingredient, others in table.select("ingredient", "also_called").iter_rows()
        for name in (ingredient, *(others or "").split("|"))
        if name
    }


@cache
def opioid_words() -> re.Pattern[str]:
    """Whole words that name an opioid."""
    return re.compile(r"\b(?:" + "|".join(sorted(ingredients(), key=len, reverse=True)) + r")\b")


@cache
def companion_words() -> re.Pattern[str]:
    words = shipped.table("drugs", "antitussive_companions").get_column("companion")
    return re.compile(r"\b(?:" + "|".join(words) + r")\b")


def _strength(text: str, found: re.Match[str]) -> tuple[float | None, str | None]:
    listed = LISTED.match(text)
    if listed and found.start() < listed.end("names"):
        position = len(re.findall(r"[-/]", text[: found.start()]))
        values = re.findall(r"(\d+(?:\.\d+)?) ?(mg|mcg)?", listed["values"])
        units = [unit for _, unit in values if unit]
        if position < len(values) and units:
            value, unit = values[position]
            milligrams = float(value) * MILLIGRAMS[unit or units[-1]]
            volume = re.match(r" ?/ ?(\d+(?:\.\d+)?)? ?ml\b", listed["rest"])
            return (_rounded(milligrams / float(volume[1] or 1)), "mg/mL") if volume else (_rounded(milligrams), "mg")
    own = text[found.end() :].split(" / ", maxsplit=1)[0]
    match = STRENGTH.search(own)
    if match is None:  # "10 mg oxycodone"
        before = text[: found.start()].rsplit(" / ", maxsplit=1)[-1].rstrip()
        match = None if before.endswith(("-", "/", ",")) else next(STRENGTH.finditer(before), None)
    return _in_contract_units(match) if match else (None, None)


def _in_contract_units(match: re.Match[str]) -> tuple[float | None, str | None]:
    milligrams = float(match["value"].replace(",", "")) * MILLIGRAMS[match["unit"].removesuffix("s")]
    per = float(match["per"] or 1)
    if match["of"] in (None, "actuat", "spray", "dose"):
        return _rounded(milligrams), "mg"
    if match["of"] in ("hr", "h", "hour"):
        return _rounded(milligrams * 1000 / per), "mcg/h"
    if match["of"] == "ml":
        return _rounded(milligrams / per), "mg/mL"
    return None, None


def _rounded(value: float) -> float:
    return round(value, 9)
