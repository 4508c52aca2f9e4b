"""Runs Python blocks one after the other in one process: `python run_blocks.py blocks.json`.

The file contains `[{ path, directory }]`. The last line on stdout is `[{ output, error }]` as JSON.
"""

import contextlib
import io
import json
import os
import runpy
import sys
import traceback
from pathlib import Path


def main(blocks: Path) -> None:
    """Run every block in its directory, as its own module."""
    results = []
    for block in json.loads(blocks.read_text()):
        os.chdir(block["directory"])
        output = io.StringIO()
        error = None
        try:
            with contextlib.redirect_stdout(output):
                runpy.run_path(block["path"], run_name="block")
        except Exception:
            error = traceback.format_exc()
        results.append({"output": output.getvalue(), "error": error})
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
