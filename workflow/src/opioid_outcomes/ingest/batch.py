"""Rows of one canonical table on their way through the rules: typed, each with the first rule it breaks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from opioid_outcomes.contracts.columns import Column, Table
from opioid_outcomes.counts import about
from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.ingest import convert
from opioid_outcomes.ingest.convert import Days
from opioid_outcomes.ingest.raw import Raw

KEYS = ("source", "row", "rule")
UPPER = "_to"  # ends the name of the column with the upper end of a range
NUMBERS_OF_ANY_SIGN = {("measurements", "value"), ("pain", "score")}


@dataclass(frozen=True)
class Batch:
    """``frame`` has the table's columns, typed, further columns, and ``source`` (index of the raw table), ``row`` and
    ``rule`` (null while nothing is wrong). ``not_selected`` holds the ids of persons that the config left out."""

    table: Table
    frame: pl.DataFrame
    not_selected: pl.Series

    def reject(self, *rules: tuple[str, pl.Expr]) -> Batch:
        """Names the first rule that a row breaks; rules of earlier calls stand."""
        broken = [pl.when(condition).then(pl.lit(rule)) for rule, condition in rules]
        return replace(self, frame=self.frame.with_columns(rule=pl.coalesce("rule", *broken)))

    def reject_duplicates(self) -> Batch:
        """Of rows that say the same, the first is kept."""
        values = [name for name in self.frame.columns if name not in KEYS]
        sound = self.frame.with_row_index("\0at").filter(pl.col("rule").is_null())
        first = sound.unique(subset=values, keep="first", maintain_order=True)
        again = sound.select("\0at").join(first.select("\0at"), on="\0at", how="anti")["\0at"]
        at = pl.int_range(pl.len(), dtype=pl.UInt32)
        return self.reject(("duplicate_row", at.is_in(again.implode()))) if len(again) else self

    def with_id_type(self, dtype: pl.DataType) -> Batch:
        """Ids in the cohort's one type; what cannot be one of its ids is nobody's."""
        ids = convert.as_ids(self.frame["person_id"], dtype)
        lost = ids.is_null() & self.frame["person_id"].is_not_null()
        frame = self.frame.with_columns(ids)
        left_out = convert.as_ids(self.not_selected, dtype).drop_nulls()
        return replace(self, frame=frame, not_selected=left_out).reject(("unknown_person", pl.lit(lost)))

    def sound(self) -> pl.DataFrame:
        return self.frame.filter(pl.col("rule").is_null())

    def canonical(self) -> pl.DataFrame:
        """The accepted rows in the contract's columns, then further ones, by person, day and place in the source."""
        days = [column.name for column in self.table.columns if column.kind == "day"]
        return self.sound().sort("person_id", *days, "source", "row").drop(*KEYS)


def assemble(table: Table, raws: list[Raw], days: Days) -> tuple[Batch, list[str]]:
    """Typed rows of every source of one table, each with the first rule about single values that it breaks."""
    parts, warnings, left_out = [], [], []
    for source, raw in enumerate(raws):
        frame, said = _typed(table, raw, source, days)
        parts.append(frame)
        warnings += said
        if "person_id" in raw.excluded.columns:
            left_out.append(convert.ids(raw.excluded["person_id"], raw.table)[0])
    parts = parts or [_typed(table, Raw(table.name, table.name, _no_rows(), _no_rows()), 0, days)[0]]
    if len({part.schema["person_id"] for part in parts}) > 1:
        parts = [part.with_columns(pl.col("person_id").cast(pl.String)) for part in parts]
    nobody = pl.Series("person_id", [], dtype=pl.Int64)
    return Batch(table, pl.concat(parts, how="diagonal"), left_out[0] if left_out else nobody), warnings


def _no_rows() -> pl.DataFrame:
    return pl.DataFrame(schema={"row": pl.UInt32(), "person_id": pl.Int64()})


def _typed(table: Table, raw: Raw, source: int, days: Days) -> tuple[pl.DataFrame, list[str]]:
    frame = raw.frame
    ids, warnings = convert.ids(frame["person_id"], f"{raw.table}.person_id")
    given = {column.name: column for column in table.columns if column.name in frame.columns}
    values = {
        name: convert.typed(name, column, frame.schema[name], days)
        for name, column in given.items()
        if column.kind != "id"
    }
    amounts, said = _amounts(table, raw, values)
    values |= amounts
    warnings += said
    warnings += [
        f"{raw.table}.{name}: whole numbers came as floating ones and were read as whole."
        for name, column in given.items()
        if convert.written_as_floats(frame[name], column, days)
    ]
    if table.name == "persons" and "sex" in values:
        unknown = pl.col("sex").is_null() | (pl.col("sex").cast(pl.String).str.strip_chars() == "")
        values["sex"] = pl.when(unknown).then(pl.lit("U")).otherwise(values["sex"])
    out = frame.select(
        pl.lit(source, dtype=pl.UInt8).alias("source"),
        pl.col("row").cast(pl.UInt32),
        *(value.alias(f"= {name}") for name, value in values.items()),
    )
    rules = [
        pl.when(condition).then(pl.lit(rule))
        for column in table.columns
        for rule, condition in _value_rules(table, column, frame.schema.get(column.name), days)
    ]
    judged = pl.concat([frame.drop("row"), out], how="horizontal").with_columns(ids.alias("= person_id"))
    judged = judged.with_columns(rule=pl.coalesce(pl.lit(None, dtype=pl.String), *rules))
    absent = {name: dtype for name, dtype in table.schema().items() if name not in values and name != "person_id"}
    further = [name for name in frame.columns if name not in table.names and name != "row"]
    result = judged.select(
        "source",
        "row",
        "rule",
        *(
            pl.lit(None, dtype=absent[name]).alias(name) if name in absent else pl.col(f"= {name}").alias(name)
            for name in table.names
        ),
        *(convert.further(frame[name]) for name in further),
    )
    return _tidied(table, result), warnings


def _amounts(table: Table, raw: Raw, values: dict[str, pl.Expr]) -> tuple[dict[str, pl.Expr], list[str]]:
    """Amounts, of a range the lower end, its upper end in a column of its own; and sentences on those lost.

    A fill is not rejected for an amount: what cannot be read (of a range: either end, or ends that fall) is missing,
    and what is negative stays, for exposure to repair. That none in a table can be read is a mistake: ``UserError``.
    """
    frame = raw.frame
    read: dict[str, pl.Expr] = {}
    said = []
    for name in [name for name in values if _is_amount(table, name) and not name.endswith(UPPER)]:
        low, high = values[name], values.get(name + UPPER, pl.lit(None, pl.Float64))
        told = convert.amounts(frame[name], name)
        if told is not None:
            low, high = pl.coalesce(low, pl.lit(told[0])), pl.coalesce(high, pl.lit(told[1]))
        lost = _present(name, frame.schema[name]) & low.is_null()
        if name + UPPER in values:
            unread = _present(name + UPPER, frame.schema[name + UPPER]) & high.is_null()
            lost |= unread | (high < low).fill_null(False)
        found = frame.select(low=low, high=high, lost=lost)
        read |= {column: pl.lit(found[end]) for column, end in ((name, "low"), (name + UPPER, "high"))}
        count = int(found["lost"].sum())
        if not count:
            continue
        if count == frame.height:
            fix = f'map the right column; derive: {{{name}: "NULL"}} says that there is none'
            raise UserError(Problem(f"no {name} can be read as a number", f"table {raw.table}", fix))
        said.append(f"{name} could not be read in {about(count)} rows of {raw.table}: they count as missing.")
        known = pl.lit(~found["lost"])
        read |= {column: pl.when(known).then(read[column]) for column in (name, name + UPPER)}
    return read, said


def _is_amount(table: Table, name: str) -> bool:
    """Amounts of dispensings, which may be ranges, and their upper ends."""
    return name.removesuffix(UPPER) + UPPER in table.names


def _present(name: str, dtype: pl.DataType) -> pl.Expr:
    source = pl.col(name)
    if dtype == pl.String:
        return source.is_not_null() & (source.str.strip_chars() != "")
    return source.is_not_null() & source.is_not_nan() if dtype.is_float() else source.is_not_null()


def _value_rules(table: Table, column: Column, dtype: pl.DataType | None, days: Days) -> list[tuple[str, pl.Expr]]:
    """What can be wrong with one value: ``= name`` is the value as read, ``name`` what the source holds (``dtype``)."""
    name = column.name
    if column.kind == "id":
        return [("missing_person_id", pl.col(f"= {name}").is_null())]
    if dtype is None:
        return [("missing_value", pl.lit(True))] if column.required and name != "sex" else []
    value, present = pl.col(f"= {name}"), _present(name, dtype)
    unread = present & value.is_null()
    if column.kind == "day":
        outside = ~value.is_between(days.first, days.last)
        return [("missing_date", ~present), ("unreadable_date", unread), ("impossible_date", outside)]
    rules = [("missing_value", ~present)] if column.required and name != "sex" else []
    if column.kind == "category":
        return [*rules, (f"unknown_{name}", unread)]
    if column.kind in ("int", "float") and not _is_amount(table, name):
        rules.append(("unreadable_number", unread))
        if (table.name, name) not in NUMBERS_OF_ANY_SIGN:
            rules.append(("negative_number", value < 0))
    return rules


def _tidied(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Codes without dots, names in lower case: what the contract says of text columns."""
    tidy: dict[tuple[str, str], pl.Expr] = {
        ("dispensings", "code"): pl.col("code").str.strip_chars(),
        ("dispensings", "ingredient"): pl.col("ingredient").str.strip_chars().str.to_lowercase(),
        ("diagnoses", "code"): pl.col("code").str.replace_all(r"[.\s]", "").str.to_uppercase(),
        ("deaths", "cause"): pl.col("cause").str.replace_all(r"[.\s]", "").str.to_uppercase(),
        ("deaths", "contributing"): pl.col("contributing").str.replace_all(r"[.\s]", "").str.to_uppercase(),
        ("measurements", "measure"): pl.col("measure").str.strip_chars(),
        ("therapies", "therapy"): pl.col("therapy").str.strip_chars(),
    }
    frame = frame.with_columns(value for (name, _), value in tidy.items() if name == table.name)
    texts = [column.name for column in table.columns if column.kind in ("text", "category")]
    return frame.with_columns(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in texts)
