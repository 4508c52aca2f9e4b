"""Runs Hugging Face's `generate`, and records its steps."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from processors import EditScores, RecordSequences
from tensors import TensorFiles
from torch import Tensor
from transformers import LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

Options = Mapping[str, Any]

NO_END = -1
CAPITAL = re.compile("([A-Z])")


class RecordingCache(EncoderDecoderCache):
    """The cache that `generate` makes by default. It also records the rows that beam search continues with."""

    def __init__(self) -> None:
        # Without the configuration, which would set the encoder's number of layers. The decoder may have more.
        super().__init__(DynamicCache(), DynamicCache())
        self.rows: list[list[int]] = []

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Record the rows, then reorder the cache."""
        self.rows.append(beam_idx.tolist())
        super().reorder_cache(beam_idx)


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    inputs: Mapping[str, Tensor],
    request: Mapping[str, Any],
    files: TensorFiles,
) -> dict[str, Any]:
    """Generate with every output, after `torch.manual_seed` if there is a seed."""
    options: dict[str, Any] = dict(request["options"])
    seed = options.pop("seed", None)
    if seed is not None:
        torch.manual_seed(int(seed))
    cache, recorder = RecordingCache(), RecordSequences()
    edits = request.get("edits")
    processors = LogitsProcessorList([recorder] if edits is None else [recorder, EditScores(edits)])
    output = model.generate(
        **inputs,
        **keyword_arguments(options),
        **({} if "stopStrings" not in options else {"tokenizer": tokenizer}),
        logits_processor=processors,
        past_key_values=cache,
        return_dict_in_generate=True,
        output_logits=True,
        output_scores=True,
    )
    beam_indices = getattr(output, "beam_indices", None)
    transition_scores = model.compute_transition_scores(
        output.sequences, output.scores, beam_indices, normalize_logits=False
    )
    reply = {
        "sequences": output.sequences.tolist(),
        "logits": files.write_steps(output.logits),
        "scores": files.write_steps(output.scores),
        "transitionScores": files.write(transition_scores),
        "running": {"tokens": recorder.tokens, "rows": cache.rows},
    }
    if beam_indices is not None:
        reply["sequenceScores"] = files.write(output.sequences_scores)
        reply["beamIndices"] = beam_indices.tolist()
    if tokenizer is not None:
        reply["texts"] = tokenizer.batch_decode(output.sequences, skip_special_tokens=True)
    return reply


def keyword_arguments(options: Options) -> dict[str, Any]:
    """Translate torch-t5's names into Hugging Face's."""
    arguments = {CAPITAL.sub(r"_\1", name).lower(): value for name, value in options.items()}
    if arguments.get("eos_token_id") == []:
        arguments["eos_token_id"] = NO_END
    if "exponential_decay_length_penalty" in arguments:
        arguments["exponential_decay_length_penalty"] = tuple(arguments["exponential_decay_length_penalty"])
    if "sequence_bias" in arguments:
        # JSON writes 4.0 as 4, but Hugging Face requires a float.
        arguments["sequence_bias"] = [[ids, float(bias)] for ids, bias in arguments["sequence_bias"]]
    return arguments
