"""Decompositions, combining classes and compositions."""

import unicodedata

from tokenizers import normalizers

from unicode_tables.encoding import base36, code_points, mapping, ranges

_nfd, _nfkd, _nfc = normalizers.NFD(), normalizers.NFKD(), normalizers.NFC()
HANGUL = range(0xAC00, 0xD7A4)
LOW, HIGH = "\u0338", "\u0345"  # combining classes 1 and 240


def _moves(c: str) -> bool:
    """Whether a character is reordered among its neighbours, as all but those of class 0 are."""
    return any(_nfd.normalize_str(text) != text for text in (f"a{c}{LOW}", f"a{HIGH}{c}"))


def _representatives() -> dict[int, str]:
    """Return one character of each combining class but 0."""
    found: dict[int, str] = {}
    for code in code_points():
        c = chr(code)
        if unicodedata.combining(c) and _nfd.normalize_str(c) == c and _moves(c):
            found.setdefault(unicodedata.combining(c), c)
    return found


def _class_of(c: str, representatives: dict[int, str]) -> int:
    """Return the combining class of a character: that of the characters which it isn't reordered with."""
    equal = [
        key
        for key, other in representatives.items()
        if all(_nfd.normalize_str(text) == text for text in (f"a{c}{other}", f"a{other}{c}"))
    ]
    assert len(equal) == 1, f"U+{ord(c):04X} has another class than all others"
    return equal[0]


def tables() -> dict[str, str]:
    """Return full decompositions, composites and the combining classes but 0. Hangul syllables follow a formula."""
    canonical: dict[int, list[int]] = {}
    compatible: dict[int, list[int]] = {}
    composites: list[int] = []
    classes: dict[int, list[int]] = {}
    representatives = _representatives()
    for code in code_points():
        if code in HANGUL:
            continue
        c = chr(code)
        decomposed = _nfd.normalize_str(c)
        if decomposed != c:
            canonical[code] = [ord(part) for part in decomposed]
            if _nfc.normalize_str(c) == c:
                composites.append(code)
        elif _moves(c):
            classes.setdefault(_class_of(c, representatives), []).append(code)
        compatibly = _nfkd.normalize_str(c)
        if compatibly != decomposed:
            compatible[code] = [ord(part) for part in compatibly]
    return {
        "CANONICAL": mapping(canonical),
        "COMPATIBLE": mapping(compatible),
        "COMPOSITES": ranges(composites),
        "CLASSES": ",".join(f"{base36(key)}:{ranges(codes)}" for key, codes in sorted(classes.items())),
    }
