"""Random tokenizer.json files: the steps that tokenizers of T5's family may have, in random orders."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recipes import RULES
from training import charsmap_of, named_charsmap

Step = dict[str, Any]

LETTERS = "abcdeghinorst\u00e9\u00df\u0301\u0308\u2581\u2581\u4e00\u0915\uac00\U0001f600.,'0123"
PIECES = 400
MAX_PIECE_LENGTH = 5
FIXED_PIECES = ("<pad>", "</s>", "<unk>")
# Few different scores: many paths through a word tie, so the choice between them is tested.
SCORES = (-1.0, -2.0, -2.5, -3.0, -4.0)
TOKENS = (
    "<x>",
    "<x>y",
    "a",
    "ab",
    "abc",
    "b c",
    " d",
    "e ",
    "\u00e9",
    "e\u0301",
    "\u2460",
    "E",
    "</s>x",
    "\u2581g",
    "\n",
)
PATTERNS: tuple[Mapping[str, str], ...] = (
    {"String": " "},
    {"String": "\u2581"},
    {"String": "aa"},
    {"String": "e\u0301"},
    {"String": "."},
    {"Regex": " {2,}"},
    {"Regex": "[ab]"},
    {"Regex": "n[gh]+"},
    {"Regex": "a{2,3}b"},
    {"Regex": "\\.+"},
)
CONTENTS = ("", " ", "\u2581", "a", "<x>", "long one ", "e\u0301", "\u0301")


def write_pipeline(directory: Path, seed: int) -> None:
    """Write the tokenizer of a seed."""
    source = random.Random(f"{seed} pipeline")
    byte_fallback = source.random() < 0.3
    pieces = _pieces(source, byte_fallback)
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(source, len(pieces)),
        "normalizer": _sequence(source, "normalizers", lambda: _normalizer(source), max_steps=4),
        "pre_tokenizer": _sequence(source, "pretokenizers", lambda: _pre_tokenizer(source), max_steps=2),
        "post_processor": _template(source),
        "decoder": _sequence(source, "decoders", lambda: _decoder(source), max_steps=4),
        "model": {"type": "Unigram", "unk_id": 2, "vocab": pieces, "byte_fallback": byte_fallback},
    }
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _pieces(source: random.Random, byte_fallback: bool) -> list[tuple[str, float]]:
    pieces = dict.fromkeys(FIXED_PIECES, 0.0)
    if byte_fallback:
        # One byte may be missing: every character with this byte is then unknown.
        missing = source.randrange(-256, 256)
        pieces.update((f"<0x{byte:02X}>", 0.0) for byte in range(256) if byte != missing)
    for letter in LETTERS:
        if source.random() < 0.8:
            pieces[letter] = source.choice(SCORES)
    while len(pieces) < PIECES:
        piece = "".join(source.choices(LETTERS, k=source.randint(1, MAX_PIECE_LENGTH)))
        pieces[piece] = source.choice(SCORES)
    return list(pieces.items())


def _added_tokens(source: random.Random, following: int) -> list[Step]:
    fixed = [{"content": content, **_flags(source, plain=True)} for content in FIXED_PIECES]
    more = [
        {"content": content, **_flags(source, plain=source.random() < 0.3)}
        for content in source.sample(TOKENS, k=source.randint(0, 6))
    ]
    at = following
    tokens: list[Step] = []
    for index, token in enumerate((*fixed, *more)):
        tokens.append({"id": index if index < len(fixed) else at, **token})
        at += index >= len(fixed)
    return tokens


def _flags(source: random.Random, plain: bool) -> Step:
    names = ("single_word", "lstrip", "rstrip", "normalized")
    flags = {name: not plain and source.random() < 0.4 for name in names}
    return {**flags, "special": plain or source.random() < 0.5}


def _normalizer(source: random.Random) -> Step:
    replace = {"type": "Replace", "pattern": source.choice(PATTERNS), "content": source.choice(CONTENTS)}
    strip = {"type": "Strip", "strip_left": source.random() < 0.5, "strip_right": source.random() < 0.5}
    charsmap = source.choice((charsmap_of(RULES), named_charsmap("nmt_nfkc"), named_charsmap("nfkc_cf")))
    return source.choice(
        (
            replace,
            replace,
            strip,
            {"type": "Precompiled", "precompiled_charsmap": charsmap},
            {"type": "Prepend", "prepend": source.choice(("\u2581", "x", "<x>"))},
            {"type": source.choice(("NFC", "NFD", "NFKC", "NFKD"))},
            {"type": source.choice(("Lowercase", "StripAccents", "Nmt"))},
        )
    )


def _pre_tokenizer(source: random.Random) -> Step:
    return source.choice(({"type": "WhitespaceSplit"}, _metaspace(source), _metaspace(source)))


def _metaspace(source: random.Random) -> Step:
    step: Step = {"type": "Metaspace", "replacement": source.choice(("\u2581", "\u2581", "_"))}
    if source.random() < 0.3:
        return {**step, "str_rep": step["replacement"], "add_prefix_space": True}
    scheme = source.choice(("always", "first", "never"))
    return {**step, "prepend_scheme": scheme, "split": source.random() < 0.6}


def _template(source: random.Random) -> Step:
    end = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    begin = {"SpecialToken": {"id": "<pad>", "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    single = [begin, text, end] if source.random() < 0.2 else [text, end]
    tokens = {name: {"id": name, "ids": [index], "tokens": [name]} for index, name in enumerate(("<pad>", "</s>"))}
    pair = [*single, {"Sequence": {"id": "B", "type_id": 0}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens}


def _decoder(source: random.Random) -> Step:
    pattern = source.choice(({"String": "\u2581"}, {"String": "a"}, {"Regex": "[ab]+"}))
    # It strips nothing at the end of a token: Rust panics if the token is empty.
    strip = {"type": "Strip", "content": source.choice((" ", "a")), "start": source.randint(0, 2), "stop": 0}
    return source.choice(
        (
            _metaspace(source),
            {"type": "Replace", "pattern": pattern, "content": source.choice((" ", "", "xy"))},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            strip,
        )
    )


def _sequence(source: random.Random, key: str, step: Callable[[], Step], max_steps: int) -> Step | None:
    steps = [step() for _ in range(source.randint(0, max_steps))]
    if len(steps) == 1 and source.random() < 0.5:
        return steps[0]
    return {"type": "Sequence", key: steps} if steps else None
