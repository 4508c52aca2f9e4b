"""Measures how fast the machine reads memory, in passes over as many bytes as a decoding step reads weights.

The fastest of several reductions counts, because it differs between machines. Each works on whole vectors, so that
reading takes longer than the arithmetic.
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
    """Run the request in the first argument, and print the samples as JSON."""
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    weights = count_step_weights(request["sizes"])
    cases = []
    for case in request["cases"]:
        samples = best_pass(weights * WEIGHT_BYTES[case["name"]], request["warmups"], request["repetitions"])
        cases.append({"case": case["name"], "unit": case["unit"], "samples": samples})
    print(json.dumps({"cases": cases, "versions": {"torch": torch.__version__}}))


def count_step_weights(sizes: dict[str, int]) -> int:
    """Return the same number as countStepWeights of ../../data/models.mjs."""
    projection = sizes["dModel"] * sizes["dKv"] * sizes["numHeads"]
    layer = 6 * projection + 2 * sizes["dModel"] * sizes["dFf"]
    return sizes["numLayers"] * layer + sizes["vocabSize"] * sizes["dModel"]


def best_pass(size: int, warmups: int, repetitions: int) -> list[float]:
    """Return the milliseconds of the fastest reduction's passes over `size` bytes."""
    data = torch.ones(size // FLOAT_BYTES)
    integers = data.view(torch.int32)[: len(data) // 2 * 2].view(torch.int64)
    reductions: list[Callable[[], Any]] = [data.sum, data.amax, lambda: torch.dot(data, data), integers.sum]
    return min((time_passes(reduction, warmups, repetitions) for reduction in reductions), key=median)


def time_passes(reduction: Callable[[], Any], warmups: int, repetitions: int) -> list[float]:
    """Return the milliseconds of each pass."""
    samples: list[float] = []
    for repetition in range(-warmups, repetitions):
        started = time.perf_counter()
        reduction()
        if repetition >= 0:
            samples.append((time.perf_counter() - started) * MILLISECONDS)
    return samples


if __name__ == "__main__":
    main()
