"""What a Python peer can be asked to do. A method returns what the trial times: a function without arguments."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from ids import START_ID, shift_right

# Vocabulary ids whose logits, at the last position of the last row, tell whether peers computed the same.
SAMPLED = slice(2, 10)


class Peer(ABC):
    """One peer in one precision."""

    # Whose versions are told: packages of this process.
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
        """Give the logits of all positions for the encoder's and the decoder's ids."""

    @abstractmethod
    def score(self, source: np.ndarray, targets: np.ndarray) -> Callable[[], list[float]]:
        """Give the summed log-probability of each target after the one source row."""

    @abstractmethod
    def rerank(self, documents: np.ndarray, batch: int, tokens: list[int]) -> Callable[[], list[float]]:
        """Give the probability of the first token against the second as each document's first."""

    def generate(self, source: np.ndarray, new_tokens: int, num_beams: int) -> Callable[[], Any]:
        """Give the generated sequences, no end id."""
        raise NotImplementedError

    def tokens(self, generated: Any) -> np.ndarray:  # noqa: ANN401
        """Return the new ids [batch, new_tokens] of what `generate` gave."""
        return np.asarray(generated)[:, 1:]

    def sample(self, logits: Any) -> list[float] | None:  # noqa: ANN401
        """Return a few logits of what `forward` or a step gave."""
        return [float(value) for value in logits[-1, -1, SAMPLED]]


class EncoderDecoder(Peer):
    """A peer that gives logits: scoring and reranking follow from them."""

    @abstractmethod
    def encode(self, source: np.ndarray) -> Any:  # noqa: ANN401
        """Return the encoder's output for ids without padding."""

    @abstractmethod
    def repeat(self, encoded: Any, rows: int) -> Any:  # noqa: ANN401
        """Return an encoder's output of one row for many."""

    @abstractmethod
    def decode(self, encoded: Any, target: np.ndarray) -> Any:  # noqa: ANN401
        """Return the logits [batch, length, vocabulary] without a cache."""

    def forward(self, source: np.ndarray, target: np.ndarray) -> Callable[[], Any]:
        """Encode and decode."""
        return lambda: self.decode(self.encode(source), target)

    def score(self, source: np.ndarray, targets: np.ndarray) -> Callable[[], list[float]]:
        """Encode once, decode all targets as one batch."""
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
            judged: list[float] = []
            for rows in batches:
                logits = self.decode(self.encode(rows), np.full((len(rows), 1), START_ID))
                judged += [probability(*map(float, row[0, tokens])) for row in logits]
            return judged

        return run

    def begin(self, source: np.ndarray, prefix: np.ndarray) -> None:
        """Encode, and read the first ids into the cache."""
        raise NotImplementedError

    def step(self, ids: np.ndarray) -> Any:  # noqa: ANN401
        """Read one id per row; return its logits [batch, 1, vocabulary]."""
        raise NotImplementedError


@runtime_checkable
class TellsStepTime(Protocol):
    """A peer that has no steps, but can tell what one takes."""

    def step_milliseconds(self, source: np.ndarray, ids: np.ndarray, cached: int) -> float:
        """Return the mean of the steps that read `ids` behind the first `cached` ones."""
        ...


def probability(wanted: float, other: float) -> float:
    """Return the softmax of two logits, of the first one."""
    return 1 / (1 + math.exp(other - wanted))
