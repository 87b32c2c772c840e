"""The codebook: what every table of input and output holds, printed from the contracts."""

from __future__ import annotations

import textwrap

from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.columns import Column, Table
from opioid_outcomes.contracts.derived import DERIVED
from opioid_outcomes.contracts.display import Display
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import DESCRIPTIONS, SCALES, SCHEMA
from opioid_outcomes.hyperalgesia.calibrate.replicates import LAGS
from opioid_outcomes.hyperalgesia.calibration import CONFIG, FACTS, PREFIX
from opioid_outcomes.hyperalgesia.verdict import VERDICTS

WIDTH = 118
KINDS = {
    "id": "text or whole number",
    "day": "date, or whole number with date_basis: offset",
    "int": "whole number",
    "float": "number",
    "text": "text",
    "category": "text",
}

INPUT = """\
INPUT with format: tables, and after ingest data/derived/<study>/<cohort>/canonical/
(a row that lacks what is never missing is rejected and counted; a missing sex becomes U)"""


def text() -> str:
    """Input tables, tables kept with the data, what may leave, and what ties a verdict to its error rates."""
    parts = [
        INPUT,
        *(_table(table) for table in CANONICAL.values()),
        "OUTPUT, one row per person or less: never leaves data/derived/<study>/<cohort>/",
        *(_table(table) for table in DERIVED.values()),
        "OUTPUT that may leave: reports/<study>/tables/ and figures/, with cohort and suppressed (1: cells hidden)",
        *(_display(display) for display in DISPLAYS.values()),
        "OUTPUT that may leave: reports/<study>/estimates.csv",
        _estimates(),
        "OUTPUT that may leave: reports/<study>/verdict.json and tables/calibration.csv",
        _verdict(),
        _calibration(),
        "OUTPUT, about a whole cohort: never leaves data/derived/<study>/",
        _facts(),
        _own_calibration(),
    ]
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    head = f"{table.name}{' (optional)' if table.optional else ''}: a row is {table.row}"
    lines = [_line(column.name, KINDS[column.kind], _meaning(column)) for column in table.columns]
    caveats = [_wrapped(f"Beware: {table.caveats}", "  ")] if table.caveats else []
    return "\n".join([_wrapped(head, ""), *lines, *caveats])


def _meaning(column: Column) -> str:
    choices = f" ({', '.join(column.values)})" if column.values else ""
    return f"{column.description}{choices}{'; never missing' if column.required else ''}"


def _display(display: Display) -> str:
    groups = {
        "key": display.keys,
        "count of people or events": display.counts,
        "person-time": display.person_years,
        "number": display.values,
    }
    lines = [_line(name, kind, "") for kind, names in groups.items() for name in names]
    return "\n".join([_wrapped(f"{display.name}: {display.description}", ""), *lines])


def _estimates() -> str:
    kinds = {name: "number" if dtype.is_numeric() else "text" for name, dtype in SCHEMA.items()}
    lines = [_line(name, kind, DESCRIPTIONS[name]) for name, kind in kinds.items()]
    return "\n".join(["estimates: a row is one number", *lines, _wrapped(f"Scales: {', '.join(SCALES)}", "  ")])


VERDICT = (
    ("verdict", "text", f"the first reading whose conditions are all met ({', '.join(VERDICTS)})"),
    ("consistent_with", "text", "the verdict in words, with what is not known of it"),
    ("corroborated", "true or false", "whether spread or threshold, and reductions by policy or formulary, agree"),
    ("calibrated", "true or false", "whether error rates are known for a cohort like this and this config"),
    ("uncalibrated", "text or null", "why they are not known"),
    ("conditions", "list", "name (<reading>: <what must hold>), met (null: not measurable), value (what it is about)"),
    (
        "noise",
        "object or null",
        "error of one pain score: sd, reliability, source, note; null if no escalation is told",
    ),
)
RATES = (
    ("bias", "estimate less truth, points per step of dose, mean over simulated cohorts with an estimate"),
    ("coverage", "share of 95 % confidence intervals that hold the truth"),
    ("truth", "the effect that was planted, points per step of dose"),
    ("sd", "spread of estimate less truth"),
    ("mean_se", "mean standard error"),
    ("bias_corrected", "bias of the estimate with the error of scores taken out"),
    ("evaluable", "share of simulated cohorts with an estimate"),
    ("bias_se", "Monte Carlo error of the bias"),
    ("coverage_se", "Monte Carlo error of the coverage"),
)
MEANING_OF_FACTS = {
    "people": "people who make decisions",
    "decisions": "eligible visits",
    "raised_people": "people whose dose was raised at one or more",
    "decisions_per_person": "decisions of one person, mean",
    "median_gap_days": "days between two scores of one person, median",
    "pain_mean": "pain at the decisions, mean (0-10)",
    "pain_sd": "pain at the decisions, standard deviation",
    "median_mme": "dose at the decisions, median (MME/day)",
    "error_sd": "standard deviation of the error of one score (points)",
}


def _verdict() -> str:
    head = "verdict.json: an object by cohort, and `pooled` from three cohorts on that can be judged"
    return "\n".join([_wrapped(head, ""), *(_line(*each) for each in VERDICT)])


def _calibration() -> str:
    lines = [
        _line("cohort", "text", "the study's cohort for which the rates hold"),
        _line("world", "text", "the simulated world"),
        _line("persons", "whole number", "people in each simulated cohort, to two significant digits"),
        _line("replicates", "whole number", "cohorts simulated"),
        *(_line(name, "number", "share of them with this verdict") for name in VERDICTS),
        *(_line(f"{name}_{lag}", "number", f"{lag} lag: {meaning}") for name, meaning in RATES for lag in LAGS),
        _line(CONFIG, "text", "hash of the settings that the verdict depends on"),
    ]
    return "\n".join(["calibration: a row is a cohort and a simulated world; empty if uncalibrated", *lines])


def _facts() -> str:
    head = (
        "hyperalgesia_facts.json (in the cohort's folder): what a cohort must have in common with a simulated one, to "
        "two significant digits, and noise as in verdict.json with its variance; empty without decisions"
    )
    return "\n".join([_wrapped(head, ""), *(_line(name, "number", MEANING_OF_FACTS[name]) for name in FACTS)])


def _own_calibration() -> str:
    head = (
        "calibration.csv, by snakemake calibrate: the columns of the table that leaves, for every cohort that was "
        "simulated, and what they are like"
    )
    lines = [
        _line(f"{PREFIX}<fact>", "number", "what the simulated cohorts are like, each of the facts above"),
        _line(f"{PREFIX}simulated", "number", "people in a simulated cohort"),
    ]
    return "\n".join([_wrapped(head, ""), *lines])


def _line(name: str, kind: str, meaning: str) -> str:
    return _wrapped(f"{name:<18} {f'[{kind}] {meaning}'.strip()}", "  ", hanging=21)


def _wrapped(line: str, indent: str, hanging: int = 4) -> str:
    return textwrap.fill(line, WIDTH, initial_indent=indent, subsequent_indent=" " * hanging)
