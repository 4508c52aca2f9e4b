"""CTranslate2 behind FastAPI: a translator with one worker of one thread for each core."""

from collections.abc import Iterator
from typing import Any

import ctranslate2
import numpy as np
from c_translate import pieces
from service import Service, serve


class CTranslateService(Service):
    """A pool of as many threads as the translator has workers."""

    packages = ("ctranslate2",)

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(request)
        self.translator = ctranslate2.Translator(
            request["directories"]["model"],
            device="cpu",
            compute_type=request["precision"],
            inter_threads=self.threads,
            intra_threads=1,
        )

    def workers(self) -> int:
        """Return the number of the translator's workers."""
        return self.threads

    def score(self, source: list[int], target: list[int]) -> float:
        """Leave out the end id, which CTranslate2 adds."""
        [result] = self.translator.score_batch(tokens(source), tokens(target))
        return sum(result.log_probs[: len(target)])

    def generate(self, source: list[int], new_tokens: int) -> list[int]:
        """Translate, with the maximum length as the minimum length."""
        options = {"max_decoding_length": new_tokens, "min_decoding_length": new_tokens, "beam_size": 1}
        [result] = self.translator.translate_batch(tokens(source), **options)
        return [int(piece[1:]) for piece in result.hypotheses[0]]

    def stream(self, source: list[int], new_tokens: int) -> Iterator[int]:
        """Use the iterator of tokens of CTranslate2's extensions."""
        [pieces_of_source] = tokens(source)
        options = {"max_decoding_length": new_tokens, "min_decoding_length": new_tokens}
        for result in self.translator.generate_tokens(pieces_of_source, **options):
            yield result.token_id


def tokens(ids: list[int]) -> list[list[str]]:
    """Return one row of tokens."""
    return pieces(np.array([ids]))


if __name__ == "__main__":
    serve(CTranslateService)
