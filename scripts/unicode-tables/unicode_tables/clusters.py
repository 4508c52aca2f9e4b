"""Grapheme clusters as the `Precompiled` normalizer divides a text into them.

It looks up a cluster of fewer than 6 bytes whole, and a longer one character by character. The charsmap of this module
maps every first byte to an X: a short cluster becomes one X, and a long one an X for each of its characters.

Pairs of regional indicators are left out: they have at least 6 bytes, so they give the same whether they join or not.
"""

import struct

from tokenizers import normalizers

from unicode_tables.encoding import code_points, ranges

PREPEND = "\u0600"  # two bytes, joins any character after it
ACUTE = "\u0301"  # two bytes, joins any character before it
JOINER = "\u200d"
PICTOGRAPH = "\u00a9"  # two bytes
CONSONANT = "\u0915"
LINKER = "\u094d"
L, V, T = "\u1100", "\u1161", "\u11a8"

KINDS = {
    "CONSONANT",
    "CONTROL",
    "EXTEND",
    "EXTEND_CONJOINING",
    "EXTEND_LINKER",
    "HANGUL_L",
    "HANGUL_LV",
    "HANGUL_LVT",
    "HANGUL_T",
    "HANGUL_V",
    "JOINER",
    "PICTOGRAPH",
    "PREPEND",
    "SPACING_MARK",
}

BASE, LEAF, SIZE = 256, 512, 768


def _probe() -> normalizers.Normalizer:
    units = [0] * SIZE
    units[0] = BASE << 10
    for byte in range(1, 256):
        units[BASE ^ byte] = byte | 1 << 8 | ((BASE ^ byte) ^ LEAF) << 10
    return normalizers.Precompiled(struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + b"X\0")


_normalizer = _probe()


def _count(*parts: str) -> int:
    return len(_normalizer.normalize_str("".join(parts)))


def _hangul(c: str) -> tuple[bool, ...]:
    """Whether it joins a V and a T after it, and an L, a V and a T before it."""
    following = [_count(c, part, ACUTE) == 3 for part in (V, T)]
    return *following, *(_count(PREPEND, part, c) == 3 for part in (L, V, T))


def _category(c: str) -> str:
    """Return the kind of a character. Each test distinguishes a kind from those that are not tested yet."""
    if _count(c, ACUTE, ACUTE) == 2:
        return "CONTROL"
    if _count("a", c) == 1:
        if _count(PICTOGRAPH, c, PICTOGRAPH, ACUTE) == 4:
            return "JOINER"
        kind = "EXTEND" if _count(PICTOGRAPH, c, JOINER, PICTOGRAPH, ACUTE) == 5 else "SPACING_MARK"
        if _count(CONSONANT, c, CONSONANT, ACUTE) == 4:
            return f"{kind}_LINKER"
        return f"{kind}_CONJOINING" if _count(CONSONANT, LINKER, c, CONSONANT, ACUTE) == 5 else kind
    if _count(c, "a") == 1:
        return "PREPEND"
    if _count(c, LINKER, CONSONANT, ACUTE) == 4:
        return "CONSONANT"
    if _count(c, JOINER, PICTOGRAPH, ACUTE) == 4:
        return "PICTOGRAPH"
    signatures: dict[tuple[bool, ...], str] = {
        (True, False, True, False, False): "HANGUL_L",
        (True, True, True, True, False): "HANGUL_V",
        (False, True, False, True, True): "HANGUL_T",
        (True, True, True, False, False): "HANGUL_LV",
        (False, True, True, False, False): "HANGUL_LVT",
        (False, False, False, False, False): "",
    }
    return signatures[_hangul(c)]


def tables() -> dict[str, str]:
    """Return the characters of each kind. CR and LF are CONTROL, although they join."""
    assert _count("\r\n") == 1
    found: dict[str, list[int]] = {}
    for code in code_points():
        if code:  # the trie can't look up a NUL, which is always a separate cluster
            found.setdefault(_category(chr(code)), []).append(code)
    found["CONTROL"].append(0)
    found.pop("")
    assert set(found) == KINDS
    return {name: ranges(codes) for name, codes in sorted(found.items())}
