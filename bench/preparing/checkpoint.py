"""Writes a checkpoint of a real T5's sizes with random weights, because speed doesn't depend on their values.

With unscaled random weights, a model repeats its input, because the embedding is also the output projection. The
weights are scaled so that greedy tokens vary, and a comparison of them is meaningful: the decoder's first feed-forward
block inverts the sign of its input, and the later blocks add more than the embedding.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models
from transformers import GenerationConfig, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

START_ID = 0
END_ID = 1
SPECIAL_TOKENS = ["<pad>", "</s>", "<unk>"]
ATTENTION_GAIN = 4.0
QUERY_GAIN = 8.0
FEED_FORWARD_GAIN = 8.0
INVERTING_GAIN = 8.0


def main(directory: Path, sizes: dict[str, int]) -> None:
    """Save the checkpoint to `directory`."""
    torch.manual_seed(sizes["seed"])
    config = T5Config(
        vocab_size=sizes["vocabSize"],
        d_model=sizes["dModel"],
        d_kv=sizes["dKv"],
        d_ff=sizes["dFf"],
        num_layers=sizes["numLayers"],
        num_heads=sizes["numHeads"],
        decoder_start_token_id=START_ID,
        pad_token_id=START_ID,
        eos_token_id=END_ID,
    )
    model = T5ForConditionalGeneration(config).eval()
    scale(model)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=START_ID, pad_token_id=START_ID, eos_token_id=END_ID
    )
    model.save_pretrained(directory)
    save_tokenizer(directory, sizes["vocabSize"])


@torch.no_grad()
def scale(model: T5ForConditionalGeneration) -> None:
    """Make greedy tokens vary. The end id is never one of them, because its logit is 0."""
    model.shared.weight[END_ID] = 0
    for name, weight in model.decoder.named_parameters():
        if "SelfAttention.o." in name:
            weight *= ATTENTION_GAIN
        elif "SelfAttention.q." in name:
            weight *= QUERY_GAIN
        elif ".wo." in name:
            weight *= FEED_FORWARD_GAIN
    first = model.decoder.block[0].layer[2].DenseReluDense
    width = model.config.d_model
    both_signs = torch.cat([torch.eye(width), -torch.eye(width)])
    first.wi.weight[: 2 * width] = both_signs
    first.wo.weight[:, : 2 * width] = -INVERTING_GAIN * both_signs.T


def save_tokenizer(directory: Path, size: int) -> None:
    """Write a tokenizer whose token `t<id>` has that id, for exporters and for a peer that takes no ids."""
    vocabulary = {piece: index for index, piece in enumerate(SPECIAL_TOKENS)}
    vocabulary |= {f"t{index}": index for index in range(len(SPECIAL_TOKENS), size)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    wrapped.save_pretrained(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
