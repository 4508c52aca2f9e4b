"""Where the command reads and writes."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WORK = ROOT / "build" / "gpu-check"
ARCHIVE = WORK / "carried.tar.xz"
"""What a machine without Node.js is brought, made by `pack`."""
