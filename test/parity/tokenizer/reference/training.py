"""Trains SentencePiece models and converts them as the exporter converts a checkpoint's tokenizer."""

from __future__ import annotations

import base64
import io
import json
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from catalogues import read_catalogues
from sentencepiece import SentencePieceTrainer, sentencepiece_model_pb2
from transformers import AutoTokenizer

T5_PIECES = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
EVERY_NTH_TEXT = 11
"""Training on all texts would take a minute."""
MINIMAL_TEXT = "to train on where pieces don't matter"

Rules = tuple[tuple[str, str], ...]


def train(pieces: int, corpus: Iterable[str] | None = None, model_type: str = "unigram", **options: object) -> bytes:
    """Return a model of at most so many pieces, trained on texts in a hundred languages."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(read_corpus() if corpus is None else corpus),
        model_writer=model,
        model_type=model_type,
        vocab_size=pieces,
        hard_vocab_limit=False,
        num_threads=1,  # more threads add in another order, so scores would change from run to run
        pad_piece="<pad>",
        eos_piece="</s>",
        unk_piece="<unk>",
        minloglevel=2,
        **T5_PIECES,
        **options,
    )
    return model.getvalue()


def train_with_rules(pieces: int, rules: Rules, corpus: Iterable[str] | None = None) -> bytes:
    """Return a model whose normalizer is a table of replacements."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        for source, target in rules:
            file.write(f"{_hex(source)}\t{_hex(target)}\n")
        file.flush()
        return train(pieces, corpus, normalization_rule_tsv=file.name)


@cache
def charsmap_of(rules: Rules) -> str:
    """Return the charsmap that SentencePiece makes from a table of replacements, as base64."""
    return _charsmap(train_with_rules(len(MINIMAL_TEXT), rules, [MINIMAL_TEXT]))


@cache
def named_charsmap(name: str) -> str:
    """Return one of SentencePiece's own charsmaps, as base64."""
    return _charsmap(train(len(MINIMAL_TEXT), [MINIMAL_TEXT], normalization_rule_name=name))


def _charsmap(model: bytes) -> str:
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model)
    return base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()


def write_spiece(directory: Path, model: bytes) -> None:
    """Write the tokenizer.json to which transformers converts a directory with only a spiece.model."""
    with tempfile.TemporaryDirectory() as source:
        (Path(source) / "spiece.model").write_bytes(model)
        settings = {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
        (Path(source) / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
        AutoTokenizer.from_pretrained(source).save_pretrained(directory)


def read_corpus() -> list[str]:
    """Return lines in a hundred languages."""
    texts = [text for language in read_catalogues().values() for text in language]
    return [line for text in texts[::EVERY_NTH_TEXT] for line in text.splitlines() if line.strip()]


def _hex(text: str) -> str:
    return " ".join(f"{ord(character):X}" for character in text)
