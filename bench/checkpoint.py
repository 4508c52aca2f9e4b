"""Writes a random-weight checkpoint of t5-small's real architecture: speed does not depend on what the weights say."""

import sys
from pathlib import Path

import torch
from transformers import GenerationConfig, T5Config, T5ForConditionalGeneration

SEED = 0


def main(directory: Path) -> None:
    """Save the checkpoint to `directory`."""
    torch.manual_seed(SEED)
    config = T5Config(
        vocab_size=32128,
        d_model=512,
        d_kv=64,
        d_ff=2048,
        num_layers=6,
        num_heads=8,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
    )
    model = T5ForConditionalGeneration(config).eval()
    model.generation_config = GenerationConfig(decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
    model.save_pretrained(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
