"""A peer behind FastAPI on uvicorn: an endpoint for each call, and a pool of threads for the model."""

import asyncio
import json
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

BACKLOG = 2048
HTTP_PACKAGES = ("fastapi", "uvicorn")


class ScoreRequest(BaseModel):
    """A source and the target whose log-probability is asked for."""

    source: list[int]
    target: list[int]


class GenerateRequest(BaseModel):
    """A source and the number of tokens to generate."""

    source: list[int]
    newTokens: int  # noqa: N815


class Service(ABC):
    """What the endpoints call, in the threads of a pool."""

    # The packages whose versions are reported.
    packages: tuple[str, ...] = ()

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.threads: int = request["threads"]

    @abstractmethod
    def workers(self) -> int:
        """Return the number of calls that run at the same time. The others wait, first come, first served."""

    def start_worker(self) -> None:  # noqa: B027
        """Prepare a thread of the pool."""

    @abstractmethod
    def score(self, source: list[int], target: list[int]) -> float:
        """Return the sum of the log-probabilities of a target."""

    @abstractmethod
    def generate(self, source: list[int], new_tokens: int) -> list[int]:
        """Return the ids that greedy search generates."""

    @abstractmethod
    def stream(self, source: list[int], new_tokens: int) -> Iterator[int]:
        """Generate ids one by one."""

    def extend(self, app: FastAPI, calls: "Queue") -> None:  # noqa: B027
        """Add endpoints of texts, which only the suite `server` needs."""


class Queue:
    """The calls that wait for a thread. Those of a measurement that is over are dropped."""

    def __init__(self, service: Service) -> None:
        self.pool = ThreadPoolExecutor(service.workers(), initializer=service.start_worker)
        self.workers = service.workers()
        self.epoch = 0

    async def run(self, call: Callable[..., Any], *args: object) -> Any:  # noqa: ANN401
        """Run a call in a thread."""
        epoch = self.epoch

        def unless_dropped() -> object:
            return call(*args) if epoch == self.epoch else None

        return await asyncio.get_running_loop().run_in_executor(self.pool, unless_dropped)

    async def stream(self, ids: Callable[[], Iterator[int]]) -> AsyncIterator[str]:
        """Iterate in a thread, and yield a line for each id."""
        loop = asyncio.get_running_loop()
        received: asyncio.Queue[int | None] = asyncio.Queue()
        epoch = self.epoch

        def iterate() -> None:
            for token in ids():
                loop.call_soon_threadsafe(received.put_nowait, token)
                if epoch != self.epoch:
                    break

        finished = asyncio.ensure_future(self.run(iterate))
        finished.add_done_callback(lambda _: received.put_nowait(None))
        while (token := await received.get()) is not None:
            yield f"{token}\n"
        await finished

    async def drop(self) -> None:
        """Drop the calls that wait, and wait for those that run."""
        self.epoch += 1
        await asyncio.gather(*(self.run(lambda: None) for _ in range(self.workers)))


def serve(create: Callable[[dict[str, Any]], Service]) -> None:
    """Serve the request in the first argument, and print a line with the port when ready."""
    service = create(json.loads(sys.argv[1]))
    queue = Queue(service)
    app = FastAPI()

    @app.post("/score")
    async def score(body: ScoreRequest) -> dict[str, float | None]:
        return {"score": await queue.run(service.score, body.source, body.target)}

    @app.post("/generate")
    async def generate(body: GenerateRequest) -> dict[str, list[int] | None]:
        return {"ids": await queue.run(service.generate, body.source, body.newTokens)}

    @app.post("/stream")
    async def stream(body: GenerateRequest) -> StreamingResponse:
        ids = queue.stream(lambda: service.stream(body.source, body.newTokens))
        return StreamingResponse(ids, media_type="text/plain")

    @app.post("/drop")
    async def drop() -> dict[str, bool]:
        await queue.drop()
        return {"dropped": True}

    service.extend(app, queue)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(BACKLOG)
    versions = {name: version(name) for name in (*service.packages, *HTTP_PACKAGES)}
    sys.stdout.write(json.dumps({"port": listening.getsockname()[1], "versions": versions}) + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))
