"""The opioid's strength in a product's name: mg, mcg/h for patches, mg/mL for liquids, or not said."""

from __future__ import annotations

import re
from collections.abc import Sequence

MASS = r"(?P<unit>mg|milligrams?|mcg|ug|µg|micrograms?|g|grams?)"
PER = r"(?: ?/ ?| (?:in|per) )"
STRENGTH = re.compile(
    rf"(?P<value>\.?\d[\d.,]*) ?{MASS}\b"
    rf"(?:{PER}(?P<per>\d[\d.,]*)? ?(?P<of>ml|millilit(?:er|re)s?|hr|h|hours?|actuat|spray|dose|mg|g)\b)?"
)
# Of several strengths in a row it cannot be told which is the opioid's: "5-325 mg", "5 mg/325 mg".
AFTER_ANOTHER = re.compile(r"\d ?(?:mg|mcg)? ?[-/] ?$")
THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
SMALL = ("mc", "ug", "µg", "micro")  # units of micrograms
NUMBER = r"\d+(?:\.\d+)?"
# "oxycodone-acetaminophen 10-325 mg", "oxycodone hcl/acetaminophen 5mg-325mg", "hydrocodone-acetaminophen 5-325":
# strengths in the order of ingredients
LISTED = re.compile(
    r"^(?P<names>[a-z][a-z ]*(?:[-/][a-z ]+)+?) "
    rf"(?P<values>{NUMBER} ?(?:mg|mcg)?(?: ?[-/] ?{NUMBER}(?![\d.]| ?ml) ?(?:mg|mcg)?)+)(?P<rest>.*)$"
)
# "Percocet 10-325", "Vicodin ES 7.5/300": of a brand with a partner the smaller is the opioid's, if the other is one
# that only the partner has. Acetaminophen, aspirin and ibuprofen have 160 mg a unit or more, their opioids 60 at most
# (RxNorm clinical drugs, 2020).
PAIR = re.compile(rf"(?<![\d.,])({NUMBER}) ?(?:mg)? ?[-/] ?({NUMBER})(?![\d.,]| ?ml)(?: ?mg)?(?P<rest>.*)$")
LEAST_OF_PARTNER, MOST_OF_OPIOID = 160.0, 60.0
# Tylenol with Codeine No. 2, 3, 4 and its generics (US prescribing information)
NUMBERED = re.compile(r"(?:#|\bno\.?) ?([234])\b")
CODEINE_BY_NUMBER = {"2": 15.0, "3": 30.0, "4": 60.0}
# A patch in micrograms is one per hour ("fentanyl 50 mcg patch"), but for the system that gives 40 mcg a press
ON_DEMAND = re.compile(r"\bionsys\b")
NAMES_IN_BRACKETS = re.compile(r" ?[(\[][^()\[\]\d]*[)\]]")
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
Strength = tuple[float | None, str | None]
UNKNOWN: Strength = (None, None)


def strength(text: str, named: Sequence[re.Match[str]], ingredient: str, *, patch: bool) -> Strength:
    """The opioid's strength and its unit.

    text: the name in lower case; named: where the ingredient stands in it (not as a brand with a partner, which may be
    empty); patch: whether the product is one. Two salts of one opioid add up.
    """
    number = NUMBERED.search(text) if ingredient == "codeine" else None
    if number:
        return CODEINE_BY_NUMBER[number[1]], "mg"
    if not named:
        return _of_brand_with_partner(text)
    listed = _listed(text, named[0])
    if listed is not None:
        return listed
    per_hour = patch and not ON_DEMAND.search(text)
    found = [_beside(text, word, per_hour) for word in _one_per_part(text, named)]
    values = [value for value, _ in found if value is not None]
    units = {unit for _, unit in found}
    return (_rounded(sum(values)), found[0][1]) if len(values) == len(found) and len(units) == 1 else found[0]


def _one_per_part(text: str, named: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """The first mention in each part of a name whose parts " / " divides; all others say the same again."""
    parts: dict[int, re.Match[str]] = {}
    for word in named:
        parts.setdefault(text.count(" / ", 0, word.start()), word)
    return [word for word in parts.values() if _says_strength(text, word)] or list(parts.values())[:1]


def _says_strength(text: str, word: re.Match[str]) -> bool:
    return STRENGTH.search(text[word.end() :].split(" / ", maxsplit=1)[0]) is not None


def _of_brand_with_partner(text: str) -> Strength:
    pair = PAIR.search(text)
    if pair is None:
        return UNKNOWN
    small, large = sorted((float(pair[1]), float(pair[2])))
    if large < LEAST_OF_PARTNER or small > MOST_OF_OPIOID:
        return UNKNOWN
    return _per_volume(small, pair["rest"])


def _listed(text: str, word: re.Match[str]) -> Strength | None:
    """The strength whose place in "5-325 mg" is that of the opioid among the names, or None if the text is no list."""
    without_brands = NAMES_IN_BRACKETS.sub("", text)
    listed = LISTED.match(without_brands)
    if listed is None or word.group() not in listed["names"]:
        return None
    position = len(re.findall(r"[-/]", listed["names"].partition(word.group())[0]))
    values = re.findall(rf"({NUMBER}) ?(mg|mcg)?", listed["values"])
    units = [unit for _, unit in values if unit]
    names = len(re.findall(r"[-/]", listed["names"])) + 1
    if position >= len(values) or (not units and len(values) != names):
        return None
    value, unit = values[position]
    return _per_volume(float(value) * MILLIGRAMS[unit or (units[-1] if units else "mg")], listed["rest"])


def _per_volume(milligrams: float, rest: str) -> Strength:
    volume = re.match(rf"{PER}({NUMBER})? ?ml\b", rest)
    return (_rounded(milligrams / float(volume[1] or 1)), "mg/mL") if volume else (_rounded(milligrams), "mg")


def _beside(text: str, word: re.Match[str], per_hour: bool) -> Strength:
    own = text[word.end() :].split(" / ", maxsplit=1)[0]
    match = STRENGTH.search(own)
    if match is None:  # "10 mg oxycodone", where the strength stands next to the opioid
        own = text[: word.start()].rstrip()
        match = next((match for match in STRENGTH.finditer(own) if match.end() == len(own)), None)
    if match is None or AFTER_ANOTHER.search(own[: match.start()]):
        return UNKNOWN
    return _in_contract_units(match, per_hour)


def _in_contract_units(match: re.Match[str], per_hour: bool) -> Strength:
    value, per = _number(match["value"], match["unit"]), _number(match["per"] or "1", "")
    if value is None or per is None:
        return UNKNOWN
    milligrams = value * MILLIGRAMS[match["unit"].removesuffix("s")]
    of = (match["of"] or "").removesuffix("s")
    if of in ("hr", "h", "hour") or (not of and per_hour and match["unit"].startswith(SMALL)):
        return _rounded(milligrams * 1000 / per), "mcg/h"
    if of in ("", "actuat", "spray", "dose"):
        return _rounded(milligrams), "mg"
    if of.startswith("m") and of != "mg":
        return _rounded(milligrams / per), "mg/mL"
    return UNKNOWN


def _number(text: str, unit: str) -> float | None:
    """A number, or None where a comma may be a decimal one; no opioid has 1,000 mg a unit, many 1,200 mcg."""
    if THOUSANDS.fullmatch(text) and unit.startswith(SMALL):
        return float(text.replace(",", ""))
    return float(text) if re.fullmatch(r"\d*\.?\d+", text) and float(text) > 0 else None


def _rounded(value: float) -> float:
    return round(value, 9)
