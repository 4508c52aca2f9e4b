"""Programs in processes of their own: run to their end, or ended when they are late, with all that they started."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpu_check.paths import ROOT

TAIL_LINES = 25


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    failure: str
    """Empty where it ended well."""
    output: str
    tail: str
    """The end of what it said on stderr, else on stdout."""
    seconds: float


def run(command: Sequence[str], environment: Mapping[str, str], timeout: float, given: str = "") -> Ended:
    """Run a program in the repository; `given` is its standard input."""
    started = time.monotonic()
    try:
        # A session of its own: one signal reaches everything that it starts.
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return Ended(f"not started: {error}", "", "", 0.0)
    try:
        output, errors = child.communicate(given, timeout)
        failure = _describe(child.returncode)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output, errors = child.communicate()
        failure = f"still running after {timeout:.0f} s"
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    said = errors.strip() or output.strip()
    tail = "\n".join(said.splitlines()[-TAIL_LINES:])
    return Ended(failure, output, tail, time.monotonic() - started)


def _describe(code: int) -> str:
    if code == 0:
        return ""
    return f"ended with {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"
