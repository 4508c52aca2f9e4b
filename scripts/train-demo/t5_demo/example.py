"""Examples and tasks, the fixed split into training and held-out examples, and word lists."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """An input text and its answer."""

    text: str
    answer: str


@dataclass(frozen=True)
class Task:
    """A task: its name, the rule that its answers follow, its split, and a function that draws examples."""

    name: str
    rule: str
    split: str
    draw: Callable[[random.Random, bool], Example]
    """Draws an example, a held-out one if the flag is True and one for training if it is False."""


def in_held_out_part(key: str, one_in: int) -> bool:
    """Whether `key` belongs to the held-out part. Depends only on the key."""
    return zlib.crc32(key.encode()) % one_in == 0


def words(text: str) -> tuple[str, ...]:
    """Splits a list of words that is written as one text."""
    return tuple(text.split())
