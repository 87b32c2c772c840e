"""Multiple imputation: Rubin's rules against R, and covariates missing at random whose loss biases complete cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal import imputation
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality import imputed
from opioid_outcomes.survival import cox

REFERENCE = Path(__file__).parents[1] / "reference" / "causal" / "rubin.csv"


def test_rubin_s_rules_are_r_mice_s() -> None:
    expected = dict(pl.read_csv(REFERENCE).iter_rows())
    pooled = imputation.pool([0.41, 0.38, 0.52, 0.45, 0.36], [0.0121, 0.0130, 0.0118, 0.0125, 0.0122])
    assert pooled.estimate == pytest.approx(expected["estimate"], rel=1e-12)
    assert pooled.se**2 == pytest.approx(expected["variance"], rel=1e-12)
    assert pooled.degrees == pytest.approx(expected["degrees"], rel=1e-10)
    assert pooled.missing_share == pytest.approx(expected["lambda"], rel=1e-12)


def test_one_copy_or_copies_alike_leave_the_variance() -> None:
    assert imputation.pool([0.4], [0.01]) == imputation.Pooled(0.4, pytest.approx(0.1), np.inf, 0.0)
    assert imputation.pool([0.4, 0.4], [0.01, 0.01]).se == pytest.approx(0.1)


def test_cumulative_hazard_is_nelson_aalen() -> None:
    """Deaths at 1 of 4 and at 3 of 2, one leaving at 2; somebody who comes at 1.5 meets only the second."""
    hazard = imputation.cumulative_hazard([0, 0, 0, 0, 1.5], [1, 2, 3, 4, 4], [1, 0, 1, 0, 0])
    assert hazard == pytest.approx([1 / 4, 1 / 4, 1 / 4 + 1 / 3, 1 / 4 + 1 / 3, 1 / 3])


def test_what_is_observed_stays_and_what_is_drawn_was_observed_somewhere() -> None:
    rng = np.random.default_rng(5)

    def some(values: np.ndarray, lost: float) -> list:
        return [None if gone else value for gone, value in zip(rng.random(200) < lost, values.tolist(), strict=True)]

    frame = pl.DataFrame(
        {
            "pain": some(rng.integers(0, 11, 200).astype(float), 0.3),
            "sex": some(np.array(["F", "M"])[rng.integers(0, 2, 200)], 0.2),
            "region": some(np.array(["N", "S", "W"])[rng.integers(0, 3, 200)], 0.2),
            "nothing": pl.Series([None] * 200, dtype=pl.Float64),
            "age": rng.normal(60, 9, 200),
        }
    )
    columns = frame.columns
    copies = imputation.completed(frame, columns, known=["age"], imputations=3, seed=9)
    again = imputation.completed(frame, columns, known=["age"], imputations=3, seed=9)
    assert len(copies) == 3
    for copy, same in zip(copies, again, strict=True):
        assert copy.equals(same)
        assert copy.schema == frame.schema
        assert copy["pain"].null_count() == copy["sex"].null_count() == 0
        assert copy["region"].equals(frame["region"])  # three levels: stays missing
        assert copy["nothing"].null_count() == 200
        assert set(copy["pain"]) <= set(frame["pain"].drop_nulls())
        observed = frame["pain"].is_not_null()
        assert copy["pain"].filter(observed).equals(frame["pain"].filter(observed))
    assert not copies[0].equals(copies[1])


def test_nothing_missing_is_one_copy() -> None:
    frame = pl.DataFrame({"age": [50.0, 60.0]})
    assert imputation.completed(frame, ["age"], known=[], seed=1) == [frame]


def cohort(seed: int, n: int = 1500) -> pl.DataFrame:
    """Log hazard 0.5 per unit of the confounder, 0 of treatment; the confounder is lost more often among the treated
    who live long (missing at random given treatment, time and death), so that complete cases mislead."""
    rng = np.random.default_rng(seed)
    confounder = rng.normal(size=n)
    treated = (rng.random(n) < 1 / (1 + np.exp(-confounder))).astype(float)
    time = rng.exponential(1 / np.exp(0.7 * confounder))
    death, stop = (time < 1.5).astype(int), np.minimum(time, 1.5)
    lost = rng.random(n) < np.where((treated == 1) & (death == 0), 0.7, 0.1)
    return pl.DataFrame(
        {
            "confounder": pl.Series(np.where(lost, np.nan, confounder), nan_to_null=True),
            "treated": treated, "stop": stop, "death": death,
            "hazard": imputation.cumulative_hazard(0 * stop, stop, death),
        }
    )  # fmt: skip


def log_hr(frame: pl.DataFrame) -> tuple[float, float]:
    x = frame.select("treated", "confounder").to_numpy()
    fit = cox.fit(None, frame["stop"].to_numpy(), frame["death"].to_numpy(), x, names=["treated", "confounder"])
    return float(fit.params[0]), float(fit.covariance[0, 0])


def test_imputation_finds_the_null_where_complete_cases_find_harm() -> None:
    ours, complete = [], []
    for seed in range(10):
        frame = cohort(seed)
        copies = imputation.completed(
            frame, ["confounder"], known=["treated", "death", "hazard"], imputations=5, seed=seed
        )
        fits = [log_hr(copy) for copy in copies]
        ours.append(imputation.pool(*zip(*fits, strict=True)).estimate)
        complete.append(log_hr(frame.drop_nulls())[0])
    error = np.std(ours, ddof=1) / np.sqrt(10)
    assert abs(np.mean(ours)) < 3 * error
    assert np.mean(complete) > 0.2


def row(estimate: float | None, se: float | None, scale: str = "log_hr", gate: str = "pass") -> Estimate:
    return Estimate(
        analysis="a", method="adjusted", population="p", outcome="death", contrast="on vs off", scale=scale,
        estimate=estimate, se=se, p_value=0.5, gate=gate, note="n",
    )  # fmt: skip


def test_rows_of_copies_become_one() -> None:
    [pooled] = imputed.combined([[row(0.4, 0.1)], [row(0.5, 0.1)], [row(0.6, 0.1)]])
    total = 0.01 + (4 / 3) * 0.01
    assert pooled.estimate == pytest.approx(0.5)
    assert pooled.se == pytest.approx(total**0.5)
    degrees = 2 / ((4 / 3) * 0.01 / total) ** 2
    assert degrees == pytest.approx(6.125)
    assert pooled.ci_high == pytest.approx(0.5 + 2.4345 * total**0.5, abs=1e-3)
    assert "imputed 3 times" in pooled.note


def test_ratios_are_combined_as_logarithms() -> None:
    [pooled] = imputed.combined([[row(2.0, 0.2, "risk_ratio")], [row(8.0, 0.8, "risk_ratio")]])
    assert pooled.estimate == pytest.approx(4.0)
    assert pooled.ci_low * pooled.ci_high == pytest.approx(16.0)


def test_a_copy_without_an_estimate_leaves_none() -> None:
    [pooled] = imputed.combined([[row(0.4, 0.1)], [row(None, None, gate="not evaluable: separation (age)")]])
    assert pooled.estimate is None
    assert pooled.gate == "not evaluable: separation (age)"


def test_copies_of_person_time_keep_its_rows() -> None:
    n = 60
    rng = np.random.default_rng(2)
    time = pl.DataFrame(
        {
            "person_id": [1, *range(1, n)], "start": [0, 10, *[0] * (n - 2)], "stop": [10, *range(20, 20 + n - 1)],
            "death": [0, *rng.integers(0, 2, n - 1).tolist()], "on_opioid": rng.integers(0, 2, n).tolist(),
            "baseline_user": rng.integers(0, 2, n).tolist(), "pain": [None, None, *range(n - 2)],
        },
        schema_overrides={"pain": pl.Float64},
    )  # fmt: skip
    copies = imputed.copies_of_person_time(time, ["pain"], seed=1)
    assert len(copies) == imputation.IMPUTATIONS
    assert all(copy.drop("pain").equals(time.drop("pain")) for copy in copies)
    assert all(copy["pain"][0] == copy["pain"][1] for copy in copies)  # one draw a person
    assert len({copy["pain"][0] for copy in copies}) > 1
    assert all(copy["pain"].null_count() == 0 for copy in copies)


def test_too_few_values_to_learn_from_are_left_missing() -> None:
    frame = pl.DataFrame({"pain": [5.0, None, 7.0, 2.0], "age": [50.0, 60.0, 70.0, 80.0]})
    assert imputation.completed(frame, ["pain", "age"], known=[], seed=1) == [frame]
