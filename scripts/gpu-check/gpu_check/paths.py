"""The paths that the command reads and writes."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WORK = ROOT / "build" / "gpu-check"
RELEASE = ROOT / "build" / "Release"
"""The addon, where the package finds it."""
SITE = WORK / "site"
"""A carried transformers, for PYTHONPATH."""
BUILT = WORK / "built"
"""A carried build of the addon."""
ARCHIVE = WORK / "carried.tar.xz"
"""The archive for machines without Node.js, which `pack` writes."""
PAGE = ROOT / "docs" / "gpu.md"
"""The page with a summary of each run."""
