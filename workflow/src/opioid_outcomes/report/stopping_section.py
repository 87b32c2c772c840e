"""Death after the end of supply: by days since, length of therapy before, and lag."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.mortality.stopping_clock import BANDS, CURRENT, LENGTHS, named
from opioid_outcomes.report import ratio_charts
from opioid_outcomes.report.charts import COLUMNS
from opioid_outcomes.report.document import Block, Figure, Heading, Notice, Paragraph, Table
from opioid_outcomes.report.drawing import WIDTH, svg
from opioid_outcomes.report.ratio_lines import HEADS, any_told, counted, drawn, lag_of, rate_of, ratio_of, told
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import number, present

Row = dict[str, Any]
Rows = list[Row]
ANALYSIS = "mortality.stopping"
FEWEST_POINTS = 2  # of a panel; one point alone is in the table
BY_LAG, BY_LENGTH = "by lag", "by length of therapy"
READING = (
    "The clock runs from the end of supply as it was known on each day, without carry-over; the first days without "
    "supply count as stopped, whether or not a refill follows, and a refill sets the clock back from its own day on. "
    "So nobody is counted as stopped, or as still treated, because of what came later. The reference is time with "
    "supply in hand. A ratio above 1 soon after the end of supply has two readings: stopping harms, or supply ends "
    "because somebody is dying. The lags are there to tell them apart: read with the clock of 30 or 90 days ago, what "
    "was due to dying fades. It is not the effect of a decision to stop, which is told under strategies."
)


def stopping(released: Released) -> list[Block]:
    rows = released.rows(analysis=ANALYSIS)
    if not any(row["scale"] in ("log_hr", "rate_per_1000py") and present(row["estimate"]) for row in rows):
        return []
    blocks: list[Block] = [Heading("After stopping"), Paragraph(READING)]
    return [*blocks, *_figure(released), *_by_band(released), *_by_length(released)]


def _own(released: Released, cohort: str) -> Rows:
    return released.rows(cohort=cohort, analysis=ANALYSIS)


def _label(band: tuple[int, int | None]) -> str:
    return named(band).replace("-", "–")


def _contrast(band: tuple[int, int | None], length: tuple[int, int | None] | None = None) -> str:
    after = f" after {named(length)} days of therapy" if length else ""
    return f"{named(band)} days since stopping{after} vs {CURRENT}{after}"


def _lags(rows: Rows) -> list[int]:
    return sorted({lag_of(row) for row in rows})


def _panels(released: Released) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for cohort in released.cohorts_and_pooled:
        rows = _own(released, cohort)
        lagged = [
            (number(lag), band, ratio_of(rows, _contrast(band), lag=lag)) for lag in _lags(rows) for band in BANDS
        ]
        lengths = [
            (named(length).replace("-", "–"), band, ratio_of(rows, _contrast(band, length)))
            for length in LENGTHS
            for band in BANDS
        ]
        for name, asked in ((BY_LAG, lagged), (BY_LENGTH, lengths)):
            points = [
                {"band": _label(band), "series": series, **drawn("", row, released)}
                for series, band, row in asked
                if row is not None
            ]
            points = [point for point in points if "estimate" in point]
            if len(points) >= FEWEST_POINTS:
                found[f"{cohort}: {name}"] = points
    return found


def _figure(released: Released) -> list[Block]:
    panels = _panels(released)
    if not panels:
        return [Notice("No hazard ratio after stopping may be shown; the rates are below.")]
    title = "Hazard ratio of death by days since supply ended, against current supply"
    alt = f"{title}. " + " ".join(_panel_words(name, points) for name, points in panels.items())
    chart = ratio_charts.along_bands(
        panels, [_label(band) for band in BANDS], width=WIDTH // COLUMNS - 70,
        titles={"x": "days since supply ended", "y": "hazard ratio", **{name: _series(name) for name in panels}},
    )  # fmt: skip
    caption = (
        f"{title}, adjusted as far as the model allows, with 95 % confidence intervals (cut at 0.05 and 50). By length "
        "of therapy the reference is current supply that has lasted as long so far. A point that is missing is "
        "withheld or not evaluable."
    )
    return [Figure("stopping", svg(chart, "stopping", title, alt), caption, alt, note=released.rule)]


def _series(panel: str) -> str:
    return "lag in days:" if panel.endswith(BY_LAG) else "days of therapy:"


def _panel_words(name: str, points: Rows) -> str:
    told_of = [f"{_series(name)} {point['series']}, {point['band']} days: {point['reading']}" for point in points]
    return f"{name}: {'; '.join(told_of)}."


def _by_band(released: Released) -> list[Block]:
    lags = sorted({lag for cohort in released.cohorts for lag in _lags(_own(released, cohort))})
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts:
        rows = _own(released, cohort)
        reference = (CURRENT, *counted(rate_of(rows, CURRENT), released), *("1" for _ in lags))
        own = [reference] + [
            (
                f"{_label(band)} days", *counted(rate_of(rows, f"{named(band)} days since stopping"), released),
                *(told(ratio_of(rows, _contrast(band), lag=lag), released) for lag in lags),
            )
            for band in BANDS
        ]  # fmt: skip
        lines += [(cohort,), *own] if any_told([line[: 1 + len(HEADS)] for line in own]) else []
    if not lines:
        return []
    heads = tuple("Hazard ratio" if not lag else f"Lag {lag} days" for lag in lags)
    caption = (
        "Deaths by days since supply ended, per 1,000 person-years, and hazard ratios against current supply, adjusted "
        f"as far as the model allows (95 % CI).{released.rates_of}"
    )
    widths = (1.1, 0.8, 0.9, 0.8, 1.5, *(1.4 for _ in lags))
    return [
        Table(
            "stopping", caption, ("Since supply ended", *HEADS, *heads), tuple(lines), len(HEADS) + len(lags),
            released.rule, widths, wide=True,
        )
    ]  # fmt: skip


def _by_length(released: Released) -> list[Block]:
    lines: list[tuple[str, ...]] = []
    hidden = 0
    for cohort in released.cohorts:
        rows, own = _own(released, cohort), []
        for length in LENGTHS:
            after = f" after {named(length)} days of therapy"
            words = f"{named(length).replace('-', '–')} days: "
            line = (f"{words}{CURRENT}", *counted(rate_of(rows, f"{CURRENT}{after}"), released), "1")
            own += [line] if any_told([line[:-1]]) else []
            for band in BANDS:
                rate = rate_of(rows, f"{named(band)} days since stopping{after}")
                ratio = told(ratio_of(rows, _contrast(band, length)), released)
                line = (f"{words}{_label(band)} days since", *counted(rate, released), ratio)
                own += [line] if any_told([line]) else []
                hidden += not any_told([line])
        lines += [(cohort,), *own] if own else []
    if not lines:
        return []
    caption = (
        "The same by length of therapy before supply ended, each against current supply that has lasted as long so "
        f"far.{' Bands of which nothing may be shown are not listed.' if hidden else ''}{released.rates_of}"
    )
    heads = ("Therapy: days since supply ended", *HEADS, "Hazard ratio (95 % CI)")
    widths = (2, 0.8, 0.9, 0.8, 1.5, 1.5)
    return [Table("stopping_by_length", caption, heads, tuple(lines), 5, released.rule, widths, wide=True)]
