"""A strength that is read from a combination's name is the opioid's, or none: whatever order, layout and partner."""

import itertools

import pytest

from opioid_outcomes.exposure.product_names import parse

# Marketed combinations: opioid, its strengths; partner as named, its strengths (RxNorm; US and UK product information)
COMBINATIONS = [
    (("oxycodone", "oxycodone hcl"), (2.5, 5, 7.5, 10), ("acetaminophen", "apap"), (300, 325, 500, 650)),
    (("oxycodone",), (4.88,), ("aspirin", "asa"), (325,)),
    (("oxycodone",), (5,), ("ibuprofen",), (400,)),
    (("hydrocodone", "hydrocodone bitartrate"), (2.5, 5, 7.5, 10), ("acetaminophen", "apap"), (300, 325, 500, 750)),
    (("hydrocodone",), (2.5, 5, 7.5, 10), ("ibuprofen",), (200,)),
    (("codeine", "codeine phosphate"), (8, 15, 30, 60), ("acetaminophen", "paracetamol"), (300, 500, 650)),
    (("tramadol", "tramadol hcl"), (37.5, 75), ("acetaminophen", "paracetamol"), (325, 650)),
    (("tramadol",), (44,), ("celecoxib",), (56,)),
    (("dihydrocodeine",), (10, 20, 30), ("paracetamol",), (500,)),
    (("propoxyphene",), (65, 100), ("acetaminophen",), (650,)),
    (("buprenorphine",), (2, 4, 8, 12), ("naloxone",), (0.5, 1, 2, 3)),
    (("oxycodone",), (5, 10, 20, 40), ("naloxone",), (2.5, 5, 10, 20)),
    (("pentazocine",), (50,), ("naloxone",), (0.5,)),
    (("morphine",), (20, 30, 50, 100), ("naltrexone",), (0.8, 1.2, 2, 4)),
]
# {a}, {b}: names; {x}, {y}: their strengths in this order
LAYOUTS = [
    "{a}-{b} {x}-{y} mg tablet",
    "{a}/{b} {x}/{y} tab",
    "{a}/{b} {x}mg-{y}mg",
    "{a} {x} mg / {b} {y} MG Oral Tablet",
    "{a} {x} mg-{b} {y} mg tablet",
    "{a} {x} mg + {b} {y} mg",
    "{a} and {b} tablets {x} mg/{y} mg",
    "{a} AND {b} {x}; {y} mg/1; mg/1",
    "{x}-{y} mg {a}/{b}",
    "{a} {x}mg {b} {y}mg caps",
    "{a}-{b} (BRAND) {x}-{y} MG PO TABS",
    "{x} mg {a} / {y} mg {b}",
]
LIQUIDS = [
    "{a}-{b} {x}-{y} mg/{ml} ml solution",
    "{a} {x} mg-{b} {y} mg/{ml} mL oral solution",
    "{a} {x} mg / {b} {y} mg / {ml} mL elixir",
    "{a} {x} mg and {b} {y} mg per {ml} mL liquid",
    "{a}/{b} {x}mg/{ml}ml-{y}mg/{ml}ml soln",
    "{a} AND {b} {x}; {y} mg/{ml}mL; mg/{ml}mL",
    "{a}-{b} {x}-{y} mg soln",
    "{a}-{b} {x}-{y}/{ml} ML",
    "{a}/{b} {x}/{y}/{ml}ml",
    "{a}-{b} {x}-{y} per {ml} mL",
    "{a}-{b} {x}mg-{y}/{ml} ml",
    "{a} {x} / {b} {y} / {ml} ml",
    "{a} {x} mg-{b} {y}/{ml}ml",
    "{x}-{y}/{ml} ml {a}/{b}",
    "{a}-{b} {x}-{y} {ml} ml",
    "{a}-{b} {x} mg-{y} mg {ml}cc",
    "{a}-{b} {x}-{y}/{ml}",
    "{a}-{b} {x}-{y}mg/{ml}",
]


def names(layout: str, ml: int = 5) -> list[tuple[str, str, float]]:
    """Every combination in a layout, with the opioid first and last, and with the strengths the other way round."""
    found = []
    for opioids, strengths, partners, theirs in COMBINATIONS:
        pairs = zip(strengths, theirs, strict=True) if "nal" in partners[0] else itertools.product(strengths, theirs)
        for (mg, other), opioid, partner in itertools.product(pairs, opioids, partners):
            own, rest = {"a": opioid, "x": f"{mg:g}"}, {"b": partner, "y": f"{other:g}"}
            last = {"b": opioid, "y": f"{mg:g}", "a": partner, "x": f"{other:g}"}
            found += [(layout.format(**own, **rest, ml=ml), opioid, mg), (layout.format(**last, ml=ml), opioid, mg)]
            if "{a} {x}" not in layout and "{x} mg {a}" not in layout:  # a list, in the wrong order
                turned = {"a": partner, "b": opioid, "x": f"{mg:g}", "y": f"{other:g}"}
                found.append((layout.format(**turned, ml=ml), opioid, mg))
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tablets_strength_is_the_opioids_or_none(layout: str) -> None:
    every = names(layout)
    read = [(name, product.strength, mg) for name, _, mg in every if (product := parse(name)) is not None]
    assert len(read) == len(every)
    assert [row for row in read if row[1] not in (None, pytest.approx(row[2]))] == []
    assert sum(row[1] is not None for row in read) >= 0.9 * len(read)


@pytest.mark.parametrize("layout", LIQUIDS)
@pytest.mark.parametrize("ml", [5, 15])
def test_a_liquids_strength_is_the_opioids_per_ml_or_none(layout: str, ml: int) -> None:
    for name, _, mg in names(layout, ml):
        product = parse(name)
        assert product is not None
        told = (product.strength, product.strength_unit)
        assert told in ((None, None), (pytest.approx(mg / ml), "mg/mL")), name
