"""Runs command lines of the exporter one after the other: a JSON list of argument lists in, a list of replies out."""

import contextlib
import io
import json
import sys

import exporter  # noqa: F401
from command_line import main


def run(arguments: list[str]) -> dict[str, object]:
    """Return the exit code and what was written to stderr."""
    stderr = io.StringIO()
    with contextlib.redirect_stderr(stderr):
        try:
            code: object = main(arguments)
        except SystemExit as exited:
            code = exited.code
    return {"code": code, "stderr": stderr.getvalue()}


if __name__ == "__main__":
    print(json.dumps([run(arguments) for arguments in json.loads(sys.argv[1])]))
