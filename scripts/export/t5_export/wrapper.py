"""The four methods of an exported model. Each one calls Hugging Face's module once.

Only the cache is converted here: TorchScript passes a list of tensors, Hugging Face an object.
"""

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache, DynamicLayer, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from t5_export.architectures import T5Model

# Self key, self value, cross key, cross value.
TENSORS_PER_LAYER = 4


class ExportedT5(nn.Module):
    """`forward`, `encode`, `prefill` and `step` over a T5ForConditionalGeneration."""

    def __init__(self, model: T5Model) -> None:
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
        # The cross keys and values are cached, so only the length of the encoder's state is read, for the mask.
        length_only = attention_mask.unsqueeze(-1).to(torch.float32)
        return self._decode(decoder_input_ids, length_only, attention_mask, unflatten(past))

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
