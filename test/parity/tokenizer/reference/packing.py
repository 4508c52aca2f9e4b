"""Texts and rows of integers as files: count and lengths as little-endian int32, then the concatenated contents."""

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from pathlib import Path

import numpy as np

INT32 = np.dtype("<i4")


def write_texts(path: Path, texts: Sequence[str]) -> None:
    """Write texts as UTF-8; lengths are in bytes."""
    contents = [text.encode() for text in texts]
    with path.open("wb") as file:
        file.write(_header([len(content) for content in contents]))
        file.write(b"".join(contents))


def read_texts(path: Path) -> list[str]:
    """Read texts that `write_texts`, or its counterpart in packing.ts, wrote."""
    data = path.read_bytes()
    lengths, start = _lengths(data)
    ends = start + np.cumsum(lengths)
    return [data[begin:end].decode() for begin, end in pairwise([start, *ends.tolist()])]


def write_rows(path: Path, rows: Sequence[Sequence[int]], *more: Iterable[int]) -> None:
    """Write rows of integers, and after them further integers."""
    with path.open("wb") as file:
        file.write(_header([len(row) for row in rows]))
        for values in (chain.from_iterable(rows), *more):
            file.write(np.fromiter(values, INT32).tobytes())


def read_rows(path: Path) -> list[list[int]]:
    """Read rows of integers."""
    data = path.read_bytes()
    lengths, start = _lengths(data)
    values = np.frombuffer(data, INT32, offset=start).tolist()
    return [values[begin:end] for begin, end in pairwise([0, *np.cumsum(lengths).tolist()])]


def _header(lengths: list[int]) -> bytes:
    return np.array([len(lengths), *lengths], INT32).tobytes()


def _lengths(data: bytes) -> tuple[np.ndarray, int]:
    count = int.from_bytes(data[:4], "little")
    return np.frombuffer(data, INT32, count, 4), 4 * (count + 1)
