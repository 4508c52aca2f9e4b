"""Writes the checkpoints of the export tests: `checkpoints.py <directory> <tokenizer directory>`."""

import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import (
    BertConfig,
    ByT5Tokenizer,
    PreTrainedModel,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
)

SIZES = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_heads": 4, "num_layers": 1, "decoder_start_token_id": 0}
BYTE_VOCABULARY = 384


def make(vocab_size: int) -> T5ForConditionalGeneration:
    """Return a random model."""
    torch.manual_seed(3)
    return T5ForConditionalGeneration(T5Config(vocab_size=vocab_size, **SIZES)).eval()


def main(directory: Path, tokenizer: Path) -> None:
    """Write every checkpoint to a folder of its own."""
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
    byte = directory / "byte"
    make(BYTE_VOCABULARY).save_pretrained(byte)
    ByT5Tokenizer().save_pretrained(byte)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
