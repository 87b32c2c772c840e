"""Long-term therapy, by example: supply and fills in, the first day on which each definition is met out.

A fill is (day, days_supply, MME/day); each is taken in full, one after the other. A result is {definition: (first day
of the window that met it, day met)}; definitions not named are not met.
"""

from dataclasses import dataclass

import polars as pl
import pytest

from opioid_outcomes.exposure import daily_dose, long_term

Fill = tuple[int, float | None, float | None]


@dataclass(frozen=True)
class Case:
    what: str
    why: str
    definitions: tuple[str, ...]
    fills: list[Fill]
    met: dict[str, tuple[int, int]]
    last: int = 2000


def monthly(number: int, mme: float | None = 40, *, every: int = 30, days: int = 30, first: int = 0) -> list[Fill]:
    return [(first + every * i, days, mme) for i in range(number)]


DAYS = ("d90_in_365", "d180", "svendsen_wide")
COUNTS = ("fills3", "fills6", "dunn_entry")
DOSE = ("stable_hd", "hdltot")

CASES = [
    Case(
        "30 days of supply every 30 days",
        "the 90th, 180th and 183rd day with supply; each in the 365 days that end on it",
        DAYS, monthly(12), {"d90_in_365": (-275, 89), "d180": (-185, 179), "svendsen_wide": (-182, 182)},
    ),
    Case(
        "89 days of supply",
        "one day too few",
        DAYS, [(0, 89, 40)], {},
    ),
    Case(
        "30 days of supply three times, the last from day 335 on",
        "day 364 is the 90th day with supply within 365 days",
        DAYS, [(0, 30, 40), (100, 30, 40), (335, 30, 40)], {"d90_in_365": (0, 364)},
    ),
    Case(
        "the last one day later",
        "day 365 is the 90th, but day 0 is no longer within 365 days",
        DAYS, [(0, 30, 40), (100, 30, 40), (336, 30, 40)], {},
    ),
    Case(
        "90 days with supply, death on the 90th",
        "the day of death counts",
        DAYS, [(0, 90, 40)], {"d90_in_365": (-275, 89)}, last=89,
    ),
    Case("death on the 89th", "it is not met before", DAYS, [(0, 90, 40)], {}, last=88),
    Case(
        "three fills within 90 days",
        "met on the day of the third, whatever their supply, which need not be known",
        COUNTS, [(0, 5, 40), (40, None, 40), (89, 5, 40)], {"fills3": (-275, 89), "dunn_entry": (0, 89)},
    ),
    Case(
        "the third on day 90",
        "91 days from the first to the third",
        COUNTS, [(0, 5, 40), (40, 5, 40), (90, 5, 40)], {"fills3": (-274, 90)},
    ),
    Case(
        "a fill every 73 days",
        "the sixth is on day 365: five within 365 days",
        COUNTS, monthly(6, every=73, days=5), {"fills3": (-218, 146)},
    ),
    Case(
        "a fill every 72 days",
        "the sixth is on day 360",
        COUNTS, monthly(6, every=72, days=5), {"fills3": (-220, 144), "fills6": (-4, 360)},
    ),
    Case(
        "two fills of one product on one day",
        "are one fill",
        COUNTS, [(0, 5, 40), (0, 5, 40), (60, 5, 40)], {},
    ),
    Case(
        "30 days of supply every 30 days, four times",
        "more than 90 days into the episode, on day 90, 120 days' supply have been dispensed within a year",
        ("consort", "opera"), monthly(4), {"consort": (0, 90), "opera": (0, 89)},
    ),
    Case(
        "three times",
        "90 days: neither more than 90 days nor 120 days' supply; but 90 days, all with supply",
        ("consort", "opera"), monthly(3), {"opera": (0, 89)},
    ),
    Case(
        "5 days of supply every 30 days, ten times",
        "the tenth fill, on day 270; few days with supply",
        ("consort", "opera"), monthly(10, days=5), {"consort": (0, 270)},
    ),
    Case(
        "5 days of supply every 45 days",
        "ten fills take 405 days, so nine are within a year",
        ("consort", "opera"), monthly(10, every=45, days=5), {},
    ),
    Case(
        "a fill 184 days after the first",
        "183 days without one end the episode; the second begins anew",
        ("consort", "opera"), [(0, 60, 40), (184, 80, 40)], {},
    ),
    Case(
        "60 days of supply, a fill 183 days after the first, of 90 days",
        "one episode: on day 183 older than 90 days, with 150 days' supply; 123 of 246 days with supply are half",
        ("consort", "opera"), [(0, 60, 40), (183, 90, 40)], {"consort": (0, 183), "opera": (0, 245)},
    ),
    Case(
        "60 MME for 360 days",
        "with 10 days before the first supply, the mean of the first 60 days is 50, within 15 % of 58.3",
        DOSE, monthly(12, 60), {"stable_hd": (-10, 349)},
    ),
    Case("50 MME for 360 days", "at least 50", DOSE, monthly(12, 50), {"stable_hd": (0, 359)}),
    Case(
        "50 MME for 360 days as products that are rounded add up to it",
        "at least 50",
        DOSE, monthly(12, 50 - 1e-9), {"stable_hd": (0, 359)},
    ),
    Case(
        "a third of 170 MME for 180 days, then a third of 230",
        "within 15 % of two thirds of 100, however these are rounded",
        DOSE, monthly(6, 170 / 3) + monthly(6, 230 / 3, first=180), {"stable_hd": (0, 359)},
    ),
    Case("49.9 MME for 360 days", "less than 50", DOSE, monthly(12, 49.9), {}),
    Case(
        "50 MME for 180 days, then 67 for 180",
        "58.5 on average: both halves within 15 %, 49.725 to 67.275",
        DOSE, monthly(6, 50) + monthly(6, 67, first=180), {"stable_hd": (0, 359)},
    ),
    Case(
        "50 MME for 180 days, then 68",
        "not within 15 % of any mean of both; with 39 days at 50 left, the first 60 are at 56.3, of 66",
        DOSE, monthly(6, 50) + monthly(12, 68, first=180), {"stable_hd": (141, 500)},
    ),
    Case(
        "60 MME for 360 days, the dose of one fill unknown",
        "no window that needs the dose is met while it holds a day of unknown dose",
        DOSE, [*monthly(5, 60), (150, 30, None), *monthly(12, 60, first=180)], {"stable_hd": (180, 539)},
    ),
    Case(
        "90 MME for 81 days",
        "81 of 90 days",
        DOSE, [(0, 81, 90)], {"hdltot": (-9, 80)},
    ),
    Case(
        "90 MME for 81 days as products that are rounded add up to it",
        "at 90",
        DOSE, [(0, 81, 90 - 1e-9)], {"hdltot": (-9, 80)},
    ),
    Case("90 MME for 80 days", "80 of 90 days", DOSE, [(0, 80, 90)], {}),
    Case(
        "90 MME for 41 days, 9 days without, then 40 days",
        "81 of the 90 days that end on day 89",
        DOSE, [(0, 41, 90), (50, 40, 90)], {"hdltot": (0, 89)},
    ),
    Case("89.9 MME for 100 days", "no day at 90", DOSE, [(0, 100, 89.9)], {}),
]  # fmt: skip


def find(fills: list[Fill], last: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    schema = {"start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64}
    table = pl.DataFrame(fills, schema=schema, orient="row").with_columns(
        person_id=pl.lit(1, pl.Int64), product=pl.lit("a")
    )
    last_days = pl.DataFrame({"person_id": [1], "last": [last]}, schema={"person_id": pl.Int64, "last": pl.Int32})
    daily = daily_dose.cut(daily_dose.build(table.lazy(), 0), last_days.lazy()).collect()
    clean = table.rename({"start": "date"}).with_columns(analgesic=pl.lit(1))
    return long_term.find(daily, clean, last_days), clean, last_days


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.definitions[0]}: {case.what}")
def test_long_term(case: Case) -> None:
    found, _, _ = find(case.fills, case.last)
    assert {row[1]: row[2:] for row in found.iter_rows() if row[1] in case.definitions} == case.met


def test_fills_kept_apart_do_not_count() -> None:
    _, clean, last = find(monthly(3), 100)
    days = {"start": pl.Int32, "stop": pl.Int32}
    daily = pl.DataFrame(schema={"person_id": pl.Int64, **days, "mme": pl.Float64, "mme_incomplete": pl.Int64})
    assert long_term.find(daily, clean, last)["definition"].to_list() == ["dunn_entry", "fills3"]
    assert long_term.find(daily, clean.with_columns(analgesic=pl.lit(0)), last).is_empty()


def test_display_has_a_row_for_every_definition() -> None:
    found, clean, last = find(monthly(3), 100)
    rows = {row[0]: row[1:] for row in long_term.display(found, clean, last).rows()}
    assert list(rows) == list(long_term.DEFINITIONS)
    assert rows["d90_in_365"] == (1, 1, 1.0)
    assert rows["d180"] == (1, 0, 0.0)
    nobody = long_term.display(found.clear(), clean.clear(), last)
    assert nobody.select("persons", "met", "share").unique().rows() == [(0, 0, None)]
