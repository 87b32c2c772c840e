"""The methods of the analyses of pain, with the numbers that they use."""

from __future__ import annotations

import re

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.hyperalgesia import instrument
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import listed, number, plural, present


def pain(released: Released) -> list[str]:
    """Paragraphs on the pain trials, the structural model, noise, the verdict, and the other claims about pain."""
    if released.exposures == {"baseline"}:
        return ["Pain and dose are not followed over time in this study, and no analysis of them was made."]
    options = released.config.hyperalgesia
    done = any(present(row["estimate"]) for row in released.rows(analysis="hyperalgesia.escalation"))
    return [
        "" if done else "This was planned; no cohort of this study could support it.",
        f"{_decisions(options)}{_scales(released)}",
        _estimates(options),
        _noise(options),
        _blip(options),
        _verdict(options),
        _corroboration(options),
        OTHER,
    ]


def _decisions(h: Hyperalgesia) -> str:
    x = h.escalation
    return (
        "Eligible decisions are visits in follow-up, with a recorded pain score, by people whose dose had been stable "
        f"for {x.stable_days} days: supply throughout, with no gap above 30 days and in hand on the day before the "
        "visit, and every dose known and within 20 % of their mean. The dose is escalated if the daily dose on the "
        f"last day of grace ({plural(x.grace_days, 'day')} after the visit) is at least {100 * x.min_rise:g} % and at "
        f"least {x.min_mme:g} MME/day above the dose before the visit, else maintained; nothing later assigns an arm. "
        "Where the dose is not known on that day, a known rise of this size on an earlier day of grace counts as "
        "escalation, and without one the decision is left out; so are decisions not followed to that day. Scores count "
        "from that day on. So each decision is a trial in which both strategies begin at the visit, and who does not "
        "follow one within grace is censored from it there. One person may contribute several decisions. "
        + (
            f"Pain is on one scale ({h.scale})."
            if h.scale
            else "Pain is on the commonest scale; with more than a tenth of scores on others nothing is estimated."
        )
    )


def _scales(released: Released) -> str:
    """Which scale each cohort's pain is on, as the notes of its rows say; "" where none do."""
    found: dict[str, str] = {}
    for row in released.rows():
        said = re.search(instrument.SAID, row["note"] or "")
        if said and row["cohort"] in released.cohorts:
            found.setdefault(row["cohort"], said[1])
    if not found:
        return ""
    if len(set(found.values())) == 1:
        return f" It is the {next(iter(found.values()))}, 0–10."
    told = listed([f"{scale} in {cohort}" for cohort, scale in found.items()])
    return f" Pain is on {told}, all 0–10; cohorts on different scales are not pooled."


def _estimates(h: Hyperalgesia) -> str:
    windows = listed([f"{start} to {stop}" for start, stop in h.windows_days])
    errors = (
        "sandwich errors by person that hold the estimation of every model"
        if h.standard_error == "sandwich"
        else f"errors from {number(h.replicates)} bootstraps of people that fit every model again"
    )
    return (
        f"In each window ({windows} days after the visit) mean pain is compared, in those whose dose was raised, with "
        "what it would have been had it been left (effect in the treated). A logistic model of the decision and a "
        "linear model of pain, both of recorded history at the visit (pain: last, earlier mean, slope, highest, number "
        "of scores; dose and its history; the baseline covariates as they stand then), are joined (augmented inverse "
        "probability weighting, AIPW): it suffices that one of the two is right. Scores are missing when nobody came; "
        "decisions with one are weighted by the inverse chance of being seen, given arm and history. Weighting alone "
        f"and regression alone stand beside it, with {errors}. The difference is in points on the 0–10 scale, and per "
        f"{h.step_mme:g} MME/day of mean separation in dose that the arms achieved, with Fieller limits. Per protocol, "
        "people are censored when they leave their strategy and weighted by the inverse chance of still following it. "
        "Nothing is estimated with fewer than 50 people in an arm, an effective number below 50, or a standardised "
        "difference of 0.1 or more left after weighting; nor per step below 10 MME/day of separation."
    )


def _noise(h: Hyperalgesia) -> str:
    if h.reliability is not None:
        source = f"a declared reliability of {h.reliability:g}"
    elif h.error_sd is not None:
        source = "the declared standard deviation of the error"
    else:
        source = (
            "scores of one person at most a week apart with no change of dose between, where 50 people have them, else "
            "an assumed standard deviation of 1 point"
        )
    return (
        "Doses follow pain, and a score is a noisy record of it: adjusting for the score leaves those escalated in "
        "more pain than it says, which looks like hyperalgesia and fades with time. So every estimate is told twice: "
        "as recorded, which is right if doses follow the score; and with the error taken out, which is right if they "
        "follow the pain that is felt. The second models the decision by the conditional score of Stefanski and "
        "Carroll, calibrating true pain on the decision and the history together, weights by functions of the scores "
        "whose mean is the weight that true pain would have (McCaffrey and others), and takes the error out of the "
        f"moments of the outcome model. Its size comes from {source}."
    )


def _blip(h: Hyperalgesia) -> str:
    return (
        f"The effect of one step of {h.step_mme:g} MME/day by months since, 1 to {h.lags_months}, is that of a linear "
        "structural nested mean model by sequential g-estimation: later steps are taken out of pain by their own "
        "effects, month by month, and what is left is set against the part of the step that history does not predict."
    )


def _verdict(h: Hyperalgesia) -> str:
    (first, last), s = (h.windows_days[0], h.windows_days[-1]), h.smallest_effect
    return (
        f"The verdict reads the effect per step at short lag (days {first[0]} to {first[1]}) and long lag (days "
        f"{last[0]} to {last[1]}), the first that holds: hyperalgesia (long lag: 95 % limit above 0 and point at least "
        f"{s:g}; long less short lag: 95 % limit above 0; per protocol and structural model of the same sign); no "
        f"effect (90 % limits within {s:g} of 0 at both lags); tolerance (short lag: 95 % limit below 0; long lag: "
        f"90 % limits within {s:g} of 0; long less short lag: 95 % limit above 0); sustained relief (95 % limits below "
        "0 at both lags); else inconclusive. All but no effect must hold as recorded and with the error taken out. "
        "Pooled numbers are judged from three cohorts on."
    )


def _corroboration(h: Hyperalgesia) -> str:
    r = h.reduction
    return (
        f"A reduction is a fall by at least {100 * r.min_fall:g} % and {r.min_mme:g} MME/day within grace; pain counts "
        f"from day {r.from_day}. Reductions after a change of policy or formulary are compared with people who had "
        "none in the same period. Spread and thresholds are measured outcomes of the escalation trial, given their "
        "last value before it. Pain above the pain before opioids compares new users with matched non-users."
    )


OTHER = (
    "Pain a year after starting is compared as mortality is (new users against comparators, intention to treat), by "
    "AIPW in those who start, given pain before. Pain after stopping is described by a marginal model with visits "
    "weighted by their inverse intensity, and by a mixed model, which cannot take such weights. Other therapies are "
    "compared in people on and off opioids apart, by AIPW given pain before."
)
