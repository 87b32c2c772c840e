"""Rows of ``estimates.csv`` as they may leave."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes.contracts.estimates import NUMBERS, SCHEMA
from opioid_outcomes.disclosure import parts, standardised
from opioid_outcomes.disclosure.profile import Profile
from opioid_outcomes.disclosure.sentences import blurred
from opioid_outcomes.survival.kaplan_meier import log_log_limits
from opioid_outcomes.survival.rates import log_rate_ratio, per_1000_person_years

COUNTS = ("persons", "events", "person_years")
RATE, RATIO, SHARE, SLOPE = "rate_per_1000py", "log_rate_ratio", "share", "slope"
CLASS = "class:"
# Differences by cause of death, which add up to that of all deaths, and their shares, which are of that difference and
# of no count of people: they add up to 1.
CAUSES = ("mortality.cause", "mortality.overdose_share")
OF_ONE_DIFFERENCE = ["cohort", "analysis", "method", "contrast", "window", "scale", "spec"]
E_VALUE = "mortality.e_value"
MODELLED = "^(adjusted|iptw|calibrated)"  # methods whose standard error is not that of two counts
# Significant figures of a mean slope. Limits over standard error are the quantile of t at persons - 1, which two
# figures of the latter do not tell from that at any other number that may be shown.
FIGURES = {"estimate": 4, "ci_low": 4, "ci_high": 4, "se": 2, "p_value": 2}
# Rows that speak of the same people: the parts of one population, in one cohort.
KIND = ["cohort", "analysis", "method", "outcome", "window", "scale", "spec"]
ESTIMAND = ["analysis", "method", "outcome", "contrast", "window", "scale", "spec"]

NOTHING_LEFT = "not evaluable: nothing is left of its deaths or person-years when rounded"

Counted = tuple[int, float]  # events, person-years
Group = tuple[object, ...]


def released(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """The rows with what may not leave withheld, and what may rounded. Cost O(rows).

    Withheld as small: a count behind the row, in either arm, or what is left of its people after the events, is small.
    Withheld to protect: the next smallest of the rates that add up to a total with few small ones (``parts``);
    contrasts with a group whose rate is withheld, of adjusted hazard ratios the counts alone; a pooled row of which a
    part is withheld. Rates and their ratios are computed from the rounded counts: rate, standard error and person-years
    would give the exact ones back. So would a share, which is told on the rounded counts, and the limits of a mean
    slope, of which so many figures are told as do not.
    """
    if profile.base == 1:
        return frame.select(*SCHEMA)
    rest = (pl.col("persons") - pl.col("events")).is_between(1, profile.threshold - 1).fill_null(value=False)
    counts = ("persons", "events", "smallest_cell")
    frame = frame.with_columns(small=pl.any_horizontal(rest, *(profile.small(name) for name in counts)))
    frame = _with_hidden_groups(frame, profile.threshold)
    frame = frame.with_columns(pl.col("hidden") | _next_smallest_cause()).with_columns(
        pl.col(name) | _pooled_of_a_withheld_part(name) for name in ("hidden", "uncounted")
    )
    frame = _coarse(_without_members_of_few(frame, profile))
    return _blanked(_rates_of_rounded_counts(_rounded(frame, profile)), profile)


def _with_hidden_groups(frame: pl.DataFrame, threshold: int) -> pl.DataFrame:
    """``hidden``: rows of which nothing is told; ``uncounted``: rows told without their counts.

    A hazard ratio adjusted for covariates gives no count back, so that beside a group hidden only to protect another it
    loses its counts. A crude one would give them back through its standard error.
    """
    groups = pl.Series("of_groups", parts.hidden_groups(frame.to_dicts(), threshold), dtype=pl.String())
    adjusted = pl.col("method").str.contains(MODELLED) & (
        (pl.col("scale") == "log_hr") | (pl.col("analysis") == E_VALUE)
    )
    protected = pl.col("of_groups") == "protected"
    return frame.with_columns(groups).with_columns(
        hidden=pl.col("small") | (pl.col("of_groups") == "small") | (protected & ~adjusted),
        uncounted=protected & adjusted,
    )


def _next_smallest_cause() -> pl.Expr:
    """Whether a cause is the next smallest beside the only hidden one of a difference: the sum would tell that."""
    of_cause = pl.col("analysis").is_in(CAUSES) & (pl.col("scale") != "log_hr")
    alone = (pl.col("hidden").sum().over(OF_ONE_DIFFERENCE) == 1) & of_cause
    events = pl.when(~pl.col("hidden") & (pl.col("events") > 0)).then("events")
    return (alone & (events.rank("ordinal").over(OF_ONE_DIFFERENCE) == 1)).fill_null(value=False)


def _pooled_of_a_withheld_part(name: str) -> pl.Expr:
    return (pl.col("cohort") == "pooled") & pl.col(name).any().over(ESTIMAND)


def _without_members_of_few(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Members of the latent classes of a cohort go where one class has few: the others, and everybody, would tell."""
    of_class = (pl.col("scale") == "log_or") & pl.col("outcome").str.starts_with(CLASS)
    few = (of_class & (pl.col("events") < profile.threshold)).any().over("cohort", "analysis", "spec")
    return frame.with_columns(events=pl.when(~(of_class & few)).then("events"))


def _coarse(frame: pl.DataFrame) -> pl.DataFrame:
    """Mean slopes in so many figures that no number of people can be had from limits, standard error and p value."""
    slope = pl.col("scale") == SLOPE
    return frame.with_columns(
        pl.when(slope).then(pl.col(name).round_sig_figs(figures)).otherwise(pl.col(name)).alias(name)
        for name, figures in FIGURES.items()
    )


def _rounded(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """Counts as shown, and for shares the exact ones beside them."""
    frame = frame.with_columns(exact_events="events", exact_persons="persons", exact_person_years="person_years")
    person_years = profile.rounded("person_years").cast(pl.Float64).alias("person_years")
    return frame.with_columns(profile.rounded("persons"), profile.rounded("events"), person_years)


def _rates_of_rounded_counts(frame: pl.DataFrame) -> pl.DataFrame:
    """Rates and ratios of rates again, from the counts that are shown: a dozen rows per cohort, never people."""
    rows = frame.to_dicts()
    at_one_age = {
        _group(row, row["contrast"]): standardised.rate_of(row, row["exact_events"], row["exact_person_years"])
        for row in rows
        if row["scale"] == RATE and row["method"] == standardised.STANDARDISED and row["estimate"] is not None
    }
    shown = {
        _group(row, row["contrast"]): (row["events"], row["person_years"])
        for row in rows
        if row["scale"] == RATE and row["person_years"]
    }
    told = [
        _of_expected(row)
        if row["scale"] == standardised.SMR or row["method"] == standardised.EXCESS
        else _at_one_age(row, at_one_age)
        if row["method"] == standardised.STANDARDISED
        else _recomputed(row, shown)
        for row in rows
    ]
    return pl.DataFrame([row | numbers for row, numbers in zip(rows, told, strict=True)], schema=frame.schema)


def _of_expected(row: dict[str, Any]) -> dict[str, Any]:
    """An SMR or excess rate from the counts shown; nothing where there is none."""
    if row["estimate"] is None:
        return {}
    if not row["person_years"]:
        return dict.fromkeys(NUMBERS) | {"gate": NOTHING_LEFT}
    return standardised.of_expected(row, row["exact_events"], row["exact_person_years"]) | _noted(row)


def _at_one_age(row: dict[str, Any], shown: dict[Group, standardised.StandardisedRate]) -> dict[str, Any]:
    """A standardised rate, or the ratio of two, moved as rounding moves their counts; nothing where there is none."""
    if row["estimate"] is None or row["cohort"] == "pooled":
        return {}
    rates = [shown.get(_group(row, arm)) for arm in row["contrast"].split(" vs ")]
    known = [rate for rate in rates if rate and (row["scale"] == RATE or rate.rate)]
    if len(known) < len(rates):
        return dict.fromkeys(NUMBERS) | {"gate": NOTHING_LEFT}
    told = _noted(row, "moved by as much as rounding moves its counts")
    if row["scale"] == RATE:
        rate = known[0]
        return {"estimate": rate.rate, "ci_low": rate.ci_low, "ci_high": rate.ci_high, "se": rate.se} | told
    return standardised.ratio_of(*known) | told


def _group(row: dict[str, Any], contrast: str) -> Group:
    return (*(row[name] for name in KIND if name != "scale"), contrast)


def _recomputed(row: dict[str, Any], shown: dict[Group, Counted]) -> dict[str, Any]:
    """The numbers of a rate or ratio of rates from the counts shown; nothing for other rows."""
    if row["estimate"] is not None and row["scale"] == SHARE and row["analysis"] not in CAUSES:
        return _share(row)
    if row["estimate"] is None or row["cohort"] == "pooled" or row["scale"] not in (RATE, RATIO):
        return {}
    counted = [shown.get(_group(row, arm)) for arm in row["contrast"].split(" vs ")]
    known = [each for each in counted if each and (row["scale"] == RATE or each[0])]
    if len(known) < len(counted):
        return dict.fromkeys(NUMBERS) | {"gate": NOTHING_LEFT}
    events, person_years = zip(*known, strict=True)
    if row["scale"] == RATE:
        rate = per_1000_person_years(events[0], person_years[0])
        numbers = {"estimate": rate.rate, "ci_low": rate.ci_low, "ci_high": rate.ci_high, "se": rate.se}
    else:
        numbers = asdict(log_rate_ratio(events, person_years))
    return numbers | _noted(row)


def _noted(row: dict[str, Any], told: str = "from the rounded counts shown") -> dict[str, Any]:
    return {"note": "; ".join(filter(None, [row["note"], told]))}


def _share(row: dict[str, Any]) -> dict[str, Any]:
    """A share moved by as much as its counts are by rounding, with an error as theirs: of k in n what the rounded give.

    Where people leave early it is no share of counts; then too it moves by as much, and nothing finer can be had.
    """
    numbers = {name: row[name] for name in NUMBERS}
    whole, noted = row["persons"], {}
    if row["events"] is not None and whole and row["exact_persons"] and 0 < row["estimate"] < 1:
        moved = row["events"] / whole - row["exact_events"] / row["exact_persons"]
        estimate = min(max(row["estimate"] + moved, 0.0), 1.0)
        spread = _of_share(estimate, whole) / _of_share(row["estimate"], row["exact_persons"])
        numbers |= {"estimate": estimate, "se": row["se"] and row["se"] * spread}
        numbers |= dict(zip(("ci_low", "ci_high"), _limits(row, estimate, numbers["se"]), strict=True))
        noted = _noted(row, "moved by as much as rounding moves its counts")
    return {name: value if value is None else round(value, 3) for name, value in numbers.items()} | noted


def _limits(row: dict[str, Any], share: float, se: float | None) -> tuple[float | None, float | None]:
    """Log-log limits of a share that takes the place of a row's, on the side on which the row's own are."""
    own = row["ci_low"], row["ci_high"]
    if se is None or None in own or not 0 < share < 1:
        return None, None
    sides = [_log_log, lambda share, se: tuple(1 - limit for limit in reversed(_log_log(1 - share, se)))]
    of_the_row = [side(row["estimate"], row["se"]) for side in sides]
    apart = [abs(low - own[0]) + abs(high - own[1]) for low, high in of_the_row]
    low, high = sides[apart.index(min(apart))](share, se)
    return low, high


def _log_log(share: float, se: float) -> tuple[float, float]:
    low, high = log_log_limits(np.array([share]), np.array([(se / share) ** 2]))
    return float(low[0]), float(high[0])


def _of_share(share: float, persons: int) -> float:
    """Standard error of a share of so many persons."""
    return math.sqrt(share * (1 - share) / persons)


def _blanked(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    reason = pl.when("small").then(pl.lit(profile.withheld_small)).otherwise(pl.lit(profile.withheld_to_protect))
    gate = pl.when(pl.col("hidden") & (pl.col("gate") == "pass")).then(pl.format("not evaluable: {}", reason))
    without = pl.when(pl.col("uncounted") & (pl.col("gate") == "pass")).then(
        pl.concat_str(pl.col("note"), pl.lit(f"counts {profile.withheld_to_protect}"), separator="; ").str.strip_prefix(
            "; "
        )
    )
    return frame.with_columns(
        *(pl.when("hidden").then(None).otherwise(pl.col(name)).alias(name) for name in NUMBERS),
        *(
            pl.when(pl.col("hidden") | pl.col("uncounted")).then(None).otherwise(pl.col(name)).alias(name)
            for name in COUNTS
        ),
        gate.otherwise(blurred("gate", profile)).alias("gate"),
        pl.when("hidden").then(pl.lit("")).otherwise(without.otherwise(blurred("note", profile))).alias("note"),
    ).select(*SCHEMA)
