"""Measures accuracy: the share of held-out inputs whose greedily decoded answer is exactly right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import T5ForConditionalGeneration, T5Tokenizer

from t5_demo.batches import to_batch
from t5_demo.example import Example
from t5_demo.model import MAX_ANSWER_TOKENS

BATCH = 256


@dataclass(frozen=True)
class Miss:
    """An input that the model answered wrongly."""

    text: str
    expected: str
    received: str


@dataclass(frozen=True)
class Score:
    """The number of inputs, and those that were answered wrongly."""

    count: int
    misses: tuple[Miss, ...]

    @property
    def accuracy(self) -> float:
        """The share of right answers, from 0 to 1."""
        return 1 - len(self.misses) / self.count


def answer(model: T5ForConditionalGeneration, tokenizer: T5Tokenizer, examples: Sequence[Example]) -> list[str]:
    """Greedily decodes an answer for each example."""
    batch = to_batch(tokenizer, examples)
    with torch.no_grad():
        sequences = model.generate(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            max_new_tokens=MAX_ANSWER_TOKENS,
            do_sample=False,
            num_beams=1,
        )
    return tokenizer.batch_decode(sequences, skip_special_tokens=True)


def evaluate(model: T5ForConditionalGeneration, tokenizer: T5Tokenizer, examples: Sequence[Example]) -> Score:
    """Answers every example, and compares the answers with the right ones."""
    misses: list[Miss] = []
    ordered = sorted(examples, key=lambda example: len(example.text))
    for start in range(0, len(ordered), BATCH):
        part = ordered[start : start + BATCH]
        for example, received in zip(part, answer(model, tokenizer, part), strict=True):
            if received != example.answer:
                misses.append(Miss(example.text, example.answer, received))
    return Score(len(ordered), tuple(misses))
