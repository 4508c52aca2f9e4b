"""A trial of Hugging Face with torch.compile and frozen weights. Each shape is compiled separately."""

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch._inductor.config
from hugging_face import HuggingFace
from measuring import main

COMPILERS = ("c++", "g++", "clang++", "cl")


class Compiled(HuggingFace):
    """The same module, compiled for the exact shape of its inputs."""

    def __init__(self, request: dict[str, Any]) -> None:
        if not any(map(shutil.which, COMPILERS)):
            raise RuntimeError("torch.compile needs a C++ compiler, and none was found")
        torch._inductor.config.freezing = True
        super().__init__(request)

    def forward(self, source: np.ndarray, target: np.ndarray) -> Callable[[], torch.Tensor]:
        """Compile for one shape, in the warm-up, after deleting the code for other shapes."""
        torch._dynamo.reset()
        model = torch.compile(self.model, dynamic=False)
        inputs = self._inputs(source)
        decoder_input_ids = self._ids(target)
        return lambda: model(**inputs, decoder_input_ids=decoder_input_ids, use_cache=False).logits


if __name__ == "__main__":
    # Weights are frozen only without gradients. Inference mode isn't possible, because its tensors can't be compiled.
    with torch.no_grad():
        main(Compiled)
