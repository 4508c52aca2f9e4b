"""Node.js, its packages and the compiled TypeScript in one archive, for machines that have none and fetch nothing."""

import json
import shutil
import sys
import tarfile
from pathlib import Path

from gpu_check.paths import ROOT, WORK
from gpu_check.requirements import Missing, find_node, missing_packages

NODE = WORK / "node"
STAMP = WORK / "carried.json"
# Large, and no part of building, checking or measuring.
LEFT_OUT = ("@biomejs", "@typescript", "typescript")
COMPRESSION = 6


def pack(archive: Path, node: str | None) -> None:
    """Write the archive. Raises `Missing` where this machine lacks what is to be carried."""
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
        file.add(ROOT / "node_modules", "node_modules", filter=_kept)
    partial.replace(archive)


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(member.name).parts
    is_left_out = len(parts) > 1 and (parts[1] in LEFT_OUT or parts[1].startswith("."))
    return None if is_left_out else member


def unpack(archive: Path) -> None:
    """Put what isn't there into its place; what an earlier archive brought is replaced."""
    brought: dict[str, str] = json.loads(STAMP.read_text("utf-8")) if STAMP.exists() else {}
    if not archive.exists():
        return
    mark = f"{archive.stat().st_size} {archive.stat().st_mtime_ns}"
    names = [NODE.relative_to(ROOT).as_posix(), "dist", "node_modules"]
    wanted = [name for name in names if not (ROOT / name).exists() or brought.get(name, mark) != mark]
    if wanted == [names[0]] and find_node(None, NODE) is not None:
        return
    for name in wanted:
        place = ROOT / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
    with tarfile.open(archive, "r:xz") as file:
        members = [one for one in file if any(one.name == name or one.name.startswith(f"{name}/") for name in wanted)]
        file.extractall(ROOT, members, filter="data")
    WORK.mkdir(parents=True, exist_ok=True)
    STAMP.write_text(json.dumps({**brought, **dict.fromkeys(wanted, mark)}), "utf-8")
    if wanted:
        sys.stderr.write(f"Unpacked {', '.join(wanted)} from {archive}\n")
