"""The exposure ledger: what became of the fills, counted (display ``exposure_ledger``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.exposure import clean as clean_fills
from opioid_outcomes.exposure import repair, set_apart
from opioid_outcomes.exposure.daily_dose import cut
from opioid_outcomes.exposure.products import RANGE_ENDS, Resolved
from opioid_outcomes.exposure.stays import merge
from opioid_outcomes.exposure.stretches import Array

HIGH_DOSE = 1000.0  # MME/day of a fill: above it the dose is flagged, not dropped (METHODS B4)
SHOWN_CODES = 20
SHOWN_CODE_FILLS = 11  # a label is shown when at least 11 rows carry it (CONTRACT 7, Messages)
NONE = pl.DataFrame(schema={"item": pl.String, "label": pl.String, "fills": pl.Int64, "persons": pl.Int64})


@dataclass(frozen=True)
class Recorded:
    """What the ledger and the notes tell of dispensings as recorded, before repair."""

    dispensings: int
    recognised: int
    counts: tuple[pl.DataFrame, ...]  # as in the ledger

    @classmethod
    def of(cls, resolved: Resolved, rules: Exposure) -> Recorded:
        known = resolved.products.get_column("recognised")
        recognised = len(resolved.fills)
        if not known.all():
            recognised = int(known.gather(resolved.fills.get_column("product_row")).sum())
        return cls(resolved.fills.height, recognised, (*_unusable(resolved, rules), *_of_products(resolved)))


@dataclass(frozen=True)
class Supplied:
    """What the ledger and the notes tell of supplies: rows held in hospital, rows cut by the cap, and sums.

    With ``after`` all of what was dispensed and held is accounted for, but for parts of days at its end: it is taken,
    dropped by the cap, or lies after the person's last day.
    """

    held: pl.DataFrame
    capped: pl.DataFrame
    days: int
    dropped_days: float
    mme: float  # of the days and of the dropped ones, where the dose is known
    dropped_mme: float
    after_days: int  # after the last day observed, or death
    after_mme: float

    @classmethod
    def of(cls, supplies: pl.DataFrame, stays: pl.DataFrame, last_days: pl.DataFrame) -> Supplied:
        """``supplies``: rows of ``daily_dose.supplies``, after ``stays``, the canonical ones, up to no last day."""
        rows = supplies.lazy().select("person_id", "start", "stop", "mme_per_day")
        until = cut(rows, last_days.lazy()).collect()
        (active, mme), (taken, dose) = (_active(part) for part in (supplies, until))
        dropped = supplies.get_column("dropped_days").to_numpy()
        left_over = np.append(0.0, mme[:-1])[: len(mme)]  # what is dropped is of the supply before
        return cls(
            held(supplies, stays).select("person_id", "start", "stop"),
            supplies.select("person_id").filter(pl.Series(dropped > 0)),
            int(active.sum()),
            float(dropped.sum()),
            float((active * mme + dropped * left_over).sum()),
            float((dropped * left_over).sum()),
            int(active.sum() - taken.sum()),
            float((active * mme).sum() - (taken * dose).sum()),
        )

    @classmethod
    def sum(cls, parts: Iterable[Supplied]) -> Supplied:
        several = list(parts)
        frames = [pl.concat(getattr(part, name) for part in several) for name in ("held", "capped")]
        names = ("days", "dropped_days", "mme", "dropped_mme", "after_days", "after_mme")
        return cls(*frames, *(sum(getattr(part, name) for part in several) for name in names))


def _active(rows: pl.DataFrame) -> tuple[Array, Array]:
    """Days of each row, and its MME/day where it is known, else 0."""
    stop, start, mme = (rows.get_column(name).fill_null(0).to_numpy() for name in ("stop", "start", "mme_per_day"))
    return (stop - start).astype(np.int64), mme


def ledger(recorded: Recorded, clean: pl.DataFrame, supplied: Supplied) -> pl.DataFrame:
    """item, label, fills, persons, sorted by item and falling fills.

    Items: ingredient; set_apart (reason); unusable (amounts as recorded that cannot be, by kind); range (amounts
    recorded as ranges); repair (rules); high_dose (above ``HIGH_DOSE``, kept); dose_unknown (reason); factor_missing
    (ingredient and route); stockpile (early refills whose left-over days the cap cut); stay (supply held in hospital);
    not_opioid; not_recognised (by vocabulary of the code that no dictionary knows: every such fill once);
    code_not_recognised (the commonest of these codes, part of them).
    ``clean``: DISPENSINGS_CLEAN, text as categories, sorted by person.
    """
    person = clean.get_column("person_id").rle_id().to_numpy()
    kept = clean.get_column("analgesic") == 1
    reason = clean.get_column("reason")
    without_factor = clean.select("person_id", "ingredient", "route").filter(kept & (reason == "no_factor"))
    drug_and_route = pl.concat_str(
        pl.col("ingredient").cast(pl.String), pl.col("route").cast(pl.String).fill_null("route unknown"), separator=", "
    )
    parts = [
        _by_category("ingredient", person, clean.get_column("ingredient")),
        _by_category("set_apart", person, reason, ~kept),
        _by_category("repair", person, clean.get_column("repair")),
        _count(high_doses(clean), "high_dose", pl.lit(f"above {HIGH_DOSE:,.0f} MME/day (kept)")),
        _by_category("dose_unknown", person, reason, kept),
        _count(without_factor, "factor_missing", drug_and_route),
        _count(supplied.capped, "stockpile", pl.lit("left-over days above the cap dropped")),
        _count(supplied.held, "stay", pl.lit("supply held through a stay")),
        *recorded.counts,
    ]
    return pl.concat(parts).sort("item", "fills", "label", descending=[False, True, False])


def high_doses(clean: pl.DataFrame) -> pl.DataFrame:
    """person_id of each analgesic fill of a dose that few people live with: more likely a slip of the amounts."""
    high = (clean.get_column("mme_per_day") > HIGH_DOSE) & (clean.get_column("analgesic") == 1)
    return clean.select("person_id").filter(high)


def unusable(most_per_day: pl.Expr, rules: Exposure) -> dict[str, pl.Expr]:
    """Label: whether a fill's amount as recorded is of that kind. Needs the fill's amounts and strength.

    A range that begins at 0 is none of them. What could not be read was missing already when it came.
    """
    quantity, days = pl.col("quantity"), pl.col("days_supply")
    longest, most = rules.days_supply.max, rules.quantity.max_per_day
    return {
        "days_supply missing": days.is_null(),
        "days_supply 0": (days == 0) & ~(pl.col("days_supply_to") > 0).fill_null(False),
        "days_supply negative": days < 0,
        f"days_supply above {longest}": days > longest,
        "quantity missing": quantity.is_null(),
        "quantity 0": (quantity == 0) & ~(pl.col("quantity_to") > 0).fill_null(False),
        "quantity negative": quantity < 0,
        f"quantity above {most:g} tablets, {most * repair.LIQUID:g} mL or {most * repair.PATCH:g} patches a day": (
            (days > 0) & (days <= longest) & (quantity > days * most_per_day)
        ),
        "strength or its unit missing": pl.col("strength").is_null(),
        "strength implausible": ~pl.col("strength_plausible"),
    }


def held(supplies: pl.DataFrame, stays: pl.DataFrame) -> pl.DataFrame:
    """Supply held through stays in hospital: no other lies inside one, and all held is marked repaired."""
    there = supplies.filter((pl.col("start") < pl.col("stop")) & (pl.col("repaired") == 1)).join(
        stays, on="person_id", how="semi"
    )
    inside = (pl.col("start") >= pl.col("admission")) & (pl.col("stop") <= pl.col("end_right"))
    joined = there.join(merge(stays).rename({"start": "admission"}), on="person_id", maintain_order="left")
    return joined.filter(inside)


def _unusable(resolved: Resolved, rules: Exposure) -> list[pl.DataFrame]:
    """Amounts of fills that people take at home, as recorded: what repair starts from."""
    kinds = set_apart.classify(resolved.products, rules.buprenorphine.sublingual_without_indication)
    kinds = kinds.with_columns(
        home=pl.col("opioid") & clean_fills.supplied(),
        most=pl.Series(repair.most_per_day(kinds, rules.quantity.max_per_day)),
    )
    fills = resolved.fills.filter(~_sound(resolved.fills, kinds, rules))  # few: the labels are worked out for these
    row = fills.get_column("product_row")
    fills = fills.with_columns(
        kinds.get_column(name).gather(row) for name in ("strength", "strength_plausible", "most")
    )
    taken_as = "unknown until repaired" if rules.ranges == "set_aside" else rules.ranges
    ranges = {f"{name.removesuffix('_to')} ({taken_as})": pl.col(name).is_not_null() for name in RANGE_ENDS}
    home = kinds.get_column("home")
    fills = fills if home.all() else fills.filter(home.gather(row))
    person, counts = fills.get_column("person_id"), []
    for item, labels in (("unusable", unusable(pl.col("most"), rules)), ("range", ranges)):
        for label, holds in labels.items():
            rows = fills.select(holds.fill_null(False)).to_series()
            if rows.any():
                counts.append(_count(person.filter(rows).to_frame(), item, pl.lit(label)))
    return counts


def _sound(fills: pl.DataFrame, kinds: pl.DataFrame, rules: Exposure) -> pl.Series:
    """Fills whose amounts are of no kind that is ``unusable``, and no range."""
    row = fills.get_column("product_row")
    quantity, days = pl.col("quantity"), pl.col("days_supply")
    sound = [(days > 0) & (days <= rules.days_supply.max), (quantity > 0) & (quantity <= days * pl.col("most"))]
    sound += [pl.col(name).is_null() for name in RANGE_ENDS if fills.get_column(name).null_count() < fills.height]
    known = kinds.select(pl.col("strength").is_not_null() & pl.col("strength_plausible")).to_series()
    if not known.all():
        sound.append(pl.lit(known.gather(row)))
    most = kinds.get_column("most").gather(row)
    return fills.with_columns(most).select(pl.all_horizontal(sound).fill_null(False)).to_series()


def _of_products(resolved: Resolved) -> list[pl.DataFrame]:
    """What is no opioid, or not known to be one."""
    kinds = resolved.products
    unknown = ~pl.col("recognised")
    of_vocabulary = pl.concat_str(pl.coalesce("vocabulary", pl.lit("other")), pl.lit(" code not in a dictionary"))
    labels = kinds.select(
        not_opioid=pl.when(pl.col("recognised") & ~pl.col("opioid")).then(pl.lit("other medicines")),
        not_recognised=pl.when(unknown).then(
            pl.when(pl.col("code").is_null()).then(pl.lit("no code")).otherwise(of_vocabulary)
        ),
        code_not_recognised=pl.when(unknown & pl.col("code").is_not_null()).then(
            pl.concat_str("vocabulary", "code", separator=" ", ignore_nulls=True)
        ),
    )
    row = resolved.fills.get_column("product_row")
    parts = []
    for item in labels.columns:
        there = labels.get_column(item).is_not_null()
        rows = resolved.fills.select("person_id", "product_row").filter(there.gather(row)) if there.any() else None
        if rows is None:
            continue
        label = labels.get_column(item).gather(rows.get_column("product_row"))
        counted = _count(rows, item, pl.lit(label))
        if item == "code_not_recognised":
            commonest = counted.filter(pl.col("fills") >= SHOWN_CODE_FILLS)
            counted = commonest.sort("fills", "label", descending=[True, False]).head(SHOWN_CODES)
        parts.append(counted)
    return parts


def _by_category(item: str, person: Array, label: pl.Series, which: pl.Series | None = None) -> pl.DataFrame:
    """Counts of each category of a label (Enum), of the rows of ``which``; the codes of persons are sorted."""
    codes = label.to_physical()
    kinds, counts = label.unique().drop_nulls(), []
    for code, text in zip(kinds.to_physical(), kinds.cast(pl.String), strict=True):
        holds = (codes == code).fill_null(False)
        rows = np.flatnonzero((holds if which is None else holds & which).to_numpy())
        if len(rows):
            persons = int((np.diff(person[rows]) != 0).sum()) + 1
            counts.append((item, text, len(rows), persons))
    return pl.DataFrame(counts, schema=NONE.schema, orient="row")


def _count(rows: pl.DataFrame, item: str, label: pl.Expr) -> pl.DataFrame:
    if rows.is_empty():
        return NONE
    return (
        rows.select("person_id", label.alias("label"))
        .group_by("label")
        .agg(fills=pl.len().cast(pl.Int64), persons=pl.col("person_id").n_unique().cast(pl.Int64))
        .select(pl.lit(item).alias("item"), pl.col("label").cast(pl.String), "fills", "persons")
    )
