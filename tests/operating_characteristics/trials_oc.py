"""New users against comparators, one index date each: risks, mean time and shares of causes by weights."""

from __future__ import annotations

from functools import cache

import numpy as np
from found import Found, contrast

from opioid_outcomes.causal.weighted_risk import Risks, risks

HORIZON, PEOPLE = 365.0, 3000
CAUSES = ("overdose", "other")
BASE = (8e-5, 3e-4)  # a day


def chance(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(1.0 - 0.8 * x[:, 0] - 0.6 * x[:, 1])))


def rates(x: np.ndarray, treated: np.ndarray | float) -> np.ndarray:
    """Hazards a day of both causes, (n, 2); treatment raises overdose four times and the rest a half."""
    overdose = BASE[0] * np.exp(0.3 * x[:, 0] + np.log(4) * treated)
    other = BASE[1] * np.exp(0.6 * x[:, 0] + 0.5 * x[:, 1] + np.log(1.5) * treated)
    return np.column_stack([overdose, other])


def covariates(n: int, rng: np.random.Generator) -> np.ndarray:
    return np.column_stack([rng.standard_normal(n), (rng.random(n) < 0.4).astype(float)])


@cache
def truth(estimand: str) -> dict[str, float]:
    """Exact given covariates; averaged over the two covariates by quadrature."""
    nodes, mass = np.polynomial.hermite_e.hermegauss(80)
    x = np.column_stack([np.tile(nodes, 2), np.repeat([0.0, 1.0], len(nodes))])
    weight = np.concatenate([mass * 0.6, mass * 0.4])
    e = chance(x)
    weight = weight * (e * (1 - e) if estimand == "overlap" else e)
    risk, days = [], []
    for arm in (0.0, 1.0):
        hazard = rates(x, arm)
        total = hazard.sum(axis=1)
        gone = 1 - np.exp(-total * HORIZON)
        risk.append(np.average(hazard / total[:, None] * gone[:, None], axis=0, weights=weight))
        days.append(np.average(gone / total, weights=weight))
    difference = risk[1] - risk[0]
    return {
        "difference": float(difference.sum()), "ratio": float(np.log(risk[1].sum() / risk[0].sum())),
        "days": float(days[1] - days[0]), "share": float(difference[0] / difference.sum()),
    }  # fmt: skip


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    x = covariates(PEOPLE, rng)
    treated = (rng.random(PEOPLE) < chance(x)).astype(float)
    hazard = rates(x, treated)
    died = rng.exponential(size=PEOPLE) / hazard.sum(axis=1)
    cause = np.where(rng.random(PEOPLE) < hazard[:, 0] / hazard.sum(axis=1), 1, 2)
    end = np.minimum(400.0, rng.exponential(1500.0, PEOPLE))
    return np.ceil(np.minimum(died, end)), np.where(died <= end, cause, 0), treated, x


def of_estimand(estimand: str, data: tuple[np.ndarray, ...]) -> Risks:
    time, cause, treated, x = data
    return risks(
        time, cause, treated, x, names=["x1", "x2"], causes=CAUSES, horizons=[HORIZON],
        estimand=estimand, person=np.arange(PEOPLE),
    )  # fmt: skip


def replicate(rng: np.random.Generator) -> list[Found]:
    data = drawn(rng)
    overlap, att, crude = (of_estimand(name, data) for name in ("overlap", "att", "given"))
    known, treated = truth("overlap"), truth("att")
    ratio = overlap.risk_ratio(HORIZON)
    return [
        contrast("risk difference, overlap", "weights", overlap.risk_difference(HORIZON), known["difference"]),
        contrast("risk difference, overlap", "crude", crude.risk_difference(HORIZON), known["difference"], wrong=True),
        Found(
            "log risk ratio, overlap", "weights", known["ratio"], float(np.log(ratio.estimate)),
            ratio.se / ratio.estimate, float(np.log(ratio.ci_low)), float(np.log(ratio.ci_high)),
        ),
        contrast("mean days lived, overlap", "weights", overlap.rmst_difference(HORIZON), known["days"]),
        contrast("overdose share, treated", "weights", att.share(HORIZON)["overdose"], treated["share"]),
        contrast("overdose share, treated", "crude", crude.share(HORIZON)["overdose"], treated["share"], wrong=True),
    ]  # fmt: skip
