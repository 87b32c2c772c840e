"""A product's name as it is read: in one spelling of letters, dashes, units and the abbreviations of pharmacies."""

from __future__ import annotations

import re
import unicodedata

MASS_UNITS = r"mg|milligrams?|mcg|ug|µg|micrograms?|mikrogramm?|g|grams?"
DASHES = re.compile("[\u2010-\u2015\u2212]")
# "10 mg / 5 ml", "25 mcg / hr", "Mikrogramm/Stunde": what a strength is of is written beside it
PER = re.compile(
    rf"(?<=\d)( ?)({MASS_UNITS}) ?/ ?(\d[\d.,]*)? ?(ml|millilit(?:er|re)s?|hr|hours?|h|stunde|std|time|dose|spray|kg)\b"
)
HOURS = re.compile(r"^(?:stunde|std|time)$")  # German, Danish, Norwegian
# "5; 325 mg/1; mg/1" of the NDC directory (US Food and Drug Administration): strengths, then their units
DIRECTORY = re.compile(
    rf"(\d[\d.]*(?:; ?\d[\d.]*)+) ?({MASS_UNITS})(/[\d.]* ?(?:ml)?)(?:; ?(?:{MASS_UNITS})/[\d.]* ?(?:ml)?)+"
)
EACH = re.compile(rf"(?<=\d)( ?)({MASS_UNITS}) ?/ ?1(?! ?[\d.,]| ?ml)\b")  # "5 mg/1", of a tablet
# "acetaminophen-cod #3", "Tylenol #3", "HYDROCO/APAP", beside a partner only: cod is a fish, too
CODEINE = re.compile(
    r"(?<=[-/ ])cod\b(?! liver)(?=.*\d)|\bcod(?=[-/](?:gg|guai\w*|apap|acetam\w*)\b)"
    r"|(?<=\btylenol )(?=(?:#|no\.?) ?[234]\b)"
)
CODEINE_PARTNERS = re.compile(
    r"\b(?:acetamin\w*|apap|asa|aspirin|butal\w*|tylenol|prometh\w*|guaif\w*|gg|paracet\w*|caris\w*|caff?)\b"
)
HYDROCODONE = re.compile(r"\bhydroco(?=[-/ ]+(?:apap|acetam|bit|ibu|homat|chlor|cpm))")
CC = re.compile(r"(?<=[\d/ ])cc\b")  # cubic centimetres
MODIFIED = re.compile(r"\bm/r\b")
# Not the opioid itself: a test for it, its allergy, a placebo, "codeine-free"
NO_DRUG = re.compile(
    r"\bhom(?:o|e)?eopath\w*|\btest(?:ing)? (?:strips?|kits?|cards?|cassettes?|panels?)\b|\bdetection\b"
    r"|\b(?:drug|urine) (?:screen\w*|test\w*)|\bimmunoassay\b|\breagents?\b|\bplacebo\b|\ballerg(?:y|ies|ic)\b"
    r"|\b(?:opium|papaver)\b.*\b\d{1,3} ?(?:x|c|ch|d|dh)\b"
)
FREE = r"[- ]free\b(?! base)"


def plain(name: str) -> str:
    """Lower case without accents; one kind of dash; one blank between words; strengths and abbreviations in one way."""
    folded = unicodedata.normalize("NFKD", name.lower())
    text = "".join(letter for letter in folded if not unicodedata.combining(letter)).replace("μ", "µ")
    text = CC.sub("ml", " ".join(DASHES.sub("-", text).split()))
    text = DIRECTORY.sub(_listed, text)
    text = EACH.sub(r"\1\2", PER.sub(_beside, text))
    text = MODIFIED.sub("mr", HYDROCODONE.sub("hydrocodone", text))
    return CODEINE.sub("codeine ", text) if CODEINE_PARTNERS.search(text) else text


def _listed(match: re.Match[str]) -> str:
    values = re.sub(r"; ?", "-", match[1])
    return f"{values} {match[2]}{match[3] if match[3].endswith('ml') else ''}"


def _beside(match: re.Match[str]) -> str:
    of = "hr" if HOURS.match(match[4]) else match[4]
    return f"{match[1]}{match[2]}/{match[3] or ''}{of}"
