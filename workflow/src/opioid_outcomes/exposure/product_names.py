"""What a product's name says of an opioid: ingredient, route, release, strength, form.

Reads RxNorm names ("acetaminophen 325 MG / oxycodone hydrochloride 10 MG Oral Tablet [Percocet]") and the looser ones
of claims and pharmacies ("OXYCODONE-ACETAMINOPHEN 10-325 MG TABLET"). Names are parsed one by one, so give unique ones.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config import shipped

# A product is a cough medicine by its partners only with these; others (meperidine and promethazine) stay analgesic.
OTHER_NAMES = ("also_called", "combinations", "for_use_disorder")  # columns of opioids.csv
ANTITUSSIVE_OPIOIDS = ("codeine", "dihydrocodeine", "hydrocodone")
# Buprenorphine with naloxone is licensed for opioid use disorder only (US prescribing information; ATC N07BC51).
ANTAGONIST = re.compile(r"\bnaloxone\b")
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
        (r"sublingual|oral spray|oral strips?", "sublingual"),
        (r"buccal|lozenges?|mucosal|transmucosal|troches?", "buccal"),
        (r"nasal|intranasal", "nasal"),
        (r"rectal|suppository|suppositories", "rectal"),
        (r"implants?", "implant"),
        (r"inhal\w*", "inhaled"),
        (r"oral|tablets?|tabs?|capsules?|caps?|syrup|elixir|solution|suspension|liquid|tincture", "oral"),
    )
)
EXTENDED = re.compile(
    r"\b(?:(?:extended|sustained|controlled|prolonged)[ -]release|er|xr|sr|cr|la|xl|\d+ ?hr?|\w*contin(?:us)?)\b"
)
FORM = re.compile(r"\b(film|spray|lozenge|tablet|capsule|patch|solution|suspension|suppository|implant)")
MASS = r"(?P<unit>mg|milligrams?|mcg|ug|µg|micrograms?|g|grams?)"
PER = r"(?: ?/ ?| (?:in|per) )"
STRENGTH = re.compile(
    rf"(?P<value>\.?\d[\d.,]*) ?{MASS}\b"
    rf"(?:{PER}(?P<per>\d[\d.,]*)? ?(?P<of>ml|millilit(?:er|re)s?|hr|h|hours?|actuat|spray|dose|mg|g)\b)?"
)
# Of several strengths in a row it cannot be told which is the opioid's: "5-325 mg", "5 mg/325 mg".
AFTER_ANOTHER = re.compile(r"\d ?(?:mg|mcg)? ?[-/] ?$")
LIKENESS = 0.8  # of misspelt names: below it ibuprofen would be a brand of hydrocodone
THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
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
    mg/mL for liquids, and belongs to the opioid, not to its partner; where that cannot be told, it is not said. Only
    patches have a strength per hour.
    """
    text = " ".join(name.lower().split())
    words = list(opioid_words().finditer(text))
    if not words:
        return None
    found = next((word for word in words if word.group() not in named_in("combinations")), words[0])
    ingredient = ingredients()[found.group()]
    combined = found.group() in named_in("combinations")
    strength, unit = (None, None) if combined else _strength(text, found)
    route = next((route for pattern, route in ROUTES if pattern.search(text)), None)
    route = route or ("transdermal" if unit == "mcg/h" else None)
    forms = FORM.findall(text.replace("transdermal system", "patch"))
    extended = route in ("transdermal", "implant") or EXTENDED.search(text)
    return Product(
        ingredient,
        route,
        "ER" if extended else "IR",
        strength,
        unit,
        forms[-1] if forms else None,
        _indication(text, ingredient, {word.group() for word in words}),
    )


def _indication(text: str, ingredient: str, words: set[str]) -> str | None:
    """What the make-up of the product, or its brand, says it is for."""
    if words & named_in("for_use_disorder") or (ingredient == "buprenorphine" and ANTAGONIST.search(text)):
        return "opioid_use_disorder"
    if ingredient in ANTITUSSIVE_OPIOIDS and companion_words().search(text):
        return "cough"
    return None


@cache
def opioids() -> pl.DataFrame:
    """The opioids that are known: ingredient, its other names, and why all its products are kept apart, if they are."""
    return io.read_text_table(shipped.DATA / "drugs" / "opioids.csv")


@cache
def ingredients() -> dict[str, str]:
    """Every name an opioid goes by, and its ingredient."""
    table = opioids()
    return {
        name: ingredient
        for ingredient, *others in table.select("ingredient", *OTHER_NAMES).iter_rows()
        for name in (ingredient, *(name for names in others if names for name in names.split("|")))
    }


def nearest_ingredient(name: str) -> str | None:
    """The opioid that a name which is no ingredient's own means, or looks most like."""
    product = parse(name)
    if product is not None:
        return product.ingredient
    close = difflib.get_close_matches(name, ingredients(), n=1, cutoff=LIKENESS)
    return ingredients()[close[0]] if close else None


@cache
def named_in(column: str) -> frozenset[str]:
    """The names in a column of opioids.csv."""
    lists = opioids().get_column(column).drop_nulls()
    return frozenset(name for names in lists for name in names.split("|"))


@cache
def opioid_words() -> re.Pattern[str]:
    """Whole words that name an opioid."""
    return re.compile(r"\b(?:" + "|".join(sorted(ingredients(), key=len, reverse=True)) + r")\b")


@cache
def companion_words() -> re.Pattern[str]:
    words = io.read_text_table(shipped.DATA / "drugs" / "antitussive_companions.csv").get_column("companion")
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
            volume = re.match(rf"{PER}(\d+(?:\.\d+)?)? ?ml\b", listed["rest"])
            return (_rounded(milligrams / float(volume[1] or 1)), "mg/mL") if volume else (_rounded(milligrams), "mg")
    own = text[found.end() :].split(" / ", maxsplit=1)[0]
    match = STRENGTH.search(own)
    if match is None:  # "10 mg oxycodone", where the strength stands next to the opioid
        own = text[: found.start()].rstrip()
        match = next((match for match in STRENGTH.finditer(own) if match.end() == len(own)), None)
    if match is None or AFTER_ANOTHER.search(own[: match.start()]):
        return None, None
    return _in_contract_units(match)


def _in_contract_units(match: re.Match[str]) -> tuple[float | None, str | None]:
    value, per = _number(match["value"], match["unit"]), _number(match["per"] or "1", "")
    if value is None or per is None:
        return None, None
    milligrams = value * MILLIGRAMS[match["unit"].removesuffix("s")]
    of = (match["of"] or "").removesuffix("s")
    if of in ("", "actuat", "spray", "dose"):
        return _rounded(milligrams), "mg"
    if of in ("hr", "h", "hour"):
        return _rounded(milligrams * 1000 / per), "mcg/h"
    if of.startswith("m") and of != "mg":
        return _rounded(milligrams / per), "mg/mL"
    return None, None


def _number(text: str, unit: str) -> float | None:
    """A number, or None where a comma may be a decimal one; no opioid has 1,000 mg a unit, many 1,200 mcg."""
    if THOUSANDS.fullmatch(text) and unit.startswith(("mc", "ug", "µg", "micro")):
        return float(text.replace(",", ""))
    return float(text) if re.fullmatch(r"\d*\.?\d+", text) and float(text) > 0 else None


def _rounded(value: float) -> float:
    return round(value, 9)
