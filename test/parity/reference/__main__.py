"""Hugging Face itself, kept alive for the tests: `python test/parity/reference <workdir>`, JSON lines in and out.

A request is `{"id": 1, "op": "forward", ...}`, its reply `{"id": 1, ...}` or `{"id": 1, "error": "..."}`. Tensors are
raw little-endian files in the working directory, named in the reply with their shapes. It computes on the device that
`TORCH_T5_TEST_DEVICE` names.
"""

import json
import os
import sys
from pathlib import Path

# Its threads would otherwise spin while it is the other side's turn to compute. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The exporter under test is the one of this checkout.
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
        except Exception as error:  # the test that asked is to fail, not the tests after it
            reply["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
