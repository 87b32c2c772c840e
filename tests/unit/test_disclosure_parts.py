"""disclosure.parts: rates that are parts of a whole never leave one small count to be worked out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from opioid_outcomes.contracts.estimates import Estimate, frame
from opioid_outcomes.disclosure.estimates import released
from opioid_outcomes.disclosure.parts import cell_of, wholes
from opioid_outcomes.disclosure.profile import PROFILES

CMS = PROFILES["cms11"]
WITHHELD = "not evaluable: withheld"
CURRENT, STOPPING, CAUSE = "mortality.current_use", "mortality.stopping", "mortality.cause"


def rate(group: str, deaths: int, analysis: str = "mortality.rate", **more: str) -> Estimate:
    years = 40.0 * deaths + 400
    return Estimate(
        **{"method": "crude", "outcome": "death", "population": "p", **more}, analysis=analysis, contrast=group,
        scale="rate_per_1000py", estimate=1000 * deaths / years, persons=2000, events=deaths, person_years=years,
    )  # fmt: skip


def ratio(contrast: str, deaths: tuple[int, int], analysis: str = CURRENT, **more: str) -> Estimate:
    return Estimate(
        **{"method": "adjusted_full", "outcome": "death", "population": "p", **more}, analysis=analysis,
        contrast=contrast, scale="log_hr", estimate=0.5, se=math.sqrt(1 / deaths[0] + 1 / deaths[1]), ci_low=0.1,
        ci_high=0.9, persons=2000, events=sum(deaths), person_years=9000.0, smallest_cell=min(deaths),
    )  # fmt: skip


MAIN = [
    rate("all", 530), rate("on", 250), rate("off", 280), rate("never", 120), rate("recent", 40), rate("former", 120),
]  # fmt: skip


def shown(rows: list[Estimate]) -> list[dict[str, object]]:
    return released(frame(rows, study="s", cohort="c"), CMS).to_dicts()


def hidden(rows: list[Estimate], analysis: str) -> set[tuple[object, ...]]:
    told = [row for row in shown(rows) if row["analysis"] == analysis and str(row["gate"]).startswith(WITHHELD)]
    return {(row["outcome"], row["window"], row["contrast"]) for row in told}


def test_a_window_of_few_deaths_takes_the_next_with_it_and_no_other_window_or_cause() -> None:
    windows = [rate("on", n, CURRENT, window=w) for w, n in (("0-30", 4), ("31-180", 46), ("181-", 200))]
    ratios = [ratio("on vs off", (n, 280), window=w) for w, n in (("", 250), ("0-30", 4), ("31-180", 46), ("181-", 9))]
    rows = shown([*MAIN, *windows, *ratios])
    told = {(row["window"], row["scale"]): row for row in rows if row["analysis"] == CURRENT}
    assert told["0-30", "rate_per_1000py"]["gate"] == "not evaluable: withheld: 1 to 10 people or deaths behind it"
    assert told["31-180", "rate_per_1000py"]["gate"] == "not evaluable: withheld to protect a number of 1 to 10"
    assert told["181-", "rate_per_1000py"]["events"] == 200
    assert (told["", "log_hr"]["estimate"], told["", "log_hr"]["events"]) == (0.5, 530)
    assert told["0-30", "log_hr"]["estimate"] is None


def test_beside_a_protected_group_an_adjusted_hazard_ratio_loses_its_counts_and_a_crude_one_all() -> None:
    rows = shown([
        rate("all", 530), rate("on", 245), rate("off", 280), rate("treatment", 5),
        ratio("on vs off", (245, 280)), ratio("on vs off", (245, 280), method="crude"),
        replace(ratio("on vs off", (245, 280)), scale="log_rate_ratio", analysis="mortality.rate"),
        ratio("always vs never", (245, 280), "mortality.msm", method="iptw"),
    ])  # fmt: skip
    assert [row["contrast"] for row in rows[:4] if row["events"] is None] == ["on", "treatment"]
    adjusted, crude, rates, strategies = rows[4:]
    assert (adjusted["gate"], adjusted["estimate"]) == ("pass", 0.5)
    assert [adjusted[name] for name in ("persons", "events", "person_years")] == [None] * 3
    assert adjusted["note"] == "counts withheld to protect a number of 1 to 10"
    for row in (crude, rates):
        assert row["estimate"] is None
        assert row["se"] is None
    assert strategies["events"] == 525


def test_a_total_hidden_to_protect_does_not_follow_from_its_parts() -> None:
    users = [rate("new user on", 45, CURRENT), rate("prevalent user on", 200, CURRENT)]
    parts = [rate("never", 120), rate("recent", 40), rate("former", 120)]
    rows = [rate("all", 530), rate("on", 245), rate("off", 280), rate("treatment", 5), *parts, *users]
    assert hidden(rows, "mortality.rate") == {("death", "", "on"), ("death", "", "treatment")}
    assert hidden(rows, CURRENT) == {("death", "", "new user on")}


def test_few_people_of_whom_none_died_take_nobody_with_them_but_where_each_is_in_one_group() -> None:
    few = replace(rate("treatment", 0), persons=6, smallest_cell=6)
    assert hidden([*MAIN, few], "mortality.rate") == {("death", "", "treatment")}
    users = replace(rate("baseline user", 0), persons=6, smallest_cell=6)
    rows = [rate("all", 92), users, rate("non user", 92)]
    assert hidden(rows, "mortality.rate") == {("death", "", "baseline user"), ("death", "", "non user")}


def test_a_cause_of_few_deaths_takes_another_of_the_same_group() -> None:
    causes = {"cancer": (120, 180), "cardiovascular": (90, 62), "opioid overdose": (40, 3), "unknown cause": (0, 35)}
    rows = [
        rate(group, deaths[place], CAUSE, outcome=f"death:{name}")
        for name, deaths in causes.items()
        for place, group in enumerate(("on", "off"))
    ]  # fmt: skip
    assert hidden([*MAIN, *rows], CAUSE) == {("death:opioid overdose", "", "off"), ("death:unknown cause", "", "off")}
    intents = [
        rate("on", n, CAUSE, outcome=f"death:opioid overdose: {of}") for of, n in (("unintended", 36), ("self", 4))
    ]
    found = hidden([*MAIN, *rows, *intents], CAUSE)
    assert {("death:opioid overdose: unintended", "", "on"), ("death:opioid overdose: self", "", "on")} <= found


def test_the_clock_of_stopping_adds_up_to_use() -> None:
    bands = [rate("current supply", 242, STOPPING), rate("0-30 days since stopping", 8, STOPPING)]
    rows = [*MAIN, *bands, ratio("181-400 days since stopping vs current supply", (60, 242), STOPPING)]
    assert hidden(rows, STOPPING) == {("death", "", bands[0].contrast), ("death", "", bands[1].contrast)}
    last = shown(rows)[-1]
    assert (last["estimate"], last["events"]) == (0.5, None)


def test_lengths_of_therapy_and_lags_have_totals_of_their_own() -> None:
    lengths = {"0-90": 6, "91-365": 50, "over 365": 186}
    rows = [rate("current supply", 242, STOPPING), rate("0-30 days since stopping", 20, STOPPING)]
    rows += [rate(f"current supply after {length} days of therapy", n, STOPPING) for length, n in lengths.items()]
    lagged = [replace(row, method="crude_lag_30") for row in rows[:2]]
    assert {group for _, _, group in hidden([*MAIN, *rows, *lagged], STOPPING)} == {
        "current supply after 0-90 days of therapy", "current supply after 91-365 days of therapy",
    }  # fmt: skip


def test_doses_and_durations_of_addiction_are_two_splits_of_the_same_diagnoses() -> None:
    dose = {"<20 MME": 9, "20-49 MME": 60, ">=50 MME": 90}
    duration = {"0-90 days on": 50, "over 90 days on": 109}
    more = {"outcome": "opioid_use_disorder"}
    rows = [rate(group, n, "addiction.dose", **more) for group, n in dose.items()]
    rows += [rate(group, n, "addiction.duration", **more) for group, n in duration.items()]
    assert {group for _, _, group in hidden(rows, "addiction.dose")} == {"<20 MME", "20-49 MME"}
    assert hidden(rows, "addiction.duration") == set()


def test_an_smr_goes_with_the_rate_of_its_group() -> None:
    on = replace(rate("on vs general population", 245, "mortality.smr"), method="indirect", scale="smr", estimate=1.4)
    rows = [rate("all", 530), rate("on", 245), rate("off", 280), rate("treatment", 5), on]
    assert hidden(rows, "mortality.smr") == {("death", "", "on vs general population")}


def a_study(seed: int) -> list[Estimate]:
    """Deaths of one cohort split in all the ways in which they are told, with small groups here and there."""
    draw = np.random.default_rng(seed)

    def split(total: int, names: list[str]) -> dict[str, int]:
        shares = draw.dirichlet(np.full(len(names), 0.5))
        return dict(zip(names, map(int, draw.multinomial(total, shares)), strict=True))

    use = split(600, ["on", "off", "treatment", "unknown"])
    rows = [rate("all", 600), *(rate(group, n) for group, n in use.items())]
    rows += [rate(group, n) for group, n in split(use["off"], ["never", "recent", "former"]).items()]
    rows += [rate("on", n, CURRENT, window=w) for w, n in split(use["on"], ["0-30", "31-180", "181-"]).items()]
    for names in (["new user on", "prevalent user on"], [f"on at {band} MME" for band in ("<20", "20-49", ">=50")]):
        rows += [rate(group, n, CURRENT) for group, n in split(use["on"], names).items()]
    for group in ("on", "off"):
        causes = split(use[group], ["cancer", "cardiovascular", "other", "unknown cause"])
        rows += [rate(group, n, CAUSE, outcome=f"death:{cause}") for cause, n in causes.items()]
    return rows


@pytest.mark.parametrize("seed", range(25))
def test_no_hidden_count_can_be_worked_out_even_from_exact_ones(seed: int) -> None:
    """An attacker who knows the exact count of every row shown solves for each hidden one: by linear programming the
    least and most it may be, over all counts that add up. Of small ones they are at least the threshold apart, or the
    hidden parts hold nothing but zeros beside it."""
    rows = a_study(seed)
    told = [row["events"] is not None for row in shown(rows)]
    cells = [cell_of({**vars(row), "cohort": "c", "spec": "main"}, row.contrast) for row in rows]
    column = {cell: place for place, cell in enumerate(cells)}
    splits: dict[object, list[int]] = {}
    for cell in cells:
        for whole in wholes(cell):
            splits.setdefault(whole, []).append(column[cell])
    equations = np.zeros((len(splits), len(cells)))
    for line, ((whole, _), parts) in enumerate(splits.items()):
        equations[line, parts] = 1
        equations[line, column[whole]] = -1
    counts = [row.events or 0 for row in rows]
    bounds = [(n, n) if seen else (0, None) for n, seen in zip(counts, told, strict=True)]
    for place, (n, seen) in enumerate(zip(counts, told, strict=True)):
        if seen or not 0 < n < CMS.threshold:
            continue
        aim = np.eye(len(cells))[place]
        low, high = (
            linprog(sign * aim, A_eq=equations, b_eq=np.zeros(len(splits)), bounds=bounds).fun * sign
            for sign in (1, -1)
        )
        assert high - low >= CMS.threshold - 1e-6, (cells[place], low, high)
    assert pl.Series(told).any()
