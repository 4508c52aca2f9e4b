"""Runs several command lines of the exporter: takes a JSON list of argument lists, prints a JSON list of replies."""

import contextlib
import io
import json
import sys

import exporter  # noqa: F401
from command_line import main


def run(arguments: list[str]) -> dict[str, object]:
    """Return the exit code and stderr."""
    stderr = io.StringIO()
    with contextlib.redirect_stderr(stderr):
        try:
            code: object = main(arguments)
        except SystemExit as exited:
            code = exited.code
    return {"code": code, "stderr": stderr.getvalue()}


if __name__ == "__main__":
    print(json.dumps([run(arguments) for arguments in json.loads(sys.argv[1])]))
