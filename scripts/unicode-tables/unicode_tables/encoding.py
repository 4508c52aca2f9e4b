"""Tables of code points as short texts, in base 36 with differences instead of code points, and the modules of them."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
SURROGATES = range(0xD800, 0xE000)
LINE = 120


def code_points() -> Iterable[int]:
    """Yield every code point that a string of Rust can have."""
    return (code for code in range(0x110000) if code not in SURROGATES)


def base36(number: int) -> str:
    """Return a whole number in base 36."""
    if number < 0:
        return "-" + base36(-number)
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
        if number == 0:
            return text


def ranges(codes: Iterable[int]) -> str:
    """Return code points as runs: for each run the gap before it, and its length minus 1."""
    numbers: list[int] = []
    runs: list[list[int]] = []
    for code in sorted(codes):
        # A run may continue after the surrogates, which no string has.
        joins = runs and (code == runs[-1][1] + 1 or (code == SURROGATES.stop and runs[-1][1] == SURROGATES.start - 1))
        if joins:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    end = 0
    for first, last in runs:
        numbers += [first - end, last - first]
        end = last + 1
    return " ".join(map(base36, numbers))


def mapping(entries: Mapping[int, Sequence[int]]) -> str:
    """Return code points and the sequences that they map to: for each the gap before it, then the sequence."""
    parts: list[str] = []
    end = 0
    for code, sequence in sorted(entries.items()):
        parts.append(".".join(map(base36, [code - end, *sequence])))
        end = code + 1
    return " ".join(parts)


def write_module(path: Path, title: str, tables: Mapping[str, str]) -> None:
    """Write a TypeScript module with a constant for each table."""
    lines = [f"// {title} of Rust's tokenizers {version('tokenizers')}, written by scripts/unicode-tables.", ""]
    for name, text in tables.items():
        declaration = f"export const {name} ="
        # As Biome formats it.
        separator = " " if len(f'{declaration} "{text}";') <= LINE else "\n  "
        lines += [f'{declaration}{separator}"{text}";', ""]
    path.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size} bytes")
