"""Nothing hidden: planted truth against what was found, what could not be estimated, and every estimate."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.document import Block, Notice, Paragraph, Section, Table
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import (
    MISSING,
    WITHHELD,
    Scale,
    analysis_words,
    days_words,
    hidden_by_disclosure,
    interval,
    method_words,
    number,
    person_years,
    plain,
    present,
    printed,
)

Rows = list[dict[str, Any]]
# What counts as an event, by how analysis and outcome begin.
EVENTS = {
    ("mortality.", "death"): "in analyses of mortality, deaths",
    ("hyperalgesia.", "pain"): "in analyses of pain, the people whose dose was raised",
    ("trajectory.taper", ""): "after a taper, the people who had the outcome",
    ("trajectory.predictors", "class"): "of classes of dose, the people most likely in the class named first",
    ("trajectory.predictors", "long-term"): "of long-term use, the new users who met its definition",
}
NAMED = 3  # contrasts told by name; all of them are rows of estimates.csv
FAR = 3.0  # standard errors beyond which a simulated truth counts as missed


def truth(released: Released) -> Section | None:
    """Only where a cohort is simulated is there a truth to compare with."""
    if not released.truth:
        return None
    lines: list[tuple[str, ...]] = []
    missed = 0
    compared = 0
    for cohort in released.cohorts:
        own = [row for row in released.truth if row["cohort"] == cohort]
        if not own:
            continue
        lines.append((cohort,))
        for row in own:
            scale = released.scale(row)
            found = MISSING if not present(row["estimate"]) else printed(row["estimate"], scale)
            distance = MISSING
            if present(row["z"]):
                compared += 1
                far = abs(row["z"]) > FAR
                missed += far
                distance = f"{number(row['z'], 1)}{' (missed)' if far else ''}"
            what = f"{analysis_words(row['analysis'])}: {row['contrast']}" + (
                f", days {row['window'].replace('-', ' to ')}" if row["window"] else ""
            )
            lines.append((what, scale.label, printed(row["truth"], scale), found, distance))
    verdict = (
        f"Of {number(compared)} planted values that could be compared, {number(compared - missed)} were found within "
        f"{FAR:g} standard errors"
        + (f" and {number(missed)} {'was' if missed == 1 else 'were'} missed." if missed else ".")
        if compared
        else "None of the planted values could be compared with an estimate."
    )
    blocks: tuple[Block, ...] = (
        Paragraph(
            "The cohorts named here are simulated, with effects that are known because they were put in. Finding "
            f"them again is a test of the whole pipeline, not a finding about people. {verdict}"
        ),
        Table(
            "truth",
            "Planted truth beside what was found; the distance is (found − planted) / standard error, on the scale "
            "of estimation.",
            ("Quantity", "Scale", "Planted", "Found", "Distance (standard errors)"),
            tuple(lines), 3, released.rule, (3, 1.6, 0.8, 0.8, 1.1),
        ),
    )  # fmt: skip
    return Section("truth", "Planted truth and what was found", blocks)


def not_estimated(released: Released) -> Section:
    """Every row whose gate is not ``pass``, by analysis and reason; what disclosure control hides apart."""
    rows = released.rows()
    absent = [row for row in rows if row["gate"] != "pass" and not row["gate"].startswith("fail: by design")]
    title = "What could not be estimated"
    if not absent:
        notice = Notice("Everything that was attempted could be estimated and may be shown.")
        return Section("not-estimated", title, (notice,))
    gated = [row for row in absent if not hidden_by_disclosure(row)]
    hidden = [row for row in absent if hidden_by_disclosure(row)]
    text = (
        f"Of {number(len(rows))} numbers that were asked for, {number(len(gated))} could not be estimated or failed a "
        f"gate, and {number(len(hidden))} may not be shown. Each is still a row of estimates.csv whose gate says why. "
        "An absent estimate is not evidence of no effect."
    )
    blocks: list[Block] = [Paragraph(text)]
    for name, caption, own in (
        ("not_estimated", "What could not be estimated or failed a gate, and why.", gated),
        ("withheld", "What disclosure control withholds, and why.", hidden),
    ):
        blocks += [_reasons(released, name, caption, own)] if own else []
    return Section("not-estimated", title, tuple(blocks))


def _reasons(released: Released, name: str, caption: str, rows: Rows) -> Table:
    groups: dict[tuple[str, str, str], Rows] = {}
    for row in rows:
        groups.setdefault((analysis_words(row["analysis"]), *_outcome(row)), []).append(row)
    lines = tuple((*group, _where(released, own)) for group, own in groups.items())
    heads = ("Analysis", "Outcome of the check", "Reason", "Which")
    return Table(name, caption, heads, lines, 0, released.rule, (1.5, 1, 2.2, 2.4))


def _outcome(row: dict[str, Any]) -> tuple[str, str]:
    kind, _, why = row["gate"].partition(": ")
    if hidden_by_disclosure(row):
        return WITHHELD, why.removeprefix(WITHHELD).lstrip(": ")
    return "failed a gate" if kind == "fail" else kind, why or "no reason given"


def _where(released: Released, rows: Rows) -> str:
    """Which numbers, cohort by cohort: what they compare, a few by name, and how many they are."""
    parts = []
    for cohort in dict.fromkeys(row["cohort"] for row in rows):
        own = [row for row in rows if row["cohort"] == cohort]
        names = list(dict.fromkeys(_which(row) for row in own))
        more = len(names) - NAMED
        told = f"{'; '.join(names[:NAMED])}{f' and {more} more' if more > 0 else ''}"
        parts.append(f"{cohort}: {told} ({number(len(own))} {'number' if len(own) == 1 else 'numbers'})")
    return ". ".join(parts)


def _which(row: dict[str, Any]) -> str:
    """What a row compares, and of which outcome where there are several."""
    outcome = plain(row["outcome"]).replace(":", " ")
    one_outcome = outcome == "death" or row["analysis"].startswith("hyperalgesia.")
    return row["contrast"] if one_outcome else f"{outcome}: {row['contrast']}"


def all_estimates(released: Released) -> Section:
    """The whole of `estimates.csv`, in words."""
    lines: list[tuple[str, ...]] = []
    for cohort in dict.fromkeys(row["cohort"] for row in released.rows()):
        for analysis in dict.fromkeys(row["analysis"] for row in released.rows(cohort=cohort)):
            rows = released.rows(cohort=cohort, analysis=analysis)
            for population in dict.fromkeys(row["population"] for row in rows):
                lines.append((f"{cohort} – {analysis}" + (f" – {population}" if population else ""),))
                lines += [_estimate(row, released.scale(row)) for row in rows if row["population"] == population]
    if not lines:
        return Section("estimates", "All estimates", (Notice("estimates.csv holds no rows."),))
    heads = (
        "Contrast", "Method", "Outcome", "Days", "Scale", "Gate",
        "Estimate (95 % CI)", "Persons", "Events", "Person-years",
    )  # fmt: skip
    caption = (
        "Every estimate of the main specification, as in estimates.csv; what is a logarithm there is a ratio here. "
        f"{_events(released.rows())}"
    )
    widths = (1.3, 1.5, 0.9, 0.8, 1.6, 1.8, 1.7, 0.8, 0.7, 0.9)
    table = Table("estimates", caption, heads, tuple(lines), 4, released.rule, widths, wide=True, long=True)
    return Section("estimates", "All estimates", (table,))


def _events(rows: Rows) -> str:
    """What the column of events counts, of the kinds of rows that are there."""
    counted = [row for row in rows if present(row["events"])]
    kinds = [
        words
        for (analysis, outcome), words in EVENTS.items()
        if any(row["analysis"].startswith(analysis) and row["outcome"].startswith(outcome) for row in counted)
    ]
    return f"Events are, {'; '.join(kinds)}." if kinds else ""


def _estimate(row: dict[str, Any], scale: Scale) -> tuple[str, ...]:
    return (
        row["contrast"], method_words(row["method"], row["analysis"]), row["outcome"], days_words(row["window"]),
        f"{scale.label}, {scale.unit}" if scale.unit else scale.label, row["gate"], interval(row, scale),
        number(row["persons"]), number(row["events"]), person_years(row["person_years"]),
    )  # fmt: skip
