"""Writes a table as a module of TypeScript."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

LINE = 120


def write_module(path: Path, title: str, tables: Mapping[str, str]) -> None:
    """Write constants, each one text over as many lines as it takes."""
    lines = [
        f"// {title} as Rust's tokenizers {version('tokenizers')} has them. Written by scripts/unicode-tables.",
        "",
    ]
    for name, text in tables.items():
        declaration = f"export const {name} ="
        # As the formatter has it.
        separator = " " if len(f'{declaration} "{text}";') <= LINE else "\n  "
        lines += [f'{declaration}{separator}"{text}";', ""]
    path.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size} bytes")
