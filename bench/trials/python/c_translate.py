"""A trial of CTranslate2, which takes tokens instead of ids, and returns tokens and probabilities instead of logits."""

import time
from collections.abc import Callable
from typing import Any

import ctranslate2
import numpy as np
from measuring import main
from peer import Peer

Pieces = list[list[str]]


class CTranslate(Peer):
    """CTranslate2 with one worker."""

    packages = ("ctranslate2", "transformers", "torch")

    def load(self) -> None:
        """Load the converted model."""
        self.translator = ctranslate2.Translator(
            self.directories["model"],
            device="cpu",
            compute_type=self.precision,
            inter_threads=1,
            intra_threads=self.threads,
        )

    def forward(self, source: np.ndarray, target: np.ndarray) -> Callable[[], Any]:
        """Score as many ids as other peers compute logits for: CTranslate2 adds a start id and an end id."""
        sources, targets = pieces(source), pieces(target[:, 1:])
        return lambda: self.translator.score_batch(sources, targets)

    def sample(self, logits: Any) -> None:  # noqa: ANN401
        """Return nothing, because there are no logits."""

    def score(self, source: np.ndarray, targets: np.ndarray) -> Callable[[], list[float]]:
        """Score each target with its own copy of the source, because CTranslate2 can't share one."""
        sources, tokens = pieces(source) * len(targets), pieces(targets)
        length = targets.shape[1]

        def run() -> list[float]:
            return [sum(row.log_probs[:length]) for row in self.translator.score_batch(sources, tokens)]

        return run

    def rerank(self, documents: np.ndarray, batch: int, tokens: list[int]) -> Callable[[], list[float]]:
        """Generate one token, and compare the logits of the two tokens."""
        batches = [pieces(documents[start : start + batch]) for start in range(0, len(documents), batch)]
        options = {"beam_size": 1, "max_decoding_length": 1, "return_logits_vocab": True}

        def run() -> list[float]:
            probabilities: list[float] = []
            for rows in batches:
                for result in self.translator.translate_batch(rows, **options):
                    logits = np.asarray(result.logits[0][0])
                    probabilities.append(float(1 / (1 + np.exp(logits[tokens[1]] - logits[tokens[0]]))))
            return probabilities

        return run

    def generate(self, source: np.ndarray, new_tokens: int, num_beams: int) -> Callable[[], Any]:
        """Translate, with the maximum length as the minimum length."""
        sources = pieces(source)
        options = {"max_decoding_length": new_tokens, "min_decoding_length": new_tokens, "beam_size": num_beams}
        return lambda: self.translator.translate_batch(sources, **options)

    def tokens(self, generated: Any) -> np.ndarray:  # noqa: ANN401
        """Return the ids of the tokens."""
        return np.array([[int(piece[1:]) for piece in result.hypotheses[0]] for result in generated])

    def step_milliseconds(self, source: np.ndarray, ids: np.ndarray, cached: int) -> float:
        """Return the mean time of the steps after `cached` positions, which they add to a generation."""
        sources, prefix = pieces(source), pieces(ids[:, 1 : cached + 1])
        steps = ids.shape[1] - cached
        return (self._time(sources, prefix, 1 + steps) - self._time(sources, prefix, 1)) / steps

    def _time(self, sources: Pieces, prefix: Pieces, new_tokens: int) -> float:
        length = len(prefix[0]) + new_tokens
        options = {"max_decoding_length": length, "min_decoding_length": length, "beam_size": 1}
        started = time.perf_counter()
        self.translator.translate_batch(sources, prefix, **options)
        return (time.perf_counter() - started) * 1000


def pieces(ids: np.ndarray) -> Pieces:
    """Return the tokens of ids, whose names are `t<id>`."""
    return [[f"t{index}" for index in row] for row in ids.tolist()]


if __name__ == "__main__":
    main(CTranslate)
