"""One process of CTranslate2. It gives tokens and their probabilities, not logits, and takes pieces instead of ids."""

import time
from collections.abc import Callable
from typing import Any

import ctranslate2
import numpy as np
from measuring import main
from peer import Peer

Pieces = list[list[str]]


class CTranslate(Peer):
    """A Translator of one worker."""

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
        """Score as many target ids as others give logits for: the start id comes in front, an end id behind."""
        sources, targets = pieces(source), pieces(target[:, 1:])
        return lambda: self.translator.score_batch(sources, targets)

    def sample(self, logits: Any) -> None:  # noqa: ANN401
        """Have none."""

    def score(self, source: np.ndarray, targets: np.ndarray) -> Callable[[], list[float]]:
        """Score each target against its own copy of the source: there is no other way."""
        sources, wanted = pieces(source) * len(targets), pieces(targets)
        length = targets.shape[1]

        def run() -> list[float]:
            return [sum(row.log_probs[:length]) for row in self.translator.score_batch(sources, wanted)]

        return run

    def rerank(self, documents: np.ndarray, batch: int, tokens: list[int]) -> Callable[[], list[float]]:
        """Generate one token and read the log-probabilities of the wanted ones."""
        batches = [pieces(documents[start : start + batch]) for start in range(0, len(documents), batch)]
        options = {"beam_size": 1, "max_decoding_length": 1, "return_logits_vocab": True}

        def run() -> list[float]:
            judged: list[float] = []
            for rows in batches:
                for result in self.translator.translate_batch(rows, **options):
                    logits = np.asarray(result.logits[0][0])
                    judged.append(float(1 / (1 + np.exp(logits[tokens[1]] - logits[tokens[0]]))))
            return judged

        return run

    def generate(self, source: np.ndarray, new_tokens: int, num_beams: int) -> Callable[[], Any]:
        """Translate; the end id never comes first."""
        sources = pieces(source)
        options = {"max_decoding_length": new_tokens, "min_decoding_length": new_tokens, "beam_size": num_beams}
        return lambda: self.translator.translate_batch(sources, **options)

    def tokens(self, generated: Any) -> np.ndarray:  # noqa: ANN401
        """Read ids out of pieces."""
        return np.array([[int(piece[1:]) for piece in result.hypotheses[0]] for result in generated])

    def step_milliseconds(self, source: np.ndarray, ids: np.ndarray, cached: int) -> float:
        """Return the mean of the steps behind `cached` positions: what they add to a generation that stops there."""
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
    """Return the tokenizer's pieces of ids, an id of which is its number."""
    return [[f"t{index}" for index in row] for row in ids.tolist()]


if __name__ == "__main__":
    main(CTranslate)
