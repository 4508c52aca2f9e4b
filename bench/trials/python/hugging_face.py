"""One process of Hugging Face eager."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from measuring import main
from peer import EncoderDecoder
from transformers import T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

# No token has it, so every row gets as many tokens as it may.
NO_ID = -1


class HuggingFace(EncoderDecoder):
    """T5ForConditionalGeneration as it is."""

    packages = ("torch", "transformers")

    def load(self) -> None:
        """Load the checkpoint."""
        self.model = T5ForConditionalGeneration.from_pretrained(self.directories["model"]).eval()

    def forward(self, source: np.ndarray, target: np.ndarray) -> Callable[[], torch.Tensor]:
        """Call the model once for both stacks."""
        inputs = {"input_ids": torch.from_numpy(source), "attention_mask": ones(source)}
        decoder_input_ids = torch.from_numpy(target)
        return lambda: self.model(**inputs, decoder_input_ids=decoder_input_ids, use_cache=False).logits

    def encode(self, source: np.ndarray) -> torch.Tensor:
        """Run the encoder."""
        return self.model.encoder(torch.from_numpy(source), attention_mask=ones(source)).last_hidden_state

    def repeat(self, encoded: torch.Tensor, rows: int) -> torch.Tensor:
        """Repeat the row without a copy."""
        return encoded.expand(rows, -1, -1)

    def decode(self, encoded: torch.Tensor, target: np.ndarray) -> torch.Tensor:
        """Run the decoder without a cache."""
        return self._decode(encoded, target, use_cache=False).logits

    def begin(self, source: np.ndarray, prefix: np.ndarray) -> None:
        """Fill a cache."""
        self.encoded = self.encode(source)
        self.past = self._decode(self.encoded, prefix, use_cache=True).past_key_values

    def step(self, ids: np.ndarray) -> torch.Tensor:
        """Go on with the cache."""
        output = self._decode(self.encoded, ids, use_cache=True, past_key_values=self.past)
        self.past = output.past_key_values
        return output.logits

    def _decode(self, encoded: torch.Tensor, ids: np.ndarray, **options: Any) -> Any:  # noqa: ANN401
        return self.model(
            encoder_outputs=BaseModelOutput(encoded),
            attention_mask=torch.ones(encoded.shape[:2], dtype=torch.long),
            decoder_input_ids=torch.from_numpy(ids),
            **options,
        )

    def generate(self, source: np.ndarray, new_tokens: int, num_beams: int) -> Callable[[], torch.Tensor]:
        """Call the model's own generate."""
        inputs = {"input_ids": torch.from_numpy(source), "attention_mask": ones(source)}
        options = {"max_new_tokens": new_tokens, "num_beams": num_beams, "eos_token_id": NO_ID, "do_sample": False}
        return lambda: self.model.generate(**inputs, **options)


def ones(source: np.ndarray) -> torch.Tensor:
    """Return the mask of ids without padding."""
    return torch.ones(source.shape, dtype=torch.long)


if __name__ == "__main__":
    with torch.inference_mode():
        main(HuggingFace)
