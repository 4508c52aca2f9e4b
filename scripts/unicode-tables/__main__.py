"""Writes lib/tokenizer/unicode/*-data.ts: the Unicode tables of the pinned `tokenizers`, read from its results.

Its parts (clusters, normalization, case, word characters) have tables of several Unicode versions, other than Python's
and Node's. Usage: node scripts/python.mjs scripts/unicode-tables [directory]
"""

import sys
from pathlib import Path

from unicode_tables import characters, clusters, normalization
from unicode_tables.encoding import write_module

LIBRARY = Path(__file__).resolve().parents[2] / "lib" / "tokenizer" / "unicode"


def main() -> None:
    """Determine and write every table."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else LIBRARY
    directory.mkdir(parents=True, exist_ok=True)
    write_module(directory / "cluster-data.ts", "Grapheme clusters", clusters.tables())
    write_module(directory / "simple-data.ts", "White space, word characters, marks and case", characters.tables())
    write_module(directory / "normalization-data.ts", "Normalization forms", normalization.tables())


main()
