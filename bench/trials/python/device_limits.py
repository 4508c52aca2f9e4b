"""Measures the limits of a device: how fast it copies memory, and how fast it multiplies large matrices."""

import json
import sys
import time
from collections.abc import Callable

import torch

# Large enough for a GPU to reach its limits, and small enough for a CPU.
COPIED_BYTES = {"cuda": 2**30, "cpu": 2**26}
MATRIX_SIZE = {"cuda": 8192, "cpu": 512}
PRODUCTS = ("float32", "bfloat16")
CALLS = 5
"""A sample is the mean of this many calls, of which the last is waited for."""
SAMPLES = 5
GIGA = 1e9
TERA = 1e12


def main() -> None:
    """Run the request in the first argument, and print each measured case as a line of JSON."""
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    device = torch.device(request["device"])
    data = torch.ones(COPIED_BYTES[device.type], dtype=torch.uint8, device=device)
    target = torch.empty_like(data)
    # Each byte is read and written.
    report("device copy", "GB/s", 2 * data.nbytes / GIGA, device, lambda: target.copy_(data))
    size = MATRIX_SIZE[device.type]
    for name in PRODUCTS:
        one = torch.ones(size, size, dtype=getattr(torch, name), device=device)
        report(f"product, {name}", "TFLOP/s", 2 * size**3 / TERA, device, lambda one=one: one @ one)
    print(json.dumps({"versions": {"torch": torch.__version__}}))


def report(case: str, unit: str, work: float, device: torch.device, call: Callable[[], torch.Tensor]) -> None:
    """Print the work per second of each sample, after one more as a warm-up."""
    seconds = [seconds_of(device, call) for _ in range(SAMPLES + 1)][1:]
    print(json.dumps({"case": case, "unit": unit, "samples": [work / one for one in seconds]}), flush=True)


def seconds_of(device: torch.device, call: Callable[[], torch.Tensor]) -> float:
    """Return the mean time of a call."""
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda _: None)
    wait(device)
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    wait(device)
    return (time.perf_counter() - started) / CALLS


if __name__ == "__main__":
    with torch.inference_mode():
        main()
