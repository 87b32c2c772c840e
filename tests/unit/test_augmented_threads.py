"""The same bytes whatever the number of threads the linear algebra may use."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import hashlib
import numpy as np
from opioid_outcomes.causal import augmented

rng = np.random.default_rng(1)
n, p = 60_000, {columns}
x = rng.normal(size=(n, p))
treated = rng.random(n) < 1 / (1 + np.exp(2 - 0.5 * x[:, 0]))
y = np.column_stack([x[:, 0] + treated, x[:, 0]]) + rng.normal(size=(n, 2))
y[rng.random(n) < 0.3] = np.nan
unit = np.zeros((n, 2, 2))
unit[:, 0, 0], unit[:, 1, 1] = 1, rng.random(n)
for error in (None, augmented.Error(np.arange(2), unit, 0.2, np.zeros(0, dtype=int))):
    who = augmented.assignment(x, treated, names=[f"x{{j}}" for j in range(p)], person=np.arange(n) // 3, error=error)
    joints = [augmented.effects(who, y).joint(method) for method in augmented.METHODS]
    told = b"".join(joint.values.tobytes() + joint.covariance.tobytes() for joint in joints)
    print(hashlib.sha256(told).hexdigest())
"""


def digests(threads: int, columns: int) -> str:
    limit = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(columns=columns)], env=os.environ | limit, capture_output=True, check=True
    )
    return done.stdout.decode()


def test_threads_do_not_change_a_bit() -> None:
    for columns in (2, 25, 40):
        assert digests(1, columns) == digests(2, columns)
