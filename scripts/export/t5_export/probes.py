"""Writes parity.safetensors: a few inputs and Hugging Face's logits for them, which `torch-t5 verify` compares."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from t5_export.architectures import T5Model
from t5_export.cases import Shape, make_case

FLOAT32_BYTES = 4
MAX_BYTES = 2_000_000
MIN_POSITIONS = 4

# In order of importance: for a large vocabulary, only the first ones are written.
SHAPES = (
    Shape(2, 9, 1, True),
    Shape(1, 1, 1, False),
    Shape(1, 130, 1, False),
    Shape(1, 12, 4, False),
    Shape(2, 24, 3, True),
)


def choose_shapes(vocabulary_size: int) -> list[Shape]:
    """Return the shapes whose logits fit into the size of the file."""
    left = max(MIN_POSITIONS, MAX_BYTES // (vocabulary_size * FLOAT32_BYTES))
    chosen: list[Shape] = []
    for shape in SHAPES:
        positions = shape.batch * shape.target_length
        if positions <= left:
            chosen.append(shape)
            left -= positions
    return chosen


def write_probes(model: T5Model, path: Path) -> int:
    """Write the file; return the number of probes."""
    tensors: dict[str, torch.Tensor] = {}
    shapes = choose_shapes(model.config.vocab_size)
    for number, shape in enumerate(shapes):
        case = make_case(shape, model.config.vocab_size)
        with torch.inference_mode():
            logits = model(
                input_ids=case.input_ids,
                attention_mask=case.attention_mask,
                decoder_input_ids=case.decoder_input_ids,
            ).logits
        tensors[f"probe.{number}.input_ids"] = case.input_ids
        tensors[f"probe.{number}.attention_mask"] = case.attention_mask
        tensors[f"probe.{number}.decoder_input_ids"] = case.decoder_input_ids
        tensors[f"probe.{number}.logits"] = logits.contiguous().clone()
    save_file(tensors, path)
    return len(shapes)
