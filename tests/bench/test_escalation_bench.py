"""Escalation trials of a large cohort, from histories to rows: time and memory.

ESCALATION_PERSONS (100,000) people x 24 monthly visits of METHODS D2. Promised of that size: 20 s of processor and 2 GB
from histories to the rows by AIPW with clustered errors (decisions, history, strategy, windows, gates, estimates). The
whole analysis (noise, per protocol, being alive with less pain, IPW and regression beside it) is printed next to it.
Measured on a machine shared with others, 2.3 million decisions: 18 s and 1.8 GB; the whole analysis 52 s and 2.0 GB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pain_world
import pytest

pytestmark = pytest.mark.bench
PERSONS = int(os.environ.get("ESCALATION_PERSONS", "100_000"))
SECONDS, BYTES, PROMISED = 20.0, 2e9, 100_000
WHOLE_SECONDS, WHOLE_BYTES = 60.0, 2.2e9  # what is reached, with room for what else the machine does
RUN = """
import json, resource, sys, time
import polars as pl
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.hyperalgesia import confounders, escalation, trial
from opioid_outcomes.hyperalgesia.comparable import assign
from opioid_outcomes.hyperalgesia.compared import Measured, compare, contrast_rows
from opioid_outcomes.hyperalgesia.inputs import known
from opioid_outcomes.hyperalgesia.visits import eligible
from opioid_outcomes.steps import hyperalgesia
options = Hyperalgesia(error_sd=1.0)
settings = {
    "hyperalgesia": options.model_dump(), "covariates": {"baseline": [], "missing": "indicator"}, "study_seed": 1
}
names = ("cohort", "pain", "daily_dose", "opioid_status")
found = known({name: pl.read_parquet(f"{FOLDER}/{name}.parquet") for name in names}, settings)
began = time.process_time()
if WHOLE:
    told = hyperalgesia.of_histories(found, options, seed=1)
    rows, decisions = told.rows, told.decisions
else:
    rule, histories = options.escalation, found.of()
    visits = eligible(histories, stable_days=rule.stable_days)
    terms = confounders.build(
        visits, histories, baseline=[], missing="indicator", min_rise=rule.min_rise, min_mme=rule.min_mme
    )
    decided = trial.escalations(visits, terms, histories, rule)
    del visits, terms
    assigned, asked, rows = assign(decided, verb="escalated"), escalation.question(options.step_mme), []
    for days in options.windows_days:
        window = trial.window(decided, histories, days, rule.grace_days)
        measured = Measured(window.label, window.pain, window.mme, window.alive)
        compared = compare(decided, assigned, measured, "escalated")
        rows += contrast_rows(asked, compared, assigned, decided, method="aipw", name="aipw")
    decisions = len(decided.taken)
took = time.process_time() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([took, peak, decisions, [row.estimate for row in rows if row.method == "aipw"][:2]]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of a cohort, as files."""
    found = tmp_path_factory.mktemp("escalation")
    world = replace(pain_world.D2["hyperalgesia"], persons=PERSONS)
    lives = pain_world.live(world, pain_world.Draws.of(world, 1))
    for name, table in pain_world.tables(world, lives).items():
        table.write_parquet(found / f"{name}.parquet")
    return found


def run(folder: Path, *, whole: bool) -> tuple[float, float, int, list[float]]:
    code = f"FOLDER = {str(folder)!r}\nWHOLE = {whole}\n{RUN}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    took, peak, decisions, estimates = json.loads(done.stdout)
    return took, peak, decisions, estimates


def test_from_histories_to_rows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    took, peak, decisions, estimates = run(folder, whole=False)
    with capsys.disabled():
        print(f"\n{decisions:,} decisions: {took:.1f} s of processor, {peak / 1e9:.2f} GB")
    assert decisions > 20 * PERSONS
    assert abs(estimates[0] + 0.61) < 0.05
    if PERSONS == PROMISED:
        assert took < SECONDS
        assert peak < BYTES


def test_the_whole_analysis_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    took, peak, decisions, estimates = run(folder, whole=True)
    with capsys.disabled():
        print(f"\n{decisions:,} decisions, the whole analysis: {took:.1f} s of processor, {peak / 1e9:.2f} GB")
    assert abs(estimates[0] + 0.61) < 0.05
    if PERSONS == PROMISED:
        assert took < WHOLE_SECONDS
        assert peak < WHOLE_BYTES
