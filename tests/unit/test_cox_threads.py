"""The same bytes whatever the number of threads the linear algebra may use."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import hashlib
import numpy as np
from opioid_outcomes.survival import cox

rng = np.random.default_rng(1)
n, p = 60_000, {columns}
x = rng.normal(size=(n, p))
stop = np.ceil(rng.exponential(1000, n))
fitted = cox.fit(None, stop, rng.random(n) < 0.05, x, names=[f"x{{j}}" for j in range(p)], cluster=np.arange(n) // 3)
numbers = (fitted.params, fitted.covariance, fitted.robust_covariance, np.array([fitted.loglik]))
print(hashlib.sha256(b"".join(values.tobytes() for values in numbers)).hexdigest())
"""


def digest(threads: int, columns: int) -> str:
    limit = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(columns=columns)], env=os.environ | limit, capture_output=True, check=True
    )
    return done.stdout.decode()


def test_threads_do_not_change_a_bit() -> None:
    for columns in (1, 12, 40, 70):
        assert digest(1, columns) == digest(2, columns)
