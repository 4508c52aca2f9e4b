"""The machine and the Python that is checked with, as that Python tells."""

import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

# Run by the other Python: what it can't import is told, not raised.
QUERY = """
import importlib.util, json, platform
names = ("torch", "transformers", "numpy", "safetensors", "tokenizers")
missing = [name for name in names if importlib.util.find_spec(name) is None]
told = {"missing": missing, "python": platform.python_version()}
if not missing:
    import torch, transformers
    told.update(torch=torch.__version__, transformers=transformers.__version__, directory=torch.__path__[0])
    told.update(cuda=torch.version.cuda, gpus=[])
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            gpu = torch.cuda.get_device_properties(index)
            told["gpus"].append(f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, capability {gpu.major}.{gpu.minor}")
print(json.dumps(told))
"""
SECONDS = 120


@dataclass(frozen=True)
class Machine:
    """What was found."""

    python: str
    missing: tuple[str, ...]
    torch: str = ""
    transformers: str = ""
    directory: str = ""
    """Of the torch package: the libtorch to build against."""
    cuda: str | None = None
    gpus: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """Return what the report begins with."""
        return {
            "GPU": "; ".join(self.gpus) or "none that torch can use",
            "driver": _driver(),
            "processor": f"{_processor()}, {os.cpu_count()} cores",
            "system": platform.platform(),
            "Python": self.python,
            "torch": f"{self.torch}, CUDA {self.cuda}",
            "transformers": self.transformers,
        }


def look(python: str) -> Machine:
    """Ask a Python."""
    try:
        asked = subprocess.run([python, "-c", QUERY], capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        return Machine("unknown", (f"torch: {python} says {said[-1] if said else 'nothing'}",))
    told: dict[str, Any] = json.loads(asked.stdout.splitlines()[-1])
    return Machine(**{key: tuple(value) if isinstance(value, list) else value for key, value in told.items()})


def _driver() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return "no nvidia-smi"
    query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    asked = subprocess.run(query, capture_output=True, text=True, timeout=SECONDS, check=False)
    return asked.stdout.strip().replace("\n", ", ") or "unknown"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a line of a long file
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
