"""A trial of Rust's tokenizers on one thread: load time, passes over each set of texts, and a digest of the ids."""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import tokenizers
from tokenizers import Tokenizer


def main() -> None:
    """Run the request in the first argument, and print the samples as JSON."""
    request = json.loads(sys.argv[1])
    directories = request["directories"]
    started = time.perf_counter()
    tokenizer = Tokenizer.from_file(str(Path(directories["model"]) / "tokenizer.json"))
    load = (time.perf_counter() - started) * 1000
    corpus = json.loads(Path(directories["texts"]).read_text(encoding="utf-8"))
    cases: list[dict[str, object]] = []
    for case in request["cases"]:
        named = {"case": case["name"], "unit": case["unit"]}
        if case["name"] == "load":
            cases.append({**named, "samples": [load]})
        elif "texts" in case:
            texts = corpus["texts"].get(case["texts"])
            encode = (
                (lambda texts=texts: [tokenizer.encode(text).ids for text in texts])
                if texts
                else (lambda: [encoding.ids for encoding in tokenizer.encode_batch(corpus["batch"])])
            )
            cases.append({**named, **measure(encode, case["count"], request)})
    print(json.dumps({"cases": cases, "versions": {"tokenizers": tokenizers.__version__}}))


def measure(encode: Callable[[], list[list[int]]], count: int, request: dict[str, int]) -> dict[str, object]:
    """Time passes over texts, in microseconds per text."""
    samples: list[float] = []
    rows: list[list[int]] = []
    for repetition in range(-request["warmups"], request["repetitions"]):
        begun = time.perf_counter()
        rows = encode()
        if repetition >= 0:
            samples.append((time.perf_counter() - begun) * 1e6 / count)
    return {"samples": samples, "check": {"rows": [_digest(rows)]}}


def _digest(rows: list[list[int]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(np.array(row, "<i4").tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
