"""Rust's `tokenizers` as a process for the tests: `python reference <workdir>` reads and writes JSON lines.

A request is `{"id": 1, "op": "encode", ...}`, its reply `{"id": 1, ...}` or `{"id": 1, "error": "..."}`. Texts and ids
are packed files in the working directory (see `packing.py`), which requests and replies name.
"""

import json
import os
import sys
from pathlib import Path

# One thread, because the tokenizer under test runs at the same time. tokenizers reads this when it is imported.
os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from operations import Operations
from transformers import logging


def main(directory: Path) -> None:
    """Serve requests until stdin ends."""
    logging.set_verbosity_error()
    operations = Operations(directory)
    for line in sys.stdin:
        request = json.loads(line)
        reply: dict[str, object] = {"id": request.pop("id")}
        try:
            reply.update(operations.run(request.pop("op"), request))
        except BaseException as error:  # a panic of Rust is no Exception; only the test that asked fails
            reply["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
