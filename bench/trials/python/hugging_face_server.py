"""A server of texts with FastAPI and Hugging Face transformers: the tokenizer, and one call after another."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import torch
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from hugging_face_service import HuggingFaceService
from pydantic import BaseModel
from service import Queue, serve
from transformers import AutoTokenizer

RELEVANT = ("▁false", "▁true")


class GenerateBody(BaseModel):
    """The body of text-generation-inference."""

    inputs: str
    parameters: dict[str, int]


class RerankBody(BaseModel):
    """The body of text-embeddings-inference."""

    query: str
    texts: list[str]


class InferBody(BaseModel):
    """Ids, and the tokens whose logits are asked for."""

    input_ids: list[list[int]]
    decoder_input_ids: list[list[int]]
    tokens: list[int]


class HuggingFaceServer(HuggingFaceService):
    """The service with a tokenizer."""

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(request)
        self.tokenizer = AutoTokenizer.from_pretrained(request["directories"]["model"])
        self.relevant = self.tokenizer.convert_tokens_to_ids(list(RELEVANT))

    def extend(self, app: FastAPI, calls: Queue) -> None:
        """Add the routes. That of /generate replaces the one of ids."""
        app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", "") != "/generate"]

        @app.post("/generate")
        async def generate(body: GenerateBody) -> dict[str, str | None]:
            return {"generated_text": await calls.run(self._text, body)}

        @app.post("/generate_stream")
        async def generate_stream(body: GenerateBody) -> StreamingResponse:
            async def events() -> AsyncIterator[str]:
                async for line in calls.stream(lambda: self._tokens(body)):
                    yield f"data:{line}\n"

            return StreamingResponse(events(), media_type="text/event-stream")

        @app.post("/rerank")
        async def rerank(body: RerankBody) -> list[dict[str, float]] | None:
            return await calls.run(self._rank, body)

        @app.post("/infer")
        async def infer(body: InferBody) -> list[list[list[float]]] | None:
            return await calls.run(self._logits, body)

    def _text(self, body: GenerateBody) -> str:
        ids = self.generate(self.tokenizer(body.inputs).input_ids, body.parameters["max_new_tokens"])
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    def _tokens(self, body: GenerateBody) -> Iterator[int]:
        for token in self.stream(self.tokenizer(body.inputs).input_ids, body.parameters["max_new_tokens"]):
            self.tokenizer.decode([token])
            yield token

    @torch.inference_mode()
    def _rank(self, body: RerankBody) -> list[dict[str, float]]:
        prompts = [f"Query: {body.query} Document: {text} Relevant:" for text in body.texts]
        inputs = self.tokenizer(prompts, padding=True, return_tensors="pt")
        start = torch.zeros((len(prompts), 1), dtype=torch.long)
        model = self.peer.model
        logits = model(
            input_ids=inputs.input_ids, attention_mask=inputs.attention_mask, decoder_input_ids=start, use_cache=False
        ).logits
        scores = logits[:, 0, self.relevant].softmax(-1)[:, 1].tolist()
        ranked = sorted(enumerate(scores), key=lambda pair: -pair[1])
        return [{"index": index, "score": score} for index, score in ranked]

    @torch.inference_mode()
    def _logits(self, body: InferBody) -> list[list[list[float]]]:
        ids, decoder_ids = torch.tensor(body.input_ids), torch.tensor(body.decoder_input_ids)
        return (
            self.peer.model(input_ids=ids, decoder_input_ids=decoder_ids, use_cache=False)
            .logits[:, :, body.tokens]
            .tolist()
        )


if __name__ == "__main__":
    serve(HuggingFaceServer)
