"""Directories as people have them: what transformers 4 and 5 saved, with all the files that it reads."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from recipes import RULES
from sentencepiece.sentencepiece_model_pb2 import ModelProto
from tokenizers import AddedToken
from training import charsmap_of, read_corpus, train
from transformers import AutoTokenizer, ByT5Tokenizer

Settings = Mapping[str, Any]

PIECES = 900
EVERY_NTH_LINE = 4
LETTERS = 0.98
T5 = {"model_type": "t5"}
T5_CLASS = {"tokenizer_class": "T5Tokenizer"}
BYTE_CLASS = {"tokenizer_class": "ByT5Tokenizer"}
FAST_CLASS = {"tokenizer_class": "PreTrainedTokenizerFast"}
SENTINELS = [f"<extra_id_{index}>" for index in range(100)]
PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


@cache
def model(**options: object) -> bytes:
    """Return a small trained model."""
    defaults = {"normalization_rule_name": "nmt_nfkc", "character_coverage": LETTERS}
    return train(PIECES, read_corpus()[::EVERY_NTH_LINE], **{**defaults, **options})


def _edited(edit: Callable[[ModelProto], object]) -> bytes:
    """Return a trained model after a change of its protobuf."""
    proto = ModelProto()
    proto.ParseFromString(model())
    edit(proto)
    return proto.SerializeToString()


def write(directory: Path, spiece: bytes | None = None, **files: object) -> None:
    """Write a spiece.model, and JSON files whose names have no suffix here."""
    if spiece is not None:
        (directory / "spiece.model").write_bytes(spiece)
    for name, content in files.items():
        (directory / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _token(content: str, **flags: bool) -> dict[str, Any]:
    return {"content": content, **PLAIN, **flags}


def _user_symbols(directory: Path) -> None:
    """Control pieces are special, the symbols of a user are not."""
    options = {"user_defined_symbols": "<left>,word,<0x41>", "control_symbols": "<s>,<both>"}
    write(directory, model(**options), config=T5)


def _own_names(directory: Path) -> None:
    def edit(proto: ModelProto) -> None:
        proto.pieces[1].piece = "<s>"
        proto.pieces.add(piece="[PAD]", score=0.0, type=4)

    settings = {**T5_CLASS, "eos_token": "<s>", "pad_token": "[PAD]", "unk_token": "word"}
    write(directory, _edited(edit), config=T5, tokenizer_config=settings)


def _without_padding(directory: Path) -> None:
    """The padding token isn't in the model: it gets the next id, after the sentinels."""

    def edit(proto: ModelProto) -> None:
        proto.pieces[0].piece = "<s>"

    write(directory, _edited(edit), config=T5)


def _sentinels_in_model(directory: Path) -> None:
    """As T5X trains them: the vocabulary then has each sentinel twice."""

    def edit(proto: ModelProto) -> None:
        for sentinel in reversed(SENTINELS):
            proto.pieces.add(piece=sentinel, score=0.0, type=4)

    write(directory, _edited(edit), config=T5)


def _mt5(directory: Path) -> None:
    """As google/mt5-small."""
    tokens = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    settings = {**T5_CLASS, **tokens, "extra_ids": 0, "additional_special_tokens": None, "sp_model_kwargs": {}}
    write(directory, model(), config={"model_type": "mt5"}, tokenizer_config=settings, special_tokens_map=tokens)


def _older(directory: Path) -> None:
    """As t5-small with only a spiece.model, with tokens that were added."""
    write(
        directory,
        model(),
        config=T5,
        special_tokens_map={
            "eos_token": _token("</s>", lstrip=True),
            "unk_token": "<unk>",
            "pad_token": _token("<pad>", rstrip=True),
            "additional_special_tokens": [*SENTINELS, "<right>"],
        },
        added_tokens={"norm": 1001, "<right>": 1000, "</s>": 1},
    )


def _decoder(directory: Path) -> None:
    """As transformers 4.34 and later save a T5Tokenizer: with every token in tokenizer_config.json."""
    tokens = ["<pad>", "</s>", "<unk>"]
    decoder = {str(index): {**_token(token), "special": True} for index, token in enumerate(tokens)}
    for index, token in enumerate(reversed(SENTINELS)):
        decoder[str(PIECES + index)] = {**_token(token, lstrip=True, rstrip=True), "special": True}
    decoder["1500"] = {**_token("word", single_word=True), "special": False}
    decoder["1400"] = {**_token("\u2460\u2461", normalized=True), "special": False}
    write(
        directory,
        model(),
        config=T5,
        tokenizer_config={
            **T5_CLASS,
            "added_tokens_decoder": decoder,
            "additional_special_tokens": SENTINELS,
            "extra_ids": 100,
            "legacy": True,
            "add_prefix_space": None,
            "eos_token": {"__type": "AddedToken", **_token("</s>")},
            "clean_up_tokenization_spaces": True,
        },
        # Not read beside added_tokens_decoder.
        special_tokens_map={"pad_token": "<left>"},
        added_tokens={"<both>": 1234},
    )


def _named(directory: Path) -> None:
    """Every named token, one that only this model has, and more sentinels."""
    write(
        directory,
        model(),
        config=T5,
        tokenizer_config={
            **T5_CLASS,
            "extra_ids": 300,
            "bos_token": "<s>",
            "mask_token": "<left>",
            "cls_token": "<both>",
            "image_token": "word",
            "extra_special_tokens": {"audio_token": "norm"},
        },
    )


def _listed(directory: Path) -> None:
    settings = {"extra_special_tokens": ["<left>", "<s>", {"__type": "AddedToken", **_token("<both>", lstrip=True)}]}
    write(directory, model(), config=T5, tokenizer_config={**T5_CLASS, **settings, "split_special_tokens": False})


def _flags(directory: Path) -> None:
    """What SentencePiece would do otherwise, but transformers doesn't read."""
    write(
        directory,
        model(add_dummy_prefix=False, remove_extra_whitespaces=False, byte_fallback=True, split_digits=True),
        config=T5,
    )


def _custom(directory: Path) -> None:
    def edit(proto: ModelProto) -> None:
        proto.normalizer_spec.precompiled_charsmap = base64.b64decode(charsmap_of(RULES))

    write(directory, _edited(edit), config=T5)


def _saved(directory: Path, **settings: object) -> None:
    """Save a tokenizer with transformers 5."""
    source = directory / "source"
    source.mkdir()
    write(source, model(), config=T5, tokenizer_config={**T5_CLASS, **settings})
    tokenizer = AutoTokenizer.from_pretrained(source)
    tokenizer.add_tokens([AddedToken("word", single_word=True), AddedToken("norm", normalized=True)])
    tokenizer.add_special_tokens({"bos_token": "<s>", "extra_special_tokens": ["<left>"]}, False)
    tokenizer.save_pretrained(directory)
    write(directory, config=T5)


def _revised(directory: Path, settings: Settings, config: Settings = T5) -> None:
    """A tokenizer.json whose parts are not those of T5Tokenizer."""
    _saved(directory)
    path = directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            tokenizer["normalizer"],
            {"type": "Strip", "strip_left": False, "strip_right": True},
            {"type": "Lowercase"},
        ],
    }
    tokenizer["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first"}
    end = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    tokenizer["post_processor"]["single"] = [end, {"Sequence": {"id": "A", "type_id": 0}}, end]
    write(directory, tokenizer=tokenizer, tokenizer_config=settings, config=config)


def _hub_byt5(directory: Path) -> None:
    """As google/byt5-small: its tokens strip no white space."""
    tokens = {
        name: _token(content, normalized=True)
        for name, content in (("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>"))
    }
    sentinels = [f"<extra_id_{index}>" for index in range(125)]
    typed = {name: {"__type": "AddedToken", **token} for name, token in tokens.items()}
    write(
        directory,
        config={**T5, **BYTE_CLASS},
        tokenizer_config={**BYTE_CLASS, **typed, "extra_ids": 125, "additional_special_tokens": sentinels},
        special_tokens_map={**tokens, "additional_special_tokens": sentinels},
    )


def _added_byt5(directory: Path) -> None:
    tokenizer = ByT5Tokenizer(extra_ids=7)
    tokenizer.add_tokens([AddedToken("word", lstrip=True), AddedToken("norm", normalized=True)])
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    tokenizer.save_pretrained(directory)


def _named_byt5(directory: Path) -> None:
    settings = {"pad_token": "<s>", "eos_token": "<left>", "mask_token": "<both>", "extra_ids": 10}
    write(directory, config=T5, tokenizer_config={**BYTE_CLASS, **settings}, added_tokens={"word": 259})


DIRECTORIES: Mapping[str, Callable[[Path], None]] = {
    "spiece.model alone": lambda to: write(to, model(), config=T5),
    "spiece.model of T5's own class": lambda to: write(to, model(), tokenizer_config=T5_CLASS),
    "spiece.model that folds case": lambda to: write(
        to, model(normalization_rule_name="nfkc_cf"), config=T5, tokenizer_config={"tokenizer_class": "T5TokenizerFast"}
    ),
    "spiece.model without a charsmap": lambda to: write(to, model(normalization_rule_name="identity"), config=T5),
    "spiece.model with a custom charsmap": _custom,
    "spiece.model with bytes and other flags": _flags,
    "spiece.model of words": lambda to: write(to, model(model_type="word"), config=T5),
    "spiece.model of characters": lambda to: write(to, model(model_type="char"), config=T5),
    "spiece.model with symbols of a user": _user_symbols,
    "spiece.model with other names": _own_names,
    "spiece.model without a padding token": _without_padding,
    "spiece.model with sentinels": _sentinels_in_model,
    "spiece.model of mT5": _mt5,
    "spiece.model with files of older versions": _older,
    "spiece.model with added_tokens_decoder": _decoder,
    "spiece.model with named tokens": _named,
    "spiece.model with listed tokens": _listed,
    "spiece.model that ignores special tokens": lambda to: write(
        to, model(), config=T5, tokenizer_config={"split_special_tokens": True}
    ),
    "saved by transformers": _saved,
    "tokenizer.json that T5Tokenizer rebuilds": lambda to: _revised(to, {**T5_CLASS, "mask_token": "<both>"}),
    "tokenizer.json of another class": lambda to: _revised(to, {**FAST_CLASS, "mask_token": "<both>"}),
    "tokenizer.json of a former class": lambda to: _revised(
        to, {"tokenizer_class": "MT5TokenizerFast", "additional_special_tokens": ["<right>"]}
    ),
    "tokenizer.json of UMT5": lambda to: _revised(to, T5_CLASS, {"model_type": "umt5"}),
    "tokenizer.json without a class": lambda to: _revised(to, {}),
    "ByT5 by config.json": lambda to: write(to, config={**T5, **BYTE_CLASS}),
    "ByT5 as on the hub": _hub_byt5,
    "ByT5 with added tokens": _added_byt5,
    "ByT5 with other names": _named_byt5,
    "ByT5 that ignores special tokens": lambda to: write(
        to, tokenizer_config={**BYTE_CLASS, "split_special_tokens": True}, added_tokens={"word": 259}
    ),
}
