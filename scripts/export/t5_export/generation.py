"""Conditional generation: the four methods of an exported T5ForConditionalGeneration, and its probes.

Each method calls Hugging Face's module once. Only the cache is converted here: TorchScript passes a list of tensors,
Hugging Face an object.
"""

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache, DynamicLayer, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from t5_export.architectures import GenerationModel
from t5_export.cases import Case, Shape
from t5_export.signatures import ATTENTION_MASK, INPUT_IDS, Signature, tensor

# Self key, self value, cross key, cross value.
TENSORS_PER_LAYER = 4


class ExportedT5(nn.Module):
    """`forward`, `encode`, `prefill` and `step` over a T5ForConditionalGeneration."""

    def __init__(self, model: GenerationModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits [B, T, V] and the last hidden states of encoder [B, S, D] and decoder [B, T, D]."""
        output = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            use_cache=False,
            output_hidden_states=True,
        )
        return output.logits, output.encoder_last_hidden_state, output.decoder_hidden_states[-1]

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the encoder's last hidden state [B, S, D]."""
        return self.model.get_encoder()(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    def prefill(
        self, decoder_input_ids: Tensor, encoder_last_hidden_state: Tensor, attention_mask: Tensor
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return logits, the decoder's last hidden state and the keys and values of every layer."""
        return self._decode(decoder_input_ids, encoder_last_hidden_state, attention_mask, None)

    def step(
        self, decoder_input_ids: Tensor, attention_mask: Tensor, past: list[Tensor]
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return the same as `prefill`, for one more position."""
        return self._decode(decoder_input_ids, length_only(attention_mask), attention_mask, unflatten(past))

    def _decode(
        self,
        decoder_input_ids: Tensor,
        encoder_state: Tensor,
        attention_mask: Tensor,
        cache: EncoderDecoderCache | None,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        output = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=encoder_state),
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            past_key_values=cache,
            use_cache=True,
            output_hidden_states=True,
        )
        return output.logits, output.decoder_hidden_states[-1], flatten(output.past_key_values)


def trace_inputs(exported: ExportedT5, case: Case) -> dict[str, tuple[Tensor | list[Tensor], ...]]:
    """Return the inputs to trace each method with."""
    ids, mask, decoder_ids = case.input_ids, case.attention_mask, case.decoder_input_ids
    state = exported.encode(ids, mask)
    past = exported.prefill(decoder_ids, state, mask)[2]
    return {
        "forward": (ids, mask, decoder_ids),
        "encode": (ids, mask),
        "prefill": (decoder_ids, state, mask),
        "step": (decoder_ids[:, :1], mask, past),
    }


def signatures(model: GenerationModel) -> dict[str, Signature]:
    """Return the signature of each method."""
    ids, mask = INPUT_IDS, ATTENTION_MASK
    decoder_ids = tensor("decoder_input_ids", "int64", "batch", "targetLength")
    one_id = {**decoder_ids, "shape": ["batch", 1]}
    encoder_state = tensor("encoder_last_hidden_state", "float32", "batch", "sourceLength", "dModel")
    decoder_state = tensor("decoder_last_hidden_state", "float32", "batch", "targetLength", "dModel")
    one_state = {**decoder_state, "shape": ["batch", 1, "dModel"]}
    logits = tensor("logits", "float32", "batch", "targetLength", "vocabSize")
    one_logits = {**logits, "shape": ["batch", 1, "vocabSize"]}
    # Layer by layer: self key, self value, cross key, cross value.
    past = {
        **tensor("past", "float32", "batch", "numHeads", "pastLength", "dKv"),
        "count": TENSORS_PER_LAYER * model.config.num_decoder_layers,
    }
    return {
        "forward": {"inputs": [ids, mask, decoder_ids], "outputs": [logits, encoder_state, decoder_state]},
        "encode": {"inputs": [ids, mask], "outputs": [encoder_state]},
        "prefill": {"inputs": [decoder_ids, encoder_state, mask], "outputs": [logits, decoder_state, past]},
        "step": {"inputs": [one_id, mask, past], "outputs": [one_logits, one_state, past]},
    }


def probe(model: GenerationModel, case: Case) -> dict[str, Tensor]:
    """Return a case's inputs and the model's logits for them."""
    inputs = {
        "input_ids": case.input_ids,
        "attention_mask": case.attention_mask,
        "decoder_input_ids": case.decoder_input_ids,
    }
    return {**inputs, "logits": model(**inputs).logits}


def probe_size(model: GenerationModel, shape: Shape) -> int:
    """Return the number of logits of a probe."""
    return shape.batch * shape.target_length * model.config.vocab_size


def length_only(attention_mask: Tensor) -> Tensor:
    """Return an encoder state for a step. The cross keys and values are cached, so only its length is read."""
    return attention_mask.unsqueeze(-1).to(torch.float32)


def flatten(cache: EncoderDecoderCache) -> list[Tensor]:
    """Return a cache's tensors, layer by layer, each [B, heads, length, d_kv]."""
    past: list[Tensor] = []
    for own, cross in zip(cache.self_attention_cache.layers, cache.cross_attention_cache.layers, strict=True):
        past += [own.keys, own.values, cross.keys, cross.values]
    return past


def unflatten(past: list[Tensor]) -> EncoderDecoderCache:
    """Return the cache whose tensors `flatten` returned."""
    layers = [past[start : start + TENSORS_PER_LAYER] for start in range(0, len(past), TENSORS_PER_LAYER)]
    own = _cache([(keys, values) for keys, values, _, _ in layers])
    cross = _cache([(keys, values) for _, _, keys, values in layers])
    cache = EncoderDecoderCache(own, cross)
    for index in range(len(layers)):
        cache.is_updated[index] = True
    return cache


def _cache(states: list[tuple[Tensor, Tensor]]) -> DynamicCache:
    # Assigned rather than `update`d: the update of an empty layer would copy the whole cache at every step.
    cache = DynamicCache()
    cache.layers = []
    for keys, values in states:
        layer = DynamicLayer()
        layer.keys, layer.values = keys, values
        layer.dtype, layer.device = keys.dtype, keys.device
        layer.is_initialized = True
        cache.layers.append(layer)
    return cache
