"""A Cox fit recovers what was planted, where the usual wrong ways do not: averages over fixed seeds."""

from __future__ import annotations

import math

import numpy as np

from opioid_outcomes.survival import cox

HAZARD, RATIO, END = 0.002, 1.6, 365.0


def starters(seed: int, n: int = 3_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Day of starting a drug (some never), day of death or end, and death; the drug raises the hazard from then on."""
    rng = np.random.default_rng(seed)
    begin = np.ceil(rng.exponential(300, n))
    need = rng.exponential(1, n) / HAZARD  # hazard to be spent, in days off the drug
    dies = np.where(need <= begin, need, begin + (need - begin) / RATIO)
    return begin, np.minimum(np.ceil(dies), END), dies <= END


def test_time_varying_exposure_is_right_where_ever_use_is_immortal() -> None:
    right, ever_use = [], []
    for seed in range(10):
        begin, stop, died = starters(seed)
        ever, x = begin < stop, np.zeros((len(stop), 1))
        both = {"start": np.r_[0 * stop, begin[ever]], "stop": np.r_[np.where(ever, begin, stop), stop[ever]]}
        event = np.r_[died & ~ever, died[ever]]
        on = np.r_[np.zeros(len(stop)), np.ones(ever.sum())][:, None]
        right.append(cox.fit(**both, event=event, x=on, names=["on"]).params[0])
        x[:, 0] = ever
        ever_use.append(cox.fit(None, stop, died, x, names=["ever"]).params[0])
    assert abs(np.mean(right) - math.log(RATIO)) < 0.04
    assert np.mean(ever_use) < 0.1  # as if the drug did nothing, or were good


def test_strata_take_away_a_confounder_that_a_crude_fit_keeps() -> None:
    found, crude = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        sick = rng.random(3_000) < 0.3
        on = rng.random(3_000) < np.where(sick, 0.7, 0.2)
        time = np.ceil(rng.exponential(1 / (HAZARD * np.where(sick, 4, 1) * np.where(on, RATIO, 1))))
        rows = {"start": None, "stop": np.minimum(time, END), "event": time <= END, "x": on[:, None], "names": ["on"]}
        found.append(cox.fit(**rows, strata=sick).params[0])
        crude.append(cox.fit(**rows).params[0])
    assert abs(np.mean(found) - math.log(RATIO)) < 0.05
    assert np.mean(crude) - math.log(RATIO) > 0.3


def test_robust_error_is_that_of_repeated_samples_where_the_model_error_is_not() -> None:
    """Families of four share exposure and frailty; the truth is the spread of the estimates themselves."""
    estimates, robust, model = [], [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        family = np.repeat(np.arange(100), 4)
        on, frailty = rng.integers(0, 2, 100)[family], np.exp(rng.normal(size=100))[family]
        time = rng.exponential(1 / frailty)
        fitted = cox.fit(None, np.minimum(time, 1), time < 1, on[:, None], names=["on"], cluster=family)
        estimates.append(fitted.params[0])
        robust.append(fitted.robust_covariance[0, 0])
        model.append(fitted.covariance[0, 0])
    spread = np.std(estimates)
    assert abs(math.sqrt(np.mean(robust)) / spread - 1) < 0.12
    assert math.sqrt(np.mean(model)) / spread < 0.8


def test_efron_is_nearer_the_truth_than_breslow_when_days_are_coarse() -> None:
    efron, breslow = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        on = rng.integers(0, 2, 2_000)
        month = np.ceil(rng.exponential(3 / np.where(on == 1, 2.0, 1.0)))
        rows = {"start": None, "stop": month, "event": month <= 6, "x": on[:, None], "names": ["on"]}
        efron.append(cox.fit(**rows).params[0])
        breslow.append(cox.fit(**rows, ties="breslow").params[0])
    assert abs(np.mean(efron) - math.log(2)) < 0.05
    assert np.mean(breslow) < math.log(2) - 0.1


def test_proportional_hazards_are_found_wanting_where_the_effect_wears_off() -> None:
    rng = np.random.default_rng(1)
    on, steady = rng.integers(0, 2, 4_000), rng.integers(0, 2, 4_000)
    need = rng.exponential(1, 4_000) / np.where(steady == 1, 1.5, 1)
    early = np.where(on == 1, 3.0, 1.0)  # until time 0.3, nothing after
    time = np.where(need <= 0.3 * early, need / early, 0.3 + need - 0.3 * early)
    fitted = cox.fit(None, np.minimum(time, 1.5), time < 1.5, np.column_stack([on, steady]), names=["on", "steady"])
    wearing, lasting, both = fitted.test_proportional_hazards()["p_value"]
    assert wearing < 1e-6
    assert both < 1e-6
    assert lasting > 0.05
    late = fitted.rows.stop[fitted.sets.died] > 0.5
    effect = fitted.residuals("scaled_schoenfeld")[:, 0]
    assert effect[~late].mean() - effect[late].mean() > 0.5
