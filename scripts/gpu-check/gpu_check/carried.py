"""Packs what a machine without network lacks: Node.js, its packages, compiled TypeScript; transformers, and a build."""

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from gpu_check import built
from gpu_check.paths import BUILT, ROOT, SITE, WORK
from gpu_check.requirements import Missing, find_node, missing_packages

NODE = WORK / "node"
STAMP = WORK / "carried.json"
# Large packages that building, checking and measuring don't need.
EXCLUDED = ("@biomejs", "@typescript", "typescript")
COMPRESSION = 6
ALWAYS = [NODE.relative_to(ROOT).as_posix(), "dist", "node_modules"]
"""The parts of every archive, as paths in the repository."""
ON_REQUEST = [SITE.relative_to(ROOT).as_posix(), BUILT.relative_to(ROOT).as_posix()]
"""The parts that an archive may have: a transformers for PYTHONPATH, and a build of the addon."""
REQUIREMENTS = ROOT / "scripts" / "requirements.txt"


def pack(archive: Path, node: str | None, libtorch: Path | None, *, with_transformers: bool) -> None:
    """Write the archive. Raises `Missing` where this machine lacks part of its content."""
    program = find_node(node, NODE)
    missing = missing_packages()
    if not (ROOT / "dist" / "index.js").exists():
        missing.append("dist (`npm run build`)")
    if program is None or missing:
        raise Missing(f"Expected Node.js and {', '.join(missing) or 'its packages'} to pack but found none")
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(f"{archive.name}.partial")
    with tempfile.TemporaryDirectory() as directory, tarfile.open(partial, "w:xz", preset=COMPRESSION) as file:
        file.add(program, ALWAYS[0])
        file.add(ROOT / "dist", "dist")
        file.add((ROOT / "node_modules").resolve(), "node_modules", filter=_exclude)
        if with_transformers:
            file.add(_download_transformers(Path(directory)), ON_REQUEST[0])
        if libtorch is not None:
            file.add(built.build(program, libtorch, Path(directory) / "built"), ON_REQUEST[1])
    partial.replace(archive)


def _exclude(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(member.name).parts
    is_excluded = len(parts) > 1 and (parts[1] in EXCLUDED or parts[1].startswith("."))
    return None if is_excluded else member


def _download_transformers(directory: Path) -> Path:
    """Return a folder with the required transformers, which is plain Python. What it needs, the other machine has."""
    lines = REQUIREMENTS.read_text("utf-8").splitlines()
    requirement = next(line for line in lines if line.startswith("transformers=="))
    wheels, site = directory / "wheels", directory / "site"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(wheels), requirement]
    finished = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise Missing(f"Expected pip to download {requirement}: {finished.stderr.strip()}")
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as file:
            file.extractall(site)
    return site


def unpack(archive: Path) -> None:
    """Unpack the parts that are missing, and replace those that came from another archive."""
    unpacked: dict[str, str] = json.loads(STAMP.read_text("utf-8")) if STAMP.exists() else {}
    if not archive.exists():
        return
    mark = f"{archive.stat().st_size} {archive.stat().st_mtime_ns}"
    needed = [name for name in ALWAYS if not (ROOT / name).exists() or unpacked.get(name, mark) != mark]
    if needed == [ALWAYS[0]] and find_node(None, NODE) is not None:
        needed = []
    needed += [name for name in ON_REQUEST if unpacked.get(name) != mark]
    if not needed:
        return
    for name in needed:
        place = ROOT / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
    with tarfile.open(archive, "r:xz") as file:
        members = [one for one in file if any(one.name == name or one.name.startswith(f"{name}/") for name in needed)]
        file.extractall(ROOT, members, filter="data")
    WORK.mkdir(parents=True, exist_ok=True)
    STAMP.write_text(json.dumps({**unpacked, **dict.fromkeys(needed, mark)}), "utf-8")
    found = [name for name in needed if (ROOT / name).exists()]
    if found:
        sys.stderr.write(f"Unpacked {', '.join(found)} from {archive}\n")
