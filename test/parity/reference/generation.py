"""Runs Hugging Face's `generate`, and records its steps."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from processors import EditScores, RecordSequences
from tensors import TensorFiles
from torch import Tensor
from transformers import (
    EosTokenCriteria,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StopStringCriteria,
)
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

Options = Mapping[str, Any]

NO_END = -1
DEFAULT_NEW_TOKENS = 20
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
    arguments = keyword_arguments(options)
    cache, recorder = RecordingCache(), RecordSequences()
    edits = request.get("edits")
    processors = LogitsProcessorList([recorder] if edits is None else [recorder, EditScores(edits)])
    output = model.generate(
        **encoder_outputs(model, inputs, request.get("encodeFirst")),
        **arguments,
        **({} if "stopStrings" not in options else {"tokenizer": tokenizer}),
        logits_processor=processors,
        past_key_values=cache,
        return_dict_in_generate=True,
        output_logits=True,
        output_scores=True,
    )
    beam_indices = getattr(output, "beam_indices", None)
    steps = len(output.logits) if beam_indices is None else beam_indices.shape[1]
    transition_scores = model.compute_transition_scores(
        output.sequences, output.scores, beam_indices, normalize_logits=False
    )
    reply = {
        "sequences": output.sequences.tolist(),
        "logits": files.write_steps(output.logits),
        "scores": files.write_steps(output.scores),
        "transitionScores": files.write(transition_scores),
        "running": {"tokens": recorder.tokens, "rows": cache.rows},
        "finishes": finishes(model, tokenizer, output.sequences, steps, arguments),
    }
    if beam_indices is not None:
        reply["sequenceScores"] = files.write(output.sequences_scores)
        reply["beamIndices"] = beam_indices.tolist()
    if tokenizer is not None:
        reply["texts"] = tokenizer.batch_decode(output.sequences, skip_special_tokens=True)
    return reply


def encoder_outputs(model: PreTrainedModel, inputs: Mapping[str, Tensor], first: str | None) -> dict[str, Any]:
    """Replace the source by the encoder's outputs for it, `"withMask"` or `"withoutMask"` for the decoder."""
    if first is None:
        return dict(inputs)
    source = {name: inputs[name] for name in ("input_ids", "attention_mask") if name in inputs}
    with torch.inference_mode():
        encoded: dict[str, Any] = {"encoder_outputs": model.get_encoder()(**source)}
    if first == "withMask" and "attention_mask" in inputs:
        encoded["attention_mask"] = inputs["attention_mask"]
    return encoded


def finishes(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    sequences: Tensor,
    steps: int,
    arguments: Options,
) -> list[list[str | int]]:
    """Return why each sequence ends, and after how many tokens, by applying the stopping criteria to its prefixes."""
    config = model.generation_config
    prompt = sequences.shape[1] - steps
    criteria: dict[str, StoppingCriteria] = {}
    ends = arguments.get("eos_token_id", config.eos_token_id)
    if ends is not None:
        criteria["eos"] = EosTokenCriteria(ends)
    if "stop_strings" in arguments:
        criteria["stop"] = StopStringCriteria(tokenizer, arguments["stop_strings"])
    new_tokens = arguments.get("max_new_tokens", config.max_new_tokens)
    default = arguments.get("max_length", config.max_length or prompt + DEFAULT_NEW_TOKENS)
    limit = default if new_tokens is None else prompt + new_tokens
    found: list[list[str | int]] = []
    for sequence in sequences:
        prefixes = ((length, sequence[None, : prompt + length]) for length in range(1, steps + 1))
        ended = (
            [reason, length]
            for length, prefix in prefixes
            for reason, met in criteria.items()
            if met(prefix, None).item()
        )
        found.append(next(ended, ["length" if sequences.shape[1] == limit else "time", steps]))
    return found


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
