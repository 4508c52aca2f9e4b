"""One process of Python over the same archive: the median of many small forwards, in milliseconds."""

import json
import statistics
import sys
import time
from pathlib import Path

import torch


def main() -> None:
    """Read the request from the first argument; print the median as JSON."""
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    model = torch.jit.load(Path(request["directory"]) / "model.pt")
    input_ids = torch.tensor([[3, 4, 5, 6, 7, 8, 9, 1]])
    mask = torch.ones_like(input_ids)
    decoder_input_ids = torch.tensor([[0]])
    samples: list[float] = []
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        for _ in range(request["repetitions"]):
            started = time.perf_counter()
            model.forward(input_ids, mask, decoder_input_ids)
            samples.append((time.perf_counter() - started) * 1000)
    print(json.dumps({"milliseconds": statistics.median(samples)}))


if __name__ == "__main__":
    main()
