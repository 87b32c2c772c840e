"""Courses of dose: latent classes, how their number was chosen, and the estimates of ``trajectory.*``."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.report import trajectory_charts
from opioid_outcomes.report.document import Block, Figure, Heading, Notice, Paragraph, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.exposure_section import factor_table
from opioid_outcomes.report.exposure_tables import share, told
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import (
    MISSING,
    counts,
    hidden_by_disclosure,
    interval,
    number,
    percent,
    plain,
    plural,
    present,
)

Row = dict[str, Any]
DRIFT, TAPER, PREDICTORS = "trajectory.drift", "trajectory.taper", "trajectory.predictors"
WIDE_CLASSES = 3  # beside class 1: more take the whole width of a page
OF_CLASS = "class"  # how an outcome of PREDICTORS begins that is a class; the others are long-term use


def trajectories(released: Released) -> Section | None:
    """None where no cohort follows doses."""
    if set(released.exposures) == {"baseline"}:
        return None
    blocks: list[Block] = [
        Paragraph(
            "Courses of dose are described here. Nothing in this section is an effect: who stays on opioids, and "
            "whose dose changes, is decided by how people fare."
        ),
        Heading("Latent classes"), *_classes(released), _models(released),
        Heading("What goes with the course of dose"), *_estimates(released),
    ]  # fmt: skip
    return Section("trajectories", "Dose trajectories", tuple(blocks))


def _classes(released: Released) -> list[Block]:
    found = {name: released.display("trajectory_classes", name) for name in released.cohorts}
    by_cohort = {name: rows for name, rows in found.items() if any(present(row["mean"]) for row in rows)}
    if not by_cohort:
        why = "; ".join(f"{name}: {_no_classes(released, name)}" for name in released.cohorts)
        return [Notice(f"No classes of dose trajectories are shown ({why}).")]
    rules, table = released.config.trajectories, factor_table(released)
    text = " ".join(_courses(name, rows) for name, rows in by_cohort.items())
    title = f"Classes of dose over the first {plural(rules.months, 'month')} since entry"
    apart = (
        "The course is told on the scale log(1 + MME/day) and taken back: about a geometric mean, which lies below the "
        "plain mean where members' doses differ, so that points stand above the line there."
        if rules.dose_scale == "log"
        else "Points off the line show where the course does not fit."
    )
    withheld = [name for name, rows in by_cohort.items() if any(not present(row["mean"]) for row in rows)]
    missing = f" Classes of {', '.join(withheld)} with few people are not drawn." if withheld else ""
    return [
        Figure(
            "trajectory_classes",
            svg(trajectory_charts.trajectory_classes(by_cohort), "trajectory_classes", title, text),
            f"{title} (30-day months; all days of a month count, those off opioids as no dose; factor table "
            f"`{table}`). Line and band: the class's {rules.curve} course with pointwise 95 % confidence "
            "limits, which take the classes and their number as given; points: the plain mean of what its members had. "
            f"{apart} Beside each line: class, and the share of people most likely in "
            f"it. Class 1 has the lowest mean dose.{missing} The whole window decides the class, so it must not be "
            "used to compare what happens within it.",
            text, note=released.rule,
        )
    ]  # fmt: skip


def _no_classes(released: Released, cohort: str) -> str:
    """Why a cohort has no classes, as its models say, or else its estimates."""
    if released.about(cohort).get("exposure") == "baseline":
        return "use is known at one interview only"
    models = released.display("trajectory_models", cohort)
    if any(row["chosen"] for row in models):
        return "few people are in each class"
    refused = (row["gate"].removeprefix("not evaluable: ") for row in released.rows(analysis=PREDICTORS, cohort=cohort)
               if row["outcome"] == OF_CLASS)  # fmt: skip
    return next((row["why"] for row in models if row["why"]), next(refused, "nobody has a course of dose"))


def _courses(cohort: str, rows: list[Row]) -> str:
    parts = []
    for one in sorted({row["class"] for row in rows}):
        own = [row for row in rows if row["class"] == one and present(row["mean"])]
        if own:
            first, last = own[0], own[-1]
            parts.append(
                f"class {number(one)} ({percent(last['share'])}) from {number(first['mean'])} to {number(last['mean'])}"
            )
    return f"{cohort}: MME/day of {'; '.join(parts)}."


def _models(released: Released) -> Block:
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts:
        rows = released.display("trajectory_models", cohort)
        if any(row["chosen"] or present(row["bic"]) for row in rows):
            lines.append((cohort,))
            lines += [_model(row, released.threshold) for row in rows]
    if not lines:
        why = "; ".join(f"{name}: {_no_classes(released, name)}" for name in released.cohorts)
        return Notice(f"No models of dose trajectories were fitted ({why}).")
    rules = released.config.trajectories
    return Table(
        "trajectory_models",
        f"Models of 1 to {rules.max_classes} classes. Chosen: the smallest BIC among those whose classes are distinct "
        "(smallest class at least 1 % of people and 11 of them, mean posterior probability of every class at least "
        "0.7). Entropy: 1 if everybody surely belongs to one class; mean posterior: of the class in which it is lowest."
        f"{_left_out(released)}",
        ("Classes", "Verdict", "Log-likelihood", "BIC", "Entropy", "Mean posterior", "Smallest class", "Share"),
        tuple(lines), 6, released.rule, (0.7, 2.4, 1.2, 1, 0.8, 0.9, 0.9, 0.7),
    )  # fmt: skip


def _left_out(released: Released) -> str:
    """Who has no course of dose and is in no class."""
    told = []
    for cohort in released.cohorts:
        row = next((r for r in released.display("trajectory_models", cohort) if present(r["bic"])), None)
        if row:
            left = counts(row, ("left_never_on", "left_few_months"), released.threshold)
            told.append(
                f" In {cohort}, in no class: {left['left_never_on']} people never on opioids in the window, "
                f"{left['left_few_months']} with too few months of known dose."
            )
    return "".join(told)


def _model(row: Row, threshold: int) -> tuple[str, ...]:
    fitted = present(row["persons"]) or row.get("suppressed")
    smallest = counts(row, DISPLAYS["trajectory_models"].counts, threshold)["smallest_class"] if fitted else MISSING
    return (
        number(row["classes"]),
        row["why"],
        told(row, "log_likelihood", number(row["log_likelihood"])),
        told(row, "bic", number(row["bic"])),
        told(row, "entropy", number(row["entropy"], 2)),
        told(row, "mean_posterior", number(row["mean_posterior"], 2)),
        smallest,
        share(row, "smallest_share"),
    )


def _estimates(released: Released) -> list[Block]:
    """A table for each analysis that was asked for, with the reason where nothing was estimated."""
    of_class, others = _by_outcome(released.rows(analysis=PREDICTORS))
    definition = released.config.exposure.long_term_definition
    blocks = [
        *_table(
            released, "trajectory_drift", released.rows(analysis=DRIFT),
            "Drift: mean over people of each one's slope of dose (MME/day), and of pain (points, 0–10), over their "
            "months on opioids at a known dose. A dose that climbs while pain stays where it is fits tolerance, and "
            "much else.",
            ("Of", "Among", "Change per year (95 % CI)"),
        ),
        *_table(
            released, "trajectory_taper", released.rows(analysis=TAPER),
            "After a taper: cumulative incidence, within a year of the day on which the first taper in follow-up is "
            "ascertained, of going back to the old dose, of stopping and of death, each competing with the others "
            "(Aalen–Johansen); success: neither back at the old dose nor dead, whether stopped or not.",
            ("Outcome", "Among", "Share, % (95 % CI)"),
        ),
        *_class_table(released, of_class),
        *_table(
            released, "long_term_predictors", others,
            f"What goes with long-term use: odds ratios, among new users, of meeting `{definition}` within a year of "
            "starting. Associations, not effects.",
            ("Outcome", "Covariate", "Odds ratio (95 % CI)"),
        ),
    ]  # fmt: skip
    if not blocks:
        return [Notice("No estimate of courses of dose was asked for (`trajectories.analyses`).")]
    return blocks


def _by_outcome(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    of_class = [row for row in rows if row["outcome"].startswith(OF_CLASS)]
    return of_class, [row for row in rows if row not in of_class]


def _table(released: Released, name: str, rows: list[Row], caption: str, heads: tuple[str, str, str]) -> list[Block]:
    if not rows:
        return []
    if not any(present(row["estimate"]) for row in rows):
        return [Notice(f"{caption.partition(':')[0]}: nothing could be estimated ({_reasons(released, rows)}).")]
    lines: list[tuple[str, ...]] = []
    counts_of = ("persons", "events") if any(present(row["events"]) for row in rows) else ("persons",)
    for cohort in dict.fromkeys(row["cohort"] for row in rows):
        lines.append((cohort,))
        before = ""
        for row in (row for row in rows if row["cohort"] == cohort):
            beside = row["population"] if row["analysis"] in (DRIFT, TAPER) else _covariate(row)
            counted = (number(row[count]) for count in counts_of)
            among = "the same" if beside == before else beside
            lines.append((plain(row["outcome"]).replace(":", " "), among, *counted, _reading(released, row)))
            before = beside
    first, second, last = heads
    columns = (first, second, *(count.capitalize() for count in counts_of), last)
    widths = (1.1, 2.6, *(0.8 for _ in counts_of), 2.0)
    table = Table(name, caption, columns, tuple(lines), 1 + len(counts_of), released.rule, widths)
    return [table, *_note(rows)]


def _class_table(released: Released, rows: list[Row]) -> list[Block]:
    """Covariates down, classes across: odds ratios against class 1."""
    caption = (
        "What goes with the class of course: odds ratios (95 % CI) against class 1 (the lowest mean dose) of a "
        "multinomial model in which each person is in every class with the probability of it. Associations, not "
        "effects. A dash: not estimated; the reasons are under “What could not be estimated”."
    )
    if not rows:
        return []
    if not any(present(row["estimate"]) for row in rows):
        return [Notice(f"{caption.partition(':')[0]}: nothing could be estimated ({_reasons(released, rows)}).")]
    classes = sorted({_class(row) for row in rows if _class(row)}, key=int)
    lines: list[tuple[str, ...]] = []
    for cohort in dict.fromkeys(row["cohort"] for row in rows):
        own = [row for row in rows if row["cohort"] == cohort and _class(row)]
        people = next((row["persons"] for row in own if present(row["persons"])), None)
        lines.append((f"{cohort} ({plural(int(people), 'person', 'persons')})" if people else cohort,))
        for covariate in dict.fromkeys(_covariate(row) for row in own):
            cells = {_class(row): _cell(released, row) for row in own if _covariate(row) == covariate}
            lines.append((covariate, *(cells.get(one, MISSING) for one in classes)))
    heads = ("Covariate", *(f"Class {one}" for one in classes))
    widths = (1.6, *(1.4 for _ in classes))
    table = Table(
        "trajectory_predictors", caption, heads, tuple(lines), len(classes), released.rule, widths,
        wide=len(classes) > WIDE_CLASSES,
    )  # fmt: skip
    return [table, *_note(rows)]


def _covariate(row: Row) -> str:
    """What is compared, and whether only people who lack no covariate are."""
    return plain(row["contrast"]) + (", complete cases" if row["method"].endswith("_complete_case") else "")


def _class(row: Row) -> str:
    """The class of ``class:3 vs 1``; empty where no class is named."""
    return row["outcome"].removeprefix(OF_CLASS).removeprefix(":").partition(" ")[0]


def _cell(released: Released, row: Row) -> str:
    return _reading(released, row) if present(row["estimate"]) or hidden_by_disclosure(row) else MISSING


def _note(rows: list[Row]) -> list[Block]:
    """How the numbers of a table are defined: what all rows say once, then what differs, by cohort and outcome."""
    told = [row for row in rows if row["note"] and present(row["estimate"])]
    if not told:
        return []
    parts = [row["note"].split("; ") for row in told]
    shared = [part for part in parts[0] if all(part in other for other in parts)]
    differing: dict[str, dict[str, dict[str, None]]] = {}
    for row, own in zip(told, parts, strict=True):
        rest = "; ".join(part for part in own if part not in shared)
        if rest:
            outcome = plain(row["outcome"]).replace(":", " ")
            differing.setdefault(rest, {}).setdefault(row["cohort"], {})[outcome] = None
    first = [f"How the estimates are defined: {'; '.join(shared)}."] if shared else ["How the estimates are defined."]
    return [Paragraph(" ".join([*first, *(f"{_by_cohort(who)}: {rest}." for rest, who in differing.items())]))]


def _by_cohort(outcomes: dict[str, dict[str, None]]) -> str:
    return "; ".join(f"{cohort} ({', '.join(own)})" for cohort, own in outcomes.items())


def _reasons(released: Released, rows: list[Row]) -> str:
    return "; ".join(dict.fromkeys(f"{row['cohort']}: {_reading(released, row)}" for row in rows))


def _reading(released: Released, row: Row) -> str:
    """The estimate with its interval; else why there is none."""
    if present(row["estimate"]):
        return interval(row, released.scale(row))
    if hidden_by_disclosure(row):
        return "withheld"
    return str(row["gate"]).removeprefix("not evaluable: ")
