"""The command line."""

import argparse
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from gpu_check import carried, run
from gpu_check.checks import MODELS, PRECISIONS
from gpu_check.paths import ARCHIVE, WORK
from gpu_check.requirements import Missing

JOBS = max(1, min(8, (os.cpu_count() or 1) // 2))


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code: 0 where every check passed."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "pack":
            carried.pack(options.archive, options.node)
            sys.stderr.write(f"Wrote {options.archive}: {options.archive.stat().st_size / 1e6:.0f} MB\n")
            return 0
        return run.run(options)
    except Missing as missing:
        sys.stderr.write(f"gpu-check: {missing}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 scripts/gpu-check",
        description="Builds torch-t5 against the torch of a Python, checks it on a device beside Hugging Face, "
        "measures it, and writes a report. Nothing is fetched.",
    )
    parser.set_defaults(command="run")
    parser.add_argument("--device", type=_device, default="cuda", help="cuda (default), cuda:N or cpu")
    parser.add_argument(
        "--python", type=_program, default=sys.executable, help="whose torch and transformers; by default this one"
    )
    parser.add_argument("--node", help="the Node.js to use; by default that of PATH, else the carried one")
    parser.add_argument("--carried", type=Path, default=ARCHIVE, help="what `pack` wrote, for what is missing here")
    parser.add_argument("--output", type=Path, default=WORK / "report.md", help="the report (Markdown)")
    parser.add_argument("--checks", type=_names, default=[""], help="only those whose name begins with one of these")
    parser.add_argument("--models", type=_names, default=MODELS, help="families of the checks (default: %(default)s)")
    parser.add_argument("--precisions", type=_names, default=PRECISIONS, help="(default: %(default)s)")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="of float32 logits of order 10 (%(default)s)")
    parser.add_argument("--trials", type=int, default=3, help="of the benchmarks (%(default)s)")
    parser.add_argument("--jobs", type=int, default=JOBS, help="checks at a time (%(default)s)")
    parser.add_argument("--patience", type=int, default=1, help="how many times the usual limits of time (%(default)s)")
    commands = parser.add_subparsers(title="for machines without Node.js", metavar="")
    pack = commands.add_parser("pack", help="write an archive of Node.js, packages and compiled TypeScript of this one")
    pack.set_defaults(command="pack")
    pack.add_argument("archive", type=Path, nargs="?", default=ARCHIVE, help="(default: %(default)s)")
    pack.add_argument("--node", default=None, help="the Node.js to carry; by default that of PATH")
    return parser


def _device(value: str) -> str:
    if not re.fullmatch(r"cpu|cuda(:\d+)?", value):
        raise argparse.ArgumentTypeError(f'expected cpu, cuda or cuda:N but received "{value}"')
    return value


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise argparse.ArgumentTypeError(f'expected a program but received "{name}"')
    # Not resolved: what a link in a virtual environment leads to has none of its packages.
    return str(Path(path).absolute())


def _names(value: str) -> list[str]:
    return [name for name in value.split(",") if name != ""]
