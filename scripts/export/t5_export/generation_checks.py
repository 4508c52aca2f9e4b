"""Proves the methods of an exported T5ForConditionalGeneration against Hugging Face's own calls."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import GenerationConfig
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from t5_export.architectures import GenerationModel
from t5_export.cases import FORWARD_SHAPES, GREEDY_SHAPES, PREFIX_SHAPES, Case
from t5_export.comparing import Check, require_equal
from t5_export.errors import ExportError
from t5_export.generation import flatten

GREEDY_STEPS = 64
NO_EOS = -1


def compare_forward(model: GenerationModel, archive: torch.jit.ScriptModule, case: Case) -> None:
    """Compare logits and hidden states of whole sequences."""
    expected = model(
        input_ids=case.input_ids,
        attention_mask=case.attention_mask,
        decoder_input_ids=case.decoder_input_ids,
        output_hidden_states=True,
    )
    logits, encoder_state, decoder_state = archive.forward(case.input_ids, case.attention_mask, case.decoder_input_ids)
    encoded = archive.encode(case.input_ids, case.attention_mask)
    require_equal(
        case.shape,
        [
            ("forward's logits", logits, expected.logits),
            ("forward's encoder_last_hidden_state", encoder_state, expected.encoder_last_hidden_state),
            ("forward's decoder_last_hidden_state", decoder_state, expected.decoder_hidden_states[-1]),
            ("encode's encoder_last_hidden_state", encoded, expected.encoder_last_hidden_state),
        ],
    )
    if case.shape.padded:
        return
    plain = model(input_ids=case.input_ids, decoder_input_ids=case.decoder_input_ids).logits
    require_equal(case.shape, [("forward's logits (the model without a mask)", logits, plain)])


def compare_prefix(model: GenerationModel, archive: torch.jit.ScriptModule, case: Case) -> None:
    """Compare a prefill of several positions and the steps after it, including the cache's tensors."""
    state = archive.encode(case.input_ids, case.attention_mask)
    half = case.shape.target_length // 2
    logits, hidden, past = archive.prefill(case.decoder_input_ids[:, :half], state, case.attention_mask)
    cache = None
    for position in range(half, case.shape.target_length + 1):
        start = 0 if cache is None else position - 1
        expected = model(
            encoder_outputs=BaseModelOutput(last_hidden_state=state),
            attention_mask=case.attention_mask,
            decoder_input_ids=case.decoder_input_ids[:, start:position],
            past_key_values=cache,
            use_cache=True,
            output_hidden_states=True,
        )
        if cache is not None:
            ids = case.decoder_input_ids[:, start:position]
            logits, hidden, past = archive.step(ids, case.attention_mask, past)
        method = "prefill" if cache is None else "step"
        cache = expected.past_key_values
        pairs = [
            (f"{method}'s logits", logits, expected.logits),
            (f"{method}'s decoder_last_hidden_state", hidden, expected.decoder_hidden_states[-1]),
        ]
        states = flatten(cache)
        if len(past) != len(states):
            raise ExportError(f"Expected {len(states)} tensors for {method}'s past but received {len(past)}")
        pairs += [(f"{method}'s past[{index}]", *pair) for index, pair in enumerate(zip(past, states, strict=True))]
        require_equal(case.shape, pairs)


def compare_greedy(model: GenerationModel, archive: torch.jit.ScriptModule, case: Case) -> None:
    """Compare cached steps with the raw logits of `generate`, on the tokens that `generate` chooses."""
    with greedy_settings(model):
        generated = model.generate(
            input_ids=case.input_ids, attention_mask=case.attention_mask, past_key_values=_cache_for(model)
        )
    tokens = generated.sequences
    if len(generated.logits) != GREEDY_STEPS:
        raise ExportError(f"Expected {GREEDY_STEPS} steps from generate but received {len(generated.logits)}")
    state = archive.encode(case.input_ids, case.attention_mask)
    logits, _, past = archive.prefill(tokens[:, :1], state, case.attention_mask)
    for step, expected in enumerate(generated.logits):
        if step > 0:
            logits, _, past = archive.step(tokens[:, step : step + 1], case.attention_mask, past)
        require_equal(case.shape, [(f"the logits of greedy step {step}", logits[:, -1], expected)])


@contextmanager
def greedy_settings(model: GenerationModel) -> Iterator[None]:
    """Replace the model's generation settings, such as beams and penalties, for the time of a greedy comparison."""
    own = model.generation_config
    start_id = decoder_start_token_id(model)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=start_id,
        pad_token_id=start_id,
        eos_token_id=NO_EOS,  # no id ends a sequence early
        max_new_tokens=GREEDY_STEPS,
        use_cache=True,
        output_logits=True,
        return_dict_in_generate=True,
    )
    try:
        yield
    finally:
        model.generation_config = own


def decoder_start_token_id(model: GenerationModel) -> int:
    """Return the id that decoding begins with: the configured one, else the pad id, as in torch-t5."""
    for settings in (model.config, model.generation_config):
        start_id = getattr(settings, "decoder_start_token_id", None)
        if isinstance(start_id, int):
            return start_id
    return model.config.pad_token_id or 0


def _cache_for(model: GenerationModel) -> EncoderDecoderCache | None:
    # `generate` creates a cache with as many layers as the encoder, and fails where the decoder has more.
    if model.config.num_decoder_layers <= model.config.num_layers:
        return None
    return EncoderDecoderCache(DynamicCache(), DynamicCache())


CHECKS = (
    *(Check(compare_forward, shape) for shape in FORWARD_SHAPES),
    *(Check(compare_prefix, shape) for shape in PREFIX_SHAPES),
    *(Check(compare_greedy, shape, f", {GREEDY_STEPS} greedy steps") for shape in GREEDY_SHAPES),
)
