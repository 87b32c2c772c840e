"""What a product's name says of an opioid: ingredient, route, release, strength, form.

Reads RxNorm names ("acetaminophen 325 MG / oxycodone hydrochloride 10 MG Oral Tablet [Percocet]") and the looser ones
of claims and pharmacies ("OXYCODONE-ACETAMINOPHEN 10-325 MG TABLET"). Names are parsed one by one, so give unique ones.
Strengths are read in exposure/product_strengths.py, routes and forms in exposure/product_forms.py.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from functools import cache

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.exposure import product_forms, product_strengths, product_text

# A product is a cough medicine by its partners only with these; others (meperidine and promethazine) stay analgesic.
OTHER_NAMES = ("also_called", "combinations", "for_use_disorder")  # columns of opioids.csv
ANTITUSSIVE_OPIOIDS = ("codeine", "dihydrocodeine", "hydrocodone")
# Buprenorphine with naloxone is licensed for opioid use disorder only (US prescribing information; ATC N07BC51).
ANTAGONIST = re.compile(r"\b(?:nalox(?:one?)?|naloxn)\b")
# Claims cut the last letter off, and other languages never had it: "hydrocodon-acetaminophn", "Morphin". Below this
# length a name without its e would be too short to mean one drug.
LEAST_WITHOUT_E = 7
LIKENESS = 0.8  # of misspelt names: below it ibuprofen would be a brand of hydrocodone
# Opioids that nobody swallows: their tablets and films are for the mouth, and act where the generic ones are put (US
# prescribing information; RxNorm dose forms)
NOT_SWALLOWED = {"buprenorphine": "sublingual", "fentanyl": "buccal", "sufentanil": "sublingual"}
PER_HOUR = re.compile(rf"\d ?(?:{product_text.MASS_UNITS})(?:/| per | in )\d* ?(?:h|hr|hours?)\b")
WITHOUT = re.compile(product_text.FREE)
FREE_OF = re.compile(rf"\w{product_text.FREE}")
# "{10 (oxycodone 5 MG Oral Tablet) / 5 (oxycodone 10 MG Oral Tablet) } Pack" (RxNorm)
PACK = re.compile(r"^\{.*\} ?pack\b")
OF_PACK = re.compile(r"\d+ \((.*?)\) ?(?=[/}])")


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

    Whole words decide (dihydrocodeine is not codeine, ipratropium not opium), in any letter case and with or without
    accents. Strength is in mg, mcg/h for patches or mg/mL for liquids, and belongs to the opioid, not to its partner;
    where that cannot be told, it is not said. Only patches have a strength per hour; liquids, and what is
    measured in mL, have none in mg alone. A
    brand tells route and release where its name's other words do not. A pack of different tablets has no strength. What
    is no medicine (a test for fentanyl, homeopathic opium, "codeine-free") names no opioid.
    """
    text = product_text.plain(name)
    words = _words(text)
    if not words:
        return None
    if PACK.match(text):
        return _of_pack(text, words)
    return _product(text, words)


def suspected(name: str) -> bool:
    """Whether a word of a name that names no known opioid begins like one's: "OXYCODN 5 MG"."""
    text = product_text.plain(name)
    return stems().search(text) is not None and not product_text.NO_DRUG.search(text) and not FREE_OF.search(text)


def _words(text: str) -> list[re.Match[str]]:
    if product_text.NO_DRUG.search(text):
        return []
    return [word for word in opioid_words().finditer(text) if not WITHOUT.match(text, word.end())]


def _of_pack(text: str, words: list[re.Match[str]]) -> Product:
    found = [product for part in OF_PACK.findall(text) if (product := parse(part)) is not None]
    if not found:
        return _product(text, words)
    same = len({(product.ingredient, product.strength, product.strength_unit) for product in found}) == 1
    return found[0] if same else replace(found[0], strength=None, strength_unit=None)


def _product(text: str, words: list[re.Match[str]]) -> Product:
    named = [word for word in words if word.group() not in named_in("combinations")]
    ingredient = ingredient_of((named or words)[0].group())
    form = product_forms.form(text)
    route = _route(text, ingredient, form, {word.group() for word in words})
    same = [word for word in named if ingredient_of(word.group()) == ingredient]
    others = {ingredient_of(word.group()) for word in words} != {ingredient}
    patch = worn(ingredient) and (route == "transdermal" or (route is None and PER_HOUR.search(text) is not None))
    strength, unit = product_strengths.strength(text, same, ingredient, patch=patch, others=others)
    if unit == "mg" and product_forms.is_liquid(text):  # of how many mL?
        strength, unit = None, None
    route = route or ("transdermal" if unit == "mcg/h" else None)
    brands = [brand_facts()[word.group()] for word in words if word.group() in brand_facts()]
    extended = (
        route in ("transdermal", "implant")
        or product_forms.extended(text)
        or any(release == "ER" for _, release in brands)
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


def _route(text: str, ingredient: str, form: str | None, words: set[str]) -> str | None:
    route = product_forms.route(text)
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
    close = difflib.get_close_matches(name, opioids().get_column("ingredient"), n=1, cutoff=LIKENESS)
    return close[0] if close else None


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


@cache
def stems() -> re.Pattern[str]:
    """Words that begin like an opioid's name."""
    found = sorted(stem for stems in opioids().get_column("stems").drop_nulls() for stem in stems.split("|"))
    return re.compile(r"\b(?:" + "|".join(found) + ")")


@cache
def worn(ingredient: str) -> bool:
    """Whether there are patches of an opioid."""
    return opioids().filter(ingredient=ingredient).get_column("largest_mcg_per_hour").null_count() == 0
