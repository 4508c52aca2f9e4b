"""Profiles a decoding step: its kernels with Nsight Compute, where that is installed, and the rest of its time."""

import csv
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_check.programs import Finished
from gpu_check.report import Section, table

PROGRAM = "bench/profile/steps.mjs"
SETTINGS = [{"precision": precision, "batch": batch} for batch in (1, 32) for precision in ("bfloat16", "float32")]
"""The settings of the profiled steps."""
STEPS = 64
PROFILED_STEPS = 3
TIMEOUT = 60
"""Seconds for everything, multiplied by `--patience`."""
INSTALLED = ("/usr/local/cuda/bin", "/usr/local/cuda-*/bin", "/opt/nvidia/nsight-compute/*")
"""Where NVIDIA's installers put their tools."""
OPTIONS = [
    # The clock of normal operation, and caches as the previous kernel left them.
    *("--clock-control", "none", "--cache-control", "none"),
    # A kernel of a CUDA graph counts as a kernel, not as a part of one launch.
    *("--graph-profiling", "node"),
    *("--csv", "--print-units", "base", "--print-kernel-base", "function", "--metrics", "gpu__time_duration.sum"),
]
NANOSECONDS = {"ns": 1, "nsecond": 1, "us": 1e3, "usecond": 1e3, "ms": 1e6, "msecond": 1e6}
MAX_KERNELS = 20
"""The number of rows of a table of kernels."""
MICRO = 1000


@dataclass(frozen=True)
class Kernel:
    """One execution of a kernel."""

    name: str
    microseconds: float


def find_tool(name: str, path: str) -> str | None:
    """Return a tool of NVIDIA's, from PATH or from where the installers put it."""
    found = shutil.which(name, path=path)
    patterns = [f"{folder}/{name}" for folder in INSTALLED]
    candidates = [str(file) for pattern in patterns for file in sorted(Path("/").glob(pattern[1:]), reverse=True)]
    return found or next(iter(candidates), None)


def parse(output: str) -> list[Kernel]:
    """Return the kernels in the CSV that ncu prints between its messages and the program's output."""
    lines = output.splitlines()
    start = next((index for index, line in enumerate(lines) if line.startswith('"ID"')), len(lines))
    rows = csv.DictReader(line for line in lines[start:] if line.startswith('"'))
    return [
        Kernel(
            row["Kernel Name"],
            float(row["Metric Value"].replace(",", "")) * NANOSECONDS[row["Metric Unit"]] / MICRO,
        )
        for row in rows
    ]


def last_step(kernels: Sequence[Kernel]) -> Sequence[Kernel]:
    """Return the kernels of the last step: the shortest sequence of names at the end that is there twice.

    A part of a step that repeats, such as a layer, is followed by the output projection, so it is not at the end.
    Empty if no sequence is there twice.
    """
    names = [kernel.name for kernel in kernels]
    lengths = range(1, len(names) // 2 + 1)
    length = next((one for one in lengths if names[-one:] == names[-2 * one : -one]), 0)
    return kernels[len(kernels) - length :]


def profile(
    section: Section,
    run: Callable[..., Finished],
    node: str,
    profiler: str | None,
    settings: dict[str, Any],
    patience: int = 1,
) -> str:
    """Write the section. `run` takes a time limit and a command. Only steps that fail without ncu are a failure."""
    deadline = time.monotonic() + TIMEOUT * patience

    def steps(count: int, chosen: Sequence[dict[str, Any]], *before: str) -> Finished:
        request = json.dumps({**settings, "steps": count, "settings": chosen})
        return run(max(1.0, deadline - time.monotonic()), *before, node, PROGRAM, request)

    timed = steps(STEPS, SETTINGS)
    if timed.failure:
        return timed.failure
    tables: list[str] = []
    reason = "" if profiler else "no ncu (Nsight Compute) on this machine"
    for measured in _measured(timed.output):
        title = f"{measured['precision']}, batch {measured['batch']}"
        values = {"step, µs": measured["milliseconds"] * MICRO}
        if profiler and not reason:
            chosen = {name: measured[name] for name in ("precision", "batch")}
            finished = steps(PROFILED_STEPS, [chosen], profiler, *OPTIONS)
            kernels = last_step(parse(finished.output))
            if kernels:
                total = sum(kernel.microseconds for kernel in kernels)
                values |= {"kernels": len(kernels), "in kernels, µs": total, "between, µs": values["step, µs"] - total}
                tables.append(f"## {title}\n\n{_kernel_table(kernels, total)}")
            else:
                reason = f"{profiler}: {finished.failure or 'no step in its output'}: {_message(finished)}"
        section.findings.append({"subject": title, "passed": True, "measured": values})
    notes = [f"Kernels were not profiled: {reason}."] if reason else []
    section.appendix = "\n\n".join([*notes, *tables])
    return ""


def _measured(output: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in output.splitlines() if line.startswith('{"precision"'))


def _message(finished: Finished) -> str:
    """Return the profiler's own error, or else the last line that was printed."""
    lines = f"{finished.output}\n{finished.tail}".strip().splitlines()
    return next((line for line in lines if line.startswith("==ERROR==")), lines[-1] if lines else "nothing printed")


def _kernel_table(kernels: Sequence[Kernel], total: float) -> str:
    sums: dict[str, list[float]] = {}
    for kernel in kernels:
        sums.setdefault(kernel.name, []).append(kernel.microseconds)
    ordered = sorted(sums.items(), key=lambda item: -sum(item[1]))
    rows = [
        [_short(name), str(len(times)), f"{sum(times):.1f}", f"{100 * sum(times) / total:.0f} %"]
        for name, times in ordered[:MAX_KERNELS]
    ]
    rest = [time for _, times in ordered[MAX_KERNELS:] for time in times]
    if rest:
        rows.append(["others", str(len(rest)), f"{sum(rest):.1f}", f"{100 * sum(rest) / total:.0f} %"])
    return table(["kernel", "count", "µs", "share"], rows)


def _short(name: str) -> str:
    """Return a kernel's name without its template arguments and parameters."""
    return re.split(r"[<(]", name.removeprefix("void "))[0] or name
