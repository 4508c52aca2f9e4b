"""Runs the exporter: `python scripts/export <source> <directory>`."""

import sys

from command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
