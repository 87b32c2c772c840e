"""How exposure is read: one made-up history under the study's own rules, each rule in a sentence."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.exposure import example as history
from opioid_outcomes.exposure.events import BLOCK_DAYS, STABLE
from opioid_outcomes.report import example_chart
from opioid_outcomes.report.document import Block, Bullets, Figure, Paragraph, Section
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.exposure_section import factor_table
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import number, plain, plural, present

Rows = list[dict[str, Any]]
EARLY_DAYS = 5  # of the first refill


def example(released: Released) -> Section | None:
    """None where there is no worked example, or no cohort follows use."""
    rows = released.example
    if not rows or set(released.exposures) == {"baseline"}:
        return None
    rules = released.config.exposure
    title = "A made-up history, as the rules of this study read it"
    told = _alt(rows)
    blocks: tuple[Block, ...] = (
        Paragraph(
            "Nobody has this history: it was made to show each rule at work, and went through the same program, with "
            "the same config, as everybody's."
        ),
        Figure(
            "exposure_example", svg(example_chart.timeline(rows), "exposure_example", title, told),
            f"{title}. Doses in MME/day, factor table `{factor_table(released)}`; days are counted from the first "
            "fill. Letters mark the days explained below; grey is a stay in hospital. Units on hand: what is left of "
            "the supply, as the rules have it; it jumps at a fill and falls by the units taken a day. Pale dose rests "
            "on a repaired fill or on supply held through the stay; ? is a day on opioids at a dose that is not known.",
            told,
        ),
        Bullets(tuple(explained(rows, rules))),
    )  # fmt: skip
    return Section("how-exposure-is-read", "How exposure is read", blocks)


def _alt(rows: Rows) -> str:
    doses = [
        f"{number(row['value'])} MME/day from day {number(row['start'])}"
        if present(row["value"])
        else f"an unknown dose from day {number(row['start'])}"
        for row in rows
        if row["lane"] == "dose"
    ]
    states = [f"{row['label']} from day {number(row['start'])}" for row in rows if row["lane"] == "status"]
    events = [f"{plain(row['label'])} on day {number(row['start'])}" for row in rows if row["lane"] == "event"]
    return f"Daily dose: {', '.join(doses)}. Status: {', '.join(states)}. Events: {', '.join(events) or 'none'}."


def explained(rows: Rows, rules: Exposure) -> list[str]:
    """A sentence for each letter of the figure, saying what the config made of that day."""
    sentences = {
        "A": _early_refill(rows, rules),
        "B": "A second product is dispensed: different products overlap, and a day's dose is the sum over products.",
        "C": _stay(rules),
        "D": _no_days_supply(rows, rules),
        "E": _rise(rows, rules),
        "F": _end_of_supply(rows, rules),
        "G": _patch(rows),
        "H": _last_end(rows, rules),
    }
    return [f"{letter} (day {day}). {sentences[letter]}" for letter, day in history.MARKS]


def _early_refill(rows: Rows, rules: Exposure) -> str:
    early = "The refill comes five days early, and for more tablets a day"
    if rules.stockpile_cap_days is None:
        return f"{early}: without stockpiling both fills count on their own days, and overlapping days add."
    if rules.stockpile_cap_days == 0:
        return f"{early}: it takes over on its day, and what is left of the old supply is dropped."
    cap = rules.stockpile_cap_days
    kept = "the five days left" if cap >= EARLY_DAYS else f"{cap:g} of the five days left"
    return (
        f"{early}: it takes over on its day, and {kept} (at most {cap:g} may be) are added to its end, turned into "
        "days at the new number of tablets a day. So the higher dose shows on the day it was dispensed"
        f"{_at_refill(rows)}."
    )


def _at_refill(rows: Rows) -> str:
    """How many units are on hand after the early refill, and how long they last, in numbers of the figure."""
    refill = next(row for row in rows if row["lane"] == "fill" and row["start"] == history.EARLY_REFILL)
    product = refill["label"].split(": ")[0]
    line = [(row["start"], row["value"]) for row in rows if row["lane"] == "stock" and row["label"] == product]
    jump = [place for place, (day, _) in enumerate(line) if day == history.EARLY_REFILL]
    if len(jump) != 2:
        return ""
    (_, before), (day, after), (later, then) = line[jump[0] : jump[0] + 3]
    a_day = (after - then) / (later - day)
    return (
        f": {number(before)} tablets are left, and with those of the refill {number(after)} count as on hand, "
        f"{number(after / a_day, 1)} days at {number(a_day)} a day"
    )


def _stay(rules: Exposure) -> str:
    if rules.stays == "ignore":
        return "A stay in hospital changes nothing here: supply is used up as at home (`stays: ignore`)."
    return (
        "During a stay in hospital supply is not used up: the dose held on admission is held through the stay, and "
        "what is left lasts that much longer."
    )


def _no_days_supply(rows: Rows, rules: Exposure) -> str:
    rule = next((row["label"] for row in rows if row["lane"] == "repair" and row["start"] == history.NO_DAYS), None)
    if rules.repaired_fills == "drop" or rule is None:
        return "A fill without days of supply is not repaired here: it adds neither days nor dose."
    how = {
        "person_units": "the tablets are divided by the usual number a day of this person's latest fills of the "
        "product",
        "person_days": "the usual days of this person's latest fills of the product are taken",
    }
    return (
        "A fill has no days of supply. The rules of repair are tried in their order "
        f"({', '.join(plain(name) for name in rules.days_supply.repair)}); here {plain(rule)} gives an answer"
        f"{f': {how[rule]}' if rule in how else ''}. Its days are marked as repaired."
    )


def _rise(rows: Rows, rules: Exposure) -> str:
    e = rules.events
    rule = (
        f"the mean of the next {plural(e.next_days, 'day')} must be at least {100 * e.min_rise:g} % and at least "
        f"{e.min_mme:g} MME/day above that of the {plural(e.prior_days, 'day')} before, and so must the dose still be "
        f"on the last of the next days; the days before must be stable: each block of {BLOCK_DAYS} days of them has a "
        f"mean within {100 * STABLE:g} % of theirs"
    )
    found = any(row["lane"] == "event" and row["label"] == "escalation" for row in rows)
    if not found:
        return f"A rise of the dose, which is no escalation here: {rule}."
    return (
        f"An escalation: {rule}. Of several such days the first counts, and none again within "
        f"{plural(e.next_days, 'day')}. A follow-up of it starts {plural(e.next_days, 'day')} later, when that is "
        "known."
    )


def _end_of_supply(rows: Rows, rules: Exposure) -> str:
    gap = history.PATCH_DAY - history.SUPPLY_ENDS
    longest = (
        plural(rules.gap_days, "day")
        if rules.gap_share is None
        else f"{100 * rules.gap_share:g} % of the days of the last supply"
    )
    bridged = not any(row["lane"] == "episode" and row["start"] == history.PATCH_DAY for row in rows)
    after = (
        f"The person counts as on for {plural(rules.carry_over_days, 'day')} more (carry-over), then as a recent user."
        if rules.carry_over_days
        else "From that day on the person is a recent user; there is no carry-over."
    )
    episode = "go on as one episode" if bridged else "begin a new episode"
    return (
        f"Supply ends. {after} The next fill comes after {gap} days without supply; gaps of up to {longest} are "
        f"merged, so its days {episode}. Status never looks at that later fill."
    )


def _patch(rows: Rows) -> str:
    dose = next((row for row in rows if row["lane"] == "dose" and row["start"] == history.PATCH_DAY), None)
    if dose is not None and present(dose["value"]):
        return f"A buprenorphine patch, which this factor table counts as {number(dose['value'], 1)} MME/day."
    return "A buprenorphine patch: on opioids, at a dose that has no factor. Unknown is not zero."


def _last_end(rows: Rows, rules: Exposure) -> str:
    stopped = any(row["lane"] == "event" and row["label"] == "discontinuation" for row in rows)
    after = plural(rules.events.discontinuation_days, "day")
    verdict = (
        f"Nothing follows for {after}: therapy is discontinued, dated here and known {after} later."
        if stopped
        else f"Nothing follows, but fewer than {after} are observed: no discontinuation is told."
    )
    return f"The last supply ends. {verdict} Ninety days after the end of supply recent use becomes former use."
