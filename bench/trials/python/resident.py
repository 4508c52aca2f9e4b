"""The resident memory of this process."""

import os
import subprocess
from pathlib import Path

KILOBYTE = 1024


def resident_bytes() -> int:
    """Return it in bytes: of the kernel's books on Linux, of `ps` elsewhere."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    asked = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True)
    return int(asked.stdout) * KILOBYTE
