"""The architecture: the original T5, small enough to be part of the package."""

from __future__ import annotations

import torch
from transformers import GenerationConfig, T5Config, T5ForConditionalGeneration, T5Tokenizer

PAD_ID, END_ID = 0, 1
MAX_ANSWER_TOKENS = 16
"""Includes the end token. The longest answer of a task has 13 tokens."""


def build_model(tokenizer: T5Tokenizer, seed: int) -> T5ForConditionalGeneration:
    """Builds the untrained model: ReLU, tied embeddings, and no dropout, because examples are hardly ever repeated."""
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=128,
        d_kv=32,
        d_ff=256,
        num_layers=3,
        num_decoder_layers=2,
        num_heads=4,
        dropout_rate=0.0,
        feed_forward_proj="relu",
        pad_token_id=PAD_ID,
        eos_token_id=END_ID,
        decoder_start_token_id=PAD_ID,
    )
    model = T5ForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=PAD_ID, pad_token_id=PAD_ID, eos_token_id=END_ID, max_new_tokens=MAX_ANSWER_TOKENS
    )
    return model


def count_parameters(model: T5ForConditionalGeneration) -> int:
    """Counts the parameters, and shared ones once."""
    return sum(parameter.numel() for parameter in model.parameters())


def describe(model: T5ForConditionalGeneration) -> str:
    """Describes the model's sizes in words."""
    config = model.config
    return (
        f"{config.num_layers} encoder and {config.num_decoder_layers} decoder layers, d_model {config.d_model}, "
        f"d_ff {config.d_ff}, {config.num_heads} heads of {config.d_kv}"
    )
