"""Progress lines on stderr: which stage of how many, and counts within it."""

import sys
from typing import Protocol


class Progress(Protocol):
    """What the exporter reports to."""

    def stage(self, name: str) -> None:
        """Begin a stage."""

    def count(self, done: int, total: int, what: str) -> None:
        """Report one finished item of the current stage."""


class StderrProgress:
    """Writes a line per stage and per item."""

    def __init__(self, stages: int) -> None:
        self._stages = stages
        self._stage = 0

    def stage(self, name: str) -> None:
        """Begin a stage."""
        self._stage += 1
        print(f"[{self._stage}/{self._stages}] {name}", file=sys.stderr, flush=True)

    def count(self, done: int, total: int, what: str) -> None:
        """Report one finished item of the current stage."""
        print(f"      {done}/{total} {what}", file=sys.stderr, flush=True)


class SilentProgress:
    """Reports nothing: what a caller in Python gets unless it asks for more."""

    def stage(self, name: str) -> None:
        """Begin a stage."""

    def count(self, done: int, total: int, what: str) -> None:
        """Report one finished item of the current stage."""
