"""What would explain an effect away: the error of scores, one unrecorded flare, visits made because it hurts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.known import pain_world

from opioid_outcomes.causal import augmented
from opioid_outcomes.causal.augmented import Effects
from opioid_outcomes.config.hyperalgesia import Escalation
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.hyperalgesia import confounders, histories, tipping, trial, visits
from opioid_outcomes.hyperalgesia.tipping import Search
from opioid_outcomes.hyperalgesia.trial import Trial, Window

Z = 1.959963984540054
RULE = Escalation()


class TestSearch:
    """On made-up curves of the estimate over the error variance."""

    @staticmethod
    def search(curve: Callable[[float], tuple[float, float] | None], highest: float = 4.0) -> Search:
        return Search(curve, highest)

    @pytest.mark.parametrize("sign", [1, -1])
    def test_a_line_reaches_0_where_it_does(self, sign: int) -> None:
        """0.3 - 0.2 v is 0 at 1.5, 0.3 - 0.2 v - 1.96 x 0.05 at 1.01; of a fall likewise."""
        search = self.search(lambda v: (sign * (0.3 - 0.2 * v), 0.05))
        assert search.root(limit=False) == pytest.approx(math.sqrt(1.5), abs=1e-9)
        assert search.root(limit=True) == pytest.approx(math.sqrt((0.3 - Z * 0.05) / 0.2), abs=1e-9)
        assert len(search.told) <= 8

    @pytest.mark.parametrize("root", [0.3, 0.7, 1.1, 1.6])
    def test_a_bent_curve_within_a_hundredth_of_a_point(self, root: float) -> None:
        """As the correction is: steeper the more of the variance is error."""
        search = self.search(lambda v: (0.5 - 0.5 * (v / (5 - v)) / (root**2 / (5 - root**2)), 0.04))
        assert search.root(limit=False) == pytest.approx(root, abs=0.01)
        limit = search.root(limit=True)
        assert limit is not None
        assert limit < root
        assert len(search.told) <= tipping.MOST

    def test_no_error_explains_what_correction_makes_larger(self) -> None:
        search = self.search(lambda v: (-0.3 - 0.1 * v, 0.05))
        assert search.root(limit=False) is None
        assert search.root(limit=True) is None

    def test_an_interval_with_0_needs_no_error(self) -> None:
        assert self.search(lambda v: (0.05 - 0.1 * v, 0.05)).root(limit=True) == 0.0

    def test_where_more_error_cannot_be_corrected_for_it_looks_below(self) -> None:
        """Nothing from 1.2 on; 0 at 1.0."""
        search = self.search(lambda v: (0.3 - 0.3 * v, 0.05) if v < 1.2 else None, highest=10.0)
        assert search.root(limit=False) == pytest.approx(1.0, abs=1e-9)
        never = self.search(lambda v: (0.3 - 0.1 * v, 0.05) if v < 1.2 else None, highest=10.0)
        assert never.root(limit=False) is None
        assert len(never.told) <= tipping.MOST
        assert self.search(lambda _: None).root(limit=False) is None


def made(world: pain_world.World, seed: int, days: tuple[tuple[int, int], ...]) -> tuple[Trial, list[Window]]:
    """The trial of a world, of decisions at which a step is an escalation."""
    tables = pain_world.tables(world, pain_world.live(world, pain_world.Draws.of(world, seed)))
    known = histories.build(tables["cohort"], tables["pain"], tables["daily_dose"], tables["opioid_status"])
    chosen = visits.eligible(known, stable_days=RULE.stable_days)
    terms = confounders.build(chosen, known, baseline=[], missing="indicator", min_rise=0.2, min_mme=5.0)
    decisions = trial.escalations(chosen, terms, known, RULE)
    decisions = decisions.rows(decisions.visits.dose <= pain_world.STEP_MME / pain_world.LEAST_RISE + 1e-6)
    return decisions, [trial.window(decisions, known, each, RULE.grace_days) for each in days]


def effects(decisions: Trial, windows: list[Window], variance: float) -> list[Effects]:
    terms = decisions.confounders
    assignment = augmented.assignment(
        terms.values, decisions.taken, names=terms.names, person=decisions.visits.person,
        error=terms.error(variance) if variance else None,
    )  # fmt: skip
    return [augmented.effects(assignment, each.pain[:, None], eligible=each.alive) for each in windows]


def numbers(found: Effects) -> tuple[float, float]:
    joint = found.joint("aipw")
    return float(joint.values[0]), float(np.sqrt(joint.covariance[0, 0]))


Found = tuple[Trial, list[Window], list[Effects], list[Effects], pl.DataFrame]


@pytest.fixture(scope="module")
def found() -> Found:
    decisions, windows = made(pain_world.World(noise=1.0, persons=20_000), 4, ((1, 30), (31, 90), (91, 180)))
    recorded, corrected = effects(decisions, windows, 0.0), effects(decisions, windows, 1.0)
    return decisions, windows, recorded, corrected, tipping.table(tipping.rows(decisions, windows, recorded, corrected))


class TestNoisyNull:
    """METHODS D2b: the dose does nothing, decisions follow the true pain, scores have an error of SD 1."""

    @staticmethod
    def row(told: pl.DataFrame, window: str, what: str) -> dict[str, float]:
        [row] = told.filter(pl.col("window") == window, pl.col("what") == what).to_dicts()
        return row

    def test_the_error_that_explains_the_effect_is_the_planted_one(self, found: Found) -> None:
        *_, recorded, _, told = found
        first = self.row(told, "1-30", "error_sd")
        estimate, se = numbers(recorded[0])
        assert estimate > 8 * se  # uncorrected, an effect beyond doubt
        assert first["estimate"] == estimate
        assert first["at_zero"] == pytest.approx(1.0, abs=0.12)
        assert 0.5 < first["limit_at_zero"] < first["at_zero"]
        assert self.row(told, "91-180", "error_sd")["at_zero"] == pytest.approx(1.0, abs=0.3)

    def test_first_and_last_window_with_five_rows_each(self, found: Found) -> None:
        *_, recorded, _, told = found
        assert told["window"].unique(maintain_order=True).to_list() == ["1-30", "91-180"]
        five = ["error_sd", "flare", "flare_noise_corrected", "unseen", "unseen_escalated"]
        assert told["what"].to_list() == [*five, *five]
        assert told["persons"].to_list() == [recorded[0].persons] * 5 + [recorded[2].persons] * 5
        assert told.schema == DISPLAYS["noise_tipping"].empty().schema

    def test_a_flare_is_the_estimate_over_the_slope(self, found: Found) -> None:
        decisions, _, recorded, corrected, told = found
        last_pain = decisions.confounders.names.index("pain at the visit")
        for what, used in (("flare", recorded), ("flare_noise_corrected", corrected)):
            estimate, se = numbers(used[0])
            row, slope = self.row(told, "1-30", what), float(used[0].slopes[last_pain, 0])
            assert row["at_zero"] == pytest.approx(estimate / slope, rel=1e-12)
            assert row["limit_at_zero"] == pytest.approx(max(estimate - Z * se, 0.0) / slope, rel=1e-9)
        # taking the error out undoes the attenuation of the slope
        assert corrected[0].slopes[last_pain, 0] > recorded[0].slopes[last_pain, 0] > 0

    def test_who_is_not_seen(self, found: Found) -> None:
        """Nearly everybody is: nothing on the scale explains it in both arms, much of it in one."""
        *_, recorded, _, told = found
        estimate, _ = numbers(recorded[0])
        untreated, treated = recorded[0].observation
        assert abs(untreated - treated) < 0.01
        assert self.row(told, "1-30", "unseen")["at_zero"] is None
        assert self.row(told, "1-30", "unseen_escalated")["at_zero"] == pytest.approx(estimate / (1 - treated))


def test_visits_made_because_it_hurts_are_explained_by_what_separates_seen_from_unseen() -> None:
    """A difference of 0.2 where half of the untreated and three of five treated are seen: 2 in both arms, 0.5 in one.

    The mean of all is that of the seen less (1 - share seen) times their difference from those not seen.
    """
    numbers_ = (0.2, 0.2 / (2 * Z))
    assert tipping._sizes(numbers_, 0.5 - 0.6) == pytest.approx((-2.0, -1.0))
    assert tipping._sizes(numbers_, 1 - 0.6) == pytest.approx((0.5, 0.25))
    assert tipping._sizes(numbers_, 0.0) == (None, None)
    assert tipping._sizes(numbers_, 0.02) == (None, 5.0)  # 10 points are the whole scale
    assert tipping._sizes((-0.2, 0.2), 0.4) == pytest.approx((-0.5, 0.0))


def test_part_of_the_people_tells_what_all_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every fourth person, on the whole trial's own estimate: the same error within a tenth of a point."""
    decisions, windows = made(pain_world.World(noise=1.0, persons=12_000, months=14), 6, ((1, 30),))
    recorded = effects(decisions, windows, 0.0)
    monkeypatch.setattr(tipping, "MANY", len(decisions.taken))
    whole = tipping.table(tipping.rows(decisions, windows, recorded, [None]))
    monkeypatch.setattr(tipping, "MANY", len(decisions.taken) // 4)
    part = tipping.table(tipping.rows(decisions, windows, recorded, [None]))
    assert whole["what"].to_list() == ["error_sd", "flare", "unseen", "unseen_escalated"]
    assert part["at_zero"][0] == pytest.approx(whole["at_zero"][0], abs=0.1)
    assert part["at_zero"][0] != whole["at_zero"][0]
    assert part[1:].equals(whole[1:])
    monkeypatch.setattr(tipping, "MANY", 1)  # of one person nothing is read: everybody is asked
    assert tipping.table(tipping.rows(decisions, windows, recorded, [None])).equals(whole)


def test_a_window_that_was_not_evaluable_has_no_rows() -> None:
    decisions, windows = made(pain_world.World(persons=500, months=8), 7, ((1, 30), (31, 90)))
    assert tipping.rows(decisions, windows, [None, None], [None, None]) == []
    empty = replace(windows[0], pain=np.full_like(windows[0].pain, np.nan))
    assert tipping.rows(decisions, [empty], [None], [None]) == []
