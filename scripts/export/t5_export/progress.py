"""Prints progress on stderr: the current stage, and the finished items in it."""

import sys
from typing import Protocol


class Progress(Protocol):
    """Receives the exporter's progress."""

    def stage(self, name: str) -> None:
        """Begin a stage."""

    def count(self, done: int, total: int, what: str) -> None:
        """Report one finished item of the current stage."""

    def warn(self, message: str) -> None:
        """Report what the caller may not expect of the export."""


def write_line(line: str) -> None:
    """Write a line at once, so that a signal handler can't write into the middle of it."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class StderrProgress:
    """Writes a line for each stage and each item."""

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

    def warn(self, message: str) -> None:
        """Report what the caller may not expect of the export."""
        write_line(f"torch-t5 export: warning: {message}")


class SilentProgress:
    """Reports nothing. The default for callers in Python."""

    def stage(self, name: str) -> None:
        """Begin a stage."""

    def count(self, done: int, total: int, what: str) -> None:
        """Report one finished item of the current stage."""

    def warn(self, message: str) -> None:
        """Report what the caller may not expect of the export."""
