"""Tensors as raw little-endian files, which are named in replies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class TensorFiles:
    """Writes each tensor to its own file in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0

    def write(self, tensor: Tensor) -> dict[str, Any]:
        """Write a tensor's float32 numbers, and return the file's name and the shape."""
        self._count += 1
        name = f"{self._count}.bin"
        (self._directory / name).write_bytes(tensor.cpu().contiguous().numpy().astype("<f4", copy=False).tobytes())
        return {"file": name, "shape": list(tensor.shape)}

    def write_steps(self, steps: Sequence[Tensor]) -> dict[str, Any]:
        """Write the tensors of all steps into one file, `[steps, rows, vocabulary]`."""
        return self.write(torch.stack(tuple(steps)))
