"""What the package ships by name: code lists, drug classes and factor tables. Standard library only."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data"
# mme itself is the dose of person-time
CALENDAR_YEAR = "calendar_year"
PERSON_COVARIATES = ("age", "sex", "pain", "prior_mme", "hospital_days", "new_diagnoses", CALENDAR_YEAR)


@cache
def code_lists() -> tuple[str, ...]:
    return _stems("codelists")


@cache
def mme_factors() -> tuple[str, ...]:
    return _stems("mme")


@cache
def life_tables() -> tuple[str, ...]:
    return _stems("life_tables")


@cache
def drug_classes() -> tuple[str, ...]:
    path = DATA / "drug_classes.csv"
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return tuple(sorted({row["class"] for row in rows}))


def covariates() -> tuple[str, ...]:
    """Covariates every cohort can have; any other is a further column of its persons."""
    return (*PERSON_COVARIATES, *code_lists(), *drug_classes())


def _stems(folder: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (DATA / folder).glob("*.csv")))
