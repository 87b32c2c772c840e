"""What the stage of sustained strategies lets out of its curves."""

from __future__ import annotations

import polars as pl
import pytest

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.sustained import Result
from opioid_outcomes.steps.sustained import _as_far_as_told


def result(gates: dict[int, str]) -> Result:
    rows = [
        Estimate(
            analysis="mortality.sustained", method=method, population="", outcome="death", contrast="taper vs maintain",
            scale="risk_difference", window=f"0-{day}", estimate=0.01, gate=gate if method == "ipw" else "pass",
        )
        for day, gate in gates.items()
        for method in ("ipw", "crude")
    ]  # fmt: skip
    display = DISPLAYS["sustained_survival"]
    days = [0.0, 30.0, 180.0, 365.0, 900.0]
    curve = pl.DataFrame({name: [None] * 5 for name in display.schema}, schema=display.schema)
    return Result(rows, curve.with_columns(day=pl.Series(days)), DISPLAYS["sustained_diagnostics"].empty())


FAILED = "fail: effective number of people who follow 'taper' is under 50"


@pytest.mark.parametrize(
    ("gates", "days"),
    [
        ({30: "pass", 180: "pass", 365: FAILED}, [0.0, 30.0, 180.0]),
        ({180: FAILED, 365: FAILED}, []),
        ({180: "pass", 900: "pass"}, [0.0, 30.0, 180.0, 365.0, 900.0]),
    ],
)
def test_a_curve_goes_no_further_than_the_gates_let_its_contrast_be_told(
    gates: dict[int, str], days: list[float]
) -> None:
    assert _as_far_as_told(result(gates))["day"].to_list() == days
