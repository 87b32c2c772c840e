"""Displays of the mortality analyses."""

from __future__ import annotations

from opioid_outcomes.contracts.display import Display

COUNTED = ("at_risk", "entered", "events", "left")
CURVE = ("survival", "ci_low", "ci_high", "weighted")

MORTALITY: tuple[Display, ...] = (
    Display(
        "new_user_balance", ("comparator", "covariate", "in_score"), ("new_users", "comparators"),
        ("smd_before", "smd_after"),
        "standardised mean differences between the arms at the index date, before and after weighting; in_score: 0 for"
        " covariates, squares and interactions left out of the propensity score; new_users, comparators: people",
        numbers=("in_score",),
    ),
    Display(
        "new_user_survival", ("comparator", "arm", "day"), COUNTED, CURVE,
        "survival by arm from the index date, by intention to treat; entered, events, left are cumulative counts of"
        " people, whose death or last index date ends it; weighted: 1 if the curve is",
        kind="curve", numbers=("day",),
    ),
    Display(
        "new_user_diagnostics", ("comparator", "arm"), ("persons", "index_dates", "events"),
        ("outside", "equipoise", "mdrr", "largest_smd"),
        "what the gates read before outcomes by arm: effective sample size of the arm's weights, share of propensity"
        " scores outside 0.01-0.99, share in equipoise, minimal detectable rate ratio and largest standardised"
        " difference after weighting (of the comparison); an effective size is a count where weights are alike, and"
        " told as one; no events by arm of a comparison that has not passed",
        person_years=("person_years", "ess"), behind="persons",
        parts=(("persons_outside", ("outside",)), ("persons_apart", ("equipoise",))),
    ),
    Display(
        "missing_by_arm", ("comparator", "covariate", "arm"), ("missing", "index_dates"), ("share",),
        "baseline covariates missing at the index date", nested=(("index_dates", "missing"),),
        behind="persons_missing", parts=(("persons_known", ("missing", "share")),),
        shares=(("share", "missing", "index_dates"),),
    ),
    Display(
        "cause_incidence", ("comparator", "cause", "window"), ("events_new_users", "events_comparators"),
        ("risk_new_users", "risk_comparators", "difference", "share"),
        "weighted cumulative incidence of death by cause (Aalen-Johansen) in both arms, their difference and its share"
        " of the difference in all deaths; events: people of the arm who died of it",
        families=(("comparator", "window"),),
    ),
    Display(
        "msm_weights", ("period",), ("persons",), ("mean", "p99", "largest"),
        "stabilised weights by 30-day period since entry; largest to two significant figures",
        numbers=("period",), unlisted=("persons", ("period",)), person_years=("ess",), quantiles=("p99", "largest"),
    ),
    Display(
        "msm_truncation", ("lower", "upper"), ("persons",), ("mean", "largest", "log_hr", "se"),
        "the hazard ratio of the marginal structural model when weights are cut at percentiles",
        numbers=("lower", "upper"), person_years=("ess",), behind="smallest_cell", quantiles=("largest",),
    ),
    Display(
        "sustained_survival", ("question", "strategy", "day"), COUNTED, CURVE,
        "survival under each sustained strategy, weighted for artificial censoring; entered, events, left are"
        " cumulative counts of people still following it",
        kind="curve", numbers=("day",),
    ),
    Display(
        "sustained_diagnostics", ("question", "strategy", "day"), ("persons", "following"), ("largest_weight",),
        "people eligible, and those still following the strategy at the horizon with the effective number their weights"
        " leave",
        numbers=("day",), nested=(("persons", "following"),), person_years=("ess",), behind="following",
        quantiles=("largest_weight",),
    ),
    Display(
        "dose_response", ("mme",), ("persons",), ("log_hr", "ci_low", "ci_high"),
        "hazard ratio by current dose against off opioids, natural spline; persons: with a day at this dose or more",
        numbers=("mme",),
    ),
    Display(
        "proportional_hazards", ("method", "term"), (), ("chi_square", "degrees", "p_value"),
        "test of proportional hazards (score test against the Kaplan-Meier transform of time) of current use; deaths on"
        " and off together are not told, as they would give those of one from those of the other",
        behind="events",
    ),
)  # fmt: skip

# The figures the report draws of them, by the names of their files.
MORTALITY_FIGURES = (
    "new_user_contrasts", "new_user_survival", "new_user_balance", "cause_incidence", "msm_weights",
    "sustained_survival", "hazard_ratios_by_time", "dose_response", "stopping", "negative_controls", "designs",
)  # fmt: skip
