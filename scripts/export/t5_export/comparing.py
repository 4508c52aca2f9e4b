"""Proves an archive: every number that it computes is bitwise equal to Hugging Face's."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import GenerationConfig
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from t5_export.architectures import T5Model
from t5_export.cases import FORWARD_SHAPES, GREEDY_SHAPES, LAYER_SHAPES, PREFIX_SHAPES, Case, Shape, make_case
from t5_export.errors import ExportError
from t5_export.progress import Progress
from t5_export.wrapper import flatten

GREEDY_STEPS = 64
NO_EOS = -1


def compare(model: T5Model, archive: torch.jit.ScriptModule, progress: Progress) -> None:
    """Raise ExportError at the first tensor that is not bitwise equal."""
    compare_weights(model, archive)
    vocabulary_size = model.config.vocab_size
    plan = (
        [(compare_forward, shape) for shape in FORWARD_SHAPES]
        + [(compare_prefix, shape) for shape in PREFIX_SHAPES]
        + [(compare_greedy, shape) for shape in GREEDY_SHAPES]
    )
    # The unoptimized executor runs the trace as it is, without fusion or specialization, as torch-t5's engine does.
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        for number, (check, shape) in enumerate(plan, start=1):
            check(model, archive, make_case(shape, vocabulary_size))
            steps = f", {GREEDY_STEPS} greedy steps" if check is compare_greedy else ""
            progress.count(number, len(plan), f"{shape}{steps}")


def compare_weights(model: T5Model, archive: torch.jit.ScriptModule) -> None:
    """Compare every weight, because no number of inputs reads every row of the embedding."""
    received = {name.removeprefix("model."): tensor for name, tensor in archive.state_dict().items()}
    for name, expected in model.state_dict().items():
        difference = describe_difference(received[name], expected) if name in received else "none"
        if difference is not None:
            raise ExportError(f"Expected the weight {name} in the archive but received {difference}")


def compare_forward(model: T5Model, archive: torch.jit.ScriptModule, case: Case) -> None:
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


def compare_prefix(model: T5Model, archive: torch.jit.ScriptModule, case: Case) -> None:
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


def compare_greedy(model: T5Model, archive: torch.jit.ScriptModule, case: Case) -> None:
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


def compare_layers(model: T5Model, archive: torch.jit.ScriptModule, *, with_attentions: bool) -> None:
    """Compare the hidden states and attention weights of every layer: whole sequences, a prefill and a step."""
    asked = {"output_hidden_states": True, "output_attentions": with_attentions}
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        for shape in LAYER_SHAPES:
            case = make_case(shape, model.config.vocab_size)
            ids = case.decoder_input_ids
            mask = case.attention_mask
            output = model(input_ids=case.input_ids, attention_mask=mask, decoder_input_ids=ids, **asked)
            expected = [output.logits, output.encoder_hidden_states, output.decoder_hidden_states]
            if with_attentions:
                expected += [output.encoder_attentions, output.decoder_attentions, output.cross_attentions]
            _require_equal_layers(shape, "forward", archive.forward(case.input_ids, mask, ids), expected)
            state = output.encoder_last_hidden_state
            past: list[Tensor] = []
            cache = None
            for start, end in ((0, shape.target_length - 1), (shape.target_length - 1, shape.target_length)):
                part = ids[:, start:end]
                output = model(
                    encoder_outputs=BaseModelOutput(last_hidden_state=state),
                    attention_mask=mask,
                    decoder_input_ids=part,
                    past_key_values=cache,
                    use_cache=True,
                    **asked,
                )
                method = "step" if start > 0 else "prefill"
                received = archive.step(part, mask, past) if start > 0 else archive.prefill(part, state, mask)
                cache, past = output.past_key_values, received[1]
                expected = [output.logits, flatten(cache), output.decoder_hidden_states]
                if with_attentions:
                    expected += [output.decoder_attentions, output.cross_attentions]
                _require_equal_layers(shape, method, received, expected)


def _require_equal_layers(
    shape: Shape, method: str, received: Sequence[Tensor | list[Tensor]], expected: Sequence[Tensor | Sequence[Tensor]]
) -> None:
    pairs: list[tuple[str, Tensor, Tensor]] = []
    for index, (ours, theirs) in enumerate(zip(received, expected, strict=True)):
        if isinstance(theirs, Tensor):
            pairs.append((f"{method}'s logits", ours, theirs))
            continue
        if len(ours) != len(theirs):
            raise ExportError(f"Expected {len(theirs)} tensors in {method}'s output {index} but received {len(ours)}")
        pairs += [
            (f"{method}'s output {index}[{layer}]", *pair) for layer, pair in enumerate(zip(ours, theirs, strict=True))
        ]
    require_equal(shape, pairs)


@contextmanager
def greedy_settings(model: T5Model) -> Iterator[None]:
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


def decoder_start_token_id(model: T5Model) -> int:
    """Return the id that decoding begins with: the configured one, else the pad id, as in torch-t5."""
    for settings in (model.config, model.generation_config):
        start_id = getattr(settings, "decoder_start_token_id", None)
        if isinstance(start_id, int):
            return start_id
    return model.config.pad_token_id or 0


def _cache_for(model: T5Model) -> EncoderDecoderCache | None:
    # `generate` creates a cache with as many layers as the encoder, and fails where the decoder has more.
    if model.config.num_decoder_layers <= model.config.num_layers:
        return None
    return EncoderDecoderCache(DynamicCache(), DynamicCache())


def require_equal(shape: Shape, pairs: Iterable[tuple[str, Tensor, Tensor]]) -> None:
    """Raise ExportError unless each pair has the same type, shape and bits."""
    for name, received, expected in pairs:
        difference = describe_difference(received, expected)
        if difference is not None:
            raise ExportError(f"Expected {name} bitwise equal to Hugging Face's but received {difference} ({shape})")


def describe_difference(received: Tensor, expected: Tensor) -> str | None:
    """Return how the tensors differ; None where every bit is equal, including NaN and the sign of zero."""
    if received.dtype != expected.dtype or received.shape != expected.shape:
        return f"{received.dtype} {list(received.shape)} instead of {expected.dtype} {list(expected.shape)}".replace(
            "torch.", ""
        )
    if torch.equal(_bits(received), _bits(expected)):
        return None
    differing = int((_bits(received) != _bits(expected)).sum())
    largest = (received - expected).abs().max().item()
    return f"{differing} of {received.numel()} values that differ, by up to {largest:.3g}"


def _bits(tensor: Tensor) -> Tensor:
    return tensor.contiguous().view(torch.int32)
