"""Which covariates a cohort can have: what is shipped, further columns of its persons, its measures."""

from __future__ import annotations

from collections.abc import Iterable

from opioid_outcomes.config import shipped
from opioid_outcomes.contracts.derived import COHORT, PERSON_TIME
from opioid_outcomes.errors import Problem, Problems

RESERVED = {*COHORT.names, *PERSON_TIME.names}


def refuse_unknown(names: Iterable[str], further: list[str], measures: list[str]) -> None:
    """``UserError`` naming every covariate that is a column of person-time, or that this cohort does not have.

    ``further``: columns of persons beyond the contract's. The measures a cohort has are not listed: a measure's name is
    a value of its data.
    """
    known = {*shipped.covariates(), *further, *measures}
    problems = Problems()
    for name in names:
        if name in RESERVED:
            hint = "prior_mme is the dose before entry" if name == "mme" else "rename the column of persons"
            what = f"'{name}' is a column of person-time and cannot be a covariate"
            problems.found.append(Problem(what, "covariates", hint))
        elif name not in known:
            available = ", ".join([*shipped.covariates(), *further])
            fix = f"map it: tables: {{persons: {{columns: {{{name}: <source column>}}}}}}; or take one of: {available}"
            what = f"no covariate '{name}' in this cohort: no column of persons and no measure is called so"
            problems.found.append(Problem(what, "covariates", fix))
    problems.raise_if_any()
