"""How fast the machine reads memory: one pass over as many bytes as a decoding step has weights, on all threads.

Several reductions are tried, because machines differ in which one is the fastest; that one counts. Each works on whole
vectors, so that the arithmetic takes less time than the memory does.
"""

import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

WEIGHT_BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}
FLOAT_BYTES = 4
MILLISECONDS = 1000


def main() -> None:
    """Read the request from the first argument; print the samples as JSON."""
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    weights = count_step_weights(request["sizes"])
    cases = []
    for case in request["cases"]:
        samples = best_pass(weights * WEIGHT_BYTES[case["name"]], request["warmups"], request["repetitions"])
        cases.append({"case": case["name"], "unit": case["unit"], "samples": samples})
    print(json.dumps({"cases": cases, "versions": {"torch": torch.__version__}}))


def count_step_weights(sizes: dict[str, int]) -> int:
    """Return what countStepWeights of ../../data/models.mjs does."""
    projection = sizes["dModel"] * sizes["dKv"] * sizes["numHeads"]
    layer = 6 * projection + 2 * sizes["dModel"] * sizes["dFf"]
    return sizes["numLayers"] * layer + sizes["vocabSize"] * sizes["dModel"]


def best_pass(size: int, warmups: int, repetitions: int) -> list[float]:
    """Return the milliseconds of the fastest way's passes over `size` bytes."""
    data = torch.ones(size // FLOAT_BYTES)
    integers = data.view(torch.int32)[: len(data) // 2 * 2].view(torch.int64)
    ways: list[Callable[[], Any]] = [data.sum, data.amax, lambda: torch.dot(data, data), integers.sum]
    return min((time_passes(way, warmups, repetitions) for way in ways), key=median)


def time_passes(way: Callable[[], Any], warmups: int, repetitions: int) -> list[float]:
    """Time one way."""
    samples: list[float] = []
    for repetition in range(-warmups, repetitions):
        started = time.perf_counter()
        way()
        if repetition >= 0:
            samples.append((time.perf_counter() - started) * MILLISECONDS)
    return samples


if __name__ == "__main__":
    main()
