"""A trial of Hugging Face's `generate` with a static cache.

On a GPU, transformers then compiles the decoding step by itself, with `mode="reduce-overhead"`, which captures CUDA
graphs. Each batch size is compiled separately, in the warm-up.
"""

from collections.abc import Callable

import numpy as np
import torch
from hugging_face import NO_ID, HuggingFace
from measuring import main


class StaticCache(HuggingFace):
    """The same model with the cache that its documentation recommends for speed."""

    def generate(self, source: np.ndarray, new_tokens: int, num_beams: int) -> Callable[[], torch.Tensor]:
        """Compile for one batch size, after deleting the code for others."""
        torch._dynamo.reset()
        inputs = self._inputs(source)
        options = {"max_new_tokens": new_tokens, "num_beams": num_beams, "eos_token_id": NO_ID, "do_sample": False}
        return lambda: self.model.generate(**inputs, **options, cache_implementation="static").cpu()


if __name__ == "__main__":
    # Tensors of inference mode can't be compiled.
    with torch.no_grad():
        main(StaticCache)
