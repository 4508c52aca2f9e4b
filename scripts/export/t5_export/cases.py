"""The inputs on which an archive is compared with its model: seeded, and of other sizes than those of the trace."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

SEED = 20260101


@dataclass(frozen=True)
class Shape:
    """The sizes of one comparison. A target length of 0 stands for a model without a decoder."""

    batch: int
    source_length: int
    target_length: int
    padded: bool

    def __str__(self) -> str:
        padding = "padded" if self.padded else "not padded"
        target = f", target {self.target_length}" if self.target_length > 0 else ""
        return f"batch {self.batch}, source {self.source_length}{target}, {padding}"


@dataclass(frozen=True)
class Case:
    """The inputs of one comparison: ids and mask are int64 [B, S], decoder ids int64 [B, T]."""

    shape: Shape
    input_ids: Tensor
    attention_mask: Tensor
    decoder_input_ids: Tensor


# Sizes that differ from each other and from 1, so that a comparison detects a size that the trace made constant.
TRACED_SHAPE = Shape(2, 5, 3, True)
# One, two and many of each size, with lengths around the limits of the position buckets (16, 128) and the vector width.
FORWARD_SHAPES = (
    Shape(1, 1, 1, False),
    Shape(1, 16, 1, False),
    Shape(1, 7, 19, False),
    Shape(2, 1, 2, False),
    Shape(2, 5, 3, True),
    Shape(3, 33, 8, True),
    Shape(4, 64, 32, False),
    Shape(5, 129, 1, True),
    Shape(7, 20, 17, True),
    Shape(8, 32, 16, False),
    Shape(9, 48, 9, True),
    Shape(1, 300, 70, False),
    Shape(2, 257, 40, True),
    Shape(1, 600, 5, True),
)
GREEDY_SHAPES = (Shape(1, 12, 1, False), Shape(3, 40, 1, True), Shape(1, 150, 1, False))
PREFIX_SHAPES = (Shape(2, 23, 6, True), Shape(4, 9, 11, False))
ENCODER_SHAPES = tuple(replace(shape, target_length=0) for shape in FORWARD_SHAPES)

LAYER_SHAPES = (Shape(1, 7, 5, False), Shape(3, 33, 8, True), Shape(2, 150, 20, True))


def make_case(shape: Shape, vocabulary_size: int) -> Case:
    """Return a case that depends only on the shape and the vocabulary size, and is the same on every machine."""
    sizes = (shape.batch, shape.source_length, shape.target_length)
    generator = torch.Generator().manual_seed(SEED + sum(size * 1009**power for power, size in enumerate(sizes)))

    def ids(length: int) -> Tensor:
        return torch.randint(vocabulary_size, (shape.batch, length), generator=generator)

    input_ids, decoder_input_ids = ids(shape.source_length), ids(shape.target_length)
    return Case(shape, input_ids, _mask(shape), decoder_input_ids)


def _mask(shape: Shape) -> Tensor:
    mask = torch.ones(shape.batch, shape.source_length, dtype=torch.int64)
    if not shape.padded:
        return mask
    # Rows of decreasing length. The first row has no padding, unless it is the only one.
    for row in range(shape.batch):
        kept = shape.source_length * (2 * shape.batch - row - (shape.batch == 1)) // (2 * shape.batch)
        mask[row, max(1, kept) :] = 0
    return mask
