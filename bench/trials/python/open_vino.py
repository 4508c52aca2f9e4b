"""A trial of OpenVINO: the plain runtime for passes and steps, and optimum's class for generation and loading."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from measuring import main
from optimum.intel import OVModelForSeq2SeqLM
from peer import EncoderDecoder

NO_ID = -1
# Without hints OpenVINO rounds the cache even in float32, which changes tokens. For int8 it chooses the precision.
HINTS = {
    "float32": {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"},
    "bfloat16": {"INFERENCE_PRECISION_HINT": "bf16"},
    "int8": {},
}


class OpenVino(EncoderDecoder):
    """OpenVINO on the CPU."""

    packages = ("openvino", "optimum-intel", "nncf", "transformers", "torch")

    def load(self) -> None:
        """Load and compile the model for generation."""
        self.settings = {
            "INFERENCE_NUM_THREADS": self.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "CACHE_DIR": "",
            **HINTS[self.precision],
        }
        self.model = OVModelForSeq2SeqLM.from_pretrained(
            self.directories["model"], device="CPU", ov_config={key: str(value) for key, value in self.settings.items()}
        )

    @cached_property
    def _encoder(self) -> openvino.InferRequest:
        return self._compile("model", "encoder")

    @cached_property
    def _plain_decoder(self) -> openvino.InferRequest:
        return self._compile("plain", "decoder")

    @cached_property
    def _decoder(self) -> openvino.InferRequest:
        return self._compile("model", "decoder")

    def _compile(self, export: str, part: str) -> openvino.InferRequest:
        path = Path(self.directories[export]) / f"openvino_{part}_model.xml"
        return openvino.Core().compile_model(path, "CPU", self.settings).create_infer_request()

    def encode(self, source: np.ndarray) -> np.ndarray:
        """Run the encoder."""
        inputs = {"input_ids": source, "attention_mask": np.ones_like(source)}
        return infer(self._encoder, inputs, "last_hidden_state")

    def repeat(self, encoded: np.ndarray, rows: int) -> np.ndarray:
        """Copy the row."""
        return np.repeat(encoded, rows, axis=0)

    def decode(self, encoded: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Run the decoder without a cache."""
        return infer(self._plain_decoder, decoder_inputs(encoded, target), "logits")

    def begin(self, source: np.ndarray, prefix: np.ndarray) -> None:
        """Fill the decoder's state."""
        self.encoded = self.encode(source).copy()
        self.beams = np.arange(len(source), dtype=np.int32)
        self._decoder.reset_state()
        self.step(prefix)

    def step(self, ids: np.ndarray) -> np.ndarray:
        """Decode one position with the decoder's state."""
        return infer(self._decoder, {**decoder_inputs(self.encoded, ids), "beam_idx": self.beams}, "logits")

    def generate(self, source: np.ndarray, new_tokens: int, num_beams: int) -> Callable[[], torch.Tensor]:
        """Call the generate of transformers with this model."""
        inputs = {"input_ids": torch.from_numpy(source), "attention_mask": torch.ones(source.shape, dtype=torch.long)}
        options = {"max_new_tokens": new_tokens, "num_beams": num_beams, "eos_token_id": NO_ID, "do_sample": False}
        return lambda: self.model.generate(**inputs, **options)


def decoder_inputs(encoded: np.ndarray, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Return the inputs that every decoder has."""
    mask = np.ones(encoded.shape[:2], dtype=np.int64)
    return {"encoder_attention_mask": mask, "input_ids": np.ascontiguousarray(ids), "encoder_hidden_states": encoded}


def infer(request: openvino.InferRequest, inputs: dict[str, Any], output: str) -> np.ndarray:
    """Run a request without copies. The result is valid until the next run."""
    return request.infer(inputs, share_inputs=True, share_outputs=True)[output]


if __name__ == "__main__":
    main(OpenVino)
