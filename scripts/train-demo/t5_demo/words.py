"""Word lists as a person reads them."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """Splits a list that is written as one text."""
    return tuple(text.split())
