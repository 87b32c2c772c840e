"""Which product each fill is: ingredient, route, release, strength - as given, by its code, or from its name.

Spec: CONTRACT 7 (Vocabularies, Stockpiling: product key). Only opioids are resolved and kept.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.contracts.canonical import DRUG_VOCABULARIES, RELEASES, ROUTES, STRENGTH_UNITS
from opioid_outcomes.errors import Problems
from opioid_outcomes.exposure import product_codes, product_forms, product_names
from opioid_outcomes.exposure.distinct import distinct

DICTIONARY = ("code", "vocabulary", "ingredient", "route", "release", "strength", "strength_unit")
TOLD = (*DICTIONARY[2:], "form", "indication")  # what a code may tell of its product
# What makes a product as recorded, in the order in which products are sorted
IDENTITY = (
    "code", "vocabulary", "product_name", "ingredient", "route", "release", "strength", "strength_unit", "indication",
)  # fmt: skip
FILL = ("person_id", "date", "quantity", "days_supply")
RANGE_ENDS = ("strength_to", "quantity_to", "days_supply_to")
# unit of strength, column of opioids.csv, and that unit in the column's
LARGEST = (
    ("mg", "largest_mg", 1.0), ("mcg", "largest_mg", 1000.0), ("mg/mL", "largest_mg_per_ml", 1.0),
    ("mcg/h", "largest_mcg_per_hour", 1.0),
)  # fmt: skip
MARGIN = 2.0
WORD = r"\p{L}{3}"  # a product name without one is a code
PARSED = {
    "ingredient": pl.String(), "route": pl.String(), "release": pl.String(), "strength": pl.Float64(),
    "strength_unit": pl.String(), "form": pl.String(), "indication": pl.String(),
}  # fmt: skip


def dictionary(path: str | None = None) -> pl.DataFrame:
    """Product codes and what they stand for: the user's CSV first, then the shipped one.

    Columns code (as compared: ``product_codes.plain``), vocabulary, ingredient, route, release, strength,
    strength_unit, form (a user's may leave it out) and indication (shipped codes only: ATC tells treatment of opioid
    use disorder from analgesia); one row per code and vocabulary.
    Ingredients that are no opioids may be listed: their fills then count as recognised, and as other medicines.
    Raises UserError for a value outside the vocabularies of CONTRACT 7, for a strength that is implausible or has no
    unit, and for rows of the user's that say different things of one code, with row numbers.
    """
    own = _comparable(io.read_text_table(shipped.DATA / "drugs" / "dictionary.csv")).select("code", "vocabulary", *TOLD)
    tables = [_checked(io.read_text_table(Path(path), DICTIONARY, optional=("form",)), path), own] if path else [own]
    every = pl.concat(tables, how="diagonal").unique(["code", "vocabulary"], keep="first", maintain_order=True)
    return every.select("code", "vocabulary", *TOLD)


@dataclass(frozen=True)
class Resolved:
    """Fills, and the distinct products they are of.

    fills: one row per dispensing, in its order: person_id, date, quantity, days_supply, strength_to, quantity_to,
    days_supply_to (upper ends of recorded ranges, null where there is none), product_row.
    products: one row per distinct product as recorded, row i being product_row i: product_row, code, vocabulary,
    product_name as recorded; ingredient, route, release, strength, strength_unit, indication, form as resolved; opioid,
    recognised (false: neither an ingredient nor a name to tell by, or one that is almost an opioid's), product (the
    stockpiling key), strength_plausible (false: not above 0, or above twice the largest marketed of the opioid).
    """

    fills: pl.DataFrame
    products: pl.DataFrame


def resolve(dispensings: pl.DataFrame, codes: pl.DataFrame) -> Resolved:
    """What product each dispensing is of: canonical dispensings and ``dictionary()`` to fills and products.

    Whatever is given stands; what is missing comes from the code, then from the product's name, unless these are of
    another drug than the ingredient. A strength without a unit is missing, and one of a liquid in mg. One in mcg/h
    makes a product without a route a patch. Ingredients of opioids become their plain names ("oxycodone hydrochloride"
    -> oxycodone). Products are sorted as recorded, so that the order of dispensings does not matter.
    Cost: one hash of the identifying columns that hold anything, O(dispensings); the rest is O(distinct products).
    """
    recorded, product_row = distinct(dispensings, IDENTITY)
    fills = dispensings.select(
        *FILL, *(name if name in dispensings.columns else pl.lit(None, pl.Float64).alias(name) for name in RANGE_ENDS)
    ).with_columns(product_row=product_row)
    return Resolved(fills, _resolved(recorded, codes))


def _resolved(recorded: pl.DataFrame, codes: pl.DataFrame) -> pl.DataFrame:
    """Distinct products as recorded to ``Resolved.products``."""
    rows = product_codes.match(recorded.with_columns(product_codes.plain()), codes, TOLD)
    told = codes.select(pl.col(name).gather(rows).alias(f"{name}_code") for name in TOLD)
    found = pl.concat([recorded, told], how="horizontal")
    recorded_ingredient = found.get_column("ingredient").is_not_null()
    found = found.with_columns(pl.coalesce("ingredient", "ingredient_code"))
    found = _join_parsed(_join_parsed(found, "ingredient"), "product_name")
    from_name = pl.col("ingredient").is_null()  # a name decides only where no ingredient is given
    opioid = pl.coalesce("ingredient_ingredient", pl.when(from_name).then("ingredient_product_name"))
    found = found.with_columns(
        pl.coalesce("ingredient_ingredient", "ingredient", "ingredient_product_name").alias("ingredient"),
        opioid=opioid.is_not_null(),
        recognised=_recognised(opioid.is_null(), recorded_ingredient),
    )
    found = _of_the_ingredient(_of_the_ingredient(found, "code"), "product_name")
    sources = ["code", "ingredient", "product_name"]
    patch = pl.when(pl.col("strength_unit") == "mcg/h").then(pl.lit("transdermal"))  # only patches have one per hour
    found = found.with_columns(
        *(
            pl.coalesce(name, *(f"{name}_{source}" for source in sources)).alias(name)
            for name in ("route", "release", "indication")
        ),
        form=pl.coalesce(f"form_{source}" for source in sources),
    )
    given_strength, code_strength = _strength_is_given(), pl.col("strength_code").is_not_null()
    return found.with_columns(
        *(
            pl.when(given_strength).then(name)
            .when(code_strength).then(f"{name}_code")
            .otherwise(pl.coalesce(f"{name}_ingredient", f"{name}_product_name"))
            .alias(name)
            for name in ("strength", "strength_unit")
        ),
    ).with_columns(pl.coalesce("route", patch)).with_columns(product_key(), strength_plausible()).with_row_index(
        "product_row"
    ).select("product_row", *IDENTITY, "form", "opioid", "recognised", "product", "strength_plausible")  # fmt: skip


def _strength_is_given() -> pl.Expr:
    """Whether a recorded strength says something: above 0, with its unit, and not in mg where the product is a liquid
    (of how many mL?)."""
    liquid = pl.col("form").is_in(product_forms.LIQUID_FORMS) & pl.col("route").ne_missing("injection")
    per_ml = ~(liquid.fill_null(False) & pl.col("strength_unit").is_in(["mg", "mcg"]))
    number = pl.col("strength").is_finite() & (pl.col("strength") > 0)
    return (number & pl.col("strength_unit").is_not_null() & per_ml).fill_null(False)


def _recognised(no_opioid: pl.Expr, recorded_ingredient: pl.Series) -> pl.Expr:
    """Whether it is known what a product is, or that it is no opioid.

    Not so without an ingredient and a name; nor where a word begins like an opioid's name but is none that is known,
    or the name is an opioid's and the recorded ingredient is not.
    """
    told = pl.col("ingredient").is_not_null() | pl.col("product_name").str.contains(WORD)
    contradicted = recorded_ingredient & pl.col("ingredient_product_name").is_not_null()
    suspect = pl.coalesce("suspect_ingredient", "suspect_product_name") | contradicted
    return told.fill_null(False) & ~(no_opioid & suspect.fill_null(False))


def _of_the_ingredient(found: pl.DataFrame, source: str) -> pl.DataFrame:
    """Drops what the code or the name says where it is of another drug than the product's ingredient."""
    same = pl.col(f"ingredient_{source}").eq_missing(pl.col("ingredient"))
    return found.with_columns(pl.when(same).then(f"{name}_{source}").alias(f"{name}_{source}") for name in TOLD)


def product_key() -> pl.Expr:
    """ingredient|strength in mg|route|release, the key within which supply is stockpiled.

    Patches read 0.025/h (mg per hour), liquids 2/mL, so that a liquid of 2 mg/mL is not a tablet of 2 mg.
    """
    in_mg = milligrams().round(9).cast(pl.String).str.strip_suffix(".0")
    per = pl.col("strength_unit").replace_strict({"mcg/h": "/h", "mg/mL": "/mL"}, default="", return_dtype=pl.String)
    strength = pl.concat_str(in_mg, per.fill_null("")).fill_null("")
    rest = [pl.col(name).fill_null("") for name in ("route", "release")]
    return pl.concat_str(pl.col("ingredient"), strength, *rest, separator="|").alias("product")


def milligrams() -> pl.Expr:
    """Strength in mg, mg/h or mg/mL."""
    small = pl.col("strength_unit").is_in(["mcg", "mcg/h"])
    return pl.when(small).then(pl.col("strength") / 1000).otherwise("strength")


def strength_plausible() -> pl.Expr:
    """Whether nothing speaks against a strength: above 0, and at most twice the largest marketed of the ingredient.

    The largest are those of units that are swallowed or act through skin and mucosa; of injections and implants, and
    of opioids whose largest is not known, only that the strength is above 0 is asked.
    """
    opioids = product_names.opioids()
    limit = pl.coalesce(
        pl.when(pl.col("strength_unit") == unit).then(
            pl.col("ingredient").replace_strict(
                opioids["ingredient"], opioids[column] * per, default=None, return_dtype=pl.Float64
            )
        )
        for unit, column, per in LARGEST
    )
    apart = pl.col("route").is_in(["injection", "implant"]).fill_null(False)
    within = apart | (pl.col("strength") <= MARGIN * limit).fill_null(True)
    sound = pl.col("strength").is_finite() & (pl.col("strength") > 0) & within
    return sound.fill_null(True).alias("strength_plausible")


def _comparable(codes: pl.DataFrame) -> pl.DataFrame:
    """Product codes as compared, ingredients by their plain names, strengths as numbers (null where they are none)."""
    names = codes.get_column("ingredient").drop_nulls().unique().sort().to_list()
    plain = [parsed.ingredient if (parsed := product_names.parse(name)) else name.lower() for name in names]
    return codes.with_columns(
        product_codes.plain(),
        pl.col("ingredient").replace(names, plain),
        pl.col("strength").cast(pl.Float64, strict=False),
    )


def _join_parsed(fills: pl.DataFrame, column: str) -> pl.DataFrame:
    """Adds what the texts of ``column`` say, with the column's name as suffix, and suspect: a word is almost an
    opioid's name."""
    texts = fills.get_column(column).drop_nulls().unique().sort()
    suspects = [text for text in texts if product_names.suspected(text)]
    products = {text: product for text in texts if (product := product_names.parse(text)) is not None}
    schema = {column: pl.String(), **{f"{name}_{column}": dtype for name, dtype in PARSED.items()}}
    rows = [(text, *asdict(product).values()) for text, product in products.items()]
    parsed = pl.DataFrame(rows, schema=schema, orient="row")
    if column == "ingredient":  # an ingredient says nothing of the release
        parsed = parsed.with_columns(pl.lit(None, pl.String).alias("release_ingredient"))
    suspect = pl.col(column).is_in(suspects).alias(f"suspect_{column}")
    return fills.join(parsed, on=column, how="left", maintain_order="left").with_columns(suspect)


def _checked(table: pl.DataFrame, path: str) -> pl.DataFrame:
    """A user's dictionary as compared, or a UserError that names all its mistakes."""
    closed = {
        "vocabulary": DRUG_VOCABULARIES, "route": ROUTES, "release": RELEASES, "strength_unit": STRENGTH_UNITS,
        "form": tuple(product_forms.FORMS),
    }  # fmt: skip
    table = table if "form" in table.columns else table.with_columns(form=pl.lit(None, pl.String))
    numbered = _comparable(table.with_columns(given=pl.col("strength").is_not_null())).with_row_index("row", 1)
    strength = pl.col("strength")
    wrong = pl.col("given") & ~(strength.is_finite() & (strength > 0)).fill_null(False)
    per_unit = ~numbered.select(strength_plausible()).to_series()
    same = [*DICTIONARY, "form"]
    products = numbered.drop_nulls(["code", "vocabulary"]).unique(same, keep="first", maintain_order=True)
    found = [
        *((f"{name} not known", numbered.filter(~pl.col(name).is_in(values)), f"use {', '.join(values)}")
          for name, values in closed.items()),
        *((f"{name} is missing", numbered.filter(pl.col(name).is_null()), "fill it in, or drop the row")
          for name in ("code", "vocabulary", "ingredient")),
        ("strength is no positive number", numbered.filter(wrong), "a number, or empty"),
        ("strength has no unit", numbered.filter(~wrong & strength.is_not_null() & pl.col("strength_unit").is_null()),
         f"give strength_unit, one of {', '.join(STRENGTH_UNITS)}"),
        ("strength is more than twice the largest marketed", numbered.filter(per_unit & ~wrong),
         "check strength and strength_unit"),
        ("one code is there with different products",
         products.filter(pl.struct("code", "vocabulary").is_duplicated()), "keep one row of each code"),
        ("one NDC is there in two spellings with different products",
         products.filter(product_codes.contradicted(products, tuple(same[2:]))), "keep one row of each code"),
    ]  # fmt: skip
    problems = Problems()
    for what, broken, fix in found:
        if broken.height:
            problems.add(f"{what} in data rows {_some(broken.get_column('row'))}", where=path, fix=fix)
    if table.is_empty():
        problems.add("holds no codes", where=path, fix="add rows, or leave exposure.drug_dictionary empty")
    problems.raise_if_any()
    return numbered.drop("row", "given")


def _some(rows: pl.Series) -> str:
    return ", ".join(str(row) for row in rows.head(5)) + (", ..." if len(rows) > 5 else "")
