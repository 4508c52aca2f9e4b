"""One process of Hugging Face eager: milliseconds per forward at each shape asked for, after warm-up."""

import json
import sys
import time

import torch
from transformers import T5ForConditionalGeneration

FIRST_ID = 2
ID_COUNT = 32_000
ROW_STEP = 7919
COLUMN_STEP = 104_729


def make_ids(batch: int, length: int) -> torch.Tensor:
    """Return the ids that bench/trials/ids.mjs makes: int64 [batch, length]."""
    rows = torch.arange(batch)[:, None] * ROW_STEP
    columns = torch.arange(length)[None, :] * COLUMN_STEP
    return FIRST_ID + (rows + columns) % ID_COUNT


def main() -> None:
    """Read the request from the first argument; print the samples as JSON."""
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    model = T5ForConditionalGeneration.from_pretrained(request["directory"]).eval()
    times: list[list[float]] = []
    with torch.inference_mode():
        for batch, source_length, target_length in request["shapes"]:
            input_ids = make_ids(batch, source_length)
            decoder_input_ids = make_ids(batch, target_length)
            mask = torch.ones_like(input_ids)
            samples: list[float] = []
            for repetition in range(-request["warmups"], request["repetitions"]):
                started = time.perf_counter()
                model(input_ids=input_ids, attention_mask=mask, decoder_input_ids=decoder_input_ids, use_cache=False)
                if repetition >= 0:
                    samples.append((time.perf_counter() - started) * 1000)
            times.append(samples)
    print(json.dumps({"times": times}))


if __name__ == "__main__":
    main()
