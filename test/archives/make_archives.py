"""Writes TorchScript archives that torch-t5's exporter never writes, each under its class name in the given folder."""

import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn


class Other(nn.Module):
    """Not a T5: it has one method of the four."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the argument."""
        return x


class RunsOnLoad(nn.Module):
    """Has code that TorchScript runs while it reads the archive."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 1

    @torch.jit.export
    def __getstate__(self) -> tuple[int, bool]:
        return self.value, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]) -> None:
        self.value, self.training = state

    def forward(self, x: Tensor) -> Tensor:
        """Return the argument."""
        return x


class OneOutput(nn.Module):
    """The four methods with the right arguments and the wrong results."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor) -> Tensor:
        """Return one tensor. A T5 returns three."""
        return input_ids + decoder_input_ids + attention_mask

    @torch.jit.export
    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return one tensor."""
        return input_ids + attention_mask

    @torch.jit.export
    def prefill(self, decoder_input_ids: Tensor, state: Tensor, attention_mask: Tensor) -> Tensor:
        """Return one tensor."""
        return decoder_input_ids + state + attention_mask

    @torch.jit.export
    def step(self, decoder_input_ids: Tensor, attention_mask: Tensor, past: list[Tensor]) -> Tensor:
        """Return one tensor."""
        (first,) = past
        return decoder_input_ids + attention_mask + first


class SmallOutputs(OneOutput):
    """The four methods with the right number of results, whose shapes are wrong."""

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return three tensors with one number each."""
        one = torch.zeros([1, 1, 1])
        return one, one, one


class FewArguments(OneOutput):
    """One method takes fewer arguments."""

    @torch.jit.export
    def encode(self, input_ids: Tensor) -> Tensor:
        """Return the argument."""
        return input_ids


def main(folder: Path) -> None:
    """Write one archive for each class."""
    warnings.simplefilter("ignore")
    for module in (Other(), RunsOnLoad(), OneOutput(), SmallOutputs(), FewArguments()):
        torch.jit.save(torch.jit.script(module), folder / f"{type(module).__name__}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
