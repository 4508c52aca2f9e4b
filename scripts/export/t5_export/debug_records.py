"""Removes TorchScript's debug records from an archive.

They hold the exporting machine's file paths and as many bytes as the code. The weights lie at the archive's beginning,
aligned for memory mapping: they stay where they are, and only the tail with the code is written again.
"""

import zipfile
from pathlib import Path

SUFFIX = ".debug_pkl"


def remove_debug_records(path: Path) -> None:
    """Rewrite the archive in place."""
    with zipfile.ZipFile(path, "a") as archive:
        records = sorted(archive.infolist(), key=lambda info: info.header_offset)
        first = next((index for index, info in enumerate(records) if info.filename.endswith(SUFFIX)), None)
        if first is None:
            return
        tail = records[first:]
        kept = [(info, archive.read(info)) for info in tail if not info.filename.endswith(SUFFIX)]
        for info in tail:
            archive.filelist.remove(info)
            del archive.NameToInfo[info.filename]
        # Where the next record goes; closing writes the directory there and cuts the file.
        archive.start_dir = tail[0].header_offset
        for info, content in kept:
            record = zipfile.ZipInfo(info.filename)
            record.compress_type = info.compress_type
            archive.writestr(record, content)
