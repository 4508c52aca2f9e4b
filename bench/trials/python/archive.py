"""A trial of an exported archive in Python: many small forward passes in libtorch's interpreter."""

import json
import sys
import time
from pathlib import Path

import torch


def main() -> None:
    """Run the request in the first argument, and print the samples as JSON."""
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    model = torch.jit.load(Path(request["directories"]["model"]) / "model.pt")
    input_ids = torch.tensor([[3, 4, 5, 6, 7, 8, 9, 1]])
    mask = torch.ones_like(input_ids)
    decoder_input_ids = torch.tensor([[0]])
    samples: list[float] = []
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        for repetition in range(-request["warmups"], request["repetitions"]):
            started = time.perf_counter()
            model.forward(input_ids, mask, decoder_input_ids)
            if repetition >= 0:
                samples.append((time.perf_counter() - started) * 1000)
    cases = [{"case": case["name"], "unit": case["unit"], "samples": samples} for case in request["cases"]]
    print(json.dumps({"cases": cases}))


if __name__ == "__main__":
    main()
