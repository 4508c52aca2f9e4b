"""A build of the addon that was made on another machine, for the same torch and from the same sources."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

from gpu_check.paths import BUILT, RELEASE, ROOT
from gpu_check.requirements import Missing

SOURCES = ("native", "CMakeLists.txt", "cmake")
FACTS = "built.json"
"""What the build was made for. It is part of the build."""
ADDON = "torch_t5.node"
TIMEOUT_SECONDS = 1800


def build(node: Path, libtorch: Path, folder: Path) -> Path:
    """Build the addon with a torch package at `libtorch`, and return the folder of its files."""
    version = (libtorch / "version.py").read_text("utf-8").split("__version__ = '")[1].split("'")[0]
    out = BUILT.parent / "build-to-carry"
    program = f"import {{ buildAddon }} from './scripts/setup/addon.mjs'; await buildAddon({{ out: '{out}' }});"
    finished = subprocess.run(
        [str(node), "--input-type=module", "--eval", program],
        cwd=ROOT,
        env={**os.environ, "LIBTORCH": str(libtorch.resolve())},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if finished.returncode != 0:
        raise Missing(f"Expected the addon to build with {libtorch}:\n{finished.stderr[-2000:]}")
    folder.mkdir(parents=True)
    for file in _files(out / "Release"):
        shutil.copy2(file, folder)
    facts = {"torch": version, "sources": _fingerprint(), "machine": platform.platform(), "for": platform.machine()}
    (folder / FACTS).write_text(json.dumps(facts), "utf-8")
    return folder


def place(torch: str) -> str:
    """Put the carried build where the package finds it, if it fits. Returns where it was built, or an empty string.

    A build of this machine is kept.
    """
    if not (BUILT / FACTS).exists() or ((RELEASE / ADDON).exists() and not (RELEASE / FACTS).exists()):
        return ""
    remove()
    facts: dict[str, str] = json.loads((BUILT / FACTS).read_text("utf-8"))
    fits = facts["torch"].split("+")[0] == torch.split("+")[0] and facts["for"] == platform.machine()
    if not fits or facts["sources"] != _fingerprint():
        return ""
    RELEASE.mkdir(parents=True, exist_ok=True)
    for file in BUILT.iterdir():
        shutil.copy2(file, RELEASE)
    return f"{facts['machine']}, for torch {facts['torch']}"


def remove() -> None:
    """Remove a carried build that was put into place."""
    if (RELEASE / FACTS).exists():
        for file in (*_files(RELEASE), RELEASE / FACTS):
            file.unlink()


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.suffix in (".node", ".so")]


def _fingerprint() -> str:
    found = hashlib.sha256()
    for source in SOURCES:
        path = ROOT / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                found.update(f"{file.relative_to(ROOT).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()
