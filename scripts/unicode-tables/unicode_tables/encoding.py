"""Tables of code points as short texts: numbers in base 36, differences instead of code points."""

from collections.abc import Iterable, Mapping, Sequence

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
SURROGATES = range(0xD800, 0xE000)


def code_points() -> Iterable[int]:
    """Yield every code point that a string of Rust's can have."""
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
    """Return code points as runs: the gap before each, and its length less one."""
    numbers: list[int] = []
    runs: list[list[int]] = []
    for code in sorted(codes):
        # Surrogates are no code points of a string: a run may go over them.
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
    """Return code points with the sequences that they become: the gap before each, then the sequence."""
    parts: list[str] = []
    end = 0
    for code, sequence in sorted(entries.items()):
        parts.append(".".join(map(base36, [code - end, *sequence])))
        end = code + 1
    return " ".join(parts)
