"""Random directories: every file that states tokens of a tokenizer, with random tokens in each."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from directories import model, write
from transformers import AutoTokenizer

Token = str | dict[str, Any]

NAMES = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")
CONTENTS = (
    *("<s>", "</s>", "<pad>", "<unk>", "<left>", "<right>", "<both>", "word", "norm", "norm word"),
    *("<extra_id_0>", "<extra_id_5", "<extra_id_10>", "\u2460\u2461", "\u00e9", "a"),
)
FLAGS = ("lstrip", "rstrip", "normalized", "special")
CLASSES = ("T5Tokenizer", "T5TokenizerFast", "PreTrainedTokenizerFast", "MT5Tokenizer")
KINDS = ("spiece", "spiece", "tokenizer", "bytes")


def write_random(directory: Path, seed: int) -> None:
    """Write the directory of a seed."""
    source = random.Random(f"{seed} directory")
    kind = source.choice(KINDS)
    config: dict[str, Any] = {"model_type": source.choice(("t5", "t5", "mt5"))}
    settings = _settings(source)
    if kind == "bytes":
        config["tokenizer_class"] = "ByT5Tokenizer"
        # ByT5Tokenizer fails without one.
        settings = {name: token for name, token in settings.items() if name != "unk_token" or token is not None}
    elif kind == "spiece":
        options = {"user_defined_symbols": "<left>,word", "control_symbols": "<both>"}
        write(directory, model(**(options if source.random() < 0.5 else {})))
    else:
        _write_tokenizer(directory, source)
        config["model_type"] = source.choice(("t5", "mt5", "umt5"))
        if source.random() < 0.7:
            settings["tokenizer_class"] = source.choice(CLASSES)
    files: dict[str, object] = {"config": config}
    if source.random() < 0.9:
        files["tokenizer_config"] = settings
    # ByT5Tokenizer refuses lists without its sentinels. Ids of its added tokens clash with those of special tokens.
    if source.random() < 0.4:
        files["special_tokens_map"] = _special_tokens_map(source, with_list=kind != "bytes")
    if source.random() < 0.4 and kind != "bytes":
        files["added_tokens"] = {source.choice(CONTENTS): 1000 + index for index in range(source.randint(1, 3))}
    write(directory, **files)


def _settings(source: random.Random) -> dict[str, Any]:
    settings: dict[str, Any] = {name: _token(source) for name in NAMES if source.random() < 0.2}
    if source.random() < 0.1:
        settings["image_token"] = _token(source)
    if source.random() < 0.1:
        settings[source.choice(("unk_token", "mask_token"))] = None
    if source.random() < 0.3:
        settings["extra_ids"] = source.choice((0, 3, 100))
    if source.random() < 0.2:
        settings["additional_special_tokens"] = source.choice((None, [], _tokens(source)))
    if source.random() < 0.2:
        settings["extra_special_tokens"] = source.choice(([], _tokens(source), {"audio_token": _token(source)}))
    if source.random() < 0.1:
        settings["split_special_tokens"] = True
    if source.random() < 0.1:
        settings["add_eos_token"] = source.random() < 0.5
    return settings


def _special_tokens_map(source: random.Random, with_list: bool) -> dict[str, Any]:
    tokens: dict[str, Any] = {}
    for name in NAMES:
        if source.random() < 0.2:
            token = _token(source)
            tokens[name] = token if isinstance(token, str) else {key: token[key] for key in token if key != "__type"}
    if source.random() < 0.3 and with_list:
        tokens["additional_special_tokens"] = source.sample(CONTENTS[:10], 2)
    return tokens


def _write_tokenizer(directory: Path, source: random.Random) -> None:
    """Write a tokenizer.json that T5's own class doesn't take as it is, with more added tokens."""
    saved = directory / "saved"
    saved.mkdir()
    write(saved, model(), config={"model_type": "t5"})
    tokenizer = json.loads(AutoTokenizer.from_pretrained(saved).backend_tokenizer.to_str())
    if source.random() < 0.5:
        normalizers = [tokenizer["normalizer"], {"type": "Lowercase"}]
        tokenizer["normalizer"] = {"type": "Sequence", "normalizers": normalizers}
    for index, content in enumerate(source.sample(("<right>", "norm word", "\u2460\u2461"), source.randint(0, 3))):
        flags = {flag: source.random() < 0.5 for flag in FLAGS}
        tokenizer["added_tokens"].append({"id": 2000 + index, "content": content, "single_word": False, **flags})
    write(directory, tokenizer=tokenizer)


def _tokens(source: random.Random) -> list[Token]:
    return [_token(source) for _ in range(source.randint(1, 4))]


def _token(source: random.Random) -> Token:
    content = source.choice(CONTENTS)
    if source.random() < 0.6:
        return content
    flags = {flag: source.random() < 0.5 for flag in FLAGS if source.random() < 0.4}
    return {"__type": "AddedToken", "content": content, **flags}
