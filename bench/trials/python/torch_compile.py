"""One process of Hugging Face behind torch.compile, weights frozen: every shape is compiled anew."""

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch._inductor.config
from hugging_face import HuggingFace, ones
from measuring import main

COMPILERS = ("c++", "g++", "clang++", "cl")


class Compiled(HuggingFace):
    """The same module, compiled for exactly the shape that it gets."""

    def __init__(self, request: dict[str, Any]) -> None:
        if not any(map(shutil.which, COMPILERS)):
            raise RuntimeError("torch.compile needs a C++ compiler, and none was found")
        torch._inductor.config.freezing = True
        super().__init__(request)

    def forward(self, source: np.ndarray, target: np.ndarray) -> Callable[[], torch.Tensor]:
        """Compile for a shape and forget what was compiled for others: the warm-up pays for it."""
        torch._dynamo.reset()
        model = torch.compile(self.model, dynamic=False)
        inputs = {"input_ids": torch.from_numpy(source), "attention_mask": ones(source)}
        decoder_input_ids = torch.from_numpy(target)
        return lambda: model(**inputs, decoder_input_ids=decoder_input_ids, use_cache=False).logits


if __name__ == "__main__":
    # Weights are frozen where no gradient is wanted; inference tensors can't be compiled.
    with torch.no_grad():
        main(Compiled)
