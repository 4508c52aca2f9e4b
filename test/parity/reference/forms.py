"""Checkpoints of a family in each form that the hub has or that `from_pretrained` reads: names, types, files."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from families import FAMILIES, write_checkpoint
from safetensors.torch import load_file, save_file
from t5_export import export_source
from torch import Tensor
from transformers import PreTrainedModel

Weights = dict[str, Tensor]

WEIGHTS = "model.safetensors"
SHARED = "shared.weight"
LM_HEAD = "lm_head.weight"
EMBEDDINGS = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
# A weight of the first T5 checkpoints, which Hugging Face ignores without a warning.
UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
MAX_SHARD_SIZE = "100KB"
HEADER_LENGTH_BYTES = 8


def _every_name(weights: Weights) -> Weights:
    copies = {name: weights[SHARED].clone() for name in EMBEDDINGS}
    return {LM_HEAD: weights[SHARED].clone(), **copies, **weights}


def _renamed(name: str) -> Callable[[Weights], Weights]:
    return lambda weights: {name if old == SHARED else old: tensor for old, tensor in weights.items()}


def _typed(dtype: torch.dtype) -> Callable[[Weights], Weights]:
    return lambda weights: {name: tensor.to(dtype) for name, tensor in weights.items()}


def _mixed(weights: Weights) -> Weights:
    # Norms are ones, which bfloat16 has, so the model is the same.
    return {name: tensor.to(torch.bfloat16) if tensor.ndim == 1 else tensor for name, tensor in weights.items()}


# Each makes the weights of a form from those that `save_pretrained` writes.
FORMS: Mapping[str, Callable[[Weights], Weights]] = {
    "every name": _every_name,
    "the encoder's name": _renamed(EMBEDDINGS[0]),
    "the decoder's name": _renamed(EMBEDDINGS[1]),
    "lm_head's name": _renamed(LM_HEAD),
    "the base prefix": lambda weights: {f"transformer.{name}": tensor for name, tensor in weights.items()},
    "an unused weight": lambda weights: {**weights, UNUSED: torch.ones(32, 4)},
    "bfloat16": _typed(torch.bfloat16),
    "float16": _typed(torch.float16),
    "two types": _mixed,
    "shards": lambda weights: weights,
    "an odd offset": lambda weights: weights,
}


def write_form(family: str, form: str, directory: Path, seed: int, *, exported: Path | None) -> PreTrainedModel:
    """Write a checkpoint, export it where a directory is given, and return what Hugging Face loads in float32."""
    write_checkpoint(FAMILIES[family], directory, seed)
    weights = FORMS[form](load_file(directory / WEIGHTS))
    if form == "shards":
        model = FAMILIES[family].model_class.from_pretrained(directory)
        (directory / WEIGHTS).unlink()
        settings = (directory / "config.json").read_text(encoding="utf-8")
        model.save_pretrained(directory, max_shard_size=MAX_SHARD_SIZE)
        (directory / "config.json").write_text(settings, encoding="utf-8")
    else:
        save_file(weights, directory / WEIGHTS, {"format": "pt"})
    if form == "an odd offset":
        _lengthen_header(directory / WEIGHTS)
    if exported is not None:
        torch.set_num_threads(1)  # more threads slow such a small model down
        export_source(str(directory), exported, with_tokenizer=False)
    return FAMILIES[family].model_class.from_pretrained(directory, dtype=torch.float32).eval()


def _lengthen_header(path: Path) -> None:
    """Add a space to the header, so that no tensor is aligned to its type."""
    content = path.read_bytes()
    length = int.from_bytes(content[:HEADER_LENGTH_BYTES], "little")
    header = content[HEADER_LENGTH_BYTES : HEADER_LENGTH_BYTES + length]
    rest = content[HEADER_LENGTH_BYTES + length :]
    path.write_bytes((length + 1).to_bytes(HEADER_LENGTH_BYTES, "little") + header + b" " + rest)
