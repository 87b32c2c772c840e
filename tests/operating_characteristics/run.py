"""Operating characteristics of the mortality estimators on simulated cohorts with a known answer.

    .venv/bin/python tests/operating_characteristics/run.py [--replicates 1000] [--seed 20261120] [--cores 2]

Writes workflow/docs/operating_characteristics.md: bias, spread, mean standard error and coverage of each estimator, and
the bias of the wrong method on the same data. Each replicate draws from its own stream, so that the table does not
depend on the number of cores. Some four minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

OUT = Path(__file__).parents[2] / "workflow" / "docs" / "operating_characteristics.md"
COMMAND = ".venv/bin/python tests/operating_characteristics/run.py"
SEED, REPLICATES = 20261120, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[name] = "1"  # cores are for replicates; numpy and polars read this as they are imported
    sys.path.append(str(Path(__file__).parents[1] / "known"))
    import designs
    import sustained_oc

    sustained_oc.truth()  # before the processes are made, so that each has it
    tables = []
    with ProcessPoolExecutor(asked.cores) as pool:
        for number, design in enumerate(designs.DESIGNS):
            tables.append((design.what, designs.collected(number, asked.replicates, asked.seed, pool)))
            print(design.what, file=sys.stderr, flush=True)
    lines = designs.page(tables, COMMAND, asked.seed, asked.replicates)
    asked.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
