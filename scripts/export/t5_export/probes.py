"""Writes parity.safetensors: a few inputs and Hugging Face's outputs for them, which `torch-t5 verify` compares."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from t5_export.architectures import T5Model
from t5_export.cases import Shape, make_case
from t5_export.kinds import export_of

FLOAT32_BYTES = 4
MAX_BYTES = 2_000_000
# Written also where their outputs are larger than that, because the vocabulary is.
MIN_SHAPES = 3

# In order of importance: where outputs are large, only the first ones are written.
SHAPES = (
    Shape(2, 9, 1, True),
    Shape(1, 1, 1, False),
    Shape(1, 130, 1, False),
    Shape(1, 12, 4, False),
    Shape(2, 24, 3, True),
)


def choose_shapes(size: Callable[[Shape], int]) -> list[Shape]:
    """Return the shapes whose outputs, of `size` floats each, fit into the size of the file."""
    left = MAX_BYTES // FLOAT32_BYTES
    chosen: list[Shape] = []
    for shape in SHAPES:
        if size(shape) <= left or len(chosen) < MIN_SHAPES:
            chosen.append(shape)
            left -= size(shape)
    return chosen


def write_probes(model: T5Model, path: Path) -> int:
    """Write the file; return the number of probes."""
    export = export_of(model)
    tensors: dict[str, torch.Tensor] = {}
    shapes = choose_shapes(lambda shape: export.probe_size(model, shape))
    for number, shape in enumerate(shapes):
        with torch.inference_mode():
            probe = export.probe(model, make_case(shape, model.config.vocab_size))
        tensors.update({f"probe.{number}.{name}": tensor.contiguous().clone() for name, tensor in probe.items()})
    save_file(tensors, path)
    return len(shapes)
