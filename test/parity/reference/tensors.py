"""Tensors as raw little-endian files, which replies name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class TensorFiles:
    """Writes into one directory, each tensor under a name of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def write(self, tensor: Tensor) -> dict[str, Any]:
        """Write a tensor's float32 numbers; returns the file's name and the shape."""
        self._count += 1
        name = f"{self._count}.bin"
        (self._directory / name).write_bytes(tensor.cpu().contiguous().numpy().astype("<f4", copy=False).tobytes())
        return {"file": name, "shape": list(tensor.shape)}

    def write_steps(self, steps: Sequence[Tensor]) -> dict[str, Any]:
        """Write the tensors of all steps into one file, `[steps, rows, vocabulary]`."""
        return self.write(torch.stack(tuple(steps)))
