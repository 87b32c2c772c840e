"""The figures, each drawn from its released frame and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

from opioid_outcomes.report.drawing import EXPOSED, INK, PALETTE, QUIET, REFERENCE, WIDTH, values
from opioid_outcomes.report.words import counts, number, percent, present
from opioid_outcomes.units import DAYS_PER_YEAR

Rows = list[dict[str, Any]]
COLUMNS = 2  # panels side by side
EXPOSED_GROUPS = ("on", "baseline user", "escalate", "new users", "start and stay", "taper")
UNEXPOSED_GROUPS = ("off", "non user", "maintain", "comparators", "never")
RULE_WIDTH = 62  # characters in a line of the attrition figure


FEW_PANELS = 4  # more are drawn lower, so that a figure fits a page


def panels(charts: Sequence[Any]) -> Any:
    import altair as alt

    return alt.concat(*charts, columns=COLUMNS, spacing=28 if len(charts) <= FEW_PANELS else 12).resolve_scale(
        color="shared"
    )


def panel_width(panels: int, margin: int = 60) -> int:
    return WIDTH - margin if panels == 1 else WIDTH // COLUMNS - margin


def attrition(by_cohort: dict[str, Rows], threshold: int) -> Any:
    """Persons kept after each step as bars, with the numbers kept and dropped beside them."""
    import altair as alt

    lines = alt.Axis(ticks=False, domain=False, labelExpr="split(datum.label, '\\n')", labelLineHeight=13)
    charts = []
    for cohort, rows in by_cohort.items():
        data: Rows = []
        for row in rows:
            told = counts(row, ("persons_kept", "persons_dropped"), threshold)
            dropped = "" if told["persons_dropped"] == "0" else f"  ({told['persons_dropped']} dropped)"
            label = f"{told['persons_kept']}{dropped}"
            rule = "\n".join(wrap(f"{number(row['step'])}. {row['rule']}", RULE_WIDTH))
            data.append({"rule": rule, "kept": row["persons_kept"] or 0, "label": label})
        base = alt.Chart(values(data)).encode(
            y=alt.Y("rule:N", sort=[row["rule"] for row in data], title=None, axis=lines)
        )
        step = 6 + 13 * max(row["rule"].count("\n") + 1 for row in data)
        widest = max((row["kept"] for row in data), default=1) or 1
        x = alt.X("kept:Q", title="persons kept", scale=alt.Scale(domain=[0, widest * 1.5], nice=False), axis=None)
        bars = base.mark_bar(color=REFERENCE, height=14).encode(x=x)
        labels = base.mark_text(align="left", dx=5).encode(x=x, text="label:N")
        charts.append((bars + labels).properties(title=cohort, width=300, height=alt.Step(step)))
    return alt.vconcat(*charts, spacing=22)


def _step_points(rows: Rows, limit: int = 400) -> Rows:
    """The points at which a step curve changes, thinned evenly if there are more than a page can show."""
    kept = [row for row in rows if present(row["survival"])]
    changes = [
        row
        for place, row in enumerate(kept)
        if place in (0, len(kept) - 1) or row["survival"] != kept[place - 1]["survival"]
    ]
    stride = max(1, -(-len(changes) // limit))
    return changes[::stride] + ([changes[-1]] if stride > 1 else [])


def risk_times(last_day: float) -> list[int]:
    """Days at which numbers at risk are printed: whole years, or quarters where follow-up is short."""
    step = next((s for s in (91.3125, 365.25, 730.5, 1826.25) if last_day / s <= 7), 3652.5)
    return [round(k * step) for k in range(int(last_day // step) + 1)]


def at_risk(rows: Rows, day: float) -> float | None:
    """People at risk at a day: the last released row at or before it."""
    before = [row for row in rows if row["day"] <= day]
    return before[-1]["at_risk"] if before else None


def survival(by_cohort: dict[str, Rows], since: str = "entry") -> Any:
    """Survival by exposure group, with the numbers at risk under each panel; a panel per cohort, or as they are named.

    ``since``: what time is counted from. Each panel has the groups it draws; all share an axis of survival.
    """
    import altair as alt

    groups = exposed_first(row["group"] for rows in by_cohort.values() for row in rows)
    lowest = min(
        (row["ci_low"] if present(row["ci_low"]) else row["survival"])
        for rows in by_cohort.values()
        for row in rows
        if present(row["survival"])
    )
    floor = max(0.0, int((lowest - 0.02) * 20) / 20)
    width = panel_width(len(by_cohort), 80)
    colour = alt.Color("group:N", title=None, scale=_group_colours(groups), legend=alt.Legend(orient="top"))
    charts = [
        _survival_panel(
            cohort, rows, groups=groups, floor=floor, width=width, colour=colour, since=since,
            height=230 if len(by_cohort) <= FEW_PANELS else 105,
        )
        for cohort, rows in by_cohort.items()
    ]  # fmt: skip
    return panels(charts)


def exposed_first(groups: Iterable[str]) -> list[str]:
    """Groups in the order of every figure and table: the exposed, then the others by name."""
    return sorted(set(groups), key=lambda group: (group not in EXPOSED_GROUPS, group))


def _group_colours(groups: list[str]) -> Any:
    import altair as alt

    spare = iter(PALETTE[2:] * len(groups))
    known = dict.fromkeys(EXPOSED_GROUPS, EXPOSED) | dict.fromkeys(UNEXPOSED_GROUPS, REFERENCE)
    return alt.Scale(domain=groups, range=[known.get(group) or next(spare) for group in groups])


def _survival_panel(
    cohort: str, rows: Rows, *, groups: list[str], floor: float, width: int, colour: Any, since: str, height: int
) -> Any:
    import altair as alt

    # a group may have a curve in another cohort only; it keeps its pattern of dashes in all
    by_group = {group: [row for row in rows if row["group"] == group] for group in groups}
    drawn = [group for group, own in by_group.items() if own]
    last = max(row["day"] for row in rows)
    curve = _curves(by_group, last, floor, colour, since).properties(width=width, height=height, title=cohort)
    told = [
        {"group": group, "x": day / DAYS_PER_YEAR, "label": number(at_risk(by_group[group], day))}
        for group in drawn
        for day in risk_times(last)
        if day <= by_group[group][-1]["day"]
    ]
    return alt.vconcat(curve, people_below("at risk", told, drawn, _years(last), width), spacing=6)


def _years(last: float) -> Any:
    import altair as alt

    return alt.Scale(domain=[0, last / DAYS_PER_YEAR], nice=False)


def _curves(by_group: dict[str, Rows], last: float, floor: float, colour: Any, since: str) -> Any:
    """Step curves with their confidence bands."""
    import altair as alt

    points = [
        {"group": group, "years": row["day"] / DAYS_PER_YEAR, **_numbers(row, ("survival", "ci_low", "ci_high"))}
        for group, own in by_group.items()
        for row in _step_points(own)
    ]
    ticks = alt.Axis(values=[day / DAYS_PER_YEAR for day in risk_times(last)], grid=False, format=".2~f")
    share = alt.Scale(domain=[floor, 1])
    base = alt.Chart(values(points)).encode(
        x=alt.X("years:Q", title=f"years since {since}", scale=_years(last), axis=ticks), color=colour
    )
    band = base.mark_area(interpolate="step-after", opacity=0.18).encode(
        y=alt.Y("ci_low:Q", scale=share), y2="ci_high:Q"
    )
    line = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
        y=alt.Y("survival:Q", title="survival", scale=share, axis=alt.Axis(format=".0%")),
        strokeDash=alt.StrokeDash("group:N", legend=None, scale=_dashes(list(by_group))),
    )
    return band + line


def people_below(title: str, told: Rows, groups: list[str], scale: Any, width: int) -> Any:
    """A line of counts per group under a plot: ``told`` has group, x on the plot's ``scale``, and label."""
    import altair as alt

    names = alt.Axis(ticks=False, domain=False, grid=False, labelPadding=22)
    return (
        alt.Chart(values(told))
        .mark_text()
        .encode(
            x=alt.X("x:Q", scale=scale, axis=None),
            y=alt.Y("group:N", sort=groups, title=None, axis=names),
            text="label:N",
        )
        .properties(width=width, height=18 * len(groups), title=alt.TitleParams(title, fontSize=11, offset=2))
    )


def _dashes(groups: list[str]) -> Any:
    import altair as alt

    patterns = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]
    return alt.Scale(domain=groups, range=[patterns[place % len(patterns)] for place in range(len(groups))])


def dose_distribution(by_cohort: dict[str, Rows]) -> Any:
    """Share of the time on opioids spent in each dose band."""
    import altair as alt

    charts = []
    for cohort, rows in by_cohort.items():
        data = [
            {
                "band": row["dose_band"].replace(">=", "≥"),
                "share": row["share_of_time"],
                "label": percent(row["share_of_time"]),
            }
            for row in rows
            if present(row["share_of_time"])
        ]
        order = [row["band"] for row in data]
        base = alt.Chart(values(data)).encode(
            x=alt.X("band:N", sort=order, title="MME/day", axis=alt.Axis(labelAngle=0, ticks=False)),
            y=alt.Y("share:Q", title="share of time on opioids", axis=alt.Axis(format=".0%")),
        )
        bars = base.mark_bar(color=REFERENCE, size=34)
        labels = base.mark_text(dy=-7).encode(text="label:N")
        charts.append((bars + labels).properties(title=cohort, width=panel_width(len(by_cohort)), height=180))
    return panels(charts)


def dose_trajectory(by_cohort: dict[str, Rows]) -> Any:
    """Median monthly dose with quartiles among people on opioids, and below it the share of people on opioids."""
    import altair as alt

    charts = []
    width = panel_width(len(by_cohort))
    for cohort, rows in by_cohort.items():
        data = [{"month": row["month"], **_numbers(row, ("share_on", "p25", "median", "p75"))} for row in rows]
        base = alt.Chart(values(data)).encode(x=alt.X("month:Q", title="30-day months since entry"))
        dose = alt.Y("p25:Q", title="MME/day", scale=alt.Scale(zero=True))
        band = base.mark_area(color=EXPOSED, opacity=0.2).encode(y=dose, y2="p75:Q")
        line = base.mark_line(color=EXPOSED, strokeWidth=2).encode(y="median:Q")
        top = (band + line).properties(width=width, height=150, title=cohort)
        most = max((row["share_on"] or 0 for row in data), default=0)
        share = base.mark_line(color=INK, strokeWidth=1.5).encode(
            y=alt.Y(
                "share_on:Q",
                title="share on",
                axis=alt.Axis(format=".0%", tickCount=3),
                scale=alt.Scale(domain=[0, most * 1.15 or 1]),
            )
        )
        charts.append(alt.vconcat(top, share.properties(width=width, height=70), spacing=8))
    return panels(charts)


def pain_escalation(by_cohort: dict[str, Rows], contrasts: dict[str, Rows], threshold: int) -> Any:
    """Mean pain by 30-day month around the decision in both arms; the history-adjusted contrast and people below.

    ``contrasts``: by cohort, rows with the ends ``first`` and ``last`` of a window in months, and ``estimate``,
    ``low``, ``high``.
    """
    import altair as alt

    arms = exposed_first(row["arm"] for rows in by_cohort.values() for row in rows)
    width = panel_width(len(by_cohort), 80)
    charts = []
    for cohort, rows in by_cohort.items():
        months = [row["month"] for row in rows]
        ends = [min(months), max([*months, *(row["last"] for row in contrasts.get(cohort, []))])]
        scale = alt.Scale(domain=ends, nice=False, padding=12)
        told = [
            {"group": row["arm"], "x": row["month"], "label": counts(row, ("persons",), threshold)["persons"]}
            for row in rows
            if row["month"] % 3 == 0
        ]
        course = _pain_course(rows, arms, scale).properties(width=width, height=210, title=cohort)
        below = [people_below("people with a score", told, arms, scale, width)]
        if contrasts.get(cohort):
            title = alt.TitleParams("escalate less maintain, given the same history", fontSize=11, offset=2)
            below = [_contrast(contrasts[cohort], scale).properties(width=width, height=90, title=title), *below]
        charts.append(alt.vconcat(course, *below, spacing=6))
    return panels(charts)


def _contrast(rows: Rows, scale: Any) -> Any:
    """Estimates with their intervals over the months of their windows."""
    import altair as alt

    data = [row | {"month": (row["first"] + row["last"]) / 2} for row in rows]
    x = alt.X("month:Q", title=None, scale=scale, axis=alt.Axis(grid=False, labels=False, ticks=False))
    base = alt.Chart(values(data)).encode(x=x)
    null = alt.Chart(values([{"null": 0.0}])).mark_rule(color=QUIET).encode(y="null:Q")
    y = alt.Y("estimate:Q", title="points", axis=alt.Axis(tickCount=4))
    windows = base.mark_rule(color=EXPOSED, strokeWidth=1.6).encode(
        x=alt.X("first:Q", scale=scale, title=None), x2="last:Q", y=y
    )
    spans = base.mark_rule(color=INK, strokeWidth=1.4).encode(y="low:Q", y2="high:Q")
    points = base.mark_point(filled=True, size=22, opacity=1, shape="square", color=EXPOSED).encode(y=y)
    return null + windows + spans + points


def _pain_course(rows: Rows, arms: list[str], scale: Any) -> Any:
    import altair as alt

    data = [
        {"arm": arm, "month": row["month"], "run": row["month"] - place, **_numbers(row, ("mean", "ci_low", "ci_high"))}
        for arm in arms
        for place, row in enumerate(row for row in rows if row["arm"] == arm and present(row["mean"]))
    ]
    legend = alt.Legend(orient="top", symbolOpacity=1, symbolStrokeWidth=0)
    colour = alt.Color("arm:N", title=None, scale=_group_colours(arms), legend=legend)
    x = alt.X("month:Q", title="30-day months from the visit", scale=scale, axis=alt.Axis(grid=False, tickMinStep=1))
    y = alt.Y("mean:Q", title="mean pain, 0–10", scale=alt.Scale(zero=False, padding=8))
    base = alt.Chart(values(data)).encode(x=x, color=colour)
    spans = base.mark_rule(opacity=0.6).encode(y=alt.Y("ci_low:Q", scale=alt.Scale(zero=False)), y2="ci_high:Q")
    dashes = alt.StrokeDash("arm:N", legend=None, scale=_dashes(arms))
    # months on end share their run: a line is drawn through them, and none across a month that is not shown
    line = base.mark_line(strokeWidth=2).encode(y=y, strokeDash=dashes, detail="run:N")
    shape = alt.Shape("arm:N", legend=None, scale=alt.Scale(domain=arms))
    points = base.mark_point(filled=True, size=34, opacity=1).encode(y=y, shape=shape)
    now = alt.Chart(values([{"month": 0}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x=x)
    return now + spans + line + points


def _numbers(row: dict[str, Any], names: Sequence[str]) -> dict[str, float | None]:
    return {name: row[name] if present(row[name]) else None for name in names}
