"""Tables of use: current, past, new and prevalent, for how long and how much; and episodes."""

from __future__ import annotations

from opioid_outcomes.exposure.status import RECENT_DAYS
from opioid_outcomes.report.document import Block, Notice, Table
from opioid_outcomes.report.exposure_tables import EVERYBODY, Row, by_cohort, share, told
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import MISSING, number, person_years, plural, present

UNITS = {"on": "days since start", "new": "naive days", "cumulative_mme": "MME"}  # of the medians


def _meanings(released: Released) -> dict[str, tuple[str, str]]:
    """By measure: its name, and what it counts in the config's numbers."""
    rules = released.config.exposure
    first = "the first day on in follow-up is of a use before which"
    washout = plural(rules.washout_days, "observed day")
    return {
        "on": ("On (current use)",
            f"with supply, or up to {plural(rules.carry_over_days, 'day')} after its end; median: days since start, "
            "carry-over included, when the last stretch on in follow-up ends"),
        "recent": ("Recent (past use)", f"off, supply ended at most {RECENT_DAYS} days ago"),
        "former": ("Former (past use)", "off, supply ended earlier"),
        "never": ("Never", "no supply since observation began"),
        "treatment": ("In treatment", "of opioid use disorder: neither on nor off"),
        "unknown": ("Not known", "whether on or off"),
        "new": ("New users", f"{first} there were {washout} or more without opioids; median: these naive days"),
        "prevalent": ("Prevalent users", f"{first} there were opioids within {washout}"),
        "not_known": ("New or prevalent: not known", f"{first} fewer than {washout} are seen"),
        "cumulative_mme": ("Cumulative MME",
            "ever on in follow-up, with a known dose; median: strength × quantity × factor of all supply from the "
            "start of observation to the end of follow-up, days of unknown dose left out"),
    }  # fmt: skip


def use_history(released: Released) -> Block:
    meanings = _meanings(released)

    def cells(row: Row, counted: dict[str, str]) -> tuple[str, ...]:
        name, meaning = meanings[row["measure"]]
        unit = UNITS.get(row["measure"], "")
        within = row["measure"] == "cumulative_mme" and present(row["median"]) and not present(row["persons"])
        return (
            name, meaning, f"within {released.threshold - 1} of all on" if within else counted["persons"],
            told(row, "person_years", person_years(row["person_years"])) if row["item"] == "state" else MISSING,
            told(row, "median", f"{number(row['median'])} {unit}") if unit else MISSING,
        )  # fmt: skip

    lines = by_cohort(released, "use_history", "persons", cells)
    if not lines:
        return Notice("Current and past use are not told: no cohort has enough people whose use is followed.")
    return Table(
        "use_history",
        "Current and past use in follow-up, new and prevalent users. A person counts in every state they were ever in, "
        "and once as new, prevalent or not known. Medians are over the persons of their row.",
        ("Use", "What counts", "Persons", "Person-years", "Median"), tuple(lines), 3, released.rule,
        (1.3, 3.2, 0.8, 0.9, 1.1),
    )  # fmt: skip


def episodes(released: Released) -> Block:
    def cells(row: Row, counted: dict[str, str]) -> tuple[str, ...]:
        return (
            f"gaps of up to {row['merged_over']}", counted["persons"], counted["episodes"],
            told(row, "median_days", number(row["median_days"])), share(row, "median_share_active"),
        )  # fmt: skip

    lines = by_cohort(released, "episode_summary", "persons", cells)
    if not lines:
        return Notice("Episodes are not counted: no cohort has days with supply of enough people.")
    return Table(
        "episode_summary",
        f"Episodes: days with supply, merged over gaps, anywhere in observation, of {EVERYBODY}. "
        "Medians over episodes: of their days "
        "from first to last, and of the share of these with supply.",
        ("Merged over", "Persons", "Episodes", "Median days", "Days with supply"), tuple(lines), 4, released.rule,
        (2.4, 0.9, 0.9, 1, 1.2),
    )  # fmt: skip
