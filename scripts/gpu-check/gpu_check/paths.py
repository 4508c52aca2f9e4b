"""The paths that the command reads and writes."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WORK = ROOT / "build" / "gpu-check"
ARCHIVE = WORK / "carried.tar.xz"
"""The archive for machines without Node.js, which `pack` writes."""
