"""Logits processors of the tests, passed to `generate` as a user passes theirs."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import FloatTensor, LongTensor
from transformers import LogitsProcessor


class RecordSequences(LogitsProcessor):
    """Changes nothing. Records the last token of every row at every step."""

    def __init__(self) -> None:
        self.tokens: list[list[int]] = []

    def __call__(self, input_ids: LongTensor, scores: FloatTensor) -> FloatTensor:
        """Record the tokens."""
        self.tokens.append(input_ids[:, -1].tolist())
        return scores


class EditScores(LogitsProcessor):
    """Adds biases, forbids tokens, and lowers the score of each row's last token, more at every step."""

    def __init__(self, edits: Mapping[str, Any]) -> None:
        self._bias: list[tuple[int, float]] = [(token, value) for token, value in edits["bias"]]
        self._forbidden: list[int] = edits["forbidden"]
        self._repeated: float = edits["repeated"]
        self._step = 0

    def __call__(self, input_ids: LongTensor, scores: FloatTensor) -> FloatTensor:
        """Return edited scores. The given ones are the raw logits that `generate` returns, so they are not changed."""
        scores = scores.clone()
        for token, value in self._bias:
            scores[:, token] += value
        rows = torch.arange(scores.shape[0], device=scores.device)
        scores[rows, input_ids[:, -1]] -= self._repeated * self._step
        scores[:, self._forbidden] = -torch.inf
        self._step += 1
        return scores
