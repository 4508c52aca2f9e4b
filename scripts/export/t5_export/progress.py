"""Progress lines on stderr: which stage of how many, and counts within it."""

import sys
from typing import Protocol


class Progress(Protocol):
    """What the exporter reports to."""

    def stage(self, name: str) -> None:
        """Begin a stage."""

    def count(self, done: int, total: int, what: str) -> None:
        """Report one finished item of the current stage."""


def write_line(line: str) -> None:
    """Write a line in one piece: a signal's handler can't write into the middle of it."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class StderrProgress:
    """Writes a line per stage and per item."""

    def __init__(self, stages: int) -> None:
        self._stages = stages
        self._stage = 0

    def stage(self, name: str) -> None:
        """Begin a stage."""
        self._stage += 1
        write_line(f"[{self._stage}/{self._stages}] {name}")

    def count(self, done: int, total: int, what: str) -> None:
        """Report one finished item of the current stage."""
        write_line(f"      {done}/{total} {what}")


class SilentProgress:
    """Reports nothing: what a caller in Python gets unless it asks for more."""

    def stage(self, name: str) -> None:
        """Begin a stage."""

    def count(self, done: int, total: int, what: str) -> None:
        """Report one finished item of the current stage."""
