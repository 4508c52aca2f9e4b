"""Runs one peer's trial: warms each case of the request up and times it; prints samples and checks as JSON."""

import hashlib
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ids import make_ids, shift_right
from peer import Peer, TellsStepTime
from resident import resident_bytes

Case = dict[str, Any]
Measured = dict[str, Any]
MILLISECONDS = 1000
MEGABYTE = 1e6
BLOCK = 2**24


def main(create: Callable[[dict[str, Any]], Peer]) -> None:
    """Carry the request in the first argument out."""
    request = json.loads(sys.argv[1])
    peer = create(request)
    kind = request["kind"]
    if kind not in OF_LOADING:
        peer.load()
        cases = [measure_case(peer, case, request) for case in request["cases"]]
    else:
        cases = OF_LOADING[kind](peer, request)
    print(json.dumps({"cases": cases, "versions": {name: version(name) for name in peer.packages}}))


def measure_case(peer: Peer, case: Case, request: dict[str, Any]) -> Measured:
    """Measure one case of a loaded model."""
    measured = OF_CALLS[request["kind"]](peer, case, request["warmups"], request["repetitions"])
    return {"case": case["name"], "unit": case["unit"], **measured}


def timed(run: Callable[[], Any], warmups: int, repetitions: int) -> tuple[list[float], Any]:
    """Return milliseconds of each repetition, and the last result."""
    samples: list[float] = []
    result = None
    for repetition in range(-warmups, repetitions):
        started = time.perf_counter()
        result = run()
        if repetition >= 0:
            samples.append((time.perf_counter() - started) * MILLISECONDS)
    return samples, result


def forward(peer: Peer, case: Case, warmups: int, repetitions: int) -> Measured:
    """Time full forward passes."""
    source = make_ids(case["batch"], case["sourceLength"])
    target = shift_right(make_ids(case["batch"], case["targetLength"]))
    samples, logits = timed(peer.forward(source, target), warmups, repetitions)
    return {"samples": samples, "check": {"numbers": peer.sample(logits)}}


def step(peer: Peer, case: Case, warmups: int, repetitions: int) -> Measured:
    """Time steps behind a cache; each sample is the mean of many."""
    source = make_ids(case["batch"], case["sourceLength"])
    ids = shift_right(make_ids(case["batch"], case["cached"] + case["steps"]))
    if isinstance(peer, TellsStepTime):
        means = [peer.step_milliseconds(source, ids, case["cached"]) for _ in range(warmups + repetitions)]
        return {"samples": means[warmups:]}
    samples: list[float] = []
    logits = None
    for repetition in range(-warmups, repetitions):
        peer.begin(source, ids[:, : case["cached"]])
        started = time.perf_counter()
        for position in range(case["cached"], ids.shape[1]):
            logits = peer.step(ids[:, position : position + 1])
        if repetition >= 0:
            samples.append((time.perf_counter() - started) * MILLISECONDS / case["steps"])
    return {"samples": samples, "check": {"numbers": peer.sample(logits)}}


def generate(peer: Peer, case: Case, warmups: int, repetitions: int) -> Measured:
    """Time generations."""
    run = peer.generate(make_ids(case["batch"], case["sourceLength"]), case["newTokens"], case["numBeams"])
    samples, generated = timed(run, warmups, repetitions)
    rows = [hashlib.sha256(row.astype("<i4").tobytes()).hexdigest()[:16] for row in peer.tokens(generated)]
    return {"samples": samples, "check": {"rows": rows}}


def score(peer: Peer, case: Case, warmups: int, repetitions: int) -> Measured:
    """Time the scoring of candidates."""
    source = make_ids(1, case["sourceLength"])
    targets = make_ids(case["candidates"], case["targetLength"])
    samples, scores = timed(peer.score(source, targets), warmups, repetitions)
    return {"samples": samples, "check": {"numbers": scores}}


def rerank(peer: Peer, case: Case, warmups: int, repetitions: int) -> Measured:
    """Time the judging of documents."""
    documents = make_ids(case["documents"], case["sourceLength"])
    samples, judged = timed(peer.rerank(documents, case["batch"], case["tokens"]), warmups, repetitions)
    return {"samples": samples, "check": {"numbers": judged}}


def load(peer: Peer, request: dict[str, Any]) -> list[Measured]:
    """Time the load, its files read before."""
    for directory in request["directories"].values():
        read_files(Path(directory))
    samples, _ = timed(peer.load, 0, 1)
    return [{"case": case["name"], "unit": case["unit"], "samples": samples} for case in request["cases"]]


def memory(peer: Peer, request: dict[str, Any]) -> list[Measured]:
    """Read the resident memory that the model adds, loaded and after its first use: some read weights only then."""
    before = resident_bytes()
    peer.load()
    measured: list[Measured] = []
    for case in request["cases"]:
        if "batch" in case:
            generate(peer, case, 0, 1)
        added = (resident_bytes() - before) / MEGABYTE
        measured.append({"case": case["name"], "unit": case["unit"], "samples": [added]})
    return measured


def read_files(directory: Path) -> None:
    """Bring a directory's files into the page cache."""
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(BLOCK):
                    pass


OF_CALLS = {"forward": forward, "step": step, "generate": generate, "score": score, "rerank": rerank}
OF_LOADING = {"load": load, "memory": memory}
