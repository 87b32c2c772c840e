"""The step ``judge_hyperalgesia``: a verdict from released rows, facts of each cohort and tables of error rates."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.unit.test_verdict import LONG, corroborating, escalation, frame, without

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.config.model import Config
from opioid_outcomes.config.slices import slice_of
from opioid_outcomes.contracts.estimates import SCHEMA, Estimate
from opioid_outcomes.hyperalgesia import calibration, instrument, verdict
from opioid_outcomes.hyperalgesia.calibrate import replicates
from opioid_outcomes.steps import verdict as step
from opioid_outcomes.synthesis.cohorts import pooled_rows

SETTINGS: dict[str, Any] = {
    "study": "s",
    "hyperalgesia": Hyperalgesia().model_dump(mode="json"),
    "covariates": {"baseline": ["age"], "missing": "mi"},
}
FACTS: dict[str, float] = dict.fromkeys(calibration.FACTS, 2.0)
NOISE = {
    "sd": 1.0312, "reliability": None, "source": "declared error SD",
    "note": "error of one pain score: SD 1.03 points, as declared",
}  # fmt: skip


@dataclass
class Study:
    """The files of a study, and what the step made of them."""

    folder: Path
    said: str = ""

    def run(
        self,
        cohorts: dict[str, list[Estimate]],
        *,
        facts: dict[str, dict[str, Any]] | None = None,
        rates: pl.DataFrame | None = None,
        pool: bool = True,
    ) -> dict[str, Any]:
        rows = pl.concat([frame(rows, name) for name, rows in cohorts.items()])
        everything = pl.concat([rows, pooled_rows(rows, "s")]) if pool else rows
        io.write_frame(everything.select(*SCHEMA), self.folder / "estimates.csv")
        paths = []
        for name in cohorts:
            paths.append(self.folder / name / "hyperalgesia_facts.json")
            io.write_json(paths[-1], (facts or {}).get(name, {}))
        if rates is not None:
            io.write_frame(rates, self.folder / calibration.OWN_TABLE)
        inputs = {"estimates": self.folder / "estimates.csv", "facts": paths}
        outputs = {"verdict": self.folder / "verdict.json", "calibration": self.folder / "tables" / "calibration.csv"}
        self.said = step.judge_hyperalgesia(inputs, outputs, SETTINGS)
        return json.loads(outputs["verdict"].read_text(encoding="utf-8"))

    @property
    def rates(self) -> pl.DataFrame:
        return pl.read_csv(self.folder / "tables" / "calibration.csv")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(step, "DATA", tmp_path / "shipped")
    return Study(tmp_path)


def table(cohort: str = "clinic", *, worlds: tuple[str, ...] = calibration.NEEDED, **changed: Any) -> pl.DataFrame:
    """Error rates in each world, of a cohort with the facts given."""
    like = {f"{calibration.PREFIX}{name}": value for name, value in FACTS.items()}
    rates = {f"{name}_{lag}": 0.01 for name in replicates.CHARACTERISTICS for lag in replicates.LAGS}
    row = {
        "cohort": cohort, "replicates": 200, **dict.fromkeys(verdict.VERDICTS, 0.0), **rates, "no_effect": 0.97,
        "config": calibration.fingerprint(SETTINGS), **like, calibration.SIMULATED: 2.0,
    }  # fmt: skip
    return pl.DataFrame([{"world": world} | row | changed for world in worlds])


def test_each_cohort_is_judged_on_its_own(study: Study) -> None:
    found = study.run(
        {"one": escalation(0.0, 0.0), "two": [*escalation(-0.2, 1.0), *corroborating()]},
        facts={"one": FACTS | {"noise": NOISE | {"variance": 1.06337344}}},
    )
    assert list(found) == ["one", "two"]
    assert (found["one"]["verdict"], found["two"]["verdict"]) == ("no_effect", "hyperalgesia")
    assert (found["one"]["corroborated"], found["two"]["corroborated"]) == (False, True)
    assert found["one"]["noise"] == NOISE | {"sd": 1.03}
    assert found["two"]["noise"] is None
    assert found["two"]["consistent_with"] == "consistent with hyperalgesia (corroborated, uncalibrated)"
    assert set(found["one"]["conditions"][0]) == {"name", "met", "value"}
    assert "one: consistent with no effect" in study.said


def test_a_study_without_pain_is_inconclusive_with_nothing_measured(study: Study) -> None:
    [record] = study.run({"one": []}).values()
    assert (record["verdict"], record["corroborated"], record["calibrated"]) == ("inconclusive", False, False)
    assert len(record["conditions"]) == 23
    assert all(each["met"] is None and each["value"] is None for each in record["conditions"])
    assert study.rates.columns == [*step.RATES]
    assert study.rates.is_empty()


def test_same_rows_same_bytes_and_never_nan(study: Study) -> None:
    rows = {"one": without(escalation(-0.2, 1.0), method="per_protocol")}
    study.run(rows)
    first = (study.folder / "verdict.json").read_bytes()
    study.run(rows)
    assert (study.folder / "verdict.json").read_bytes() == first
    assert b"NaN" not in first
    golden = Path(__file__).parents[1] / "reference" / "hyperalgesia" / "verdict.json"
    assert first == golden.read_bytes()


def test_the_error_of_scores_is_not_told_where_no_escalation_was_released(study: Study) -> None:
    withheld = [replace(row, gate="not evaluable: fewer than 11 people") for row in escalation(0.0, 0.0)]
    found = study.run({"few": [*withheld, *corroborating()]}, facts={"few": FACTS | {"noise": NOISE}})
    assert found["few"]["noise"] is None


class TestPooled:
    """From three cohorts on whose effect at long lag was released."""

    def test_three_cohorts_and_the_pooled_rows(self, study: Study) -> None:
        found = study.run({name: escalation(-1.0, -1.0, se=0.02) for name in ("a", "b", "c")})
        assert list(found) == ["a", "b", "c", "pooled"]
        assert found["pooled"]["verdict"] == "sustained_relief"
        assert found["pooled"]["calibrated"] is False

    @pytest.mark.parametrize("cohorts", [("a",), ("a", "b")])
    def test_fewer_are_a_list(self, study: Study, cohorts: tuple[str, ...]) -> None:
        found = study.run({name: escalation(-1.0, -1.0) for name in cohorts})
        assert list(found) == list(cohorts)

    def test_a_cohort_whose_long_lag_was_withheld_is_none_of_the_three(self, study: Study) -> None:
        whole = escalation(-1.0, -1.0)
        part = without(whole, analysis="hyperalgesia.escalation", method="aipw", window=LONG)
        assert "pooled" not in study.run({"a": whole, "b": whole, "c": part})
        assert "pooled" in study.run({"a": whole, "b": whole, "c": whole, "d": part})

    def test_a_cohort_on_another_scale_is_none_of_the_three(self, study: Study) -> None:
        def on(scale: str) -> list[Estimate]:
            return instrument.named(escalation(-1.0, -1.0, se=0.02), scale)

        assert "pooled" not in study.run({"a": on("NRS"), "b": on("NRS"), "c": on("PEG")})
        assert "pooled" in study.run({"a": on("NRS"), "b": on("NRS"), "c": on("NRS"), "d": on("PEG")})

    def test_what_only_two_cohorts_have_is_not_measurable_pooled(self, study: Study) -> None:
        """The per-protocol effect of two cohorts is pooled in estimates.csv, yet no verdict rests on it."""
        whole = escalation(-0.2, 1.0, se=0.02)
        part = without(whole, method="per_protocol")
        found = study.run({"a": whole, "b": whole, "c": part})["pooled"]
        assert found["verdict"] == "inconclusive"
        [condition] = [each for each in found["conditions"] if "per protocol" in each["name"]]
        assert condition["met"] is None

    def test_cohorts_that_share_people_have_no_pooled_rows_and_no_pooled_verdict(self, study: Study) -> None:
        found = study.run({name: escalation(-1.0, -1.0) for name in ("a", "b", "c")}, pool=False)
        assert list(found) == ["a", "b", "c"]


class TestCalibration:
    """A table of error rates counts for the cohorts that are like its own, under its config."""

    def test_the_cohort_that_it_covers(self, study: Study) -> None:
        rows = escalation(0.0, 0.0)
        unlike = FACTS | {"pain_mean": 3.0}
        found = study.run({"one": rows, "two": rows, "three": rows}, facts={"one": FACTS, "two": unlike}, rates=table())
        assert {name: record["calibrated"] for name, record in found.items()} == {
            "one": True, "two": False, "three": False, "pooled": False,
        }  # fmt: skip
        assert found["one"]["consistent_with"] == "consistent with no effect"
        assert {name: record["uncalibrated"] for name, record in found.items()} == {
            "one": None, "two": calibration.UNLIKE, "three": calibration.UNLIKE, "pooled": step.NO_POOLED,
        }  # fmt: skip
        assert study.rates["world"].to_list() == [*calibration.NEEDED]
        row = study.rates.to_dicts()[0]
        assert (row["cohort"], row["persons"], row["replicates"], row["no_effect"]) == ("one", 2, 200, 0.97)
        assert list(row) == [*step.RATES]
        assert not [name for name in row if name.startswith(calibration.PREFIX)]

    def test_a_table_that_tells_too_little_is_shown_and_calibrates_nothing(self, study: Study) -> None:
        rows = {"one": escalation(0.0, 0.0)}
        for rates, why in (
            (table(replicates=40), "40 cohorts simulated in a world; error rates take 100"),
            (table(worlds=("null", "relief", "noisy_null")), "not simulated: tolerance, hyperalgesia"),
            (table(**{calibration.SIMULATED: 1.0}), "the simulated cohorts were of far fewer people"),
        ):
            found = study.run(rows, facts={"one": FACTS}, rates=rates)["one"]
            assert (found["calibrated"], found["uncalibrated"]) == (False, why)
            assert found["consistent_with"] == "consistent with no effect (uncalibrated)"
            assert study.rates.height == rates.height

    def test_a_whole_shipped_table_goes_before_the_studys_own_half(self, study: Study) -> None:
        io.write_frame(table(no_effect=0.5), study.folder / "shipped" / "calibration" / "demo.csv")
        found = study.run({"one": escalation(0.0, 0.0)}, facts={"one": FACTS}, rates=table(replicates=40))["one"]
        assert found["calibrated"] is True
        assert study.rates["no_effect"].to_list() == [0.5] * 5

    def test_who_calibrates_and_who_judges_read_the_same_config(self) -> None:
        """Of a cohort with shifted dates too, whose calendar years are in no model."""
        cohorts = {"a": {"path": "x", "simulate": {"world": "null"}}}
        covariates = {"baseline": ["age", "calendar_year"], "time_varying": ["nsaid"]}
        given = Config(cohorts=cohorts, covariates=covariates)  # type: ignore[arg-type]
        judging, calibrating = slice_of(given, "judge_hyperalgesia"), slice_of(given, "calibrate_world", "a")
        assert judging["covariates"]["baseline"] != calibrating["covariates"]["baseline"]
        assert calibration.fingerprint(judging) == calibration.fingerprint(calibrating)
        without_ = Config(cohorts=cohorts, covariates=covariates | {"time_varying": []})  # type: ignore[arg-type]
        assert calibration.fingerprint(slice_of(without_, "judge_hyperalgesia")) != calibration.fingerprint(judging)

    def test_another_config_is_not_covered(self, study: Study) -> None:
        found = study.run({"one": escalation(0.0, 0.0)}, facts={"one": FACTS}, rates=table(config="another"))
        assert found["one"]["calibrated"] is False
        assert study.rates.is_empty()

    def test_shipped_tables_count_after_the_studys_own(self, study: Study) -> None:
        io.write_frame(table(no_effect=0.5), study.folder / "shipped" / "calibration" / "demo.csv")
        rows = {"one": escalation(0.0, 0.0)}
        assert study.run(rows, facts={"one": FACTS})["one"]["calibrated"] is True
        assert study.rates["no_effect"].to_list() == [0.5] * 5
        study.run(rows, facts={"one": FACTS}, rates=table())
        assert study.rates["no_effect"].to_list() == [0.97] * 5
