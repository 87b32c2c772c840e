"""The last pages: limitations, terms, provenance."""

from __future__ import annotations

import json
from typing import Any

from opioid_outcomes.report.document import Block, Bullets, Definitions, Heading, Paragraph, Section, Table
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import compared, number, plain, plural


def limitations(released: Released) -> Section:
    carry_over = released.config.exposure.carry_over_days
    items = [
        "Confounding by indication. People are given opioids because they are in pain or ill. Only what was recorded "
        "is adjusted for, and severity of illness is recorded poorly.",
        "Reverse causation. Opioids are also given near the end of life, and stopped when people are dying.",
        "Prevalent users are those who could tolerate opioids and lived to be counted. Comparisons of current use "
        "hold them; new users are told apart, and the new-user trials have no others.",
        "A hazard ratio is not a risk: it is conditional on the covariates and on surviving so far, and averages "
        "over follow-up.",
        "Diagnoses absent from the record may be present in the person; missing values are handled as under Methods, "
        "which need not remove bias.",
    ]
    if "time_varying" in released.exposures:
        items += [
            f"Carry-over of {carry_over} days keeps a death that stops the refills within time on opioids, at the "
            "price of calling some time on that was off.",
            "A dispensed supply is not a swallowed dose; opioids from other sources are not seen.",
            "After stopping, high rates soon after the end of supply may be harm of stopping or supply that ends "
            "because somebody is dying; lags help to tell them apart and do not settle it.",
            "A higher hazard at a higher dose may be of the dose or of the illness it was given for.",
            *_of_special_analyses(released),
            "Pain is scored when people come, and people come when it hurts. Weights for being seen take out what "
            "arm and history say of it, not what today's pain says alone; how much of that it would take is told.",
            "A flare that both raises the dose and lasts, and that no score shows, looks like harm of the dose.",
        ]
    if "baseline" in released.exposures:
        items.append(
            "Use known at one interview is misclassified ever more as follow-up goes on, usually towards no difference."
        )
    if any(released.about(name).get("simulated") for name in released.cohorts):
        items.append(
            "Simulated cohorts say whether the methods recover what was planted; they say nothing about people."
        )
    return Section("limitations", "Limitations", (Bullets(tuple(items)),))


def _of_special_analyses(released: Released) -> list[str]:
    analyses = set(released.config.mortality.analyses)
    told = []
    if "smr" in analyses:
        told.append(
            "Standardised mortality ratios of groups are not compared with each other, and hold all that sets people "
            "with chronic pain apart from the general population, not pain alone."
        )
    if "negative_control" in analyses:
        told.append(
            "Negative controls measure the error of the design only as far as they share its causes; that they show "
            "none does not prove that there is none."
        )
    if released.config.addiction.analyses:
        told.append(
            "Opioid use disorder is what was coded: many who have it are never diagnosed, and people on higher doses "
            "are looked at more."
        )
    return told


def glossary(released: Released) -> Section:
    items = (
        ("MME/day",
            "Morphine milligram equivalents per day: the daily dose of any opioid expressed as oral morphine. A unit "
            "of dose, not of safety."),
        *_states(released),
        *_exposure_terms(released),
        ("Person-years",
            "Time followed, summed over people; 1,000 person-years may be 1,000 people for a year or 100 people for "
            "ten."),
        ("Rate", "Deaths divided by person-years."),
        ("Hazard ratio",
            "Ratio of the rates at which deaths occur at the same time since entry. Above 1: higher "
            f"{compared(released.exposures).exposed}."),
        ("Crude, adjusted",
            "Crude: compared as they are. Adjusted: compared among people alike in the covariates named."),
        ("95 % confidence interval",
            "Limits that would contain the true value in 95 of 100 repetitions of the study, if its assumptions "
            "hold; it does not contain errors of design."),
        *_mortality_terms(released),
        ("Exact Poisson limits", "Confidence limits of a rate that hold for small numbers of deaths too."),
        ("Standardised difference",
            "Difference between two groups' means or shares divided by their pooled standard deviation; it does not "
            "depend on sample size."),
        *_pain_terms(released),
        ("Pooled", "One estimate from several cohorts."),
        ("Gate", "A check fixed beforehand; an estimate that does not pass is withheld, with the reason."),
        ("Not evaluable", "The data cannot support the estimate. It says nothing about the effect."),
    )  # fmt: skip
    return Section("glossary", "Terms and units", (Definitions(items),))


PAIN_SCORE = "0 (none) to 10 (worst); other instruments are mapped to this scale."


def _pain_terms(released: Released) -> list[tuple[str, str]]:
    """Words of the comparison of pain, where dose is followed over time."""
    if released.exposures == {"baseline"}:
        return [("Pain score", PAIN_SCORE)]
    h = released.config.hyperalgesia
    x = h.escalation
    return [
        ("Pain score", PAIN_SCORE),
        ("Escalate, maintain",
            "In the comparison of pain, which is not the dose event of that name: "
            f"{plural(x.grace_days, 'day')} after a visit the daily dose was higher than before it (by ≥ "
            f"{100 * x.min_rise:g} % and ≥ {x.min_mme:g} MME/day); or it was not."),
        ("Effect in the treated (ATT)",
            "The effect in those who took the treatment, or whose dose was raised; not what it would do to others."),
        ("AIPW", "Augmented inverse probability weighting: a model of who is treated and one of the outcome, joined."),
        ("Short lag, long lag", "The first and the last window after the decision."),
        ("Tolerance", "The same dose relieves less than it did; a higher dose relieves again."),
        ("Hyperalgesia", "Opioids make pain worse; a higher dose ends in more pain."),
        ("Per step",
            f"For {h.step_mme:g} MME/day of the separation in mean dose that the two arms achieved."),
        ("Structural nested model, lag",
            "The effect on later pain of one step of dose alone, by months since it, later steps taken out."),
        ("As recorded, error taken out",
            "Given pain scores as they stand; and given the pain of which the scores are noisy records."),
        ("Consistent with",
            "What the verdict says: that estimates meet the conditions of one reading and of none before it. "
            "Corroborated: what else hyperalgesia should do was seen too. Calibrated: how often the rule errs in "
            "cohorts like this one was simulated."),
    ]  # fmt: skip


def _mortality_terms(released: Released) -> list[tuple[str, str]]:
    """Words of the analyses of mortality that the study asks for."""
    asked, moving = set(released.config.mortality.analyses), "time_varying" in released.exposures
    terms = [
        ("rate", "Directly standardised",
            "Rates of two groups as they would be if both had the same ages and sexes; these may be compared."),
        ("smr", "Standardised mortality ratio, excess rate",
            "Deaths over those expected at the rates of the general population of the same age, sex and year; and the "
            "deaths beyond them per 1,000 person-years. Each group at its own ages."),
        ("negative_control", "Negative control",
            "A question whose answer is known to be no effect; what a design finds for it is the design's error."),
        ("negative_control", "Calibrated", "Less the error that many negative controls show."),
        ("e_value", "E-value",
            "How strongly something unrecorded must go with both use and death (as risk ratios) to explain a ratio "
            "away; 1: nothing is needed."),
    ]  # fmt: skip
    if moving:
        terms += [
            ("current_use", "Lag", "Exposure is read so many days earlier, so that what dying changes does not count."),
            ("current_use", "Proportional hazards", "That a hazard ratio is the same all along follow-up."),
            ("cause", "Cause-specific hazard ratio",
                "Ratio of the rates of dying of one cause among those alive; not of the numbers who ever die of it."),
            ("stopping", "Current supply, days since stopping",
                "With dispensed supply in hand, without carry-over; days since it ended, as known on each day."),
        ]  # fmt: skip
    return [(term, meaning) for analysis, term, meaning in terms if analysis in asked]


def _exposure_terms(released: Released) -> list[tuple[str, str]]:
    """Words for dose and its course, where use is followed over time."""
    if released.exposures == {"baseline"}:
        return []
    rules = released.config.exposure
    events = rules.events
    kept_apart = rules.stockpile_cap_days is None
    terms = [
        ("Factor table", "Which opioid equals how much oral morphine; tables differ, and with them every dose."),
        ("Supply, carry-over",
            "The days a dispensed amount is meant to last; and the days after them that still count as on."),
        ("Early refill",
            "A fill before the last one is used up: "
            + ("both count on their own days." if kept_apart else "what is left over lengthens the new supply.")),
        ("Episode", "Days with supply, over gaps short enough to be bridged. It only describes."),
        ("Stockpiling", "Carrying what is left at an early refill on to the days after it, up to a cap."),
        ("Repaired", "A fill of which an amount was missing or could not be, and was filled in by a named rule."),
        ("Waiting time",
            "The time until other people's next fill of a product; a stand-in for days of supply nobody recorded."),
        ("Set apart", "Opioid fills that are no analgesic exposure: injections, anaesthesia, cough, diarrhoea."),
        ("HEAL definitions 1 to 4",
            "Four ways to turn fills into MME/day, by what the MME of a window are divided by: days of supply, days on "
            "therapy, all days; or the day with the highest dose."),
        ("Long-term therapy", f"Here: `{rules.long_term_definition}`, see the table under Opioid exposure."),
        ("New user, naive days",
            f"Whose use begins after {plural(rules.washout_days, 'observed day')} or more without opioids; the number "
            "of such days before it."),
        ("Cumulative MME", "All MME supplied so far, as far as doses are known."),
        ("Escalation, maintenance (events)",
            "A dose that rises, or stays, after stable therapy; see Changes of dose for the numbers."),
        ("Taper, rapid taper",
            f"A dose that falls by {100 * events.min_fall:g} % or more and stays lower while therapy goes on; rapid: "
            "by more than 10 % in a week or 30 % in 30 days."),
        ("Discontinuation", f"The end of supply, if none follows for {plural(events.discontinuation_days, 'day')}."),
        ("High-dose start", f"A person's first day at {events.high_dose_mme:g} MME/day or more."),
        ("Concurrent use, COB",
            "Days with supply of an opioid and of a benzodiazepine or gabapentinoid; COB: enough of them within a year "
            "by a published measure, see the table."),
        ("Drift", "The mean over people of each one's change of dose, or of pain, per year on opioids."),
        ("Latent class",
            "A group of similar courses of dose, found by a model. A summary of many courses, not a kind of person."),
        ("BIC, entropy, posterior",
            "How well a model fits for its size (smaller is better); how surely people belong to one class (1: "
            "surely); "
            "the probability that a person belongs to a class."),
    ]  # fmt: skip
    return terms


def _states(released: Released) -> list[tuple[str, str]]:
    """The words for exposure that this study uses."""
    carry_over = released.config.exposure.carry_over_days
    states = []
    if "baseline" not in released.exposures or "time_varying" in released.exposures:
        states += [
            ("On opioids",
                f"Where use is followed over time: a day up to {carry_over} days after the end of the last known "
                "supply."),
            ("Off: never, recent, former", "No supply so far; supply ended at most 90 days ago; supply ended earlier."),
        ]  # fmt: skip
    if "baseline" in released.exposures:
        states.append(
            ("Baseline user, non user",
                "Where use is known at one interview only: reported using then, or not using.")
        )  # fmt: skip
    return states


def provenance(released: Released) -> Section:
    manifest = released.manifest
    blocks: list[Block] = [
        Paragraph(
            "The same inputs, config and code give the same report, byte for byte. The numbers behind each figure "
            "are in figures/*.csv, those behind each table in tables/*.csv, every estimate in estimates.csv."
        ),
        Table("provenance", "Code, seeds and versions.", ("What", "Value"), tuple(_facts(manifest)), 0, "", (1, 3.2)),
    ]
    inputs = manifest.get("inputs") or []
    if inputs:
        lines = tuple(
            (str(item.get("cohort", "")), str(item.get("file", "")), str(item.get("sha256", ""))) for item in inputs
        )
        blocks.append(
            Table(
                "inputs",
                "Input files, with the SHA-256 hash of their content.",
                ("Cohort", "File", "SHA-256"),
                lines,
                0,
                "",
                (0.8, 1.6, 3.4),
                wide=True,
            )
        )
    settings = tuple(_flat(released.config.model_dump(mode="json")))
    blocks += [
        Heading("Config"),
        Table(
            "config",
            "The resolved config, defaults included (also in config.resolved.yaml).",
            ("Key", "Value"),
            settings,
            0,
            "",
            (1.6, 2.6),
            wide=True,
        ),
    ]
    return Section("provenance", "Provenance", tuple(blocks))


def _facts(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    hashes = [(plain(name), manifest[f"{name}_hash"]) for name in ("code", "config") if f"{name}_hash" in manifest]
    facts = [(f"Hash of the {name}", str(value)) for name, value in hashes]
    facts += [(f"Seed, {name}", str(value)) for name, value in _pairs(manifest.get("seeds"))]
    facts += [(f"Version, {name}", str(value)) for name, value in _pairs(manifest.get("versions"))]
    for cohort, tables in _pairs(manifest.get("rows")):
        read = [f"{table} {rows if isinstance(rows, str) else number(rows)}" for table, rows in _pairs(tables)]
        facts += [(f"Rows read, {cohort}", ", ".join(read))] if read else []
    return facts


def _pairs(value: dict[str, Any] | None) -> list[tuple[str, Any]]:
    return sorted((value or {}).items())


def _flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Dotted keys and their values, in the order of the config; empty sections are left out."""
    if isinstance(value, dict):
        return [
            pair for name, inner in value.items() for pair in _flat(inner, f"{prefix}.{name}" if prefix else str(name))
        ]
    if value is None or value == "":
        return [(prefix, "none")]
    return [(prefix, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))]
