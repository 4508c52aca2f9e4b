"""Accuracy by exact match of the greedily decoded answer, on inputs held out from training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import T5ForConditionalGeneration, T5Tokenizer

from t5_demo.batches import to_batch
from t5_demo.example import Example
from t5_demo.model import LONGEST_ANSWER

BATCH = 256


@dataclass(frozen=True)
class Miss:
    """An input that the model answered wrongly."""

    text: str
    expected: str
    received: str


@dataclass(frozen=True)
class Score:
    """How many of `count` inputs were answered exactly, and the others."""

    count: int
    misses: tuple[Miss, ...]

    @property
    def accuracy(self) -> float:
        """The share of exact answers, 0 to 1."""
        return 1 - len(self.misses) / self.count


def answer(model: T5ForConditionalGeneration, tokenizer: T5Tokenizer, examples: Sequence[Example]) -> list[str]:
    """Decodes an answer for each example greedily."""
    batch = to_batch(tokenizer, examples)
    with torch.no_grad():
        sequences = model.generate(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            max_new_tokens=LONGEST_ANSWER,
            do_sample=False,
            num_beams=1,
        )
    return tokenizer.batch_decode(sequences, skip_special_tokens=True)


def evaluate(model: T5ForConditionalGeneration, tokenizer: T5Tokenizer, examples: Sequence[Example]) -> Score:
    """Answers every example and compares."""
    misses: list[Miss] = []
    ordered = sorted(examples, key=lambda example: len(example.text))
    for start in range(0, len(ordered), BATCH):
        part = ordered[start : start + BATCH]
        for example, received in zip(part, answer(model, tokenizer, part), strict=True):
            if received != example.answer:
                misses.append(Miss(example.text, example.answer, received))
    return Score(len(ordered), tuple(misses))
