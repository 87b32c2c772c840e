"""The one bridge between Snakemake and the package: hands a step its files and settings, and reports how it ended."""

import importlib
import io
import json
import os
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

# Before NumPy is loaded: BLAS splits its sums over its threads, and the last bits would depend on the number of cores.
os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from opioid_outcomes.errors import USER_ERROR_EXIT, report_and_exit_code
from opioid_outcomes.steps import STAGES
from opioid_outcomes.workflow_plan import MISTAKES

if TYPE_CHECKING:
    from snakemake.script import snakemake


def named_paths(files) -> dict[str, Path | list[Path]]:
    """Snakemake's named inputs or outputs as paths; several files under one name stay a list."""
    return {
        name: Path(value) if isinstance(value, str) else [Path(item) for item in value] for name, value in files.items()
    }


def main() -> int:
    step, log = snakemake.rule, Path(snakemake.log[0])
    param = json.loads(snakemake.params.step)
    settings, derived = param["settings"], Path("data/derived") / param["study"]
    who = settings.get("cohort_name", param["study"])
    os.umask(0o077)
    derived.chmod(0o700)  # patient-level tables are nobody else's to read
    began = time.monotonic()
    try:
        run = getattr(importlib.import_module(f"opioid_outcomes.steps.{STAGES[step]}"), step)
        outcome = run(named_paths(snakemake.input), named_paths(snakemake.output), settings)
    except BaseException as error:  # a panic inside polars too: its own message would print values
        with redirect_stderr(io.StringIO()) as message:
            code = report_and_exit_code(error)
        told = f"[{who}] {step} stopped:\n{message.getvalue()}"
        log.write_text(told)
        if code == USER_ERROR_EXIT:  # told once, when the run ends
            with (derived / "logs" / MISTAKES).open("a") as stream:
                stream.write(told)
        else:
            print(told, file=sys.stderr, end="", flush=True)
        return code
    seconds = time.monotonic() - began
    log.write_text(f"{outcome}\n")
    if step != "check":  # which writes nothing but its log
        with (derived / "timings.csv").open("a") as stream:
            stream.write(f"{step},{who},{seconds:.2f}\n")
    print(f"[{who}] {step}: {outcome} ({seconds:.1f} s)", file=sys.stderr, flush=True)
    return 0


sys.exit(main())
