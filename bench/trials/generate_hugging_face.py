"""One process of Hugging Face eager: milliseconds per generation of each case asked for, and what was generated."""

import json
import sys
import time

import torch
from forward_hugging_face import make_ids
from transformers import T5ForConditionalGeneration

# No token has it, so every row gets as many tokens as it may.
NO_ID = -1


def main() -> None:
    """Read the request from the first argument; print the samples as JSON."""
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    model = T5ForConditionalGeneration.from_pretrained(request["directory"]).eval()
    times: list[list[float]] = []
    sequences: list[list[list[int]]] = []
    with torch.inference_mode():
        for case in request["cases"]:
            input_ids = make_ids(case["batch"], request["sourceLength"])
            mask = torch.ones_like(input_ids)
            options = {"max_new_tokens": request["newTokens"], "num_beams": case["numBeams"], "eos_token_id": NO_ID}
            samples: list[float] = []
            for repetition in range(-request["warmups"], request["repetitions"]):
                started = time.perf_counter()
                generated = model.generate(input_ids, attention_mask=mask, do_sample=False, **options)
                if repetition >= 0:
                    samples.append((time.perf_counter() - started) * 1000)
            times.append(samples)
            sequences.append(generated.tolist())
    print(json.dumps({"times": times, "sequences": sequences}))


if __name__ == "__main__":
    main()
