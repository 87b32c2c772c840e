"""Error of a recorded score: declared, from repeats a few days apart, or assumed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.hyperalgesia import histories, noise
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.visits import Visits

END = 400


@dataclass(frozen=True)
class Options:
    scale: str | None = None
    reliability: float | None = None
    error_sd: float | dict[str, float] | None = None


def known(scores: pl.DataFrame, doses: pl.DataFrame | None = None) -> Histories:
    """scores: person_id, date, score; doses: person_id, start, stop, mme (one dose throughout if not given)."""
    people = scores.select(pl.col("person_id").unique().sort())
    cohort = people.with_columns(entry=pl.lit(0), exit=pl.lit(END), death=pl.lit(0))
    if doses is None:
        doses = people.with_columns(start=pl.lit(-200), stop=pl.lit(END), mme=pl.lit(40.0))
    daily = doses.with_columns(mme_incomplete=pl.lit(0))
    on = people.with_columns(start=pl.lit(-200), stop=pl.lit(END), state=pl.lit("on"), on_since=pl.lit(-200))
    return histories.build(cohort, scores.with_columns(scale=pl.lit("NRS")), daily, on)


def at_visits(pain: list[float] | np.ndarray) -> Visits:
    pain = np.asarray(pain, dtype=float)
    zeros = np.zeros(len(pain), dtype=np.int64)
    return Visits(zeros, zeros, pain, pain, pain)


def repeated(people: int, *, gap: int = 3, sd: float = 0.8, seed: int = 7) -> pl.DataFrame:
    """Two scores of everybody, ``gap`` days apart: usual pain of SD 2 that stays, and an error of each."""
    rng = np.random.default_rng(seed)
    usual = rng.normal(5, 2, people)
    scores = (usual + rng.normal(0, sd, (2, people))).ravel()
    person, day = np.tile(np.arange(people), 2), np.repeat([10, 10 + gap], people)
    return pl.DataFrame({"person_id": person, "date": day, "score": scores})


@pytest.mark.parametrize("sd", [0.5, 1.0, 1.5])
def test_repeats_recover_a_planted_error(sd: float) -> None:
    """20,000 pairs: the standard error of the variance is 1 % of it."""
    scores = repeated(20_000, sd=sd)
    first = scores.filter(pl.col("date") == 10)["score"].to_numpy()
    found = noise.of(known(scores), at_visits(first), Options())
    assert found.source == "repeated scores"
    assert found.variance == pytest.approx(sd**2, rel=0.03)
    assert found.sd == found.variance**0.5
    assert found.reliability == pytest.approx(4 / (4 + sd**2), abs=0.01)
    assert f"SD {found.sd:.2f} points, estimated" in found.note
    assert f"reliability at the eligible visits {found.reliability:.2f}" in found.note


def test_half_the_mean_squared_difference_by_hand() -> None:
    """50 people, scores 4 and 6: 2 squared by 2 is 2."""
    person = np.repeat(np.arange(50), 2)
    scores = pl.DataFrame({"person_id": person, "date": np.tile([10, 17], 50), "score": np.tile([4.0, 6.0], 50)})
    assert noise.of(known(scores), at_visits([1.0, 5.0]), Options()).variance == 2.0


@pytest.mark.parametrize(("people", "gap"), [(49, 3), (60, 8), (60, 0)])
def test_too_few_people_or_too_far_apart_is_assumed_and_said_loudly(people: int, gap: int) -> None:
    """Scores of one day are one score, so that they are no repeats."""
    found = noise.of(known(repeated(people, gap=gap)), at_visits([1.0, 5.0, 9.0]), Options())
    assert (found.variance, found.sd, found.source) == (1.0, 1.0, "assumed")
    assert "ASSUMED" in found.note
    assert found.reliability == pytest.approx(1 - 1 / 16)


@pytest.mark.parametrize(("changed_on", "repeats"), [(9, 60), (10, 0), (12, 0), (13, 0), (14, 60)])
def test_a_change_of_dose_between_is_no_repeat(changed_on: int, repeats: int) -> None:
    """Scores on days 10 and 13: a change on either day may lie between them."""
    scores = repeated(60, gap=3)
    people = scores.select(pl.col("person_id").unique().sort())
    doses = pl.concat(
        [
            people.with_columns(start=pl.lit(-200), stop=pl.lit(changed_on), mme=pl.lit(40.0)),
            people.with_columns(start=pl.lit(changed_on), stop=pl.lit(END), mme=pl.lit(60.0)),
        ]
    )
    assert len(noise.repeats(known(scores, doses))[0]) == repeats


def test_two_people_are_no_repeat_and_without_any_dose_there_is_no_change() -> None:
    scores = pl.DataFrame({"person_id": [1, 2, 2], "date": [10, 12, 14], "score": [0.0, 10.0, 9.0]})
    nothing = pl.DataFrame(schema={"person_id": pl.Int64, "start": pl.Int64, "stop": pl.Int64, "mme": pl.Float64})
    differences, person = noise.repeats(known(scores, nothing))
    assert differences.tolist() == [-1.0]
    assert person.tolist() == [1]


def test_declared_goes_before_estimated_and_reliability_before_the_sd() -> None:
    histories_, visits = known(repeated(100)), at_visits([2.0, 4.0, 6.0])  # variance 4
    by_reliability = noise.of(histories_, visits, Options(reliability=0.75, error_sd=3.0))
    assert (by_reliability.variance, by_reliability.sd) == (1.0, 1.0)
    assert (by_reliability.reliability, by_reliability.source) == (0.75, "declared reliability")
    by_sd = noise.of(histories_, visits, Options(error_sd=1.5))
    assert (by_sd.variance, by_sd.source) == (2.25, "declared error SD")
    assert by_sd.reliability == pytest.approx(1 - 2.25 / 4)


def test_no_error_is_no_variance() -> None:
    histories_, visits = known(repeated(100)), at_visits([2.0, 4.0, 6.0])
    for options in (Options(reliability=1.0), Options(error_sd=0.0)):
        found = noise.of(histories_, visits, options)
        assert (found.variance, found.reliability) == (0.0, 1.0)


def test_an_sd_by_scale() -> None:
    """The scale analysed, as configured or as found; the largest where neither says; none of it: as if not declared."""
    histories_, visits = known(repeated(100)), at_visits([2.0, 4.0, 6.0])
    by_scale = {"NRS": 1.2, "PEG": 0.7}
    assert noise.of(histories_, visits, Options(scale="PEG", error_sd=by_scale), scale="NRS").sd == pytest.approx(0.7)
    assert noise.of(histories_, visits, Options(error_sd=by_scale), scale="NRS").sd == pytest.approx(1.2)
    assert noise.of(histories_, visits, Options(error_sd=by_scale)).sd == pytest.approx(1.2)
    assert noise.of(histories_, visits, Options(error_sd=by_scale), scale="VRS").source == "repeated scores"


@pytest.mark.parametrize(
    ("ends", "people", "told"),
    [
        ([0.0] * 8 + [10.0] * 7, 15, "; about 5 % of the scores at the eligible visits lie at an end of the scale"),
        ([10.0] * 6, 6, ""),  # few people
        ([10.0] * 15, 10, ""),
        ([0.1] * 8 + [9.9] * 7, 15, ""),
    ],
)
def test_scores_at_an_end_of_the_scale_are_said(ends: list[float], people: int, told: str) -> None:
    """15 of 300 visits; not where there are few people behind them, or no error is taken out."""
    pain = np.concatenate([ends, np.tile([4.0, 6.0], 150)[: 300 - len(ends)]])
    who = np.concatenate([np.arange(len(ends)) % people, np.arange(len(ends), 300)])
    visits = Visits(who, who, pain, pain, pain)
    found = noise.of(known(repeated(10)), visits, Options(error_sd=1.0)).note
    assert ("end of the scale" in found) == bool(told)
    assert told in found
    assert found.count("(0 or 10): where scores end, the correction takes out too much") == bool(told)
    assert "end of the scale" not in noise.of(known(repeated(10)), visits, Options(error_sd=0.0)).note


def test_one_in_fifty_scores_at_an_end_are_said_and_fewer_are_not() -> None:
    for visits, told in ((600, "about 2 %"), (601, None)):
        pain = np.where(np.arange(visits) < 12, 10.0, np.arange(visits) % 5 + 3.0)
        who = np.arange(visits)
        found = noise.of(known(repeated(10)), Visits(who, who, pain, pain, pain), Options(error_sd=1.0)).note
        assert (told in found) if told else ("end of the scale" not in found)


def test_an_sd_declared_for_other_scales_is_not_told_as_none() -> None:
    histories_, visits = known(repeated(10)), at_visits([2.0, 4.0, 6.0])
    other = noise.of(histories_, visits, Options(error_sd={"PEG": 0.7}), scale="NRS")
    assert other.source == "assumed"
    assert "ASSUMED: neither a reliability nor an error SD is declared for the scale NRS, and too few" in other.note
    none = noise.of(histories_, visits, Options(), scale="NRS")
    assert "ASSUMED: neither a reliability nor an error SD is declared, and too few" in none.note


def test_an_error_above_all_variance_and_constant_pain_are_said() -> None:
    histories_ = known(repeated(10))
    found = noise.of(histories_, at_visits([4.0, 5.0]), Options(error_sd=2.0))
    assert found.reliability is not None
    assert found.reliability < 0
    assert "nothing can be corrected for it" in found.note
    for pain in ([5.0, 5.0], [5.0], []):
        constant = noise.of(histories_, at_visits(pain), Options(error_sd=2.0))
        assert constant.reliability is None
        assert constant.variance == 4.0
