"""Cox models that have no estimate say why and through which column; near misses still fit."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.survival import cox

N = 400


def simulated(seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.integers(0, 2, N), rng.normal(size=N)])
    time = np.ceil(rng.exponential(100 / np.exp(x @ [0.5, 0.3])))
    return np.zeros(N), np.minimum(time, 150), (time <= 150).astype(int), x


def failure(x: np.ndarray, names: list[str], event: np.ndarray | None = None, **arguments: object) -> cox.CoxFailure:
    start, stop, died, _ = simulated()
    with pytest.raises(cox.CoxFailure) as caught:
        cox.fit(start, stop, died if event is None else event, x, names=names, **arguments)  # type: ignore[arg-type]
    return caught.value


def test_no_events() -> None:
    found = failure(simulated()[3], ["a", "b"], event=np.zeros(N))
    assert (found.reason, found.columns, str(found)) == ("no events", (), "no events")


def test_constant_column() -> None:
    x = simulated()[3]
    found = failure(np.column_stack([x, np.full(N, 7.0)]), ["a", "b", "arm"])
    assert (found.reason, found.columns, str(found)) == ("no variation", ("arm",), "no variation: arm")


def test_column_constant_within_every_risk_set() -> None:
    """One arm per stratum: the strata take all of it."""
    x = simulated()[3]
    found = failure(x, ["arm", "b"], strata=x[:, 0])
    assert (found.reason, found.columns) == ("no variation", ("arm",))


def test_collinear_columns_are_named_the_redundant_one_last() -> None:
    x = simulated()[3]
    unrelated = np.random.default_rng(2).normal(size=N)
    found = failure(np.column_stack([x, unrelated, 2 * x[:, 0] - x[:, 1] + 3]), ["a", "b", "c", "sum"])
    assert (found.reason, found.columns) == ("collinear", ("a", "b", "sum"))


def test_nearly_collinear_columns_fit() -> None:
    start, stop, died, x = simulated()
    noise = np.random.default_rng(2).normal(size=N)
    fitted = cox.fit(start, stop, died, np.column_stack([x, x[:, 0] + 1e-3 * noise]), names=["a", "b", "c"])
    assert np.isfinite(fitted.params).all()


@pytest.mark.parametrize("rare", [False, True])
def test_separation_names_the_column(rare: bool) -> None:
    """Nobody with the trait dies: its hazard ratio runs to 0."""
    _, _, died, x = simulated()
    alive = np.flatnonzero(died == 0)
    trait = np.zeros(N)
    trait[alive[:2] if rare else alive] = 1
    found = failure(np.column_stack([x, trait]), ["a", "b", "trait"])
    assert (found.reason, found.columns) == ("separation", ("trait",))


def test_separation_by_a_sum_names_its_columns() -> None:
    """Whoever dies has the largest sum of two columns among those at risk; neither column does it alone."""
    rng = np.random.default_rng(5)
    score = np.sort(rng.normal(size=200))[::-1]
    first = rng.normal(size=200)
    with pytest.raises(cox.CoxFailure) as caught:
        cox.fit(None, np.arange(1, 201), np.ones(200), np.column_stack([first, score - first]), names=["u", "v"])
    assert (caught.value.reason, caught.value.columns) == ("separation", ("u", "v"))


def test_strong_but_finite_effect_is_no_separation() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, 4000)
    time = rng.exponential(1 / np.exp(6.0 * x))
    fitted = cox.fit(None, time, np.ones(4000), x[:, None], names=["x"])
    assert abs(fitted.params[0] - 6.0) < 3 * np.sqrt(fitted.covariance[0, 0])


def test_single_event_is_fitted() -> None:
    start, stop, _, x = simulated()
    event = np.zeros(N)
    event[np.argsort(stop)[100]] = 1
    fitted = cox.fit(start, stop, event, x[:, 1:], names=["b"])
    assert fitted.events == 1
    assert np.isfinite(fitted.params).all()


def test_deaths_in_one_arm_only() -> None:
    _, _, died, x = simulated()
    found = failure(x, ["arm", "b"], event=died * (x[:, 0] == 1))
    assert (found.reason, found.columns) == ("separation", ("arm",))


def test_death_itself_as_a_covariate() -> None:
    _, _, died, x = simulated()
    found = failure(np.column_stack([died, x[:, 1]]), ["told", "b"])
    assert (found.reason, found.columns) == ("separation", ("told",))


def test_the_same_column_twice_and_its_complement() -> None:
    x = simulated()[3]
    assert failure(x[:, [0, 0]], ["arm", "again"]).columns == ("arm", "again")
    found = failure(np.column_stack([x, 1 - x[:, 0]]), ["arm", "b", "other arm"])
    assert (found.reason, found.columns) == ("collinear", ("arm", "other arm"))


def test_all_censored_on_the_day_they_enter() -> None:
    _, _, died, x = simulated()
    with pytest.raises(ValueError, match="every row must have start < stop"):
        cox.fit(np.zeros(N), np.zeros(N), died, x, names=["a", "b"])


def test_nobody_has_a_weight() -> None:
    assert failure(simulated()[3], ["a", "b"], weights=np.zeros(N)).reason == "no events"


def test_rows_of_no_weight_are_as_if_not_there() -> None:
    start, stop, died, x = simulated()
    half = np.arange(N) % 2 == 0
    one = cox.fit(start, stop, died, x, names=["a", "b"], weights=half.astype(float), cluster=np.arange(N) // 4)
    other = cox.fit(start[half], stop[half], died[half], x[half], names=["a", "b"], cluster=np.arange(N)[half] // 4)
    np.testing.assert_array_equal(one.params, other.params)
    np.testing.assert_array_equal(one.robust_covariance, other.robust_covariance)
    assert not one.residuals("martingale")[~half].any()


@pytest.mark.parametrize("weight", [1e12, 1e40])
def test_one_row_with_all_the_weight(weight: float) -> None:
    weights = np.ones(N)
    weights[3] = weight
    assert failure(simulated()[3], ["a", "b"], weights=weights).reason == "uneven weights"


@pytest.mark.parametrize(("spread", "fits"), [(1, True), (5, True), (20, True), (60, False)])
def test_weights_that_explode_give_numbers_or_a_reason(spread: float, fits: bool) -> None:
    start, stop, died, x = simulated()
    weights = np.exp(spread * np.random.default_rng(4).normal(size=N))
    if not fits:
        assert failure(x, ["a", "b"], weights=weights).reason == "uneven weights"
        return
    fitted = cox.fit(start, stop, died, x, names=["a", "b"], weights=weights)
    assert np.isfinite([fitted.params, *fitted.covariance, *fitted.robust_covariance]).all()
    assert (np.diag(fitted.robust_covariance) > 0).all()


@pytest.mark.parametrize("unit", [1e-40, 1e-12, 1e12, 1e40])
def test_units_of_covariates_and_weights_do_not_matter(unit: float) -> None:
    start, stop, died, x = simulated()
    plain = cox.fit(start, stop, died, x, names=["a", "b"])
    other = cox.fit(start, stop, died, x * [1, unit], names=["a", "b"], weights=np.full(N, unit))
    np.testing.assert_allclose(other.params * [1, unit], plain.params, rtol=1e-8)
    np.testing.assert_allclose(
        other.robust_covariance * np.outer([1, unit], [1, unit]), plain.robust_covariance, rtol=1e-6
    )


def test_offset_that_no_data_support() -> None:
    offset = 1000 * np.random.default_rng(6).normal(size=N)
    assert failure(simulated()[3], ["a", "b"], offset=offset).reason == "no convergence"


def test_robust_wald_test_needs_more_clusters_than_covariates() -> None:
    start, stop, died, x = simulated()
    tests = cox.fit(start, stop, died, x, names=["a", "b"], cluster=np.arange(N) % 2).tests()
    assert tests.filter(pl.col("test") == "wald_robust")["statistic"].to_list() == [None]
    assert tests["statistic"].null_count() == tests["p_value"].null_count() == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"stop": np.full(N, np.nan)}, "known and finite"),
        ({"start": np.full(N, 1e6)}, "start < stop"),
        ({"event": np.full(N, 2)}, "0 or 1"),
        ({"weights": np.full(N, -1.0)}, "at least 0"),
        ({"weights": np.full(N, 1e300)}, "largest weight"),
        ({"weights": np.ones(3)}, "weights must have 400 values"),
        ({"names": ["a"]}, "2 named columns|1 named columns"),
        ({"ties": "exact"}, "efron or breslow"),
    ],
)
def test_senseless_arguments(change: dict, says: str) -> None:
    start, stop, event, x = simulated()
    arguments = {"start": start, "stop": stop, "event": event, "x": x, "names": ["a", "b"], **change}
    with pytest.raises(ValueError, match=says):
        cox.fit(**arguments)


def test_messages_hold_no_values() -> None:
    start, stop, event, x = simulated()
    x[7, 1] = np.inf
    with pytest.raises(ValueError, match="finite") as caught:
        cox.fit(start, stop, event, x, names=["a", "b"])
    assert not any(character.isdigit() for character in str(caught.value))


def test_agrees_with_lifelines() -> None:
    import pandas
    from lifelines import CoxTimeVaryingFitter

    start, stop, event, x = simulated()
    cut = np.floor(stop / 2)
    rows = np.flatnonzero(cut > 0)
    # the second half of each person's time has another value of b
    starts, stops = np.r_[np.where(cut > 0, 0, start), cut[rows]], np.r_[np.where(cut > 0, cut, stop), stop[rows]]
    events = np.r_[np.where(cut > 0, 0, event), event[rows]]
    covariates = np.vstack([x, x[rows] * [1, -1]])
    fitted = cox.fit(starts, stops, events, covariates, names=["a", "b"])
    frame = pandas.DataFrame(covariates, columns=["a", "b"]).assign(
        id=np.r_[np.arange(N), rows], start=starts, stop=stops, event=events
    )
    other = CoxTimeVaryingFitter().fit(frame, id_col="id", event_col="event", start_col="start", stop_col="stop")
    np.testing.assert_allclose(fitted.params, other.params_, rtol=1e-5)
    np.testing.assert_allclose(fitted.covariance, other.variance_matrix_, rtol=1e-4)


def test_baseline_hazard_is_per_stratum_and_cumulates() -> None:
    start, stop, event, x = simulated()
    site = np.where(np.arange(N) % 2, "north", "south")
    hazard = cox.fit(start, stop, event, x, names=["a", "b"], strata=site).baseline_hazard()
    assert hazard["stratum"].unique(maintain_order=True).to_list() == ["north", "south"]
    sums = hazard.group_by("stratum", maintain_order=True).agg(
        pl.col("hazard").sum(), pl.col("cumulative_hazard").last()
    )
    np.testing.assert_allclose(sums["hazard"], sums["cumulative_hazard"])
