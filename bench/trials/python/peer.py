"""The interface of the Python peers. Most methods return a function without arguments, which the trial times."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from ids import START_ID, shift_right

# The range of vocabulary ids whose logits, at the last position of the last row, are compared between peers.
SAMPLED = slice(2, 10)


class Peer(ABC):
    """A peer in one precision."""

    # The packages whose versions are reported.
    packages: tuple[str, ...] = ()

    def __init__(self, request: dict[str, Any]) -> None:
        self.directories: dict[str, str] = request["directories"]
        self.precision: str = request["precision"]
        self.threads: int = request["threads"]
        torch.set_num_threads(self.threads)

    @abstractmethod
    def load(self) -> None:
        """Load the model."""

    @abstractmethod
    def forward(self, source: np.ndarray, target: np.ndarray) -> Callable[[], Any]:
        """Compute the logits of all positions for the encoder's and the decoder's ids."""

    @abstractmethod
    def score(self, source: np.ndarray, targets: np.ndarray) -> Callable[[], list[float]]:
        """Compute the sum of each target's log-probabilities, for one source row."""

    @abstractmethod
    def rerank(self, documents: np.ndarray, batch: int, tokens: list[int]) -> Callable[[], list[float]]:
        """Compute, for each document, the probability of the first token against the second at the first position."""

    def generate(self, source: np.ndarray, new_tokens: int, num_beams: int) -> Callable[[], Any]:
        """Generate sequences without an end id."""
        raise NotImplementedError

    def tokens(self, generated: Any) -> np.ndarray:  # noqa: ANN401
        """Return the new ids [batch, new_tokens] of a result of `generate`."""
        return np.asarray(generated)[:, 1:]

    def sample(self, logits: Any) -> list[float] | None:  # noqa: ANN401
        """Return the compared logits of a result of `forward` or `step`."""
        return [float(value) for value in logits[-1, -1, SAMPLED]]


class EncoderDecoder(Peer):
    """A peer that returns logits, from which scores and probabilities are computed here."""

    @abstractmethod
    def encode(self, source: np.ndarray) -> Any:  # noqa: ANN401
        """Return the encoder's output for ids without padding."""

    @abstractmethod
    def repeat(self, encoded: Any, rows: int) -> Any:  # noqa: ANN401
        """Return an encoder's output of one row, repeated for many rows."""

    @abstractmethod
    def decode(self, encoded: Any, target: np.ndarray) -> Any:  # noqa: ANN401
        """Return the logits [batch, length, vocabulary] without a cache."""

    def forward(self, source: np.ndarray, target: np.ndarray) -> Callable[[], Any]:
        """Encode, then decode."""
        return lambda: self.decode(self.encode(source), target)

    def score(self, source: np.ndarray, targets: np.ndarray) -> Callable[[], list[float]]:
        """Encode once, and decode all targets as one batch."""
        inputs = shift_right(targets)
        labels = torch.from_numpy(targets)[..., None]

        def run() -> list[float]:
            logits = torch.as_tensor(self.decode(self.repeat(self.encode(source), len(targets)), inputs))
            chosen = logits.gather(-1, labels)[..., 0] - logits.logsumexp(-1)
            return chosen.sum(-1).tolist()

        return run

    def rerank(self, documents: np.ndarray, batch: int, tokens: list[int]) -> Callable[[], list[float]]:
        """Decode one step for each batch."""
        batches = [documents[start : start + batch] for start in range(0, len(documents), batch)]

        def run() -> list[float]:
            probabilities: list[float] = []
            for rows in batches:
                logits = self.decode(self.encode(rows), np.full((len(rows), 1), START_ID))
                probabilities += [probability(*map(float, row[0, tokens])) for row in logits]
            return probabilities

        return run

    def begin(self, source: np.ndarray, prefix: np.ndarray) -> None:
        """Encode, and decode the prefix into the cache."""
        raise NotImplementedError

    def step(self, ids: np.ndarray) -> Any:  # noqa: ANN401
        """Decode one id per row. Returns the logits [batch, 1, vocabulary]."""
        raise NotImplementedError


@runtime_checkable
class MeasuresSteps(Protocol):
    """A peer without a method for single steps, which measures their mean time itself."""

    def step_milliseconds(self, source: np.ndarray, ids: np.ndarray, cached: int) -> float:
        """Return the mean time of the steps that read `ids` after the first `cached` ones."""
        ...


def probability(logit: float, other: float) -> float:
    """Return the probability of the first of two logits in their softmax."""
    return 1 / (1 + math.exp(other - logit))
