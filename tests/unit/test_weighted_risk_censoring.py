"""causal.weighted_risk where people leave their strategy for a reason: weights for it, known or estimated."""

from __future__ import annotations

from typing import Any

import numpy as np

from opioid_outcomes.causal.weighted_risk import CensoringRows, risks
from opioid_outcomes.survival import binary_regression
from opioid_outcomes.survival.risk_sets import Floats

DAY, HORIZON, RATE = 100.0, 300.0, 0.002


def leave(frail: Floats, treated: Floats) -> Floats:
    """Chance of leaving at day 100: of frail treated people most of all."""
    return np.asarray(1 / (1 + np.exp(-(-1.5 + 2.7 * treated * frail))))


def hazard(frail: Floats, treated: Floats) -> Floats:
    return np.asarray(RATE * np.exp(1.4 * frail + 0.4 * treated))


def world(seed: int, n: int = 3000) -> dict[str, Any]:
    """Treatment by chance; frailty decides who leaves at day 100 and who dies."""
    rng = np.random.default_rng(seed)
    frail, treated = (rng.random((2, n)) < [[0.4], [0.5]]).astype(float)
    death = rng.exponential(size=n) / hazard(frail, treated)
    return {"frail": frail, "treated": treated, "time": np.minimum(death, 400), "cause": (death < 400).astype(int),
            "left": rng.random(n) < leave(frail, treated)}  # fmt: skip


def cut(data: dict[str, Any], chance: Floats, refit: bool = False) -> CensoringRows:
    """Until day 100, and from then of who stays, at 1 / (1 - chance of leaving)."""
    time, n = data["time"], len(data["time"])
    kept = np.flatnonzero((time > DAY) & ~data["left"])

    def weight(chances: Floats) -> Floats:
        return np.r_[np.ones(n), 1 / (1 - chances[kept])]

    def again(drawn: Floats) -> Floats:
        return weight(estimated(data, drawn))

    return CensoringRows(np.r_[np.zeros(n), np.full(len(kept), DAY)], np.r_[np.minimum(time, DAY), time[kept]],
                         np.r_[np.arange(n), kept], weight(chance), again if refit else None)  # fmt: skip


def estimated(data: dict[str, Any], weights: Floats) -> Floats:
    """Chance of leaving by a logistic model of those alive at day 100."""
    there = (data["time"] > DAY).astype(float)
    x = np.column_stack([data["frail"], data["treated"], data["frail"] * data["treated"]])
    names = ["frail", "treated", "both"]
    return binary_regression.fit(x, data["left"].astype(float), names=names, weights=weights * there).predict(x)


def found(data: dict[str, Any], rows: CensoringRows, **more: Any) -> Any:
    return risks(data["time"], data["cause"], data["treated"], data["frail"][:, None], names=["frail"],
                 causes=["death"], horizons=[HORIZON], estimand="overlap", person=np.arange(len(data["time"])),
                 censoring=rows, **more).risk_difference(HORIZON)  # fmt: skip


def truth() -> float:
    gone = [
        sum(share * -np.expm1(-float(hazard(np.array(f), np.array(a))) * HORIZON) for f, share in ((0, 0.6), (1, 0.4)))
        for a in (0.0, 1.0)
    ]
    return float(gone[1] - gone[0])


def test_weights_for_leaving_recover_the_truth_that_censoring_alone_misses() -> None:
    weighted, plain = [], []
    for seed in range(20):
        data = world(seed)
        weighted.append(found(data, cut(data, leave(data["frail"], data["treated"]))))
        plain.append(found(data, cut(data, np.zeros(3000))))
    error = np.mean([one.se for one in weighted]) / np.sqrt(20)
    assert abs(np.mean([one.estimate for one in weighted]) - truth()) < 3 * error
    assert abs(np.mean([one.estimate for one in plain]) - truth()) > 5 * error
    inside = [one.ci_low < truth() < one.ci_high for one in weighted]
    assert np.mean(inside) >= 0.9


def test_the_bootstrap_redoes_the_weights_for_leaving() -> None:
    """Estimated weights make the error no larger than known ones: the spread over replicates is that over worlds."""
    data = world(5)
    chance = estimated(data, np.ones(3000))
    sandwich = found(data, cut(data, chance))
    held = found(data, cut(data, chance), se="bootstrap", replicates=200, seed=1)
    redone = found(data, cut(data, chance, refit=True), se="bootstrap", replicates=200, seed=1)
    assert sandwich.estimate == held.estimate == redone.estimate
    spread = np.std([found(w, cut(w, estimated(w, np.ones(3000)))).estimate for w in map(world, range(100, 220))])
    assert abs(redone.se / spread - 1) < 0.2
    assert redone.se != held.se
    assert abs(held.se / sandwich.se - 1) < 0.2
