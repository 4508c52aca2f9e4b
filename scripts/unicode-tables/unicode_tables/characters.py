"""White space, word characters, combining marks and lower case."""

from tokenizers import normalizers, pre_tokenizers

from unicode_tables.encoding import code_points, mapping, ranges

_split = pre_tokenizers.WhitespaceSplit()
_words = pre_tokenizers.Whitespace()
_marks = normalizers.StripAccents()
_lower = normalizers.Lowercase()


def tables() -> dict[str, str]:
    """Return the tables of `char::is_whitespace`, of the class `\\w`, of StripAccents, and of `char::to_lowercase`."""
    white, word, mark = [], [], []
    lower: dict[int, list[int]] = {}
    for code in code_points():
        c = chr(code)
        if len(_split.pre_tokenize_str(f"a{c}a")) == 2:
            white.append(code)
        elif len(_words.pre_tokenize_str(f"a{c}a")) == 1:
            word.append(code)
        if _marks.normalize_str(f"a{c}") == "a":
            mark.append(code)
        lowered = _lower.normalize_str(c)
        if lowered != c:
            lower[code] = [ord(part) for part in lowered]
    return {
        "WHITE_SPACE": ranges(white),
        "WORD": ranges(word),
        "MARK": ranges(mark),
        "LOWER": mapping(lower),
    }
