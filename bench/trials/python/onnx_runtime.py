"""A trial of onnxruntime: plain sessions for passes and steps, and optimum's class for generation and loading."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from measuring import main
from onnxruntime import InferenceSession, OrtValue
from optimum.onnxruntime import ORTModelForSeq2SeqLM
from peer import EncoderDecoder

NO_ID = -1
CPU = "CPUExecutionProvider"
PAST = "past_key_values"
Values = dict[str, OrtValue]


class OnnxRuntime(EncoderDecoder):
    """Onnxruntime on the CPU."""

    packages = ("onnxruntime", "optimum-onnx", "onnx", "transformers", "torch")

    def load(self) -> None:
        """Load the encoder and the merged decoder, which generation needs."""
        onnx = Path(self.directories["model"]) / "onnx"
        self.model = ORTModelForSeq2SeqLM.from_pretrained(
            onnx, provider=CPU, session_options=self._options(), use_merged=True, use_io_binding=False
        )

    def _options(self) -> onnxruntime.SessionOptions:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        return options

    def _open(self, export: str, name: str) -> InferenceSession:
        path = Path(self.directories[export]) / "onnx" / f"{name}.onnx"
        return InferenceSession(path, self._options(), providers=[CPU])

    @cached_property
    def _encoder(self) -> InferenceSession:
        return self._open("plain", "encoder_model")

    @cached_property
    def _plain_decoder(self) -> InferenceSession:
        return self._open("plain", "decoder_model")

    @cached_property
    def _prefill_decoder(self) -> InferenceSession:
        return self._open("model", "decoder_model")

    @cached_property
    def _step_decoder(self) -> InferenceSession:
        return self._open("model", "decoder_with_past_model")

    def encode(self, source: np.ndarray) -> OrtValue:
        """Run the encoder."""
        return run(self._encoder, {"input_ids": value(source), "attention_mask": value(np.ones_like(source))})[
            "last_hidden_state"
        ]

    def repeat(self, encoded: OrtValue, rows: int) -> OrtValue:
        """Copy the row."""
        return value(np.repeat(encoded.numpy(), rows, axis=0))

    def decode(self, encoded: OrtValue, target: np.ndarray) -> np.ndarray:
        """Run the decoder without a cache."""
        return run(self._plain_decoder, decoder_inputs(encoded, target))["logits"].numpy()

    def begin(self, source: np.ndarray, prefix: np.ndarray) -> None:
        """Fill a cache."""
        encoded = self.encode(source)
        outputs = run(self._prefill_decoder, decoder_inputs(encoded, prefix))
        self.mask = value(np.ones_like(source))
        self.past = past_of(outputs)

    def step(self, ids: np.ndarray) -> np.ndarray:
        """Decode one position. The decoder returns its own keys and values; the cross keys and values stay the same."""
        outputs = run(self._step_decoder, {"encoder_attention_mask": self.mask, "input_ids": value(ids), **self.past})
        self.past |= past_of(outputs)
        return outputs["logits"].numpy()

    def generate(self, source: np.ndarray, new_tokens: int, num_beams: int) -> Callable[[], torch.Tensor]:
        """Call the generate of transformers with this model."""
        inputs = {"input_ids": torch.from_numpy(source), "attention_mask": torch.ones(source.shape, dtype=torch.long)}
        options = {"max_new_tokens": new_tokens, "num_beams": num_beams, "eos_token_id": NO_ID, "do_sample": False}
        return lambda: self.model.generate(**inputs, **options)


def value(array: np.ndarray) -> OrtValue:
    """Return an array as a tensor of the runtime."""
    return OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


def run(session: InferenceSession, inputs: Values) -> Values:
    """Run a session on those inputs that it has, without copies to numpy."""
    names = [output.name for output in session.get_outputs()]
    names_of_inputs = {item.name for item in session.get_inputs()}
    feeds = {name: tensor for name, tensor in inputs.items() if name in names_of_inputs}
    return dict(zip(names, session.run_with_ort_values(names, feeds), strict=True))


def decoder_inputs(encoded: OrtValue, ids: np.ndarray) -> Values:
    """Return the inputs that every decoder has."""
    mask = value(np.ones(encoded.shape()[:2], dtype=np.int64))
    return {"encoder_attention_mask": mask, "input_ids": value(ids), "encoder_hidden_states": encoded}


def past_of(outputs: Values) -> Values:
    """Return the keys and values of a run's outputs, under the names of the next run's inputs."""
    return {name.replace("present", PAST): tensor for name, tensor in outputs.items() if name.startswith("present")}


if __name__ == "__main__":
    main(OnnxRuntime)
