"""The methods of the archives of an exported model. Each one calls Hugging Face's module once.

Only the cache is converted here: TorchScript passes a list of tensors, Hugging Face an object.
"""

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache, DynamicLayer, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

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


class ExportedHiddenStates(nn.Module):
    """`forward`, `prefill` and `step` that also return the hidden states of every layer."""

    with_attentions = False

    def __init__(self, model: T5Model) -> None:
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
