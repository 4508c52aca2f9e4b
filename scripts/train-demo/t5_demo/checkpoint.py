"""The trained checkpoint in Hugging Face's format, with a record of the training."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from transformers import AutoTokenizer, T5ForConditionalGeneration, T5Tokenizer

RECORD = "training.json"


@dataclass(frozen=True)
class Record:
    """How a checkpoint was trained. Another run has the same values, except for the times."""

    seed: int
    steps: int
    examples_per_step: int
    threads: int
    seconds: int
    processor_seconds: int
    parameters: int
    vocabulary: int
    architecture: str
    torch: str
    transformers: str
    weights_sha256: str


def digest(model: T5ForConditionalGeneration) -> str:
    """The SHA-256 of all weights in the order of their names, to compare two training runs."""
    total = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        total.update(name.encode())
        total.update(parameter.detach().numpy().tobytes())
    return total.hexdigest()


def save(directory: Path, model: T5ForConditionalGeneration, tokenizer: T5Tokenizer, record: Record) -> None:
    """Writes model, tokenizer and record."""
    model.save_pretrained(directory)
    tokenizer.backend_tokenizer.no_padding()  # the setting of the last padded batch would be saved, too
    tokenizer.save_pretrained(directory)
    (directory / RECORD).write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")


def load(directory: Path) -> tuple[T5ForConditionalGeneration, T5Tokenizer, Record]:
    """Reads model, tokenizer and record."""
    record = Record(**json.loads((directory / RECORD).read_text(encoding="utf-8")))
    model = T5ForConditionalGeneration.from_pretrained(directory).eval()
    return model, AutoTokenizer.from_pretrained(directory), record
