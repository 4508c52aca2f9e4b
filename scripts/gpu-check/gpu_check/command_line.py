"""The command line of gpu-check."""

import argparse
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from gpu_check import carried, record, run
from gpu_check.checks import MODELS, PRECISIONS
from gpu_check.paths import ARCHIVE, PAGE, WORK
from gpu_check.requirements import Missing

JOBS = max(1, min(8, (os.cpu_count() or 1) // 2))


def main(arguments: Sequence[str]) -> int:
    """Run the command. Returns the exit code, which is 0 if every check passed."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "pack":
            carried.pack(options.archive, options.node, options.libtorch, with_transformers=options.transformers)
            sys.stderr.write(f"Wrote {options.archive}: {options.archive.stat().st_size / 1e6:.0f} MB\n")
            return 0
        if options.command == "record":
            record.record(options.report, options.page)
            return 0
        return run.run(options)
    except Missing as missing:
        sys.stderr.write(f"gpu-check: {missing}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 scripts/gpu-check",
        description="Builds torch-t5 with the torch of a Python, compares it with Hugging Face on a device, "
        "measures it, and writes a report. Downloads nothing.",
    )
    parser.set_defaults(command="run")
    parser.add_argument("--device", type=_device, default="cuda", help="cuda (default), cuda:N or cpu")
    parser.add_argument(
        "--python",
        type=_program,
        default=sys.executable,
        help="the Python with torch and transformers; by default this one",
    )
    parser.add_argument("--node", help="the Node.js to use; by default that of PATH, else that of the archive")
    parser.add_argument(
        "--carried", type=Path, default=ARCHIVE, help="the archive that `pack` wrote, for parts that are missing"
    )
    parser.add_argument("--output", type=Path, default=WORK / "report.md", help="the report (Markdown)")
    parser.add_argument(
        "--checks", type=_names, default=[""], help="run only checks whose names begin with one of these"
    )
    parser.add_argument("--models", type=_names, default=MODELS, help="model families (default: %(default)s)")
    parser.add_argument("--precisions", type=_names, default=PRECISIONS, help="(default: %(default)s)")
    parser.add_argument(
        "--tolerance", type=float, default=1e-4, help="for float32 logits of about 10 (default: %(default)s)"
    )
    parser.add_argument("--trials", type=int, default=2, help="trials of the benchmarks (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=JOBS, help="checks that run at once (default: %(default)s)")
    parser.add_argument("--patience", type=int, default=1, help="multiplies the time limits (default: %(default)s)")
    parser.epilog = "`pack` takes --node, --transformers and --libtorch: see `pack --help`."
    commands = parser.add_subparsers(title="before and after", metavar="")
    pack = commands.add_parser(
        "pack", help="write an archive of this machine's Node.js, packages and compiled TypeScript"
    )
    pack.set_defaults(command="pack")
    pack.add_argument("archive", type=Path, nargs="?", default=ARCHIVE, help="(default: %(default)s)")
    pack.add_argument("--node", default=None, help="the Node.js to pack; by default that of PATH")
    pack.add_argument(
        "--transformers",
        action="store_true",
        help="also download and pack the transformers of scripts/requirements.txt",
    )
    pack.add_argument(
        "--libtorch", type=Path, help="also pack a build of the addon with this torch package, which is made first"
    )
    keep = commands.add_parser("record", help="add a summary of a report to docs/gpu.md")
    keep.set_defaults(command="record")
    keep.add_argument("report", type=Path, nargs="?", default=WORK / "report.md", help="(default: %(default)s)")
    keep.add_argument("--page", type=Path, default=PAGE, help="(default: %(default)s)")
    return parser


def _device(value: str) -> str:
    if not re.fullmatch(r"cpu|cuda(:\d+)?", value):
        raise argparse.ArgumentTypeError(f'expected cpu, cuda or cuda:N but received "{value}"')
    return value


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise argparse.ArgumentTypeError(f'expected a program but received "{name}"')
    # A link in a virtual environment isn't resolved: the Python that it points to doesn't have the packages.
    return str(Path(path).absolute())


def _names(value: str) -> list[str]:
    return [name for name in value.split(",") if name != ""]
