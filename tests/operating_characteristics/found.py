"""One estimate of one replicate."""

from __future__ import annotations

from dataclasses import dataclass

from opioid_outcomes.causal.contrasts import Contrast
from opioid_outcomes.survival.normal import limits


@dataclass(frozen=True)
class Found:
    quantity: str
    method: str
    truth: float
    estimate: float  # nan: refused
    se: float
    ci_low: float
    ci_high: float
    wrong: bool = False  # a method that is shown to fail


def normal(quantity: str, method: str, truth: float, estimate: float, se: float, *, wrong: bool = False) -> Found:
    return Found(quantity, method, truth, estimate, se, *limits(estimate, se), wrong)


def contrast(quantity: str, method: str, found: Contrast, truth: float, *, wrong: bool = False) -> Found:
    return Found(quantity, method, truth, found.estimate, found.se, found.ci_low, found.ci_high, wrong)
