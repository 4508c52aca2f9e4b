"""Builds, checks and measures torch-t5 on a GPU: `python3 scripts/gpu-check`, see docs/gpu.md."""

import sys

from gpu_check.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
