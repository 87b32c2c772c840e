"""``opioid-outcomes check|init|simulate|codebook``: the parts of the workflow that one wants from a shell."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from opioid_outcomes.config.nearest import suggestion
from opioid_outcomes.errors import Problem, UserError, report_and_exit_code
from opioid_outcomes.simulate.world import WORLDS


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0, 2 for a mistake of the user's, 1 for one of ours."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.command(arguments)
        sys.stdout.flush()
    except SystemExit:
        raise
    except BrokenPipeError:  # whoever reads, as `head`, has enough; what Python would still flush goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except BaseException as exception:  # a panic of polars is no Exception, and prints values as well
        return report_and_exit_code(exception)
    return 0


def check(arguments: argparse.Namespace) -> None:
    """All problems of the config; then, when there are none, those of every cohort's inputs together."""
    from opioid_outcomes.config import yaml_loader
    from opioid_outcomes.config.load import load_config
    from opioid_outcomes.config.problems import placed

    config = load_config(arguments.file)
    from opioid_outcomes.ingest.check import check_study  # after: a config's problems show at once

    try:
        lines = check_study(config)
    except UserError as error:
        document = yaml_loader.load(arguments.file)
        raise UserError(*(placed(problem, document) for problem in error.problems)) from None
    print("\n".join(lines))
    print(f"{arguments.file}: the config and its inputs are good")


def init(arguments: argparse.Namespace) -> None:
    """Writes a commented config to start from; never over a file that is there."""
    from opioid_outcomes.config.generate import starter

    try:
        with arguments.file.open("x", encoding="utf-8") as file:
            file.write(starter(arguments.format))
    except FileExistsError:
        fix = "name a new file; nothing was overwritten"
        raise UserError(Problem("there is a file already", str(arguments.file), fix)) from None
    except OSError as error:
        raise UserError(
            Problem(f"cannot be written ({error.strerror})", str(arguments.file), "name a file in a folder that exists")
        ) from None
    print(f"{arguments.file}: fill in the cohort's path, then `opioid-outcomes check {arguments.file}`")


def simulate(arguments: argparse.Namespace) -> None:
    """Writes a simulated cohort with known truth."""
    from opioid_outcomes.simulate import worlds

    if arguments.world not in WORLDS:
        what = f"there is no world `{arguments.world}`"
        raise UserError(Problem(what, "--world", suggestion(arguments.world, WORLDS)))
    worlds.write(arguments.out, arguments.world, arguments.persons, arguments.seed, format=arguments.format)
    print(f"{arguments.out}: {arguments.persons:,} persons, world {arguments.world}; the truth is in truth.json")


def codebook(_: argparse.Namespace) -> None:
    """Prints what every table of input and output holds."""
    from opioid_outcomes.codebook import text

    print(text())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="opioid-outcomes",
        description="Survival and hyperalgesia in long-term opioid therapy: what needs no workflow.",
    )
    commands = parser.add_subparsers(required=True, metavar="check|init|simulate|codebook")

    one = commands.add_parser("check", help="all problems of a config, then of its inputs")
    one.add_argument("file", type=Path, help="the study's config")
    one.set_defaults(command=check)

    one = commands.add_parser("init", help="write a commented config to start from")
    one.add_argument("file", type=Path, nargs="?", default=Path("my-study.yaml"), help="default: my-study.yaml")
    one.add_argument("--format", choices=("tables", "omop"), default="tables", help="what your data are")
    one.set_defaults(command=init)

    one = commands.add_parser("simulate", help="write a cohort with known truth", epilog=_worlds())
    one.formatter_class = argparse.RawDescriptionHelpFormatter
    one.add_argument("--world", required=True, help="what is true in it, see below")
    one.add_argument("--persons", type=_whole(50, 1_000_000), default=5000, help="default: 5000")
    one.add_argument("--seed", type=_whole(0, 10**18), default=20260101, help="default: 20260101")
    one.add_argument("--format", choices=("tables", "omop"), default="tables", help="default: tables")
    one.add_argument("--out", type=Path, required=True, help="folder to write")
    one.set_defaults(command=simulate)

    one = commands.add_parser("codebook", help="print the columns of every input and output table")
    one.set_defaults(command=codebook)
    return parser


def _worlds() -> str:
    width = max(map(len, WORLDS))
    return "worlds:\n" + "\n".join(f"  {name:{width}}  {world.sentence}" for name, world in WORLDS.items())


def _whole(least: int, most: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not re.fullmatch("[0-9]{1,19}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"a whole number from {least:,} to {most:,} is wanted")
        return int(text)

    return whole
