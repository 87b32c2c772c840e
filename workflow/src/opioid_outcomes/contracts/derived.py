"""The patient-level tables that exposure and cohort derive; they never leave the derived folder."""

from __future__ import annotations

from opioid_outcomes.contracts.canonical import DISPENSINGS, PERSON, day
from opioid_outcomes.contracts.columns import Column, Table

CENSORED = "censored at "  # exit_reason, before the name of a list of population.censor_at
USE_STATES = ("on", "never", "recent", "former", "treatment", "unknown")

REJECTED = Table(
    "rejected",
    "one input row that is in no canonical table",
    (
        Column("table", "text", "the input table", required=True),
        Column("row", "int", "row number in the input file, counting data rows from 1", required=True),
        Column("rule", "text", "the rule that rejected it", required=True),
    ),
)
DISPENSINGS_CLEAN = Table(
    "dispensings_clean",
    "one fill of an opioid",
    (
        *DISPENSINGS.columns,
        Column("product", "text", "product key: ingredient|strength in mg|route|release"),
        Column(
            "mme_per_day",
            "float",
            "strength x quantity / days_supply x factor; null = unknown dose, not zero",
        ),
        Column("form", "text", "dosage form, where the name or code tells it"),
        Column(
            "tiered_mg_per_day", "float", "mg/day, where the factor depends on the day's total (methadone); else null"
        ),
        Column("repair", "text", "rules that repaired the fill, joined by +; null = as recorded"),
        Column("analgesic", "int", "1 enters daily dose, 0 kept apart", required=True),
        Column("reason", "text", "why a fill is kept apart or its dose is unknown"),
    ),
)
DAILY_DOSE = Table(
    "daily_dose",
    "a stretch of days with one daily dose; days without supply are absent",
    (
        PERSON,
        day("start", "first day"),
        day("stop", "first day after (half-open)"),
        Column("mme", "float", "MME/day, the sum of the known parts; null = on, dose unknown"),
        Column("mme_incomplete", "int", "1 where a product active that day has no factor", required=True),
        Column("on_buprenorphine", "int", "1 where buprenorphine is active", required=True),
        Column(
            "repaired",
            "int",
            "1 where it rests on a repaired fill or what one left over, or is held in hospital",
            required=True,
        ),
        Column("tiered_mg", "float", "mg/day of methadone where its factor depends on the day's total; else null"),
    ),
)
EPISODES = Table(
    "episodes",
    "active days merged over gaps of at most gap_days (descriptive only)",
    (
        PERSON,
        Column("episode", "int", "1, 2, ... within person", required=True),
        day("start", "first day"),
        day("stop", "first day after supply ends (half-open)"),
        Column("days_active", "int", "days with supply", required=True),
        Column("mean_mme", "float", "mean MME/day over active days with a known part"),
    ),
)
OPIOID_STATUS = Table(
    "opioid_status",
    "a stretch of days in one state of opioid use, as known on each day from the past only",
    (
        PERSON,
        day("start", "first day"),
        day("stop", "first day after (half-open)"),
        Column(
            "state", "category", "on, former, recent, treatment (of opioid use disorder) or unknown; absent = never",
            required=True, values=USE_STATES,
        ),
        Column("mme", "float", "daily dose; the last one held during carry-over; 0 when off; null = on, dose unknown"),
        Column("on_since", "day", "first day of the present uninterrupted stretch on; null when off"),
        Column("supply_end", "day", "last known end of supply; null before any"),
        Column("cumulative_mme", "float", "MME consumed before the stretch, as far as doses are known"),
        Column("new_user", "int", "1 new user, 0 prevalent, null not known or off"),
        Column("naive_days", "int", "observed days without opioids before the present use; null off"),
    ),
)  # fmt: skip
MME_DEFINITIONS = Table(
    "mme_definitions",
    "one of the four MME definitions of a person's window that holds a day with supply, by one factor table",
    (
        PERSON,
        day("window_start", "first day of the window"),
        day("window_stop", "first day after the window"),
        Column(
            "definition", "int",
            "1 total / days of supply, 2 total / days with supply, 3 total / days of the window, 4 highest day",
            required=True,
        ),
        Column("factors", "text", "factor table", required=True),
        Column("mme", "float", "MME/day by the definition, over known doses; null = none known"),
        Column("mme_without_buprenorphine", "float", "the same without buprenorphine"),
        Column("incomplete", "int", "1 where a dose in the window is unknown", required=True),
    ),
)  # fmt: skip
DOSE_EVENTS = Table(
    "dose_events",
    "one change of dose, with the days it is ascertained by",
    (
        PERSON,
        Column(
            "event", "category", "kind of event", required=True,
            values=(
                "escalation", "maintenance", "taper", "rapid_taper_weekly", "rapid_taper_monthly", "discontinuation",
                "high_dose_start",
            ),
        ),
        day("date", "day of the change"),
        day("window_start", "first day of the ascertainment window"),
        day("window_stop", "first day after the ascertainment window"),
        day("follow_up_from", "first day on which a follow-up may start without immortal time"),
        Column("mme_before", "float", "mean MME/day before"),
        Column("mme_after", "float", "mean MME/day after"),
        Column("change", "float", "relative change of the mean dose"),
    ),
)  # fmt: skip
LONG_TERM = Table(
    "long_term",
    "the first day on which a person meets a definition of long-term therapy",
    (
        PERSON,
        Column("definition", "category", "name of the definition", required=True),
        day("window_start", "first day of the window that meets it"),
        day("met", "first day on which it is known to be met; a follow-up may start then"),
    ),
)
CONCURRENT = Table(
    "concurrent",
    "a stretch of days on opioids with supply of another class",
    (
        PERSON,
        Column("class", "category", "drug class", required=True, values=("benzodiazepine", "gabapentinoid")),
        day("start", "first day"),
        day("stop", "first day after (half-open)"),
    ),
)
TRAJECTORIES = Table(
    "trajectories",
    "a person's latent class of dose trajectory",
    (
        PERSON,
        Column("class", "int", "class with the highest posterior; 1 has the lowest mean dose", required=True),
        Column("posterior", "float", "posterior probability of that class", required=True),
    ),
    caveats="posterior_1, posterior_2, ... follow: the posterior probabilities of all classes. A class is told from the"
    " whole window, so it is no exposure for anything that happens inside the window.",
)
ATTRITION = Table(
    "attrition",
    "one step from raw persons to the analysed cohort",
    (
        Column("step", "int", "0, 1, ...", required=True),
        Column("rule", "text", "who is kept", required=True),
        Column("persons_kept", "int", "persons left after the step", required=True),
        Column("persons_dropped", "int", "persons removed by the step", required=True),
    ),
)
COHORT = Table(
    "cohort",
    "one eligible person",
    (
        PERSON,
        day("entry", "time zero"),
        day("exit", "first day no longer followed (half-open)"),
        Column("death", "int", "1 if follow-up ends in death", required=True),
        Column("cause", "text", "cause group of death, with the intent of an opioid overdose; null = alive or unknown"),
        Column(
            "exit_reason", "category", "why follow-up ends", required=True,
            values=("death", "end of observation", "max follow-up", "study end", f"{CENSORED}<code list>"),
        ),
        Column("baseline_user", "int", "1 on opioids at time zero, 0 not, null unknown"),
        Column("survey_weight", "float", "sampling weight"),
        Column("stratum", "text", "sampling stratum"),
        Column("cluster", "text", "primary sampling unit"),
    ),
    caveats="The baseline covariates named in the config follow these columns.",
)  # fmt: skip
PERSON_TIME = Table(
    "person_time",
    "a stretch of a person's follow-up in which nothing analysed changes",
    (
        PERSON,
        Column("start", "int", "days since entry, exclusive: time is (start, stop]", required=True),
        Column("stop", "int", "days since entry, inclusive", required=True),
        Column("death", "int", "1 if the person dies at stop", required=True),
        Column("cause", "text", "cause group of that death, as in the cohort; null where it is not known"),
        Column("on_opioid", "int", "1 on, 0 off, null neither (treatment of opioid use disorder) or not known"),
        Column("use_state", "category", "state of use", required=True, values=USE_STATES),
        Column("mme", "float", "MME/day; 0 off; null = on, dose unknown"),
        Column("dose_band", "category", "band of mme; none = off, unknown = on at unknown dose", required=True),
        Column("days_since_start", "int", "days since the present stretch on began, at start; null off"),
        Column("days_since_stop", "int", "days since the last known end of supply, at start; null on and never"),
        Column("cumulative_mme", "float", "MME consumed before start, as far as doses are known"),
        Column("new_user", "int", "1 new user, 0 prevalent, null not known or off"),
        Column("baseline_user", "int", "1 on opioids at time zero, 0 not, null unknown"),
        Column("survey_weight", "float", "sampling weight"),
        Column("stratum", "text", "sampling stratum"),
        Column("cluster", "text", "primary sampling unit"),
    ),
    caveats="The baseline covariates named in the config follow these columns.",
)
PANEL = Table(
    "panel",
    "a person's 30-day period",
    (
        PERSON,
        Column("period", "int", "0, 1, ...: days [30k, 30k+30) since entry", required=True),
        Column("pain", "float", "mean score of the 30 days strictly before the period's first day, 0-10"),
        Column("pain_observed", "int", "1 if pain was recorded in those days", required=True),
        Column("mme", "float", "MME/day on the period's first day"),
        Column("on_opioid", "int", "status on the period's first day"),
        Column("death", "int", "1 if the person dies within the period", required=True),
    ),
    caveats="The covariates named in the config follow these columns.",
)

TRIALS = Table(
    "new_user_trials",
    "one eligible index date of a person, for one comparator",
    (
        PERSON,
        Column(
            "comparator", "category", "whom new users are compared with", required=True,
            values=("non_user", "nsaid", "gabapentinoid", "antidepressant", "weak_opioid"),
        ),
        Column("arm", "int", "1 new user, 0 comparator", required=True),
        day("index", "time zero: day of the first fill, or of the contact with care"),
        Column("trial", "int", "30-day block since cohort entry that holds the index day", required=True),
        Column("days_since_entry", "int", "days from cohort entry to the index day", required=True),
        Column("follow_up", "int", "days from index to the end of follow-up; a day k is (k, k + 1]", required=True),
        Column("event", "int", "1 if the person dies at follow_up", required=True),
        Column("cause", "text", "cause group of that death; null where it is not known"),
        Column(
            "as_treated_until", "int",
            "days from index at which the strategy is first left, known from the past; null never within follow-up",
        ),
    ),
    caveats="The baseline covariates named in the config, on the eve of the index day, follow these columns. A person"
    " may be a comparator several times and later a new user.",
)  # fmt: skip

DERIVED: dict[str, Table] = {
    table.name: table
    for table in (
        REJECTED, DISPENSINGS_CLEAN, DAILY_DOSE, EPISODES, OPIOID_STATUS, MME_DEFINITIONS, DOSE_EVENTS, LONG_TERM,
        CONCURRENT, ATTRITION, COHORT, PERSON_TIME, PANEL, TRAJECTORIES, TRIALS,
    )
}  # fmt: skip
