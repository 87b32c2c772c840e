"""SQL in a config: of one row, without clock, chance or other tables."""

from pathlib import Path

import pytest
from config_files import config, problem

OVER_ROWS = [
    "count(*) > 1", "score > avg(score)", "score = max(score) over (partition by id)", "quantile_cont(a, 0.5)",
    "row_number() over (order by a) = 1", "lag(a) over (order by b) > 1", "count(distinct a) > 2", "first(a)",
    "rank() over (order by a)", "a in (select b from t)", "a in (select 1)", "a = (select max(a) from self)",
    "exists (select 1)", "unnest(a)", "stddev(a) > 1", "array_agg(a)", "corr(a, b) > 0", "sum(a) filter (where b > 1)",
]  # fmt: skip


@pytest.mark.parametrize("expression", OVER_ROWS)
@pytest.mark.parametrize("place", ["where", "derive: {score"])
def test_sql_over_several_rows_is_refused(tmp_path: Path, expression: str, place: str) -> None:
    end = "}" * place.count("{")
    text = f'cohorts: {{a: {{path: x, tables: {{pain: {{{place}: "{expression}"{end}}}}}}}}}\n'
    message = problem(tmp_path, text)
    assert "over several rows" in message or "selects from a table" in message
    assert "of one row" in message


@pytest.mark.parametrize(
    "expression",
    ["d < CURRENT_DATE", "now() > d", "'\"' < NOW ()", "d <current_timestamp",
     "date_part('year', localtimestamp) > 2000", "localtime > t", "\"now\"() > d"],
)  # fmt: skip
def test_sql_that_reads_the_clock_is_refused(tmp_path: Path, expression: str) -> None:
    quoted = expression.replace('"', '\\"')
    text = f'cohorts: {{a: {{path: x, tables: {{pain: {{where: "{quoted}"}}}}}}}}\n'
    assert "reads the clock" in problem(tmp_path, text)


@pytest.mark.parametrize("function", ["RANDOM()", "RAND()", "UUID()", "GEN_RANDOM_UUID()"])
def test_sql_has_no_chance(tmp_path: Path, function: str) -> None:
    text = f'cohorts: {{a: {{path: x, tables: {{pain: {{where: "{function} > 1"}}}}}}}}\n'
    assert "this SQL has no function" in problem(tmp_path, text)


BY_ROW = [
    "a = 'now() or current_date'", "\"CURRENT_DATE\" > 1", "now > 1", "current_date_of_visit > d",
    "d > DATE '2020-01-31'", "'it''s now()' = a",
    "0", "NULL", "score", "a IN (1, 2)", "a NOT IN ('count(*)', 'Len')", "a BETWEEN 1 AND 2", "a IS NULL",
    "a LIKE 'x%'", "a = 'Len'", "+".join(["a"] * 2000),
    "a IS DISTINCT FROM b", "CAST(ROUND(a * 30.4375) AS BIGINT)", "COALESCE(a, b, 0)", "DATE_PART('year', a)",
    "CASE WHEN a > 1 THEN 'x' WHEN a < 0 THEN b ELSE NULL END", "GREATEST(a, b)", "Len > 1", "NOT (a = 1 OR b <> 2)",
    "Agg + Quantile", "SUBSTR(a, 1, 3) = 'M54'", "a || b", "STRPTIME(a, '%d.%m.%Y')", "LENGTH(a) > 2", "-a",
    "a % 2 = 0",
    "REPLACE(a, ',', '.')", "LOWER(a)", "NULLIF(a, 99)", "a ILIKE '%pain%'", "REGEXP_LIKE(a, '^M5')", "ABS(a)",
    "a::date + INTERVAL '30 days'", "CONCAT(a, '-', b)", "TRIM(a)", "a IN (b, c)", "LEFT(a, 3)", "TRY_CAST(a AS INT)",
]  # fmt: skip


@pytest.mark.parametrize("expression", BY_ROW)
def test_sql_over_one_row_stands(tmp_path: Path, expression: str) -> None:
    quoted = expression.replace('"', '\\"')
    read = config(tmp_path, f'cohorts: {{a: {{path: x, tables: {{pain: {{where: "{quoted}"}}}}}}}}\n')
    assert read.cohorts["a"].tables["pain"].where == expression


def test_sql_messages_do_not_repeat_the_expression(tmp_path: Path) -> None:
    message = problem(tmp_path, 'cohorts: {a: {path: x, tables: {pain: {where: "name = \'Smith"}}}}\n')
    assert "Smith" not in message


def test_sql_that_would_overflow_the_parser_is_refused(tmp_path: Path) -> None:
    message = problem(tmp_path, f"cohorts: {{a: {{path: x, tables: {{pain: {{where: 'a{'+a' * 20_000} > 1'}}}}}}}}\n")
    assert "tables.pain.where: is longer than 5,000 characters" in message
