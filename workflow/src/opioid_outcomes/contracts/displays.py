"""Displays: the frames behind tables and figures, and which of their columns are counts of people.

A display leaves only through ``disclosure``, which reads these declarations: in a row in which any count is small,
the counts and the values go together.
"""

from __future__ import annotations

from opioid_outcomes.contracts.display import Display
from opioid_outcomes.contracts.mortality_displays import MORTALITY, MORTALITY_FIGURES

# Rows of other definitions, factor tables or numbers of classes differ by people too; where none is declared ``inside``
# another, and as between linked tables,
# rounding protects (DISCLOSURE, Out 2), which shares must not undo: they come from the rounded counts.
EXPOSURE = (
    Display(
        "repair_sensitivity", ("fills_used",), ("persons",), ("mean_mme", "share_50", "share_90"),
        "days with supply from all fills and without repaired ones; shares are of days at a known dose, at 50 and 90"
        " MME/day and above; persons_repaired (on the row of all fills: persons), persons_50 and persons_90 are those"
        " behind a row's difference from the other and behind its shares",
        person_years=("person_years",), inside=(("persons", "all", "without repaired"),), alone=("persons",),
        behind="persons_repaired",
        parts=(("persons_50", ("share_50",)), ("persons_90", ("share_90",))),
    ),
    Display(
        "use_history", ("measure", "item"), ("persons",), ("median",),
        "item state: persons ever in a state of use in follow-up and their time in it, median of on: days since start"
        " when the last stretch on ends; item first_use: persons by what their first day on belongs to, median of new:"
        " naive days; item dose: persons ever on with a known dose, median: MME supplied until follow-up ends",
        person_years=("person_years",), families=(("item",),), quantiles=("median",),
        inside=(("persons", "on", "cumulative_mme"),), alone=("persons",),
    ),
    Display(
        "episode_summary", ("merged_over",), ("persons", "episodes"), ("median_days", "median_share_active"),
        "episodes: days with supply merged over gaps as configured; medians over episodes of their length and of the"
        " share of their days with supply", behind="persons", quantiles=("median_days", "median_share_active"),
    ),
    Display(
        "gap_distribution", ("gap_days_from", "gap_days_to"), ("gaps", "persons"), ("share",),
        "days between one stretch of supply and the next; gap_days_to is empty in the last row",
        numbers=("gap_days_from", "gap_days_to"), families=((),), shares=(("share", "gaps", None),),
    ),
    Display(
        "mme_thresholds", ("definition", "factors"), ("persons", "over_50", "over_90"),
        ("share_50", "share_90", "median_mme"),
        "persons whose dose reaches 50 and 90 MME/day in any window, by HEAL definition and factor table; median of"
        " each person's highest window",
        numbers=("definition",), behind="persons",
        nested=(("persons", "over_50"), ("over_50", "over_90"), ("persons", "over_90")),
        parts=(("over_50", ("share_50",)), ("over_90", ("share_90",))),
        shares=(("share_50", "over_50", "persons"), ("share_90", "over_90", "persons")), quantiles=("median_mme",),
    ),
    Display(
        "dose_events", ("event",), ("persons", "events"), ("median_change",),
        "changes of dose; median relative change of mean dose over the event", behind="persons",
        quantiles=("median_change",),
        inside=(("persons", "taper", "rapid_taper_weekly"), ("persons", "taper", "rapid_taper_monthly")),
    ),
    Display(
        "long_term", ("definition",), ("persons", "met"), ("share",),
        "persons with analgesic fills who ever meet each definition of long-term therapy", behind="persons",
        nested=(("persons", "met"),), parts=(("met", ("share",)),), shares=(("share", "met", "persons"),),
        inside=(
            ("met", "fills3", "fills6"), ("met", "fills3", "dunn_entry"), ("met", "d90_in_365", "d180"),
            ("met", "d180", "svendsen_wide"),
        ),
    ),
    Display(
        "concurrent_use", ("class",), ("persons", "with_class", "cob"), ("share_with", "share_of_days"),
        "persons with days on opioids, of these with a day or more of both, and with the measure of concurrent use met",
        behind="persons", nested=(("persons", "with_class"), ("with_class", "cob"), ("persons", "cob")),
        parts=(("with_class", ("share_with", "share_of_days")), ("cob", ())),
        shares=(("share_with", "with_class", "persons"),),
    ),
    Display(
        "dose_bands", ("month", "band"), ("persons",), ("share",),
        "status or dose band on the first day of each 30-day month since entry, among those followed",
        kind="bands", numbers=("month",), families=(("month",),), shares=(("share", "persons", None),),
        unlisted=("persons", ("month",)),
    ),
    Display(
        "trajectory_models", ("classes", "chosen", "why"),
        ("persons", "smallest_class", "left_never_on", "left_few_months"),
        ("log_likelihood", "bic", "entropy", "mean_posterior", "smallest_share"),
        "latent class models of monthly dose, by number of classes; left_never_on, left_few_months: persons without a"
        " day on opioids in the window, and others with too few months of known dose, who have no course and no class",
        numbers=("classes", "chosen"), behind="smallest_class",
        parts=(("left_never_on", ()), ("left_few_months", ())),
        shares=(("smallest_share", "smallest_class", "persons"),), whole=("log_likelihood", "bic"),
    ),
    Display(
        "trajectory_classes", ("class", "month"), ("persons",), ("mean", "ci_low", "ci_high", "observed", "share"),
        "curves of the latent classes with pointwise 95 % limits, given the classes and their number; mean: taken back"
        " from the scale of the classes, on the log scale about a geometric mean; observed: plain mean of the doses of"
        " the class's persons_observed that month, on the log scale above the curve where doses differ between them;"
        " persons and share: of the class, whatever the month",
        numbers=("class", "month"), families=(("month",),), parts=(("persons_observed", ("observed",)),),
        shares=(("share", "persons", None),),
    ),
)  # fmt: skip

DISPLAYS: dict[str, Display] = {
    display.name: display
    for display in (
        Display(
            "attrition", ("step", "rule"), ("persons_kept", "persons_dropped"), (),
            "from raw persons to the analysed cohort", kind="attrition", numbers=("step",),
        ),
        Display(
            "quality", ("table", "into"), ("rows_in", "canonical", "rejected", "merged", "not_selected"), (),
            "what became of every input row", kind="ledger",
        ),
        Display("quality_rules", ("table", "rule"), ("rows",), (), "rows rejected, by rule", families=(("table",),)),
        Display(
            "exposure_ledger", ("item", "label"), ("fills", "persons"), (),
            "fills by ingredient, by reason kept apart, by repair, and products not recognised; what few carry is told"
            " as other", families=(("item",),), folded="label",
        ),
        Display(
            "table_one", ("variable", "level", "statistic", "group"), ("persons", "of_persons"),
            ("mean", "sd", "share", "smd"),
            "covariates by exposure; smd is set on the rows of the exposed group",
            families=(("variable", "statistic", "group"), ("variable", "statistic", "level")),
            nested=(("of_persons", "persons"),), shares=(("share", "persons", "of_persons"),),
            base=("of_persons", "persons", "group"),
        ),
        Display(
            "survival", ("exposure", "group", "day"), ("at_risk", "entered", "events", "left"),
            ("survival", "ci_low", "ci_high", "weighted"),
            "survival by current or baseline exposure; entered, events, left are cumulative; weighted: 1 if the"
            " people are", kind="curve", numbers=("day",),
        ),
        Display(
            "dose_distribution", ("dose_band",), ("persons",), ("share_of_time",),
            "person-time on opioids by dose band; bands of few people are not listed", person_years=("person_years",),
            families=((),), unlisted=("persons", ("dose_band",)),
        ),
        Display(
            "dose_trajectory", ("month",), ("persons", "persons_on"),
            ("share_on", "p25", "median", "p75", "mean"),
            "monthly mean MME/day among people on opioids, by month since entry",
            numbers=("month",), nested=(("persons", "persons_on"),), quantiles=("p25", "median", "p75"),
            behind="persons_with_dose",
            shares=(("share_on", "persons_on", "persons"),), unlisted=("persons", ("month",)),
        ),
        Display(
            "pain_escalation", ("arm", "month"), ("persons",), ("mean", "ci_low", "ci_high"),
            "mean pain by 30-day month before and after the decision, by arm", numbers=("month",),
        ),
        Display(
            "escalation_diagnostics", ("window", "arm"), ("persons", "deaths"),
            ("observed", "change", "mme", "largest_smd", "dead"),
            "the arms of the escalation trial by window: people with a score in it, those who die before its end"
            " without one, effective number that the weights leave, share of decisions with a score, mean change of"
            " pain since the visit, mean dose, largest standardised difference after weighting (of the comparison),"
            " share dead",
            behind="persons", person_years=("ess",), parts=(("deaths", ("dead",)), ("persons_unseen", ("observed",))),
        ),
        Display(
            "noise_tipping", ("window", "what"), ("persons",), ("estimate", "at_zero", "limit_at_zero"),
            "what would explain the estimate away: the size of each bias at which it, and the limit nearer to 0, would"
            " be 0; empty where none does",
        ),
        *EXPOSURE,
        *MORTALITY,
    )
}  # fmt: skip

# The figures the report draws, by the names of their files.
FIGURES = (
    "attrition", "mme_thresholds", "dose_distribution", "dose_trajectory", "dose_bands", "gap_distribution",
    "trajectory_classes", "exposure_example", "survival", "hazard_ratios", "pain_escalation", "escalation_contrasts",
    "verdict", "calibration", "blip_lags", "wrong_answers", "event_study",
    *MORTALITY_FIGURES,
)  # fmt: skip
