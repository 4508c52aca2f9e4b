"""Runs the trial of a peer: warms up and times each case of the request, and prints each as a line of JSON."""

import hashlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ids import make_ids, shift_right
from peer import MeasuresSteps, Peer

Case = dict[str, Any]
Measured = dict[str, Any]
MILLISECONDS = 1000
MEGABYTE = 1e6
BLOCK_BYTES = 2**24
KILOBYTE = 1024


def main(create: Callable[[dict[str, Any]], Peer]) -> None:
    """Run the request in the first argument."""
    request = json.loads(sys.argv[1])
    peer = create(request)
    kind = request["kind"]
    if kind not in OF_LOADING:
        peer.load()
        limits = Limits(request["warmups"], request["repetitions"], request.get("caseSeconds", math.inf))
        cases: Iterable[Measured] = (measure_case(peer, case, limits) for case in request["cases"])
    else:
        cases = OF_LOADING[kind](peer, request)
    for measured in cases:
        print(json.dumps(measured), flush=True)
    print(json.dumps({"versions": {name: version(name) for name in peer.packages}}))


@dataclass(frozen=True)
class Limits:
    """How often a case is repeated: the warm-ups and the measured repetitions, which both end early after some time."""

    warmups: int
    repetitions: int
    seconds: float = math.inf

    def repeat(self) -> Iterator[bool]:
        """Yield once for each warm-up and repetition, whether it is measured; at least once for each asked for."""
        for count, is_measured in ((self.warmups, False), (self.repetitions, True)):
            end = time.perf_counter() + self.seconds
            for index in range(count):
                if index > 0 and time.perf_counter() >= end:
                    break
                yield is_measured


def measure_case(peer: Peer, case: Case, limits: Limits) -> Measured:
    """Measure one case of a loaded model."""
    return {"case": case["name"], "unit": case["unit"], **OF_CALLS[case["kind"]](peer, case, limits)}


def timed(run: Callable[[], Any], limits: Limits) -> tuple[list[float], Any]:
    """Return the milliseconds of each repetition, and the last result."""
    samples: list[float] = []
    result = None
    for is_measured in limits.repeat():
        started = time.perf_counter()
        result = run()
        if is_measured:
            samples.append((time.perf_counter() - started) * MILLISECONDS)
    return samples, result


def forward(peer: Peer, case: Case, limits: Limits) -> Measured:
    """Time forward passes."""
    source = make_ids(case["batch"], case["sourceLength"])
    target = shift_right(make_ids(case["batch"], case["targetLength"]))
    samples, logits = timed(peer.forward(source, target), limits)
    return {"samples": samples, "check": {"numbers": peer.sample(logits)}}


def step(peer: Peer, case: Case, limits: Limits) -> Measured:
    """Time steps after a cached prefix. Each sample is the mean of many steps."""
    source = make_ids(case["batch"], case["sourceLength"])
    ids = shift_right(make_ids(case["batch"], case["cached"] + case["steps"]))
    if isinstance(peer, MeasuresSteps):
        means = [(peer.step_milliseconds(source, ids, case["cached"]), measured) for measured in limits.repeat()]
        return {"samples": [mean for mean, is_measured in means if is_measured]}
    samples: list[float] = []
    logits = None
    for is_measured in limits.repeat():
        peer.begin(source, ids[:, : case["cached"]])
        started = time.perf_counter()
        for position in range(case["cached"], ids.shape[1]):
            logits = peer.step(ids[:, position : position + 1])
        if is_measured:
            samples.append((time.perf_counter() - started) * MILLISECONDS / case["steps"])
    return {"samples": samples, "check": {"numbers": peer.sample(logits)}}


def generate(peer: Peer, case: Case, limits: Limits) -> Measured:
    """Time generations."""
    run = peer.generate(make_ids(case["batch"], case["sourceLength"]), case["newTokens"], case["numBeams"])
    samples, generated = timed(run, limits)
    rows = [hashlib.sha256(row.astype("<i4").tobytes()).hexdigest()[:16] for row in peer.tokens(generated)]
    return {"samples": samples, "check": {"rows": rows}}


def score(peer: Peer, case: Case, limits: Limits) -> Measured:
    """Time the scoring of candidates."""
    source = make_ids(1, case["sourceLength"])
    targets = make_ids(case["candidates"], case["targetLength"])
    samples, scores = timed(peer.score(source, targets), limits)
    return {"samples": samples, "check": {"numbers": scores}}


def rerank(peer: Peer, case: Case, limits: Limits) -> Measured:
    """Time the reranking of documents."""
    documents = make_ids(case["documents"], case["sourceLength"])
    samples, probabilities = timed(peer.rerank(documents, case["batch"], case["tokens"]), limits)
    return {"samples": samples, "check": {"numbers": probabilities}}


def load(peer: Peer, request: dict[str, Any]) -> list[Measured]:
    """Time loading, with the files in the page cache."""
    for directory in request["directories"].values():
        read_files(Path(directory))
    samples, _ = timed(peer.load, Limits(0, 1))
    return [{"case": case["name"], "unit": case["unit"], "samples": samples} for case in request["cases"]]


def memory(peer: Peer, request: dict[str, Any]) -> list[Measured]:
    """Measure the resident memory that the model adds, after loading and after its first use."""
    before = resident_bytes()
    peer.load()
    measured: list[Measured] = []
    for case in request["cases"]:
        if "batch" in case:
            generate(peer, case, Limits(0, 1))
        added = (resident_bytes() - before) / MEGABYTE
        measured.append({"case": case["name"], "unit": case["unit"], "samples": [added]})
    return measured


def read_files(directory: Path) -> None:
    """Read every file in a directory, which brings it into the page cache."""
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(BLOCK_BYTES):
                    pass


def resident_bytes() -> int:
    """Return the resident memory of this process, from /proc on Linux and from `ps` on other systems."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    finished = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True)
    return int(finished.stdout) * KILOBYTE


OF_CALLS = {"forward": forward, "step": step, "generate": generate, "score": score, "rerank": rerank}
OF_LOADING = {"load": load, "memory": memory}
