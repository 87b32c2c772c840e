"""Episodes, by example: stretches with supply merged over gaps. Day 0 is any day.

A fill is (day, days_supply, MME/day, product); an episode is (start, stop, days with supply, mean MME/day).
"""

from dataclasses import dataclass

import polars as pl
import pytest

from opioid_outcomes.exposure import daily_dose, episodes

Fill = tuple[int, float | None, float | None, str]
Episode = tuple[int, int, int, float | None]


def table(fills: list[Fill], person: str = "p") -> pl.LazyFrame:
    schema = {"start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64, "product": pl.String}
    return pl.LazyFrame(fills, schema=schema, orient="row").with_columns(person_id=pl.lit(person))


@dataclass(frozen=True)
class Case:
    what: str
    fills: list[Fill]
    episodes: list[Episode]
    gap_days: float = 30
    gap_share: float | None = None


TWO = [(0, 10, 30, "a"), (40, 20, 60, "a")]  # a gap of 30 days
CASES = [
    Case("a gap of 30 days is bridged at 30", TWO, [(0, 60, 30, 50)]),
    Case("and not at 29", TWO, [(0, 10, 10, 30), (40, 60, 20, 60)], gap_days=29),
    Case("no gap is bridged at 0, and stretches that touch are one",
         [(0, 10, 30, "a"), (10, 5, 60, "b"), (16, 5, 60, "a")],
         [(0, 15, 15, 40), (16, 21, 5, 60)], gap_days=0),
    Case("left-over days close the gap before it is one", [(0, 30, 30, "a"), (20, 30, 30, "a"), (61, 10, 30, "a")],
         [(0, 71, 70, 30)], gap_days=1),
    Case("days of unknown dose are active and not in the mean", [(0, 10, None, "a"), (10, 10, 40, "b")],
         [(0, 20, 20, 40)]),
    Case("no dose is known: no mean, not zero", [(0, 10, None, "a")], [(0, 10, 10, None)]),
    Case("half the last supply of 30 days: a gap of 15 days is bridged", [(0, 30, 30, "a"), (45, 30, 30, "a")],
         [(0, 75, 60, 30)], gap_share=0.5),
    Case("one of 16 days is not", [(0, 30, 30, "a"), (46, 30, 30, "a")], [(0, 30, 30, 30), (46, 76, 30, 30)],
         gap_share=0.5),
    Case("the share is a real number: 0.5 of 7 days bridges 3 days, not 4",
         [(0, 7, 30, "a"), (10, 7, 30, "a"), (21, 7, 30, "a")], [(0, 17, 14, 30), (21, 28, 7, 30)], gap_share=0.5),
    Case("it is the last fill before the gap that counts, not the one after it", [(0, 90, 30, "a"), (120, 7, 30, "a")],
         [(0, 127, 97, 30)], gap_share=0.5),
    Case("a later fill of another product counts, though the first one ended the stretch",
         [(0, 90, 30, "a"), (80, 5, 30, "b"), (95, 30, 30, "a")], [(0, 90, 90, 30 + 30 * 5 / 90), (95, 125, 30, 30)],
         gap_share=0.5),
    Case("of two on the last day the longer counts", [(0, 30, 30, "a"), (0, 10, 30, "b"), (42, 8, 30, "a")],
         [(0, 50, 38, (30 * 38 + 30 * 10) / 38)], gap_share=0.5),
    Case("a share of nothing bridges nothing", [(0, 30, 30, "a"), (31, 30, 30, "a")],
         [(0, 30, 30, 30), (31, 61, 30, 30)], gap_share=0),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_episodes(case: Case) -> None:
    fills = table(case.fills)
    shared = {} if case.gap_share is None else {"gap_share": case.gap_share, "fills": fills}
    found = episodes.build(daily_dose.build(fills), case.gap_days, **shared).collect()
    assert found.select("start", "stop", "days_active").rows() == [row[:3] for row in case.episodes]
    assert found["mean_mme"].to_list() == pytest.approx([row[3] for row in case.episodes])
    assert found["episode"].to_list() == list(range(1, len(case.episodes) + 1))


def test_a_share_needs_the_fills_it_is_a_share_of() -> None:
    daily = daily_dose.build(table(TWO))
    for wrong in ({"gap_share": 0.5}, {"fills": table(TWO)}):
        with pytest.raises(ValueError, match=r"^gap_share and fills belong together$"):
            episodes.build(daily, **wrong)


def test_people_and_the_order_of_rows_do_not_matter() -> None:
    both = pl.concat([table(TWO, person) for person in ("q", "p")])
    daily = daily_dose.build(both).collect()
    found = episodes.build(daily.lazy(), 10).collect()
    assert found.select("person_id", "episode", "start").rows() == [
        ("p", 1, 0),
        ("p", 2, 40),
        ("q", 1, 0),
        ("q", 2, 40),
    ]
    assert episodes.build(daily.reverse().lazy(), 10).collect().equals(found)
    assert episodes.build(daily.clear().lazy()).collect().schema == found.schema


# fills and what they cover without stockpiling: start, stop, days with supply
FROM_FILLS: list[tuple[str, list[Fill], int, list[tuple[int, int, int]]]] = [
    ("overlapping days count once, nothing is added to the end", [(0, 30, None, ""), (20, 30, None, "")], 0,
     [(0, 50, 50)]),
    ("a fill inside another adds nothing", [(0, 60, None, ""), (20, 10, None, ""), (65, 5, None, "")], 5,
     [(0, 70, 65)]),
    ("a gap of 5 days is not bridged at 4", [(0, 60, None, ""), (20, 10, None, ""), (65, 5, None, "")], 4,
     [(0, 60, 60), (65, 70, 5)]),
    ("part of a day is no day", [(0, 7.5, None, ""), (8, 0.5, None, ""), (9, 1.9, None, "")], 0,
     [(0, 7, 7), (9, 10, 1)]),
    ("thirds that add up to a day are a day", [(0, 2.9999999, None, "")], 0, [(0, 3, 3)]),
    ("fills without an interval cover nothing", [(0, None, None, ""), (3, 0, None, ""), (5, -1, None, "")], 0, []),
    ("days before day 0", [(-30, 10, None, ""), (-20, 5, None, "")], 0, [(-30, -15, 15)]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "fills", "gap", "rows"), FROM_FILLS, ids=[case[0] for case in FROM_FILLS])
def test_episodes_straight_from_fills(what: str, fills: list[Fill], gap: int, rows: list[tuple]) -> None:
    found = episodes.from_fills(table(fills), gap).collect()
    assert found.select("start", "stop", "days_active").rows() == rows


def test_dates_go_in_and_dates_come_out() -> None:
    fills = table(TWO).with_columns(start=pl.date(2020, 2, 25))
    [row] = episodes.from_fills(fills).collect().select("start", "stop", "days_active").rows()
    assert [str(row[0]), str(row[1]), row[2]] == ["2020-02-25", "2020-03-16", 20]


@pytest.mark.parametrize("changed", [{"start": None}, {"start": "x"}, {"start": 0.5}, {"days_supply": 1e6}])
def test_impossible_fills_are_refused(changed: dict) -> None:
    rows = table(TWO).with_columns(pl.when(pl.col("start") == 0).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
                                   for name, value in changed.items())  # fmt: skip
    with pytest.raises(ValueError, match=r"^(start must|start must not be missing, and days_supply must)"):
        episodes.from_fills(rows).collect()


def test_gaps_are_counted_by_length_and_only_those_that_a_refill_closed() -> None:
    """p: gaps of 7, 7 and 400 days; q: one of 30; r: none, what follows the last supply is not one."""
    starts = {"p": [0, 8, 16, 417], "q": [0, 31], "r": [0, 1]}
    daily = pl.concat(
        [daily_dose.build(table([(day, 1, 10.0, "a") for day in days], person)) for person, days in starts.items()]
    ).collect()
    found = episodes.gap_distribution(daily)
    assert found.rows() == [
        (1, 7, 2, 1, 0.5), (8, 14, 0, 0, 0.0), (15, 30, 1, 1, 0.25), (31, 60, 0, 0, 0.0), (61, 90, 0, 0, 0.0),
        (91, 180, 0, 0, 0.0), (181, 365, 0, 0, 0.0), (366, None, 1, 1, 0.25),
    ]  # fmt: skip
    assert episodes.gap_distribution(daily.reverse()).equals(found)
    nobody = episodes.gap_distribution(daily.filter(pl.col("person_id") == "r"))
    assert nobody.schema == found.schema
    assert (nobody["gaps"].sum(), nobody["persons"].sum(), nobody["share"].null_count()) == (0, 0, 8)
    assert episodes.gap_distribution(daily.clear()).equals(nobody.clear())


def test_episodes_in_short() -> None:
    """p: 10 days of 12, then 30 of 30; q: 20 of 20. Medians are over episodes: 20 days, all of them with supply."""
    starts = {"p": [(0, 5), (7, 5), (100, 30)], "q": [(0, 20)]}
    daily = pl.concat(
        [
            daily_dose.build(table([(day, days, 10.0, "a") for day, days in fills], person))
            for person, fills in starts.items()
        ]
    )
    found = episodes.build(daily, 30).collect()
    assert episodes.summary(found, 30).rows() == [("30 days", 2, 3, 20.0, 1.0)]
    assert episodes.summary(found.head(1), 30, 0.5).rows() == [
        ("50 % of the days of the last supply", 1, 1, 12.0, 10 / 12)
    ]
    assert episodes.summary(found.clear(), 30).schema == episodes.summary(found, 30).schema
    assert episodes.summary(found.clear(), 30).is_empty()
