"""Writes the checkpoints of the export tests: `checkpoints.py <directory> <tokenizer directory>`."""

import io
import json
import shutil
import sys
from pathlib import Path

import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from transformers import (
    BertConfig,
    ByT5Tokenizer,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedModel,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
)

SIZES = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_heads": 4, "num_layers": 1, "decoder_start_token_id": 0}
BYTE_VOCABULARY = 384
TEXTS = ("the number 42 is spelled out", "  two  spaces ", "\u00e9 \u2460 x", "")


def make(vocab_size: int) -> T5ForConditionalGeneration:
    """Return a random model."""
    torch.manual_seed(3)
    return T5ForConditionalGeneration(T5Config(vocab_size=vocab_size, **SIZES)).eval()


def write_sentencepiece(directory: Path) -> None:
    """Write an mT5 as on the hub, with only spiece.model, and beside it SentencePiece's ids of some texts."""
    trained = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=(f"the number {number} is spelled out, and so is {number * 7}" for number in range(2000)),
        model_writer=trained,
        vocab_size=80,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    torch.manual_seed(3)
    # The tokenizer adds a hundred sentinels to the eighty pieces.
    MT5ForConditionalGeneration(MT5Config(vocab_size=192, **SIZES)).save_pretrained(directory)
    (directory / "spiece.model").write_bytes(trained.getvalue())
    settings = {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    processor = SentencePieceProcessor(model_proto=trained.getvalue())
    ids = {text: [*processor.encode(text), processor.eos_id()] for text in TEXTS}
    directory.with_suffix(".json").write_text(json.dumps(ids), encoding="utf-8")


def main(directory: Path, tokenizer: Path) -> None:
    """Write each checkpoint to its own folder."""
    vocab_size = json.loads((tokenizer / "config.json").read_text(encoding="utf-8"))["vocab_size"]

    def save(model: PreTrainedModel, name: str, **options: object) -> Path:
        model.save_pretrained(directory / name, **options)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(tokenizer / file, directory / name)
        return directory / name

    model = make(vocab_size)
    save(model, "whole")
    save(model, "sharded", max_shard_size="100KB")
    pickled = save(model, "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save(model.state_dict(), pickled / "pytorch_model.bin")
    save(make(vocab_size).bfloat16(), "bfloat16")
    save(make(vocab_size).half(), "float16")
    save(make(vocab_size).double(), "float64")
    save(T5EncoderModel(T5Config(vocab_size=vocab_size, **SIZES)), "encoder-only")
    BertConfig().save_pretrained(directory / "bert")
    write_sentencepiece(directory / "sentencepiece")
    byte = directory / "byte"
    make(BYTE_VOCABULARY).save_pretrained(byte)
    ByT5Tokenizer().save_pretrained(byte)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
