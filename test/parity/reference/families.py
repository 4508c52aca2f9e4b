"""Random-weight models, one or more per family: tied and untied, gated and not, 1 to 3 layers, odd sizes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from t5_export.tracing import read_archive
from torch import nn
from transformers import (
    GenerationConfig,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedConfig,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
    UMT5Config,
    UMT5ForConditionalGeneration,
)


@dataclass(frozen=True)
class Family:
    """A configuration of one of Hugging Face's classes."""

    config_class: type[PreTrainedConfig]
    model_class: type[PreTrainedModel]
    tied: bool
    settings: Mapping[str, Any] = field(default_factory=dict)


COMMON = {"d_model": 64, "d_kv": 16, "d_ff": 160, "num_heads": 4, "decoder_start_token_id": 0}

FAMILIES: Mapping[str, Family] = {
    "t5": Family(
        T5Config, T5ForConditionalGeneration, True, {"vocab_size": 512, "num_layers": 2, "feed_forward_proj": "relu"}
    ),
    "t5-v1.1": Family(
        T5Config,
        T5ForConditionalGeneration,
        False,
        {"vocab_size": 777, "num_layers": 3, "num_heads": 6, "feed_forward_proj": "gated-gelu"},
    ),
    "mt5": Family(
        MT5Config,
        MT5ForConditionalGeneration,
        False,
        {"vocab_size": 1000, "num_layers": 1, "feed_forward_proj": "gated-gelu"},
    ),
    "umt5": Family(
        UMT5Config,
        UMT5ForConditionalGeneration,
        False,
        {"vocab_size": 640, "num_layers": 2, "feed_forward_proj": "gated-gelu"},
    ),
    "byt5": Family(
        T5Config,
        T5ForConditionalGeneration,
        False,
        {
            "vocab_size": 384,
            "num_layers": 3,
            "num_decoder_layers": 1,
            "d_model": 96,
            "feed_forward_proj": "gated-gelu",
            "tokenizer_class": "ByT5Tokenizer",
        },
    ),
    "gated-silu": Family(
        T5Config,
        T5ForConditionalGeneration,
        True,
        {"vocab_size": 300, "num_layers": 1, "num_decoder_layers": 2, "feed_forward_proj": "gated-silu"},
    ),
    # As wide as t5-small: MKL divides its matrices into blocks, and among threads.
    "wide": Family(
        T5Config,
        T5ForConditionalGeneration,
        True,
        {"vocab_size": 4000, "num_layers": 1, "d_model": 512, "d_kv": 64, "d_ff": 1024, "num_heads": 8},
    ),
    "umt5-tied": Family(
        UMT5Config,
        UMT5ForConditionalGeneration,
        True,
        {"vocab_size": 333, "num_layers": 1, "num_heads": 5, "feed_forward_proj": "gated-gelu"},
    ),
}


def write_checkpoint(family: Family, directory: Path, seed: int) -> None:
    """Save random weights in the form of a checkpoint on the hub."""
    torch.manual_seed(seed)
    config = family.config_class(**{**COMMON, **family.settings, "tie_word_embeddings": family.tied})
    model = family.model_class(config).eval()
    if not family.tied:
        # The constructor always ties the two matrices. They are loaded as two if two different ones are saved.
        model.lm_head.weight = nn.Parameter(torch.randn_like(model.shared.weight))
        model.all_tied_weights_keys.pop("lm_head.weight")
    model.save_pretrained(directory)
    path = directory / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    # As on the hub: transformers derives one setting from the other.
    settings.pop("scale_decoder_outputs", None)
    settings["tie_word_embeddings"] = family.tied
    path.write_text(json.dumps(settings), encoding="utf-8")


def load_checkpoint(family: Family, directory: Path) -> PreTrainedModel:
    """Load the model as a user does."""
    model = family.model_class.from_pretrained(directory).eval()
    is_tied = model.lm_head.weight is model.shared.weight
    if is_tied != family.tied:
        raise AssertionError(f"the reference has tied={is_tied}, not {family.tied}")
    return model


def load_exported(directory: Path) -> PreTrainedModel:
    """Build the model of an exported directory from its config.json and the weights in its archive."""
    settings = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    classes = {
        family.config_class.model_type: (family.config_class, family.model_class) for family in FAMILIES.values()
    }
    config_class, model_class = classes[settings["model_type"]]
    archive = read_archive(directory / "model.pt")
    weights = {name.removeprefix("model."): tensor for name, tensor in archive.state_dict().items()}
    model = model_class.from_pretrained(None, config=config_class.from_pretrained(directory), state_dict=weights)
    if (directory / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(directory)
    # Use the memory of the archive, which keeps the alignment of each matrix: MKL's last bits depend on it.
    for name, parameter in model.named_parameters():
        parameter.data = weights[name]
    return model.eval()
