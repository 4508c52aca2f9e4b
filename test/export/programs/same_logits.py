"""Compares exports with Hugging Face: `same_logits.py <JSON of [[checkpoint, export], ...]>`.

Prints for each pair whether weights and logits are bitwise those of `from_pretrained(dtype=torch.float32)`.
"""

import json
import sys
from pathlib import Path

import exporter  # noqa: F401
import torch
from t5_export import tracing
from transformers import T5ForConditionalGeneration


def is_same(checkpoint: str, export: str) -> bool:
    """Compare one export with its checkpoint."""
    model = T5ForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32).eval()
    archive = tracing.read_archive(Path(export) / "model.pt")
    weights = archive.state_dict()
    ids = torch.arange(2, 42).view(2, 20)
    mask = torch.ones_like(ids)
    mask[1, 11:] = 0
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        expected = model(input_ids=ids, attention_mask=mask, decoder_input_ids=ids[:, :7]).logits
        received = archive.forward(ids, mask, ids[:, :7])[0]
    same_weights = all(torch.equal(weights[f"model.{name}"], each) for name, each in model.state_dict().items())
    return same_weights and expected.dtype == torch.float32 and torch.equal(received, expected)


if __name__ == "__main__":
    print(json.dumps([is_same(*pair) for pair in json.loads(sys.argv[1])]))
