"""What every task gives: examples of a text and its answer, on either side of one fixed split."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """One input text and its answer."""

    text: str
    answer: str


@dataclass(frozen=True)
class Task:
    """A task: how to draw an example, and what a person needs to check its answers."""

    name: str
    rule: str
    split: str
    draw: Callable[[random.Random, bool], Example]
    """Draws one example; the flag asks for a held-out one or for one to train on."""


def in_held_out_part(key: str, one_in: int) -> bool:
    """Says whether `key` belongs to the held-out part: a function of the key alone, the same on every machine."""
    return zlib.crc32(key.encode()) % one_in == 0
