"""The methods section of a paper, every number in it taken from the config that made the results."""

from __future__ import annotations

from opioid_outcomes.config.model import Config
from opioid_outcomes.report import methods_exposure, methods_mortality, methods_pain
from opioid_outcomes.report.document import Block, Heading, Paragraph, Section
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import listed, number, plain, plural


def methods(released: Released) -> Section:
    config = released.config
    blocks: list[Block] = []
    for heading, paragraphs in (
        ("Design and data sources", _design(released)),
        ("Population and time", _population(config)),
        ("Exposure", methods_exposure.exposure(released)),
        ("Dose trajectories", _trajectories(released)),
        ("Covariates and missing values", _covariates(config)),
        ("Mortality", _mortality(released)),
        ("Opioid use disorder", methods_mortality.addiction(released)),
        ("Pain and dose", methods_pain.pain(released)),
        ("Several cohorts", _synthesis(released)),
        ("Disclosure control", _disclosure(released)),
    ):
        if paragraphs:
            blocks += [Heading(heading), *(Paragraph(text) for text in paragraphs if text)]
    return Section("methods", "Methods", tuple(blocks))


def _design(released: Released) -> list[str]:
    config = released.config
    told = []
    for name in released.cohorts:
        cohort = config.cohorts[name]
        source = (
            "tables of the OMOP Common Data Model"
            if cohort.format == "omop"
            else "plain tables mapped to the common contract"
        )
        dates = {
            "shifted": "dates are taken to be shifted person by person, so no calendar term is used",
            "actual": "dates are the true ones",
            "offset": "time is given in days from a start of each study's own",
        }[cohort.date_basis]
        made = (
            f"is simulated ({plural(cohort.simulate.persons, 'person')}, world “{cohort.simulate.world}”, seed "
            f"{cohort.simulate.seed}) as"
            if cohort.simulate
            else "is read from"
        )
        told.append(f"Cohort `{name}` {made} {source}; {dates}.")
    return [
        "This is an observational cohort study. Every choice is in the config printed at the end; the program cannot "
        "tell whether it was fixed before outcomes were seen. Nothing is drawn at random but simulated cohorts and "
        "the starts of latent classes, from the study's seed.",
        " ".join(told),
        "Rows that break a rule of the contract (impossible dates, unknown persons, units or scales, duplicates, "
        "events after death) are set aside and counted by rule; a table that loses more than "
        f"{100 * config.quality.max_rejected_share:g} % of its rows stops the study.",
    ]


def _population(config: Config) -> list[str]:
    p = config.population
    if p.entry == "chronic_pain":
        qualify = (
            f"People qualify with {plural(p.min_diagnoses, 'recorded diagnosis', 'recorded diagnoses')} of chronic "
            f"pain (code list `{p.chronic_pain_codes}`)"
            + (
                f" on distinct days within {p.diagnosis_window_days} days; the last one needed is the qualifying day."
                if p.min_diagnoses > 1
                else "."
            )
        )
        latest = "the qualifying day"
    else:
        qualify = "Everybody in the source's persons table qualifies; no chronic pain diagnosis is asked for."
        latest = "the first observed day"
    entry = (
        f"Time zero (entry) is the latest of {latest}, {p.lookback_days} days of uninterrupted observation, and "
        f"reaching {p.min_age} years of age."
        if p.lookback_days
        else f"Time zero (entry) is the later of {latest} and reaching {p.min_age} years of age; no observation "
        "before entry is asked for."
    )
    bounds = [
        f"nobody enters before {p.study_start}" if p.study_start is not None else "",
        f"follow-up ends by {p.study_end}" if p.study_end is not None else "",
    ]
    limits = "; ".join(bound for bound in bounds if bound)
    excluded = (
        f"People with a record of {listed([plain(name) for name in p.exclude], 'or')} before entry are excluded."
        if p.exclude
        else "Nobody is excluded for a condition recorded before entry."
    )
    ends = ["death", "the end of observation"]
    ends += [f"{number(p.max_followup_days)} days after entry"] if p.max_followup_days else []
    ends += ["the end of the study"] if p.study_end is not None else []
    ends += [f"the first record of {listed([plain(name) for name in p.censor_at], 'or')}"] if p.censor_at else []
    followed = (
        f"Follow-up runs from entry to the first of {listed(ends, 'or')}. A death within 30 days after the last "
        "observed day counts, with the last known exposure. Time is counted in days from entry; a death on the k-th "
        "day after entry is an event at the end of that day, under the exposure of that day."
    )
    return [f"{qualify} {entry} {excluded}" + (f" In this study {limits}." if limits else ""), followed]


def _trajectories(released: Released) -> list[str]:
    return [] if released.exposures == {"baseline"} else methods_exposure.trajectories(released.config)


def _covariates(config: Config) -> list[str]:
    c = config.covariates
    names = listed([plain(name) for name in c.baseline])
    missing = {
        "indicator": "Missing values are a category of their own (missing indicator); a complete-case estimate stands "
        "beside wherever something is missing",
        "complete": "People with a missing value are left out",
        "mi": "Missing values are imputed by chained equations",
    }[c.missing]
    told = [
        f"Baseline covariates are {names}, taken from before entry only"
        + (f", from the {config.population.lookback_days} days before it." if config.population.lookback_days else ".")
        + f" {missing}. A coded condition without a record counts as absent, which is not the same as health."
    ]
    if "predictors" in config.trajectories.analyses:
        told.append(
            "Predictors of long-term use are as known on the eve of starting instead, conditions from all that is "
            "recorded before it."
        )
    if "calendar_year" in c.baseline and any(one.date_basis != "actual" for one in config.cohorts.values()):
        told.append("Calendar year is dropped in cohorts whose dates are not actual.")
    if c.time_varying:
        told.append(
            f"Covariates updated every 30 days in the panel are {listed([plain(name) for name in c.time_varying])}."
        )
    return told


def _mortality(released: Released) -> list[str]:
    m = released.config.mortality
    told = []
    if "rate" in m.analyses:
        told.append(f"Death rates are deaths per 1,000 person-years with exact Poisson limits.{released.rates_of}")
    if set(m.analyses) & {"current_use", "baseline_use"}:
        told += [_cox(released), _curves(released)]
    told += methods_mortality.described(released)
    told.append(
        "All mortality of a cohort is withheld when more than 5 % of its deaths fall outside follow-up for want of "
        "observation. A hazard ratio with fewer than ten deaths behind it, with deaths in one group only, or from a "
        "model that does not converge is not evaluable and is not shown; a rate ratio needs a death in each group."
    )
    return told


def _cox(released: Released) -> str:
    m, baseline = released.config.mortality, released.config.covariates.baseline
    exposure = {
        "time_varying": "as it changes day by day where it is followed (`mortality.current_use`)",
        "baseline": "as reported where it is known at one interview only (`mortality.baseline_use`)",
    }
    known = [text for kind, text in exposure.items() if kind in released.exposures]
    basic = [name for name in ("age", "sex") if name in baseline]
    sets = ["crude", *([f"adjusted for {listed(basic)}"] if basic else [])]
    sets += ["adjusted for all baseline covariates"] if len(baseline) > len(basic) else []
    return (
        f"Hazards of death are compared by Cox regression on time since entry, with exposure {listed(known)}; ties by "
        "Efron's method, standard errors robust and clustered by person. Where the cohort has sampling weights the fit "
        "is weighted, and where it names sampling units or strata the standard errors are those of the design. "
        f"Estimates are {listed(sets)}. {_lags(m.lags_days)}"
    )


def _curves(released: Released) -> str:
    days = listed([number(day) for day in released.config.mortality.horizons_days])
    moving = "time_varying" in released.exposures
    return (
        "Survival curves are Kaplan–Meier curves on the same time scale"
        + (", with people counted in the group they are in on each day where use is followed" if moving else "")
        + "; limits are on the log–log scale, with Greenwood's variance. Survival is printed at "
        f"{days} days."
    )


def _lags(lags_days: list[int]) -> str:
    if lags_days == [0]:
        return "Exposure is not lagged."
    return f"Exposure is lagged by {listed([plural(lag, 'day') for lag in lags_days])}."


def _synthesis(released: Released) -> list[str]:
    if len(released.cohorts) == 1:
        return ["The study has one cohort; nothing is pooled."]
    if not released.config.synthesis.pool:
        return [
            "The cohorts share people or are otherwise not independent; they are listed side by side and not pooled."
        ]
    return [
        "Estimates of the same quantity (estimand, contrast, method, window) are pooled: with two cohorts by a "
        "common-effect estimate, labelled so; with three or more by random effects (REML, Hartung–Knapp with a "
        "variance factor of at least 1), with a prediction interval from four on."
    ]


def _disclosure(released: Released) -> list[str]:
    release = released.release
    if release.get("profile") == "none":
        return [
            f"No disclosure control was applied. Reason given: {release.get('reason') or 'none'}. Every page is marked."
        ]
    return [
        f"Results left the study's folder through one door only, under profile `{release.get('profile')}`. "
        f"{released.rule} A count from which such a count could be worked out is withheld too: where deaths are split "
        "by use, time, dose, length of therapy or cause, the parts withheld hold together at least "
        f"{released.threshold}. {_rounded_words(released)}Adjusted hazard ratios give no count back; beside a group "
        "withheld only to protect another they stand without their counts, and crude ones are withheld."
    ]


def _rounded_words(released: Released) -> str:
    return "Rates and their ratios are those of the rounded counts. " if released.rounded else ""
