"""Row accounting: rows in = canonical + rejected + merged, per source table and canonical table."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.counts import about
from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.ingest.batch import Batch
from opioid_outcomes.ingest.raw import Raw

NOT_SELECTED = ("where", "person_not_selected", "not_used")
# Rejected without a loss, so they are no sign that the input is bad: of copies one is kept (claims repeat a diagnosis
# on every bill), and a CDM row without a number says nothing (most OMOP observations of a score are only its name).
HARMLESS = ("duplicate_row", "no_value")
FIXES = {
    "unreadable_date": "write days as YYYY-MM-DD, or as whole numbers with date_basis: offset",
    "impossible_date": "check the dates; with date_basis: offset they are day numbers",
    "missing_date": "map the right column",
    "unknown_person": "check that person_id is the same kind of id in every table",
    "missing_person_id": "map the right column to person_id",
    "unreadable_number": "recode labels to numbers, and write decimals with a point",
    "score_out_of_range": "recode codes such as 99 to missing, and check `scale`",
    "conflicting_person": "keep one row per person",
    "unknown_scale": "recode it to the contract's labels (opioid-outcomes codebook)",
}
CDM_FIXES = {
    "unreadable_date": "write days as YYYY-MM-DD",
    "unknown_person": FIXES["unknown_person"],
    "conflicting_person": FIXES["conflicting_person"],
}
OFTEN = 0.05


def _of(raws: list[Raw], into: str) -> list[Raw]:
    return [raw for raw in raws if raw.into == into]


def rejected(raws: list[Raw], batches: dict[str, Batch]) -> pl.DataFrame:
    """table, row, rule of every input row that is in no canonical table (merged periods are)."""
    parts = []
    for into, batch in batches.items():
        for source, raw in enumerate(_of(raws, into)):
            broken = batch.frame.filter(pl.col("rule").is_not_null() & (pl.col("source") == source))
            for rows in (broken.select("row", "rule"), raw.excluded.select(pl.col("row").cast(pl.UInt32), "rule")):
                parts.append(rows.select(pl.lit(raw.table).alias("table"), "row", "rule"))
    empty = pl.DataFrame(schema={"table": pl.String(), "row": pl.UInt32(), "rule": pl.String()})
    return pl.concat([empty, *parts]).cast({"row": pl.Int64}).sort("table", "row", "rule")


def rules(rows: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows counted by table and rule."""
    return rows.group_by("table", "rule").agg(rows=pl.len().cast(pl.Int64)).sort("table", "rule")


def quality(raws: list[Raw], batches: dict[str, Batch], merged: dict[int, int]) -> pl.DataFrame:
    """What became of every input row, by source table and canonical table; ``merged`` by source of observation."""
    lines: list[tuple[str, str, int, int, int, int, int]] = []
    for into, batch in batches.items():
        for source, raw in enumerate(_of(raws, into)):
            rules = batch.frame.filter(pl.col("source") == source)["rule"]
            broken = pl.concat([rules.drop_nulls(), raw.excluded["rule"].cast(pl.String)])
            canonical, rejected = rules.null_count(), len(broken)
            gone = merged.get(source, 0) if into == "observation" else 0
            rows_in = raw.frame.height + raw.excluded.height
            if rows_in != canonical + rejected + gone:
                raise AssertionError(f"rows of {raw.table} do not add up")
            left_out = int(broken.is_in(list(NOT_SELECTED)).sum())
            lines.append((raw.table, into, rows_in, canonical, rejected, gone, left_out))
    counts = ("rows_in", "canonical", "rejected", "merged", "not_selected")
    schema = {"table": pl.String(), "into": pl.String(), **dict.fromkeys(counts, pl.Int64())}
    return pl.DataFrame(lines, schema=schema, orient="row").sort("table", "into")


def repeated(counts: pl.DataFrame, rules: pl.DataFrame) -> list[str]:
    """A sentence for each table in which copies are frequent."""
    copies = rules.filter(pl.col("rule") == "duplicate_row").join(counts, on="table", how="left", maintain_order="left")
    frequent = copies.filter(pl.col("rows") > OFTEN * (pl.col("canonical") + pl.col("rows")))
    return [
        f"{about(line['rows']).capitalize()} rows of {line['table']} repeat another in all that is read; one is kept."
        for line in frequent.unique("table", keep="first", maintain_order=True).iter_rows(named=True)
    ]


def stop_if_too_many(raws: list[Raw], counts: pl.DataFrame, batches: dict[str, Batch], share: float) -> None:
    """A table of which too much, or everything, breaks rules is a mistake to mend, not data to analyse."""
    problems = []
    for line in counts.iter_rows(named=True):
        by_rule = _rules_of(raws, batches, line["table"], line["into"])
        bad = sum(rows for _, rows in by_rule)
        selected = line["canonical"] + line["merged"] + bad
        if not bad or (bad < selected and bad <= share * selected):
            continue
        told = ", ".join(f"{rule} {rows}" for rule, rows in by_rule)
        what = f"{bad} of {selected} rows were rejected, {share:.0%} may be (quality.max_rejected_share): {told}"
        into = "" if line["into"] == line["table"] else f" (to {line['into']})"
        fix = _fix(by_rule[0][0], of_cdm=line["into"] != line["table"])  # plain tables are called as the contract's
        problems.append(Problem(what, f"table {line['table']}{into}", fix))
    if problems:
        raise UserError(*problems)


def _fix(rule: str, *, of_cdm: bool) -> str:
    """What the user can do. A CDM has no mapping to correct, and its days are dates."""
    if of_cdm:
        return CDM_FIXES.get(rule, "correct the table, or how it is exported from the CDM")
    return FIXES.get(rule, "correct the source or its mapping")


def _rules_of(raws: list[Raw], batches: dict[str, Batch], table: str, into: str) -> list[tuple[str, int]]:
    """Rules broken in one table, most frequent first, without those that are no sign of bad input."""
    parts = [
        pl.concat(
            [
                batches[into].frame.filter(pl.col("source") == source)["rule"].drop_nulls(),
                raw.excluded["rule"].cast(pl.String),
            ]
        )
        for source, raw in enumerate(_of(raws, into))
        if raw.table == table
    ]
    broken = pl.concat(parts).rename("rule")
    counts = broken.filter(~broken.is_in([*NOT_SELECTED, *HARMLESS])).value_counts(name="rows")
    return counts.sort(["rows", "rule"], descending=[True, False]).rows()


def summary(quality: pl.DataFrame) -> str:
    """Rows in, accepted, rejected, merged and not selected over all tables of a cohort."""
    total = {column: int(quality[column].sum()) for column in quality.columns[2:]}
    rejected = total["rejected"] - total["not_selected"]
    persons = int(quality.filter(quality["into"] == "persons")["canonical"].sum())
    return (
        f"{persons:,} persons; {total['rows_in']:,} rows read, {total['canonical']:,} accepted, "
        f"{rejected:,} rejected, {total['merged']:,} merged, {total['not_selected']:,} not selected"
    )
