"""The opioid's strength in a product's name: mg, mcg/h for patches, mg/mL for liquids, or not said.

A wrong strength is worse than none. Where several numbers stand together ("37.5-325 mg"), their size tells whose they
are: what is marketed of the opioid against what is marketed of its partners; the order of the names only helps.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.exposure.product_text import MASS_UNITS

NUMBER = r"(?<![\d.,#a-z])(?:\d+(?:[.,]\d+)*|\.\d+)(?![\d.,]*\d)"
OF_WHAT = r"ml|millilit(?:er|re)s?|hr|hours?|h|actuat|spray|dose"
# Not of mass: volumes, hours, percentages, areas, counts of what is taken ("2 x 5 mg", "5 mg - 30 tabs")
NOT_MASS = r"(?! ?(?:ml|millilit\w+|l|hr|hours?|h|cm2?|x|days?|of)\b| ?%)"
PER = rf"(?:/| (?:in|per) )(?:(?P<per>\d[\d.,]*)? ?(?P<of>{OF_WHAT})|(?P<weight>[mk]?g))\b"
# Claims leave the unit of a mixture's strengths out, but not its volume: "7.5-325/15ml", "5/325 per 5 ml"
VOLUME = r"(?: ?/ ?| (?:in|per) )(?P<volume>\d[\d.,]*)? ?(?:ml|millilit(?:er|re)s?)\b"
PART = rf"(?P<value>{NUMBER}){NOT_MASS}(?: ?(?P<unit>{MASS_UNITS})\b(?:{PER})?|(?P<unitless>{VOLUME}))?"
ITEM = re.sub(r"\?P<\w+>", "?:", PART)
NEXT = r"(?: - (?!\d+ ?(?:tab|cap|patch))|(?:[-+&,;]| ?/) ?| [+&;] ?| (?:to|or|and|bis) )"
CHAIN = re.compile(rf"{ITEM}(?:{NEXT}{ITEM})*")
PARTS = re.compile(PART)
# "6.25-10/5": claims cut the mL of a mixture off, too
CUT_OFF = re.compile(r"[\d.]+(?: ?mg)?(?:-[\d.]+(?: ?mg)?)+/(?:5|15)")
THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
BETWEEN_NAMES = re.compile(r"[-/;+&]| and ")
NAMES_IN_BRACKETS = re.compile(r" ?[(\[][^()\[\]\d]*[)\]]")
IN_BRACKETS = re.compile(r"[(\[][^()\[\]]*[)\]]")
# "hydrocodone 5/acetaminophen 325 mg", "propoxyphene-n 100/apap 650 mg"
BARE = re.compile(rf"^(?:-n| hcl)? ?({NUMBER}) ?[-/] ?(?=[a-z])")
# Tylenol with Codeine No. 2, 3, 4 and its generics (US prescribing information)
NUMBERED = re.compile(r"(?:#|\bno\.?) ?([234])\b")
CODEINE_BY_NUMBER = {"2": 15.0, "3": 30.0, "4": 60.0}
NUMBERED_PARTNERS = re.compile(r"\b(?:acetamin\w*|apap|paracetamol|tylenol)\b")
# A patch in micrograms is one per hour ("fentanyl 50 mcg patch"), but for the system that gives 40 mcg a press
ON_DEMAND = re.compile(r"\bionsys\b|(?<![\d.])0?\.04 ?mg\b(?!/)")
SAME = 0.005  # relative: 10 mg/15 mL is RxNorm's 0.667 mg/mL
MILLIGRAMS = {
    "mg": 1.0, "milligram": 1.0, "mcg": 1e-3, "ug": 1e-3, "µg": 1e-3, "microgram": 1e-3, "mikrogramm": 1e-3,
    "mikrogram": 1e-3, "g": 1e3, "gram": 1e3,
}  # fmt: skip
SMALL = ("mc", "ug", "µg", "mik", "micro")  # units of micrograms
Strength = tuple[float | None, str | None]
UNKNOWN: Strength = (None, None)


@dataclass(frozen=True)
class Amount:
    """One number of a chain: mg, None where it cannot be read; and what it is of (None, "mL", "hour", "piece", "?")."""

    mg: float | None
    unit: str | None
    of: str | None
    per: float | None


@dataclass(frozen=True)
class Partner:
    """A partner's strengths and its kind: analgesic, cough, other, or antagonist (there is less of it than of the
    opioid)."""

    strengths: tuple[float, ...]
    kind: str


def strength(text: str, named: Sequence[re.Match[str]], ingredient: str, *, patch: bool, others: bool) -> Strength:
    """The opioid's strength and its unit.

    text: as of product_text.plain; named: where the ingredient stands in it (not as a brand with a partner, which may
    be empty); patch: whether the product is one; others: whether another opioid is named, too. Two salts of one opioid
    add up.
    """
    found = _found(text, named, ingredient, patch, others)
    number = NUMBERED.search(text) if ingredient == "codeine" and found[0] is None else None
    if number and NUMBERED_PARTNERS.search(text):
        return CODEINE_BY_NUMBER[number[1]], "mg"
    return found


def _found(text: str, named: Sequence[re.Match[str]], ingredient: str, patch: bool, others: bool) -> Strength:
    if patch:
        return _per_hour(text, ingredient)
    if others:  # the dose of the other one would be left out
        return UNKNOWN
    beside = [_own(text, word, ingredient) for word in _one_per_part(text, named)]
    own = [found for found in beside if found is not None]
    if len(own) > 1 and all(value is not None for value, _ in own) and len({unit for _, unit in own}) == 1:
        return _rounded(sum(value for value, _ in own if value is not None)), own[0][1]
    if own:
        return own[0]
    return _of_all_names(text, named, ingredient)


def _per_hour(text: str, ingredient: str) -> Strength:
    amounts = [amount for chain in CHAIN.finditer(text) for amount in _amounts(chain[0])]
    if ON_DEMAND.search(text):
        return next(((_rounded(a.mg), "mg") for a in amounts if a.mg and a.unit), UNKNOWN)
    told = [a for a in amounts if a.of == "hour"]
    unsaid = [] if told else [a for a in amounts if a.unit in SMALL_UNITS and a.of is None]
    values = {a.mg and a.per and _rounded(a.mg * 1000 / a.per) for a in told or unsaid}
    if unsaid and any((value or 0.0) > largest_per_hour()[ingredient] for value in values):  # of the patch: "2550 mcg"
        return UNKNOWN
    return (values.pop() or None, "mcg/h") if len(values) == 1 and None not in values else UNKNOWN


def _one_per_part(text: str, named: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """The first mention in each part of a name whose parts " / " divides; all others say the same again."""
    parts: dict[int, re.Match[str]] = {}
    for word in named:
        parts.setdefault(text.count(" / ", 0, word.start()), word)
    return list(parts.values())


def _own(text: str, word: re.Match[str], ingredient: str) -> Strength | None:
    """What stands beside the opioid, before the next name; None if nothing does."""
    after = text[word.end() :]
    next_name = re.compile(rf" / (?=[a-z])|{partner_words().pattern}").search(after)
    own = after[: next_name.start()] if next_name else after
    chain = next((found for found in CHAIN.finditer(own) if re.search(rf"\d ?(?:{MASS_UNITS})\b", found[0])), None)
    before = _before(text, word)
    if before is not None and _names_follow(text, before):  # then what follows may be the next name's
        follows = chain is not None and re.search(r"(?:^|[-/+&]) ?$", own[: chain.start()]) and next_name is not None
        if chain is None or (follows and not own[chain.end() :].strip()):
            return _chosen(text, _amounts(before[0]), before.span(), [word], ingredient, own=True)
    if chain is not None:
        if _several(own):
            return UNKNOWN
        start = word.end() + chain.start()
        return _chosen(
            text, _amounts(chain[0]), (start, word.end() + chain.end()), [word], ingredient, own=_alone(text, word)
        )
    bare = BARE.match(after)
    if bare is not None and next_name is not None and bare.end() == next_name.start():
        value = float(bare[1])
        alone = marketed(value, None, ingredient) and not _a_partners(value, text)
        return (_rounded(value), "mg") if alone else UNKNOWN
    return None


def _before(text: str, word: re.Match[str]) -> re.Match[str] | None:
    """The strength that goes right before a name: "5 mg oxycodone"."""
    return next((found for found in CHAIN.finditer(text[: word.start()].rstrip()) if _ends_at(found)), None)


def _names_follow(text: str, before: re.Match[str]) -> bool:
    """Whether all partners named so far follow their strengths, as in "325 mg acetaminophen / 5 mg oxycodone"."""
    return all(_before(text, partner) for partner in partner_words().finditer(text[: before.start()]))


def _several(own: str) -> bool:
    """Whether different strengths of one opioid are told ("2 mg tab or 4 mg tab"), other than in brackets."""
    chains = [_amounts(found[0]) for found in CHAIN.finditer(IN_BRACKETS.sub("", own))]
    told = {amounts[0].mg for amounts in chains if len(amounts) == 1 and amounts[0].unit and amounts[0].of is None}
    return len(told) > 1


def _alone(text: str, word: re.Match[str]) -> bool:
    """Whether no partner without a strength of its own goes before the opioid."""
    *_, last = [None, *partner_words().finditer(text[: word.start()])]
    return last is None or re.search(r"\d", text[last.end() : word.start()]) is not None


def _ends_at(chain: re.Match[str]) -> bool:
    return chain.end() == len(chain.string) and re.search(r"[a-zµ]", chain[0]) is not None


def _of_all_names(text: str, named: Sequence[re.Match[str]], ingredient: str) -> Strength:
    """Of a list of names, then strengths ("oxycodone-acetaminophen 5-325 mg"), and of a brand with a partner."""
    for chain in CHAIN.finditer(text):
        amounts = _amounts(chain[0])
        divided = " / " in text  # a strength then is that of the name it stands beside
        if len(amounts) > 1 or (amounts[0].unit is not None and not divided):
            found = _chosen(text, amounts, chain.span(), named, ingredient, own=False)
            if found != UNKNOWN:
                return found
    return UNKNOWN


def _chosen(
    text: str,
    amounts: list[Amount],
    span: tuple[int, int],
    named: Sequence[re.Match[str]],
    ingredient: str,
    *,
    own: bool,
) -> Strength:
    """The opioid's of the amounts in a chain that stands at ``span``; own: beside its name, no partner's between."""
    if CUT_OFF.fullmatch(text, *span) or any(amount.mg is None or amount.of in ("?", "hour") for amount in amounts):
        return UNKNOWN
    places = _places(text, span[0], named, len(amounts)) if len(amounts) > 1 else []
    if len(amounts) == 1:
        [found] = amounts
        known = marketed(found.mg, found.per if found.of == "mL" else None, ingredient)
        if not named and not known:
            return UNKNOWN
        if partner_words().search(text) and _a_partners(found.mg, text) and not (known and own):
            return UNKNOWN
    else:
        chosen = _by_size(text, amounts, places, ingredient, brand=not named)
        if chosen is None:
            return UNKNOWN
        found = chosen
    if found.unit is None and found.of == "mL" and not marketed(found.mg, found.per, ingredient):  # mg is a guess
        return UNKNOWN
    return _in_contract_units(_with_volume(text, found, span))


def _by_size(text: str, amounts: list[Amount], places: list[int], ingredient: str, *, brand: bool) -> Amount | None:
    antagonist = any(partner.kind == "antagonist" for partner in _partners(text))
    if antagonist and len(amounts) == 2:
        return max(amounts, key=lambda amount: amount.mg or 0.0)
    volumes = [amount.per if amount.of == "mL" else None for amount in amounts]
    own = [i for i, a in enumerate(amounts) if marketed(a.mg, volumes[i], ingredient)]
    if len(own) > 1 and (brand or partner_words().search(text)):  # without a partner it is a range, or a choice
        own = [i for i in own if not _a_partners(amounts[i].mg, text)]
    rest = [a for i, a in enumerate(amounts) if i not in own]
    if len(own) == 1 and all(_a_partners(a.mg, text, unnamed=True) or antagonist for a in rest):
        return amounts[own[0]]
    if len(places) == 1 and (not own or places[0] in own) and not _a_partners(amounts[places[0]].mg, text):
        return amounts[places[0]]
    return None


def _places(text: str, start: int, named: Sequence[re.Match[str]], count: int) -> list[int]:
    """Where the opioid stands among the names before the strengths, if there are as many names as strengths."""
    names = BETWEEN_NAMES.split(NAMES_IN_BRACKETS.sub("", text[:start]))
    if len(names) != count:
        return []
    words = {word.group() for word in named}
    return [i for i, name in enumerate(names) if any(re.search(rf"\b{re.escape(word)}\b", name) for word in words)]


def _with_volume(text: str, found: Amount, span: tuple[int, int]) -> Amount:
    """A strength in mg of a mixture whose other strength is per mL is per mL, too: "5 mg-acetaminophen 325 mg/5 mL".

    Without a partner between, "10 mg (2 mg/mL)", what is per mL is the strength.
    """
    if found.of is not None:
        return found
    for chain in CHAIN.finditer(text):
        for other in _amounts(chain[0]):
            if chain.span() != span and other.of == "mL" and other.mg is not None:
                apart = text[min(span[1], chain.end()) : max(span[0], chain.start())]
                if partner_words().search(apart):
                    return Amount(found.mg, found.unit, "mL", other.per)
                if other.unit:
                    return other
    return found


@cache
def _amounts(chain: str) -> list[Amount]:
    """The numbers of a chain; a unit or volume at its end is that of all ("5-325 mg/5 mL")."""
    parts = list(PARTS.finditer(chain))
    units = [part["unit"] for part in parts]
    amounts = []
    for i, part in enumerate(parts):
        unit = next((unit for unit in units[i:] if unit), next((unit for unit in reversed(units) if unit), None))
        last = part if part["of"] or part["weight"] or part["unitless"] else parts[-1]
        of = "ml" if last["unitless"] else last["weight"] or last["of"]
        amounts.append(_amount(part["value"], unit, of, last["per"] or last["volume"]))
    return amounts


def _amount(value: str, unit: str | None, of: str | None, per: str | None) -> Amount:
    number, volume = _number(value, unit or ""), _number(per or "1", "")
    plain = (unit or "mg").removesuffix("s")
    kind = None if not of else "hour" if of[0] == "h" else "mL" if of.startswith(("ml", "millil")) else "piece"
    kind = "?" if of in ("mg", "g", "kg") else kind
    mg = None if number is None or volume is None else number * MILLIGRAMS[plain]
    return Amount(mg, unit and plain, kind, volume)


def _number(text: str, unit: str) -> float | None:
    """A number, or None where a comma may be a decimal one; no opioid has 1,000 mg a unit, many 1,200 mcg."""
    if THOUSANDS.fullmatch(text) and unit.startswith(SMALL):
        return float(text.replace(",", ""))
    return float(text) if re.fullmatch(r"\d*\.?\d+", text) and float(text) > 0 else None


def _in_contract_units(amount: Amount) -> Strength:
    if amount.mg is None or amount.per is None:
        return UNKNOWN
    return (_rounded(amount.mg / amount.per), "mg/mL") if amount.of == "mL" else (_rounded(amount.mg), "mg")


def _a_partners(value: float | None, text: str, *, unnamed: bool = False) -> bool:
    """Whether a number is a strength of a partner that is named; if none is, or unnamed: of an analgesic one."""
    named = _partners(text)
    may_be = {*named, *(partner for partner in partners().values() if partner.kind == "analgesic")}
    return any(_same(value, known) for one in (may_be if unnamed or not named else named) for known in one.strengths)


def _partners(text: str) -> list[Partner]:
    words = {match.group() for match in partner_words().finditer(text)}
    return [partners()[word] for word in sorted(words) if word in partners()]


def marketed(value: float | None, volume: float | None, ingredient: str) -> bool:
    """Whether an opioid is marketed in this strength: mg a unit, or mg in so many mL."""
    per_unit, per_ml = marketed_strengths().get(ingredient, ((), ()))
    if volume is None or value is None:
        return any(_same(value, known) for known in per_unit)
    return any(_same(value / volume, known) for known in per_ml)


def _same(value: float | None, known: float) -> bool:
    return value is not None and abs(value - known) <= SAME * known


def _rounded(value: float) -> float:
    return round(value, 9)


SMALL_UNITS = tuple(unit for unit in MILLIGRAMS if unit.startswith(SMALL))


@cache
def marketed_strengths() -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Ingredient to the strengths that are marketed, in mg a unit and mg/mL, without injections and implants."""
    per_unit: dict[str, set[float]] = {}
    per_ml: dict[str, set[float]] = {}
    table = io.read_text_table(shipped.DATA / "drugs" / "dictionary.csv").drop_nulls("strength")
    for name, route, value, unit in table.select("ingredient", "route", "strength", "strength_unit").iter_rows():
        if route not in ("injection", "implant") and unit in ("mg", "mg/mL"):
            (per_unit if unit == "mg" else per_ml).setdefault(name, set()).add(float(value))
    further = io.read_text_table(shipped.DATA / "drugs" / "opioids.csv").drop_nulls("further_mg")
    for name, values in further.select("ingredient", "further_mg").iter_rows():
        per_unit.setdefault(name, set()).update(map(float, values.split("|")))
    names = sorted(per_unit.keys() | per_ml.keys())
    return {name: (tuple(sorted(per_unit.get(name, ()))), tuple(sorted(per_ml.get(name, ())))) for name in names}


@cache
def largest_per_hour() -> dict[str, float]:
    """Ingredient to the largest patch that is marketed, in mcg/h."""
    table = io.read_text_table(shipped.DATA / "drugs" / "opioids.csv").drop_nulls("largest_mcg_per_hour")
    return {name: float(value) for name, value in table.select("ingredient", "largest_mcg_per_hour").iter_rows()}


@cache
def partners() -> dict[str, Partner]:
    """Every name of a partner that opioids are combined with."""
    table = io.read_text_table(shipped.DATA / "drugs" / "partners.csv")
    found: dict[str, Partner] = {}
    for name, others, values, kind in table.iter_rows():
        partner = Partner(tuple(map(float, values.split("|"))) if values else (), kind)
        found |= dict.fromkeys((name, *(others.split("|") if others else ())), partner)
    return found


@cache
def partner_words() -> re.Pattern[str]:
    """Words that name a partner, cough medicines' among them."""
    companions = io.read_text_table(shipped.DATA / "drugs" / "antitussive_companions.csv")
    words = {*partners(), *companions.filter(kind="ingredient")["companion"]}
    return re.compile(r"\b(?:" + "|".join(sorted(words, key=lambda word: (-len(word), word))) + r")\b")
