"""The verdict: what the estimates are consistent with, each condition, and how often such a test errs."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.hyperalgesia.noise import FARTHEST_DAYS, FEWEST_REPEATED
from opioid_outcomes.hyperalgesia.verdict import POOLED, VERDICTS
from opioid_outcomes.report import pain_charts
from opioid_outcomes.report.document import Block, Figure, Heading, Notice, Paragraph, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.pain_words import ESCALATION, MAIN, reasons
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import MISSING, listed, number, percent, plain, present

Row = dict[str, Any]
Rows = list[Row]
# The verdict that is right in each simulated world
RIGHT = {
    "null": "no_effect", "noisy_null": "no_effect", "informative_visits": "no_effect", "relief": "sustained_relief",
    "tolerance": "tolerance", "hyperalgesia": "hyperalgesia",
}  # fmt: skip
LAGS = ("short", "long")
NO_EFFECT_WORLDS = tuple(world for world, right in RIGHT.items() if right == "no_effect")


def verdict(released: Released) -> list[Block]:
    if not released.verdict:
        return []
    return [
        Heading("The verdict"),
        Paragraph(_rule(released)),
        *_answers(released),
        *_conditions(released),
        *_calibration(released),
    ]


def _rule(released: Released) -> str:
    config = released.config.hyperalgesia
    first, last = (f"{low} to {high}" for low, high in (config.windows_days[0], config.windows_days[-1]))
    if len(config.windows_days) == 1:
        return (
            f"No verdict is possible with one window of days ({first}): it compares a short with a long lag. "
            "hyperalgesia.windows_days takes two windows or more."
        )
    return (
        "The rule was fixed before any outcome was read. It asks of the effect of raising the dose, "
        f"{released.scales['mean_difference_per_step'].unit} of separation achieved, at short lag (days {first}) and "
        f"at long lag (days {last}): hyperalgesia, if pain is higher at long lag, by {config.smallest_effect:g} points "
        "or more, and has risen from short to long lag; no effect, if both effects are smaller than that; tolerance, "
        "if relief at short lag is gone at long lag; sustained relief, if it stays; else it is inconclusive. Noise in "
        "pain scores manufactures the look of hyperalgesia, so a directional verdict has to hold both on pain as "
        "recorded and with its error taken out. It is about a population, never about a person."
    )


def _answers(released: Released) -> list[Block]:
    lines = tuple(
        (name, _capital(str(judged.get("consistent_with", judged["verdict"]))), _noise(judged))
        for name, judged in _judged(released).items()
    )
    told: list[Block] = [
        Table(
            "verdict",
            "What the estimates are consistent with, by the rule above.",
            ("Cohort", "Verdict", "Error of one pain score"),
            lines,
            0,
            released.rule,
            (0.8, 2.2, 2.4),
        )
    ]
    if POOLED not in released.verdict:
        told.append(Paragraph("No verdict is pooled: that takes three cohorts or more that can each be judged."))
    assumed = [name for name, judged in _judged(released).items() if _source(judged) == "assumed"]
    if assumed:
        told.append(
            Notice(
                f"The error of a score was assumed in {listed(assumed)}: that the verdict holds with the error taken "
                "out rests on an assumption, and the error may be larger. Declare it (`hyperalgesia.error_sd`, or "
                "`hyperalgesia.reliability` from a test-retest study), or measure it: "
                f"{FEWEST_REPEATED} people or more with scores repeated within {FARTHEST_DAYS} days, no change of "
                "dose between."
            )
        )
    return told


def _judged(released: Released) -> dict[str, Row]:
    return {name: released.verdict[name] for name in released.cohorts_and_pooled if name in released.verdict}


def _noise(judged: Row) -> str:
    noise = judged.get("noise")
    return str(noise.get("note", MISSING)) if isinstance(noise, dict) else str(noise or MISSING)


def _source(judged: Row) -> str:
    noise = judged.get("noise")
    return str(noise.get("source", "")) if isinstance(noise, dict) else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _conditions(released: Released) -> list[Block]:
    panels = {
        name: [_condition(condition) for condition in judged["conditions"]]
        for name, judged in _judged(released).items()
        if any(condition["met"] is not None for condition in judged["conditions"])
    }
    without = [name for name in _judged(released) if name not in panels]
    blocks: list[Block] = []
    if panels:
        title = "The conditions of each reading"
        alt = f"{title}. " + " ".join(
            f"{name}: {'; '.join(line['reading'] + ', ' + line['name'] + ': ' + _state(line) for line in lines)}."
            for name, lines in panels.items()
        )
        step = released.scales["mean_difference_per_step"].unit
        blocks.append(
            Figure(
                "verdict", svg(pain_charts.verdict_conditions(panels), "verdict", title, alt),
                f"{title} (full: met, open: not met, dash: not measurable), with the number each is about: {step}, "
                "under corroboration in the unit of what was measured "
                "(sites of pain; threshold or tolerance; points). The verdict is the first reading all of whose "
                "conditions are met; what cannot be measured is not met. Corroboration is no condition: it says "
                "whether what else hyperalgesia should do was looked for and seen.",
                alt, note=released.rule,
            )
        )  # fmt: skip
    if without:
        main = [row for row in released.rows(analysis=ESCALATION, method=MAIN) if row["cohort"] in without]
        why = reasons(released, main)
        blocks.append(Paragraph(f"No condition can be measured in {listed(without)}{f' ({why})' if why else ''}."))
    return blocks


def _condition(condition: Row) -> Row:
    reading, _, name = str(condition["name"]).partition(": ")
    value = number(condition["value"], 2) if present(condition["value"]) else ""
    name = name.replace("blip,", "structural nested model,")
    return {"reading": plain(reading), "name": name, "met": condition["met"], "value": value}


def _state(line: Row) -> str:
    return pain_charts.MET[line["met"]] + (f" ({line['value']})" if line["value"] else "")


def _calibration(released: Released) -> list[Block]:
    blocks: list[Block] = [Heading("How often this test errs")]
    uncalibrated = {
        name: judged.get("uncalibrated")
        for name, judged in _judged(released).items()
        if not judged["calibrated"] and any(condition["met"] is not None for condition in judged["conditions"])
    }
    panels = {
        name: cells
        for name in released.cohorts
        if (cells := [cell for row in _worlds(released, name) for cell in _cells(row)])
    }
    if panels:
        blocks += [Paragraph(_reading(released)), _heat_map(released, panels), _table(released)]
    if uncalibrated:
        named = [f"{name} ({why})" if why and name != POOLED else name for name, why in uncalibrated.items()]
        blocks.append(
            Notice(
                f"Uncalibrated: {listed(named)}. How often this test says hyperalgesia where there is none, or "
                "misses it, is not known for a cohort of that size, with those visits, doses and noise; "
                "`snakemake calibrate` finds out"
                + (", though not for pooled numbers: no pooled study is simulated." if POOLED in uncalibrated else ".")
            )
        )
    return blocks if len(blocks) > 1 else []


def _worlds(released: Released, cohort: str) -> Rows:
    return [row for row in released.calibration if row["cohort"] == cohort]


def _cells(row: Row) -> Rows:
    return [
        {
            "world": plain(row["world"]), "verdict": plain(verdict), "share": row[verdict],
            "label": percent(row[verdict], 0), "right": int(RIGHT.get(row["world"]) == verdict),
        }
        for verdict in VERDICTS
    ]  # fmt: skip


def _reading(released: Released) -> str:
    rows = [row for row in released.calibration if row["world"] in NO_EFFECT_WORLDS]
    false = ""
    if rows:
        worst = max(rows, key=lambda row: row["hyperalgesia"])
        limit = percent(_upper_limit(worst["hyperalgesia"], int(worst["replicates"])))
        false = (
            " In worlds in which dose does nothing to pain, hyperalgesia was said of at most "
            f"{percent(worst['hyperalgesia'])} of {number(worst['replicates'])} cohorts (95 % upper limit {limit})."
        )
    return (
        "Cohorts like each of the study's own, in size, visits, doses and noise, were simulated in worlds of which the "
        "answer is known, and put to the same test."
        f"{false}"
        " A test that is mostly inconclusive where there is an effect says little by being inconclusive here."
    )


def _upper_limit(share: float, replicates: int) -> float:
    """Exact upper 95 % limit of a share of simulated cohorts (Clopper & Pearson)."""
    from scipy.stats import beta

    said = round(share * replicates)
    return float(beta.ppf(0.975, said + 1, replicates - said)) if said < replicates else 1.0


def _heat_map(released: Released, panels: dict[str, Rows]) -> Figure:
    worlds = list(dict.fromkeys(plain(row["world"]) for row in released.calibration))
    title = "How often each verdict is reached, by simulated world"
    alt = f"{title}. " + " ".join(
        f"{name}: {'; '.join(c['world'] + ', ' + c['verdict'] + ' ' + c['label'] for c in cells if c['share'] > 0)}."
        for name, cells in panels.items()
    )
    chart = pain_charts.calibration(panels, worlds, [plain(name) for name in VERDICTS])
    caption = (
        f"{title}; the right verdict is framed."
        + (" In noisy null, doses follow true pain, scores have error." if "noisy null" in worlds else "")
        + (" In informative visits, people come because it hurts." if "informative visits" in worlds else "")
    )
    return Figure("calibration", svg(chart, "calibration", title, alt), caption, alt)


def _table(released: Released) -> Table:
    lines: list[tuple[str, ...]] = []
    for name in released.cohorts:
        told = [_rates(row) for row in _worlds(released, name) if row["world"] in RIGHT]
        lines += [(name,), *told] if told else []
    heads = (
        "World", "Cohorts of people", "Right verdict", "Says hyperalgesia", "Evaluable, short / long lag",
        "Bias, short lag", "Bias, long lag", "Coverage, short lag", "Coverage, long lag",
    )  # fmt: skip
    caption = (
        "Operating characteristics of the verdict and of the primary estimate (AIPW on pain as recorded, per step). "
        "Cohorts simulated, and people in each. Says hyperalgesia: where that is false, with the upper limit of its "
        "95 % interval. Evaluable: cohorts in which the estimate may be read, on which bias and coverage rest. Bias, "
        "in points, and coverage, the share of 95 % intervals that hold the truth (should be 95 %), each with its "
        "Monte Carlo standard error (coverage: in percentage points)."
    )
    widths = (1.3, 1.1, 0.7, 1.2, 1.2, 1, 1, 1, 1)
    return Table("calibration", caption, heads, tuple(lines), 8, "", widths, wide=True)


def _rates(row: Row) -> tuple[str, ...]:
    """The cells of one world."""
    right, said = RIGHT[row["world"]], percent(row["hyperalgesia"], 1)
    if right != "hyperalgesia" and present(row["hyperalgesia"]):
        said += f" (≤ {percent(_upper_limit(row['hyperalgesia'], int(row['replicates'])))})"
    return (
        plain(row["world"]), f"{number(row['replicates'])} of {number(row['persons'])}", percent(row[right], 0), said,
        f"{percent(row['evaluable_short'], 0)} / {percent(row['evaluable_long'], 0)}",
        *(
            number(row[f"bias_{lag}"], 2) + _beside(number(row[f"bias_se_{lag}"], 3), row[f"bias_se_{lag}"])
            for lag in LAGS
        ),
        *(
            percent(row[f"coverage_{lag}"], 1)
            + _beside(number(100 * (row[f"coverage_se_{lag}"] or 0), 1), row[f"coverage_se_{lag}"])
            for lag in LAGS
        ),
    )  # fmt: skip


def _beside(text: str, error: float | None) -> str:
    """A Monte Carlo error in brackets, where there is one: it takes two cohorts."""
    return f" ({text})" if present(error) else ""
