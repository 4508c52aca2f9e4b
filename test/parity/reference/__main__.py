"""Hugging Face in a process that answers requests: `python test/parity/reference <workdir>`, JSON lines in and out.

A request is `{"id": 1, "op": "forward", ...}`, its reply `{"id": 1, ...}` or `{"id": 1, "error": "..."}`. Tensors are
raw little-endian files in the working directory; the reply has their names and shapes. `TORCH_T5_TEST_DEVICE` names the
device.
"""

import json
import os
import sys
from pathlib import Path

# Idle threads must not spin while the other side computes. torch reads this when it is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The exporter of this checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts" / "export"))

import torch
from operations import Operations
from t5_export.loading import quiet_libraries


def main(directory: Path) -> None:
    """Serve requests until stdin ends."""
    quiet_libraries()
    operations = Operations(directory, torch.device(os.environ.get("TORCH_T5_TEST_DEVICE", "cpu")))
    for line in sys.stdin:
        request = json.loads(line)
        reply: dict[str, object] = {"id": request.pop("id")}
        try:
            reply.update(operations.run(request.pop("op"), request))
        except Exception as error:  # only the test that sent the request must fail
            reply["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
