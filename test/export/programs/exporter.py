"""Puts the exporter of this checkout on Python's path. The programs beside it import it only for that."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts" / "export"))
