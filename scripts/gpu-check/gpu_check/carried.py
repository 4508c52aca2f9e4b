"""Packs Node.js, its packages and the compiled TypeScript into one archive, for machines that can't download them."""

import json
import shutil
import sys
import tarfile
from pathlib import Path

from gpu_check.paths import ROOT, WORK
from gpu_check.requirements import Missing, find_node, missing_packages

NODE = WORK / "node"
STAMP = WORK / "carried.json"
# Large packages that building, checking and measuring don't need.
EXCLUDED = ("@biomejs", "@typescript", "typescript")
COMPRESSION = 6


def pack(archive: Path, node: str | None) -> None:
    """Write the archive. Raises `Missing` where this machine lacks part of its content."""
    program = find_node(node, NODE)
    missing = missing_packages()
    if not (ROOT / "dist" / "index.js").exists():
        missing.append("dist (`npm run build`)")
    if program is None or missing:
        raise Missing(f"Expected Node.js and {', '.join(missing) or 'its packages'} to pack but found none")
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(f"{archive.name}.partial")
    with tarfile.open(partial, "w:xz", preset=COMPRESSION) as file:
        file.add(program, NODE.relative_to(ROOT))
        file.add(ROOT / "dist", "dist")
        file.add(ROOT / "node_modules", "node_modules", filter=_exclude)
    partial.replace(archive)


def _exclude(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(member.name).parts
    is_excluded = len(parts) > 1 and (parts[1] in EXCLUDED or parts[1].startswith("."))
    return None if is_excluded else member


def unpack(archive: Path) -> None:
    """Unpack the parts that are missing, and replace those that came from another archive."""
    unpacked: dict[str, str] = json.loads(STAMP.read_text("utf-8")) if STAMP.exists() else {}
    if not archive.exists():
        return
    mark = f"{archive.stat().st_size} {archive.stat().st_mtime_ns}"
    names = [NODE.relative_to(ROOT).as_posix(), "dist", "node_modules"]
    needed = [name for name in names if not (ROOT / name).exists() or unpacked.get(name, mark) != mark]
    if needed == [names[0]] and find_node(None, NODE) is not None:
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
    if needed:
        sys.stderr.write(f"Unpacked {', '.join(needed)} from {archive}\n")
