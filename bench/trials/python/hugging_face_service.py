"""Hugging Face transformers behind FastAPI: one call after another, each with all threads."""

import queue
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from hugging_face import NO_ID, HuggingFace
from service import Service, serve
from transformers.generation.streamers import BaseStreamer


class HuggingFaceService(Service):
    """One thread, because a call already uses every core."""

    packages = ("torch", "transformers")

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(request)
        self.peer = HuggingFace(request)
        self.peer.load()

    def workers(self) -> int:
        """Return one."""
        return 1

    def start_worker(self) -> None:
        """Set the number of threads, which is one of each thread's settings."""
        torch.set_num_threads(self.threads)

    @torch.inference_mode()
    def score(self, source: list[int], target: list[int]) -> float:
        """Decode the target as one pass."""
        return self.peer.score(np.array([source]), np.array([target]))()[0]

    @torch.inference_mode()
    def generate(self, source: list[int], new_tokens: int) -> list[int]:
        """Call the model's own generate."""
        return self.peer.generate(np.array([source]), new_tokens, 1)()[0, 1:].tolist()

    def stream(self, source: list[int], new_tokens: int) -> Iterator[int]:
        """Run generate in a thread with a streamer, as its documentation has it."""
        streamer = IdStreamer()
        thread = threading.Thread(target=self._generate_to, args=(streamer, source, new_tokens))
        thread.start()
        yield from streamer.ids()
        thread.join()

    @torch.inference_mode()
    def _generate_to(self, streamer: BaseStreamer, source: list[int], new_tokens: int) -> None:
        torch.set_num_threads(self.threads)
        ids = torch.tensor([source])
        options = {"max_new_tokens": new_tokens, "eos_token_id": NO_ID, "do_sample": False, "num_beams": 1}
        self.peer.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), streamer=streamer, **options)


class IdStreamer(BaseStreamer):
    """Passes ids on without a tokenizer."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._is_started = False

    def put(self, value: torch.Tensor) -> None:
        """Receive a token, or first the decoder's start id."""
        if self._is_started:
            self._queue.put(int(value.flatten()[-1]))
        self._is_started = True

    def end(self) -> None:
        """Receive the end."""
        self._queue.put(None)

    def ids(self) -> Iterator[int]:
        """Iterate over the tokens."""
        while (token := self._queue.get()) is not None:
            yield token


if __name__ == "__main__":
    serve(HuggingFaceService)
