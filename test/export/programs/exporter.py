"""Puts the exporter of this checkout on Python's path; imported by the programs beside it for that alone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts" / "export"))
