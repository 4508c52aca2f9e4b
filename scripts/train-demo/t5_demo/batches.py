"""Turns examples into tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import T5Tokenizer

from t5_demo.example import Example

IGNORED = -100
"""The label that Hugging Face's cross entropy ignores."""


@dataclass(frozen=True)
class Batch:
    """Padded ids `[batch, sourceLength]`, their mask, and labels `[batch, targetLength]` (int64)."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor


def to_batch(tokenizer: T5Tokenizer, examples: Sequence[Example]) -> Batch:
    """Tokenizes texts and answers. Each of the two is padded on the right to its longest row."""
    source = tokenizer([example.text for example in examples], padding=True, return_tensors="pt")
    target = tokenizer([example.answer for example in examples], padding=True, return_tensors="pt")
    return Batch(
        source.input_ids,
        source.attention_mask,
        target.input_ids.masked_fill(target.attention_mask == 0, IGNORED),
    )
