"""What a product's name says of an opioid: ingredient, route, release, strength, form.

Reads RxNorm names ("acetaminophen 325 MG / oxycodone hydrochloride 10 MG Oral Tablet [Percocet]") and the looser ones
of claims and pharmacies ("OXYCODONE-ACETAMINOPHEN 10-325 MG TABLET"). Names are parsed one by one, so give unique ones.
Strengths are read in exposure/product_strengths.py.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.exposure import product_strengths

# A product is a cough medicine by its partners only with these; others (meperidine and promethazine) stay analgesic.
OTHER_NAMES = ("also_called", "combinations", "for_use_disorder")  # columns of opioids.csv
ANTITUSSIVE_OPIOIDS = ("codeine", "dihydrocodeine", "hydrocodone")
# Buprenorphine with naloxone is licensed for opioid use disorder only (US prescribing information; ATC N07BC51).
ANTAGONIST = re.compile(r"\bnaloxone?\b")
# Claims cut the last letter off, and other languages never had it: "hydrocodon-acetaminophn", "Morphin". Below this
# length a name without its e would be too short to mean one drug.
LEAST_WITHOUT_E = 7
# "acetaminophen-cod #3", "Tylenol #3"
ABBREVIATED_CODEINE = re.compile(r"(?<=[-/ ])cod\b(?=.*\d)|(?<=\btylenol )(?=(?:#|no\.?) ?[234]\b)")
CODEINE_PARTNERS = re.compile(r"\b(?:acetaminophen|apap|asa|aspirin|butalbital|tylenol)\b")
LIKENESS = 0.8  # of misspelt names: below it ibuprofen would be a brand of hydrocodone
INJECTION = (
    r"inj|inject\w*|syringes?|auto-injector|cartridges?|intravenous|intramuscular|subcutaneous|epidural|intrathecal"
    r"|infusion|ampoules?|ampules?|amps?|vials?|iv|pca"
)
# The first that matches is the route: "Oral Lozenge" and "Oral Spray" act through the mucosa, not by being swallowed.
ROUTES = tuple(
    (re.compile(rf"\b(?:{words})\b"), route)
    for words, route in (
        (INJECTION, "injection"),
        (r"transdermal|patch|patches", "transdermal"),
        (r"sublingual|subl|sl|oral spray|oral strips?", "sublingual"),
        (r"buccal|lozenges?|mucosal|transmucosal|troches?", "buccal"),
        (r"nasal|intranasal", "nasal"),
        (r"rectal|suppository|suppositories|supp", "rectal"),
        (r"implants?", "implant"),
        (r"inhal\w*", "inhaled"),
        (
            r"oral|tablets?|tabs?|capsules?|caps?|syrup|elixir|solution|soln|suspension|susp|liquid|tincture"
            r"|concentrate|drops",
            "oral",
        ),
    )
)
EXTENDED = re.compile(
    r"\b(?:(?:extended|sustained|controlled|prolonged|modified|slow)[ -]?rel(?:ease)?"
    r"|(?:er|xr|sr|cr|la|xl|sa|mr)(?:\d+(?:hr?)?)?|(?:12|24|72|168) ?hr?|retard|\w*contin(?:us)?)\b"
)
NO_FORM = re.compile(r"film[- ]coated|(?<=tablet )for (?:oral )?(?:suspension|solution)")
# Opioids that nobody swallows: their tablets and films are for the mouth, and act where the generic ones are put (US
# prescribing information; RxNorm dose forms)
NOT_SWALLOWED = {"buprenorphine": "sublingual", "fentanyl": "buccal", "sufentanil": "sublingual"}
FORMS = {
    "film": r"films?|strips?",
    "spray": r"sprays?",
    "lozenge": r"lozenges?|troches?",
    "tablet": r"tablets?|tabs?",
    "capsule": r"capsules?|caps?",
    "patch": r"patch(?:es)?|transdermal system",
    "solution": r"solutions?|soln|syrup|elixir|liquid|tincture|concentrate|drops",
    "suspension": r"suspensions?|susp",
    "suppository": r"suppositor(?:y|ies)|supp",
    "implant": r"implants?",
}
FORM = re.compile(r"\b(?:" + "|".join(f"(?P<{form}>{words})" for form, words in FORMS.items()) + r")\b")


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
    patches have a strength per hour. A brand tells route and release where its name's other words do not.
    """
    text = _plain(name)
    words = list(opioid_words().finditer(text))
    if not words:
        return None
    named = [word for word in words if word.group() not in named_in("combinations")]
    found = (named or words)[0]
    ingredient = ingredient_of(found.group())
    form = _form(text)
    route = _route(text, ingredient, form, {word.group() for word in words})
    same = [word for word in named if ingredient_of(word.group()) == ingredient]
    strength, unit = product_strengths.strength(text, same, ingredient, patch=route == "transdermal")
    route = route or ("transdermal" if unit == "mcg/h" else None)
    brands = [brand_facts()[word.group()] for word in words if word.group() in brand_facts()]
    extended = (
        route in ("transdermal", "implant") or EXTENDED.search(text) or any(release == "ER" for _, release in brands)
    )
    return Product(
        ingredient,
        route,
        "ER" if extended else "IR",
        strength,
        unit,
        form,
        _indication(text, ingredient, {word.group() for word in words}),
    )


def _plain(name: str) -> str:
    text = " ".join(name.lower().replace("μ", "µ").split())
    return ABBREVIATED_CODEINE.sub("codeine ", text) if CODEINE_PARTNERS.search(text) else text


def _form(text: str) -> str | None:
    found = [match.lastgroup for match in FORM.finditer(NO_FORM.sub("", text))]
    return found[-1] if found else None


def _route(text: str, ingredient: str, form: str | None, words: set[str]) -> str | None:
    route = next((route for pattern, route in ROUTES if pattern.search(text)), None)
    of_brand = next((brand_facts()[word][0] for word in sorted(words) if word in brand_facts()), None)
    if ingredient in NOT_SWALLOWED and route in (None, "oral"):
        route = of_brand or (NOT_SWALLOWED[ingredient] if form in ("tablet", "film") else None)
    return route or of_brand


def _indication(text: str, ingredient: str, words: set[str]) -> str | None:
    """What the make-up of the product, or its brand, says it is for."""
    if words & named_in("for_use_disorder") or (ingredient == "buprenorphine" and ANTAGONIST.search(text)):
        return "opioid_use_disorder"
    if ingredient in ANTITUSSIVE_OPIOIDS and companion_words().search(text):
        return "cough"
    return None


@cache
def opioids() -> pl.DataFrame:
    """The opioids that are known: ingredient, its other names, why all its products are kept apart, if they are, and
    the largest marketed strength of one unit (largest_mg, largest_mg_per_ml, largest_mcg_per_hour)."""
    return io.read_text_table(shipped.DATA / "drugs" / "opioids.csv").with_columns(
        pl.col(r"^largest_.*$").cast(pl.Float64)
    )


@cache
def ingredients() -> dict[str, str]:
    """Every name an opioid goes by, and its ingredient."""
    table = opioids()
    return {
        name: ingredient
        for ingredient, *others in table.select("ingredient", *OTHER_NAMES).iter_rows()
        for name in (ingredient, *(name for names in others if names for name in names.split("|")))
    }


@cache
def brand_facts() -> dict[str, tuple[str | None, str | None]]:
    """Brands that are of one route or release only: brand to (route, release); None where it has several."""
    table = io.read_text_table(shipped.DATA / "drugs" / "brands.csv")
    return {brand: (route, release) for brand, route, release in table.select("brand", "route", "release").iter_rows()}


def ingredient_of(word: str) -> str:
    """The ingredient of a word that ``opioid_words`` finds."""
    return ingredients().get(word) or ingredients()[f"{word}e"]


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
    generic = set(opioids().get_column("ingredient"))
    words = sorted(ingredients(), key=len, reverse=True)
    cut = (word in generic and word.endswith("e") and len(word) >= LEAST_WITHOUT_E for word in words)
    return re.compile(
        r"\b(?:" + "|".join(f"{word}?" if last else word for word, last in zip(words, cut, strict=True)) + r")\b"
    )


@cache
def companion_words() -> re.Pattern[str]:
    words = io.read_text_table(shipped.DATA / "drugs" / "antitussive_companions.csv").get_column("companion")
    return re.compile(r"\b(?:" + "|".join(words) + r")\b")
