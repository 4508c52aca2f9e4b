"""Checks that the machine has everything that the command needs."""

import json
import shutil
from pathlib import Path

from gpu_check.machine import Machine
from gpu_check.paths import ROOT

NODE_PACKAGES = ("cmake-js", "node-addon-api", "node-api-headers", "tsx", "mocha")
TORCH = ((2, 11), (2, 15))
"""The oldest and the newest version that the addon can be built with."""


class Missing(Exception):  # noqa: N818 (the name fits its message)
    """Something that the command needs is missing."""


def find_node(requested: str | None, carried: Path) -> Path | None:
    """Return the requested Node.js, or else that of PATH or of the archive; None where there is none."""
    candidates = [requested] if requested else ["node", str(carried)]
    found = next((path for path in map(shutil.which, candidates) if path), None)
    return Path(found).resolve() if found else None


def missing_packages() -> list[str]:
    """Return the missing parts of node_modules and of the compiled TypeScript."""
    modules = ROOT / "node_modules"
    missing = [f"node_modules/{name}" for name in NODE_PACKAGES if not (modules / name).exists()]
    if not (ROOT / "dist" / "index.js").exists() and not (modules / "typescript").exists():
        missing.append("dist, or node_modules/typescript to compile it")
    return missing


def _minimum_node() -> str:
    engines: dict[str, str] = json.loads((ROOT / "package.json").read_text("utf-8"))["engines"]
    return engines["node"].removeprefix(">=")


def check(machine: Machine, node: Path | None, path: str) -> None:
    """Raise `Missing` with everything that is missing."""
    missing = [f"Python's {name}" for name in machine.missing]
    if node is None:
        missing.append(
            f"Node.js {_minimum_node()} or newer (--node, or the archive that `pack` writes on another machine)"
        )
    missing += missing_packages()
    missing += [program for program in ("cmake", "ninja") if shutil.which(program, path=path) is None]
    if machine.torch and not TORCH[0] <= tuple(map(int, machine.torch.split(".")[:2])) <= TORCH[1]:
        first, last = (".".join(map(str, version)) for version in TORCH)
        missing.append(f"a torch from {first} to {last} (this is {machine.torch})")
    if missing:
        raise Missing(
            "Expected the following, which this command doesn't download, but found no\n"
            + "\n".join(f"  - {one}" for one in missing)
        )
