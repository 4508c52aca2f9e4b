"""The tokenizers that the tests make: normalizers, pieces and pipelines of T5's family."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sentencepiece import sentencepiece_model_pb2
from training import train, train_with_rules, write_spiece
from transformers import ByT5Tokenizer

FEW, SOME, MANY = 900, 3000, 8000
MT5_PIECES = 250_000
LETTERS_OF_FEW = 0.98
SEED = 5

# Empty and growing replacements, white space added and removed, sources with a common prefix, sources within a grapheme
# cluster and across several, long clusters, and sources as long as the shortest cluster that isn't looked up whole.
RULES = (
    ("a", "b"),
    ("ab", "X"),
    ("abc", "yz"),
    ("q", ""),
    ("w", " "),
    ("_", "  "),
    ("\u00a0", " "),
    ("\u200b", ""),
    ("\u200d", " "),
    ("z", "a long replacement of one letter"),
    ("e\u0301", "\u00e9"),
    ("e\u0301\u0301", "E"),
    ("o\u0308\u0304", "\u022b"),
    ("\u0301", "'"),
    ("\u0308", ""),
    ("\u0327", "\u2581"),
    ("\U0001f1e9\U0001f1ea", "Germany"),
    ("\U0001f1e9", "D"),
    ("\U0001f468\u200d\U0001f469", "pair"),
    ("\U0001f468", "man"),
    ("\u1100\u1161", "\uac00"),
    ("\u1100\u1161\u11a8", "GAG"),
    ("\u0e33", "\u0e4d\u0e32"),
    ("\r\n", " "),
    ("\n", " | "),
    ("\u4e00", "one"),
    ("\u2581", "_"),
    ("\ufffd", "?"),
    ("<", "&lt;"),
)


def _t5(directory: Path, **options: object) -> None:
    write_spiece(directory, train(**options))


def _custom(directory: Path) -> None:
    write_spiece(directory, train_with_rules(SOME, RULES))


def _generic(directory: Path) -> None:
    """As transformers converts a SentencePiece model without its own class: a text is one word."""
    _t5(directory, pieces=SOME, byte_fallback=True, normalization_rule_name="nmt_nfkc")
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    _revise(
        directory,
        normalizer=lambda charsmap: {"type": "Sequence", "normalizers": [charsmap, spaces]},
        pre_tokenizer=None,
        model={"byte_fallback": True},
        decoder=_byte_decoder(),
    )


def _byte_pieces(directory: Path) -> None:
    """T5's pipeline with a piece for every byte."""
    write_spiece(
        directory,
        train(FEW + 256, byte_fallback=True, character_coverage=LETTERS_OF_FEW, normalization_rule_name="nfkc"),
    )
    _revise(directory, model={"byte_fallback": True}, decoder=_byte_decoder())


def _mt5(directory: Path) -> None:
    """As many pieces as mT5 has: trained ones, and joined ones that compete with them in the lattice."""
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(train(MANY, normalization_rule_name="nmt_nfkc"))
    source = random.Random(SEED)
    trained = [piece.piece for piece in proto.pieces if piece.type == piece.NORMAL]
    known = {piece.piece for piece in proto.pieces}
    while len(known) < MT5_PIECES:
        piece = "".join(source.choices(trained, k=source.choice((2, 2, 2, 3)))).replace("\u2581", "")
        piece = source.choice(("", "\u2581")) + piece
        if piece in known:
            continue
        known.add(piece)
        proto.pieces.add(piece=piece, score=-round(source.uniform(8, 16), 4))
    write_spiece(directory, proto.SerializeToString())


def _older(directory: Path) -> None:
    """As older versions of transformers convert mT5 and T5: Strip, runs of spaces, Metaspace's old fields."""
    _t5(directory, pieces=SOME, normalization_rule_name="nmt_nfkc")
    old = {"type": "Metaspace", "replacement": "\u2581", "str_rep": "\u2581", "add_prefix_space": True}
    strip = {"type": "Strip", "strip_left": False, "strip_right": True}
    runs = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"}
    _revise(
        directory,
        normalizer=lambda charsmap: {"type": "Sequence", "normalizers": [charsmap, strip, runs]},
        pre_tokenizer=old,
        decoder=old,
        added_tokens=_awkward_tokens,
    )
    # The default of older versions: spaces before punctuation are removed from decoded text.
    _set(directory, clean_up_tokenization_spaces=True)


def _first(directory: Path) -> None:
    """Metaspace that marks only the first word, and a normalizer without a charsmap."""
    _t5(directory, pieces=SOME, normalization_rule_name="identity")
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False}
    normalizers = [
        {"type": "NFKC"},
        {"type": "Lowercase"},
        {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "Replace", "pattern": {"String": "ss"}, "content": "\u00df"},
    ]
    _revise(
        directory,
        normalizer={"type": "Sequence", "normalizers": normalizers},
        pre_tokenizer=metaspace,
        decoder=metaspace,
        added_tokens=_awkward_tokens,
    )


def _never(directory: Path) -> None:
    """Metaspace that marks only spaces, and a normalizer that separates letters and marks."""
    _t5(directory, pieces=FEW, character_coverage=LETTERS_OF_FEW, normalization_rule_name="identity")
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": True}
    normalizers = [{"type": "NFD"}, {"type": "Prepend", "prepend": "\u2581"}, {"type": "NFC"}]
    _revise(
        directory,
        normalizer={"type": "Sequence", "normalizers": normalizers},
        pre_tokenizer=metaspace,
        decoder=metaspace,
    )


def _byt5(directory: Path) -> None:
    ByT5Tokenizer().save_pretrained(directory)


def _awkward_tokens(tokens: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tokens that strip white space, that have to be single words, or that are found in normalized text."""
    following = 1 + max(token["id"] for token in tokens)
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    more: list[dict[str, Any]] = [
        {"content": "<left>", "lstrip": True, "special": True},
        {"content": "<right>", "rstrip": True},
        {"content": "<both>", "lstrip": True, "rstrip": True, "special": True},
        {"content": "word", "single_word": True},
        {"content": "Word ", "single_word": True, "lstrip": True},
        {"content": "norm", "normalized": True},
        {"content": "\u2460\u2461", "normalized": True},
        {"content": "norm word", "normalized": True, "rstrip": True},
        {"content": "<extra_id_1>0", "normalized": True},
        {"content": "\U0001f600", "special": True},
    ]
    return tokens + [{"id": following + index, **plain, **token} for index, token in enumerate(more)]


def _revise(directory: Path, **changes: object) -> None:
    """Change parts of a tokenizer.json: a function receives the old part; the mapping `model` is merged into it.

    T5's own class would build its parts again, so the tokenizer is of the class that takes them as they are.
    """
    file = directory / "tokenizer.json"
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    for name, change in changes.items():
        if name == "model":
            tokenizer["model"].update(change)
        else:
            tokenizer[name] = change(tokenizer[name]) if callable(change) else change
    file.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    _set(directory, tokenizer_class="PreTrainedTokenizerFast")


def _set(directory: Path, **changes: object) -> None:
    file = directory / "tokenizer_config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**settings, **changes}), encoding="utf-8")


def _byte_decoder() -> Mapping[str, object]:
    spaces = {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    return {"type": "Sequence", "decoders": [spaces, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]}


RECIPES: Mapping[str, Callable[[Path], None]] = {
    "nmt_nfkc": lambda directory: _t5(directory, pieces=MANY, normalization_rule_name="nmt_nfkc"),
    "nfkc_cf": lambda directory: _t5(directory, pieces=SOME, normalization_rule_name="nfkc_cf"),
    "identity": lambda directory: _t5(directory, pieces=SOME, normalization_rule_name="identity"),
    "custom": _custom,
    "generic": _generic,
    "byte-pieces": _byte_pieces,
    "mt5": _mt5,
    "older": _older,
    "first": _first,
    "never": _never,
    "byt5": _byt5,
}
