"""OpenVINO behind FastAPI, with its throughput hint, its own number of requests, and its AsyncInferQueue.

A generation keeps one request of the decoder, whose state is its cache. AsyncInferQueue gives any idle request to a
job, so only calls of a single pass can use it.
"""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from ids import START_ID, shift_right
from open_vino import HINTS, decoder_inputs
from service import Service, serve


class OpenVinoService(Service):
    """As many threads as OpenVINO asks for requests."""

    packages = ("openvino",)

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(request)
        self.settings = {
            "INFERENCE_NUM_THREADS": self.threads,
            "PERFORMANCE_HINT": "THROUGHPUT",
            "CACHE_DIR": "",
            **HINTS[request["precision"]],
        }
        self.encoder = self._compile("model", "encoder")
        self.plain_decoder = self._compile("plain", "decoder")
        self.decoder = self._compile("model", "decoder")
        self.jobs = int(self.decoder.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self.encodings = job_queue(self.encoder)
        self.decodings = job_queue(self.plain_decoder)
        self.requests: queue.SimpleQueue[openvino.InferRequest] = queue.SimpleQueue()
        for _ in range(self.jobs):
            self.requests.put(self.decoder.create_infer_request())

    def _compile(self, export: str, part: str) -> openvino.CompiledModel:
        path = Path(self.request["directories"][export]) / f"openvino_{part}_model.xml"
        return openvino.Core().compile_model(path, "CPU", self.settings)

    def workers(self) -> int:
        """Return the number of requests that OpenVINO calls optimal."""
        return self.jobs

    def score(self, source: list[int], target: list[int]) -> float:
        """Run the encoder and the decoder as jobs of the queues."""
        encoded = self._encode(source)
        labels = torch.tensor([target])[..., None]
        logits = run_job(self.decodings, decoder_inputs(encoded, shift_right(np.array([target]))), "logits")
        tensor = torch.from_numpy(logits)
        return float((tensor.gather(-1, labels)[..., 0] - tensor.logsumexp(-1)).sum())

    def generate(self, source: list[int], new_tokens: int) -> list[int]:
        """Collect the stream."""
        return list(self.stream(source, new_tokens))

    def stream(self, source: list[int], new_tokens: int) -> Iterator[int]:
        """Choose the most probable token of each step."""
        encoded = self._encode(source)
        request = self.requests.get()
        try:
            request.reset_state()
            token = START_ID
            beams = np.zeros(1, dtype=np.int32)
            for _ in range(new_tokens):
                inputs = {**decoder_inputs(encoded, np.array([[token]])), "beam_idx": beams}
                request.start_async(inputs, share_inputs=True)
                request.wait()
                token = int(request.get_tensor("logits").data[0, -1].argmax())
                yield token
        finally:
            self.requests.put(request)

    def _encode(self, source: list[int]) -> np.ndarray:
        ids = np.array([source])
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        return run_job(self.encodings, inputs, "last_hidden_state")


def job_queue(compiled: openvino.CompiledModel) -> openvino.AsyncInferQueue:
    """Return a queue of OpenVINO's own number of requests, which gives each job a copy of its result."""
    jobs = openvino.AsyncInferQueue(compiled)
    jobs.set_callback(lambda request, done: done(request))
    return jobs


def run_job(jobs: openvino.AsyncInferQueue, inputs: dict[str, np.ndarray], output: str) -> np.ndarray:
    """Wait for a job of a queue."""
    finished = threading.Event()
    results: list[np.ndarray] = []

    def done(request: openvino.InferRequest) -> None:
        results.append(request.get_tensor(output).data.copy())
        finished.set()

    jobs.start_async(inputs, done)
    finished.wait()
    return results[0]


if __name__ == "__main__":
    serve(OpenVinoService)
