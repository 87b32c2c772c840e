"""survival.fine_gray against R cmprsk::crr and survival::finegray (tests/reference/survival/cox_fine_gray.R)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.survival import cox, fine_gray

REFERENCE = Path(__file__).parents[1] / "reference" / "survival"
ROWS = pl.read_csv(REFERENCE / "cox_fine_gray.csv")
EXPECTED = json.loads((REFERENCE / "cox_fine_gray.json").read_text())
X, CAUSE, NAMES = ROWS.select("a", "b").to_numpy(), ROWS["cause"].to_numpy(), ["a", "b"]


def fit(name: str) -> cox.CoxFit:
    kind, ties = name.split("_")
    column = "time" if kind == "time" else "tied"
    return fine_gray.fit(ROWS[column].to_numpy(), CAUSE, X, names=NAMES, target=1, ties=ties)


@pytest.mark.parametrize("name", ["time_breslow", "tied_efron", "tied_breslow"])
def test_equals_coxph_on_the_rows_of_finegray(name: str) -> None:
    fitted, expected = fit(name), EXPECTED[name]
    np.testing.assert_allclose(fitted.params, expected["params"], rtol=1e-8)
    np.testing.assert_allclose(fitted.covariance, expected["covariance"], rtol=1e-6)
    np.testing.assert_allclose(fitted.robust_covariance, expected["robust"], rtol=1e-6)


def test_equals_crr_where_no_times_are_tied() -> None:
    """Coefficients and curve; its standard errors, which count the estimated censoring, to a hundredth."""
    fitted, expected = fit("time_efron"), EXPECTED["crr"]
    np.testing.assert_allclose(fitted.params, expected["params"], rtol=1e-6)
    se = np.sqrt(np.diag(fitted.robust_covariance))
    np.testing.assert_allclose(se, np.sqrt(np.diag(expected["covariance"])), rtol=0.01)
    curve = fine_gray.cumulative_incidence(fitted, [1, 0.5])
    np.testing.assert_allclose(curve["time"], expected["times"])
    np.testing.assert_allclose(curve["incidence"], expected["incidence"], rtol=1e-6)


def test_a_censoring_distribution_for_each_group_equals_crr() -> None:
    """finegray's strata are no reference: they follow a competing event no longer than events in its own stratum."""
    fitted = fine_gray.fit(
        ROWS["time"].to_numpy(), CAUSE, X, names=NAMES, target=1, censoring_groups=ROWS["site"].to_numpy()
    )
    np.testing.assert_allclose(fitted.params, EXPECTED["crr_grouped"]["params"], rtol=1e-6)


def test_without_competing_events_it_is_cox() -> None:
    time = ROWS["tied"].to_numpy()
    one, other = (
        fine_gray.fit(time, CAUSE == 1, X, names=NAMES, target=1),
        cox.fit(None, time, CAUSE == 1, X, names=NAMES),
    )
    np.testing.assert_allclose(one.params, other.params, rtol=1e-12)


def test_without_censoring_competing_events_never_leave() -> None:
    """Every weight is 1: the same as a Cox fit in which the others live to the end."""
    time, event = ROWS["time"].to_numpy(), CAUSE == 1
    fitted = fine_gray.fit(time, np.where(event, 1, 2), X, names=NAMES, target=1)
    other = cox.fit(None, np.where(event, time, time.max() + 1), event, X, names=NAMES)
    np.testing.assert_allclose(fitted.params, other.params, rtol=1e-12)


def test_recovers_the_planted_ratio_where_cause_specific_cox_does_not() -> None:
    """Fine & Gray 1999, section 5: P(cause 1 by t | x) = 1 - (1 - p (1 - e^-t))^exp(beta x), beta 0.7."""
    found, naive = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        n, p, beta = 4000, 0.3, 0.7
        x = rng.integers(0, 2, n).astype(float)
        ever = 1 - (1 - p) ** np.exp(beta * x)
        first = rng.random(n) < ever
        inner = (1 - rng.random(n) * ever) ** np.exp(-beta * x)
        time = np.where(first, -np.log(1 - (1 - inner) / p), rng.exponential(np.exp(-1.5 * x)))
        censoring = rng.uniform(0.5, 4, n)
        cause = np.where(time > censoring, 0, np.where(first, 1, 2))
        day = np.ceil(365 * np.minimum(time, censoring))
        found.append(fine_gray.fit(day, cause, x[:, None], names=["x"], target=1).params[0])
        naive.append(cox.fit(None, day, cause == 1, x[:, None], names=["x"]).params[0])
    assert abs(np.mean(found) - 0.7) < 0.05
    assert abs(np.mean(naive) - 0.7) > 0.2


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_gray, "MOST_ROWS", 2 * ROWS.height)
    with pytest.raises(cox.CoxFailure, match="too many rows"):
        fit("time_efron")


def test_no_event_of_the_cause() -> None:
    with pytest.raises(cox.CoxFailure, match="no events"):
        fine_gray.fit(ROWS["time"].to_numpy(), CAUSE, X, names=NAMES, target=9)


def test_nobody_is_followed_from_day_0_to_day_0() -> None:
    with pytest.raises(ValueError, match="after 0"):
        fine_gray.fit(np.zeros(ROWS.height), CAUSE, X, names=NAMES, target=1)
