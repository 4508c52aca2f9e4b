"""One process of Rust's tokenizers, one thread: load time, milliseconds a pass over each set of texts, and the ids."""

import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
from tokenizers import Tokenizer


def main() -> None:
    """Read the request from the first argument; print the medians as JSON."""
    request = json.loads(sys.argv[1])
    started = time.perf_counter()
    tokenizer = Tokenizer.from_file(str(Path(request["directory"]) / "tokenizer.json"))
    load = (time.perf_counter() - started) * 1000
    corpus = json.loads(Path(request["texts"]).read_text(encoding="utf-8"))

    def measure(encode: Callable[[], list[list[int]]]) -> dict[str, object]:
        samples: list[float] = []
        rows: list[list[int]] = []
        for repetition in range(-request["warmups"], request["repetitions"]):
            begun = time.perf_counter()
            rows = encode()
            if repetition >= 0:
                samples.append((time.perf_counter() - begun) * 1000)
        return {"milliseconds": statistics.median(samples), "ids": _digest(rows)}

    cases = {
        name: measure(lambda texts=texts: [tokenizer.encode(text).ids for text in texts])
        for name, texts in corpus["texts"].items()
    }
    batch = corpus["batch"]
    cases["batch"] = measure(lambda: [encoding.ids for encoding in tokenizer.encode_batch(batch)])
    print(json.dumps({"load": load, "cases": cases}))


def _digest(rows: list[list[int]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(np.array(row, "<i4").tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
