"""Writes an adapter for a checkpoint, and the weights that merging it gives: `adapters.py <checkpoint> <directory>`.

With `adapters.py --compare <merged> <expected>` it fails unless a merged model has those weights.
"""

import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import T5ForConditionalGeneration

RANK = 2
ALPHA = 6
SCALE = ALPHA / RANK
TARGETS = ["q", "v"]


def write(checkpoint: Path, directory: Path) -> None:
    """Write the adapter to `adapter`, and the expected weights to `expected.safetensors`."""
    torch.manual_seed(4)
    base = T5ForConditionalGeneration.from_pretrained(checkpoint)
    expected = {name: weight.clone() for name, weight in base.state_dict().items()}
    adapted = get_peft_model(base, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS))
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    for name, parameter in adapted.named_parameters():
        module, _, factor = name.partition(".lora_")
        if factor:
            # Half of the factors of a new adapter are zero.
            torch.nn.init.normal_(parameter)
            pairs.setdefault(module.removeprefix("base_model.model."), {})[factor[0]] = parameter.detach().clone()
    for module, pair in pairs.items():
        expected[f"{module}.weight"] += pair["B"] @ pair["A"] * SCALE
    adapted.save_pretrained(directory / "adapter")
    save_file({name: weight.clone() for name, weight in expected.items()}, directory / "expected.safetensors")


def compare(merged: Path, expected: Path) -> None:
    """Raise ValueError for the first weight that differs in any bit."""
    weights = T5ForConditionalGeneration.from_pretrained(merged).state_dict()
    for name, weight in load_file(expected).items():
        if not torch.equal(weight, weights[name]):
            raise ValueError(f"{name} differs by {(weight - weights[name]).abs().max()}")


if __name__ == "__main__":
    if sys.argv[1] == "--compare":
        compare(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        write(Path(sys.argv[1]), Path(sys.argv[2]))
