"""A trial of Hugging Face eager.

Logits are copied to the CPU, where torch-t5 returns its own. On a GPU, the copy also waits for the computation.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from measuring import main
from peer import EncoderDecoder
from transformers import T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

# The id of no token, so that every row gets the maximum number of tokens.
NO_ID = -1
# On the CPU only float32 is measured.
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class HuggingFace(EncoderDecoder):
    """T5ForConditionalGeneration of transformers."""

    packages = ("torch", "transformers")

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(request)
        self.device = torch.device(request["device"])

    def load(self) -> None:
        """Load the checkpoint."""
        model = T5ForConditionalGeneration.from_pretrained(self.directories["model"], dtype=TYPES[self.precision])
        self.model = model.eval().to(self.device)

    def forward(self, source: np.ndarray, target: np.ndarray) -> Callable[[], torch.Tensor]:
        """Call the model once for both stacks."""
        inputs = self._inputs(source)
        decoder_input_ids = self._ids(target)
        return lambda: self.model(**inputs, decoder_input_ids=decoder_input_ids, use_cache=False).logits.cpu()

    def encode(self, source: np.ndarray) -> torch.Tensor:
        """Run the encoder."""
        return self.model.encoder(**self._inputs(source)).last_hidden_state

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
        """Decode one position with the cache."""
        output = self._decode(self.encoded, ids, use_cache=True, past_key_values=self.past)
        self.past = output.past_key_values
        return output.logits.cpu()

    def _decode(self, encoded: torch.Tensor, ids: np.ndarray, **options: Any) -> Any:  # noqa: ANN401
        return self.model(
            encoder_outputs=BaseModelOutput(encoded),
            attention_mask=torch.ones(encoded.shape[:2], dtype=torch.long, device=self.device),
            decoder_input_ids=self._ids(ids),
            **options,
        )

    def generate(self, source: np.ndarray, new_tokens: int, num_beams: int) -> Callable[[], torch.Tensor]:
        """Call the model's own generate."""
        inputs = self._inputs(source)
        options = {"max_new_tokens": new_tokens, "num_beams": num_beams, "eos_token_id": NO_ID, "do_sample": False}
        return lambda: self.model.generate(**inputs, **options).cpu()

    def _ids(self, ids: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(ids).to(self.device)

    def _inputs(self, source: np.ndarray) -> dict[str, torch.Tensor]:
        """Return ids without padding, and their mask."""
        ids = self._ids(source)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


if __name__ == "__main__":
    with torch.inference_mode():
        main(HuggingFace)
