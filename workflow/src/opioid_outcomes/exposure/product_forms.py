"""Route, release and dose form as a product's name tells them: in words, RxNorm dose forms, pharmacies' abbreviations.

Abbreviations of dose forms and routes are those of First Databank and Medi-Span as US records carry them ("10 MG PO
T12A", "4 MG/ML IJ SOLN").
"""

from __future__ import annotations

import re

ER_TABLET, ER_CAPSULE = r"tbcr|tb(?:24|12)|t(?:12|24)a|tber|tbsr", r"cp(?:24|12)|c(?:12|24)a|cpcr|cpsr"
PATCHES = r"transdermal\w*|patch(?:es)?|\w*pflaster|\w*plasters?|pt72|ptwk|ptch|pt24"
LIQUIDS = (
    r"solutions?|soln?|syrup|syrp|syp|elixir|elix|liquid|liqd?|tincture|tinc|concentrate|conc|drops|tropfen|linctus"
    r"|drank|sirop|sirup|jarabe"
)
SUSPENSIONS = r"suspensions?|susp|suer|susr"
TABLETS = rf"\w*tablet(?:ten|ter|ta|te|t|s)?|tabs?|tbso|tbdp|tbef|comprim\w*|compresse|caplets?|{ER_TABLET}"
CAPSULES = rf"\w*kapseln?|capsul\w*|caps?|gelules?|{ER_CAPSULE}"
INJECTION = (
    r"inj|inject\w*|(?<!oral )(?<!solution )syringes?|auto-injector|cartridges?|intravenous|intramuscular|subcutaneous"
    r"|epidural|intrathecal|infusion|ampoules?|ampules?|amps?|vials?|iv|ivp|ivpb|im|ij|sc|sq|pca|pf"
    r"|preservative[- ]free"
)
# The first that matches is the route: injections are solutions; "Oral Lozenge" and "Oral Spray" act through the mucosa.
ROUTES = tuple(
    (re.compile(rf"\b(?:{words})\b"), route)
    for words, route in (
        (INJECTION, "injection"),
        (rf"{PATCHES}|td", "transdermal"),
        (r"sublingual\w*|subl|sl|oral spray|oral strips?", "sublingual"),
        (r"buccal|lozenges?|mucosal|transmucosal|troches?|lpop|lozg|bu(?= (?:tabs?|film|lpop|mis|lozg))", "buccal"),
        (r"nasal|intranasal|na(?= (?:soln|spray|liqd|aers))", "nasal"),
        (r"rectal|suppository|suppositories|supp|supprettes|re(?= supp)", "rectal"),
        (r"implants?", "implant"),
        (r"inhal\w*", "inhaled"),
        (rf"oral|po|{TABLETS}|{CAPSULES}|{LIQUIDS}|{SUSPENSIONS}", "oral"),
    )
)
EXTENDED = re.compile(
    r"\b(?:(?:extended|sustained|controlled|prolonged|modified|slow)[ -]?rel(?:ease)?"
    r"|(?:er|xr|sr|cr|la|xl|sa|mr|lp)(?:\d+(?:hr?)?)?|(?:12|24|72|168) ?hr?|retard\w*|depot\w*|\w*contin(?:us)?"
    rf"|suer|{ER_TABLET}|{ER_CAPSULE})\b"
)
NO_FORM = re.compile(
    rf"film[- ]coated|(?:(?<=tablet )|(?<=tablets )|(?<=tab )|(?<=tabs ))for (?:oral )?(?:{SUSPENSIONS}|{LIQUIDS})\b"
)
FORMS = {
    "film": r"films?|strips?",
    "spray": r"sprays?",
    "lozenge": r"lozenges?|troches?|lpop|lozg",
    "tablet": TABLETS + r"|subl",
    "capsule": CAPSULES,
    "patch": r"patch(?:es)?|transdermal system|\w*pflaster|\w*plasters?|pt72|ptwk|ptch|pt24",
    "solution": LIQUIDS,
    "suspension": SUSPENSIONS,
    "suppository": r"suppositor(?:y|ies)|supp|supprettes",
    "implant": r"implants?",
}
LIQUID_FORMS = ("solution", "suspension")
# Of these one takes a piece of so many mg, though a liquid is made of it
IN_PIECES = re.compile(r"\b(?:sachets?|packets?|granules|powder|per (?:actuation|dose|spray))\b")
VOLUME = re.compile(r"(?:\b|(?<=\d))(?:ml|millilit\w*)\b")
A_PUFF = re.compile(r"(?:/ ?|\bper )(?:actuat|dose|spray)")
FORM = re.compile(r"\b(?:" + "|".join(f"(?P<{form}>{words})" for form, words in FORMS.items()) + r")\b")


def form(text: str) -> str | None:
    """The dose form, the last that is named."""
    found = [match.lastgroup for match in FORM.finditer(NO_FORM.sub("", text))]
    return found[-1] if found else None


def route(text: str) -> str | None:
    """The route that the words of a name tell."""
    return next((route for pattern, route in ROUTES if pattern.search(text)), None)


def extended(text: str) -> bool:
    """Whether a name says that its product releases the drug slowly."""
    return EXTENDED.search(text) is not None


def is_liquid(text: str) -> bool:
    """Whether the product is measured in mL: a strength in mg alone is then no strength."""
    if VOLUME.search(text) and not A_PUFF.search(text):
        return True
    return form(text) in LIQUID_FORMS and route(text) != "injection" and not IN_PIECES.search(text)
