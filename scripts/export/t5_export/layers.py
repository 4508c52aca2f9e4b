"""Outputs of layers: methods that also return hidden states, and attention weights, of every layer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers.cache_utils import EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from t5_export.architectures import GenerationModel
from t5_export.cases import LAYER_SHAPES, TRACED_SHAPE, Shape, make_case
from t5_export.comparing import require_equal
from t5_export.errors import ExportError
from t5_export.generation import ExportedT5, flatten, length_only, trace_inputs, unflatten
from t5_export.tracing import trace_methods

METHODS = ("forward", "prefill", "step")


class ExportedHiddenStates(nn.Module):
    """`forward`, `prefill` and `step` that also return the hidden states of every layer."""

    with_attentions = False

    def __init__(self, model: GenerationModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor
    ) -> tuple[Tensor | list[Tensor], ...]:
        """Return logits, and the hidden states of encoder and decoder: embeddings, then each layer."""
        # With a cache, as by default: its copies of keys have other strides, which change the last bits of the products
        # of eager attention.
        output = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            use_cache=True,
            **self._asked(),
        )
        states = (list(output.encoder_hidden_states), list(output.decoder_hidden_states))
        if not self.with_attentions:
            return output.logits, *states
        encoder_attentions = list(output.encoder_attentions)
        return output.logits, *states, encoder_attentions, *self._decoder_attentions(output)

    def prefill(
        self, decoder_input_ids: Tensor, encoder_last_hidden_state: Tensor, attention_mask: Tensor
    ) -> tuple[Tensor | list[Tensor], ...]:
        """Return logits, the keys and values of every layer, and the decoder's hidden states."""
        return self._decode(decoder_input_ids, encoder_last_hidden_state, attention_mask, None)

    def step(
        self, decoder_input_ids: Tensor, attention_mask: Tensor, past: list[Tensor]
    ) -> tuple[Tensor | list[Tensor], ...]:
        """Return the same as `prefill`, for one more position."""
        return self._decode(decoder_input_ids, length_only(attention_mask), attention_mask, unflatten(past))

    def _decode(
        self,
        decoder_input_ids: Tensor,
        encoder_state: Tensor,
        attention_mask: Tensor,
        cache: EncoderDecoderCache | None,
    ) -> tuple[Tensor | list[Tensor], ...]:
        output = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=encoder_state),
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            past_key_values=cache,
            use_cache=True,
            **self._asked(),
        )
        outputs = (output.logits, flatten(output.past_key_values), list(output.decoder_hidden_states))
        return (*outputs, *self._decoder_attentions(output)) if self.with_attentions else outputs

    def _asked(self) -> dict[str, bool]:
        return {"output_hidden_states": True, "output_attentions": self.with_attentions}

    @staticmethod
    def _decoder_attentions(output: Seq2SeqLMOutput) -> tuple[list[Tensor], list[Tensor]]:
        return list(output.decoder_attentions), list(output.cross_attentions)


class ExportedAttentions(ExportedHiddenStates):
    """The same methods, which also return attention weights: of the encoder, of the decoder, and between them.

    `prefill` and `step` return none of the encoder. The model must compute with eager attention.
    """

    with_attentions = True


def trace_hidden_states(model: GenerationModel) -> torch.jit.ScriptModule:
    """Return the traced methods that also return hidden states. They share the model's weights."""
    return _trace(ExportedHiddenStates(model).eval())


def trace_attentions(model: GenerationModel) -> torch.jit.ScriptModule:
    """Return the traced methods that also return attention weights. They share the model's weights."""
    with eager_attention(model):
        return _trace(ExportedAttentions(model).eval())


@contextmanager
def eager_attention(model: GenerationModel) -> Iterator[None]:
    """Compute with eager attention meanwhile: the other implementations return no attention weights."""
    own = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(own)


def _trace(exported: ExportedHiddenStates) -> torch.jit.ScriptModule:
    def inputs() -> dict[str, tuple[Tensor | list[Tensor], ...]]:
        case = make_case(TRACED_SHAPE, exported.model.config.vocab_size)
        every = trace_inputs(ExportedT5(exported.model).eval(), case)
        return {name: every[name] for name in METHODS}

    return trace_methods(exported, inputs)


def compare_layers(model: GenerationModel, archive: torch.jit.ScriptModule, *, with_attentions: bool) -> None:
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
