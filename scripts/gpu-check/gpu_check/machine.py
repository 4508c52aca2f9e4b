"""Describes the machine, and the Python with torch and transformers."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Runs in that Python. A package that it can't import is reported, not raised.
QUERY = """
import importlib.util, json, platform
names = ("torch", "transformers", "numpy", "safetensors", "tokenizers")
missing = [name for name in names if importlib.util.find_spec(name) is None]
facts = {"missing": missing, "python": platform.python_version()}
if not missing:
    import torch, transformers
    facts.update(torch=torch.__version__, transformers=transformers.__version__, directory=torch.__path__[0])
    facts.update(cuda=torch.version.cuda, gpus=[])
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            gpu = torch.cuda.get_device_properties(index)
            facts["gpus"].append(f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, capability {gpu.major}.{gpu.minor}")
print(json.dumps(facts))
"""
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Machine:
    """A machine and its Python."""

    python: str
    missing: tuple[str, ...]
    torch: str = ""
    transformers: str = ""
    directory: str = ""
    """The folder of the torch package, which is the libtorch to build with."""
    cuda: str | None = None
    gpus: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """Return the facts at the beginning of the report."""
        return {
            "GPU": "; ".join(self.gpus) or "none that torch can use",
            "driver": _driver(),
            "processor": f"{_processor()}, {os.cpu_count()} cores",
            "system": platform.platform(),
            "Python": self.python,
            "torch": f"{self.torch}, CUDA {self.cuda}",
            "transformers": self.transformers,
        }


def inspect(python: str, environment: Mapping[str, str]) -> Machine:
    """Return the description that a Python gives."""
    try:
        finished = subprocess.run(
            [python, "-c", QUERY],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        return Machine("unknown", (f"torch: {python} printed {lines[-1] if lines else 'nothing'}",))
    facts: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return Machine(**{key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()})


def _driver() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return "no nvidia-smi"
    query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    finished = subprocess.run(query, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    return finished.stdout.strip().replace("\n", ", ") or "unknown"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 (reads only some lines)
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
