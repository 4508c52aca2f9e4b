"""Runs programs, and kills those that exceed their time limit, with every process that they have started."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpu_check.paths import ROOT

TAIL_LINES = 25


@dataclass(frozen=True)
class Finished:
    """How a program ended."""

    failure: str
    """Empty if it succeeded."""
    output: str
    tail: str
    """The last lines of stderr, or else of stdout."""
    seconds: float


def run(command: Sequence[str], environment: Mapping[str, str], timeout: float, stdin: str = "") -> Finished:
    """Run a program in the repository with `stdin` as its standard input."""
    started = time.monotonic()
    try:
        # In a new session, so that one signal reaches every process that it starts.
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
        return Finished(f"not started: {error}", "", "", 0.0)
    try:
        output, errors = child.communicate(stdin, timeout)
        failure = _describe(child.returncode)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output, errors = child.communicate()
        failure = f"still running after {timeout:.0f} s"
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    text = errors.strip() or output.strip()
    tail = "\n".join(text.splitlines()[-TAIL_LINES:])
    return Finished(failure, output, tail, time.monotonic() - started)


def _describe(code: int) -> str:
    if code == 0:
        return ""
    return f"ended with {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"
