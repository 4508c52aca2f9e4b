"""Writes lib/tokenizer/unicode/*-data.ts: what the pinned `tokenizers` knows of each code point, by asking it.

Its parts have tables of several Unicode versions (clusters, normalization, case, word characters), which follow neither
Python's nor Node's. Usage: node scripts/python.mjs scripts/unicode-tables [directory]
"""

import sys
from pathlib import Path

from unicode_tables import clusters, normalization, simple
from unicode_tables.writing import write_module

LIBRARY = Path(__file__).resolve().parents[2] / "lib" / "tokenizer" / "unicode"


def main() -> None:
    """Find out and write every table."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else LIBRARY
    directory.mkdir(parents=True, exist_ok=True)
    write_module(directory / "cluster-data.ts", "Grapheme clusters", clusters.tables())
    write_module(directory / "simple-data.ts", "White space, word characters, marks and case", simple.tables())
    write_module(directory / "normalization-data.ts", "Normalization forms", normalization.tables())


main()
