"""Saves a TorchScript head that reads a row which does not exist. A kernel asserts that it does, and the GPU stops."""

import sys

import torch
from torch import Tensor, nn


class Broken(nn.Module):
    """Reads one row of the logits."""

    def forward(self, logits: Tensor) -> Tensor:
        """Return the row that does not exist."""
        return logits[torch.full([1], 1000000, dtype=torch.long, device=logits.device)]


if __name__ == "__main__":
    torch.jit.script(Broken()).save(sys.argv[1])
