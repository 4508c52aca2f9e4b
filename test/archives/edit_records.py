"""Copies an exported archive with an edit of its zip file or pickles that an attacker would make.

argv: archive, new archive, name of the edit.
"""

import struct
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

Records = dict[str, bytes]

LOCAL_BYTES, CENTRAL_BYTES, END_BYTES = 30, 46, 22
CENTRAL = b"PK\x01\x02"
EMPTY = b"\x80\x02"


def write(records: list[tuple[str, bytes]], path: Path, compressed: str = "") -> None:
    """Write records as they are, and one of them compressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in records:
            method = zipfile.ZIP_DEFLATED if compressed and name.endswith(compressed) else zipfile.ZIP_STORED
            archive.writestr(name, data, method)


def rename(old: str, new: str) -> Callable[[Records, Path], None]:
    """Return an edit that renames the record whose name ends with `old`."""

    def edit(records: Records, path: Path) -> None:
        write([(new if name.endswith(old) else name, data) for name, data in records.items()], path)

    return edit


def duplicate(upper: bool) -> Callable[[Records, Path], None]:
    """Return an edit that writes the version twice, once in capitals."""

    def edit(records: Records, path: Path) -> None:
        name = next(name for name in records if name.endswith("/version"))
        again = name.replace("version", "VERSION") if upper else name
        warnings.simplefilter("ignore")
        write([*records.items(), (again, b"3\n")], path)

    return edit


def compress(name: str) -> Callable[[Records, Path], None]:
    """Return an edit that compresses a record."""
    return lambda records, path: write(list(records.items()), path, name)


def bomb(records: Records, path: Path) -> None:
    """Compress 100 MB of code into 100 KB."""
    name = next(name for name in records if name.endswith(".py"))
    write([*records.items(), (name.replace(".py", "_.py"), b"#" * 100_000_000)], path, "_.py")


def patch(place: Callable[[bytes], int], value: bytes) -> Callable[[Records, Path], None]:
    """Return an edit that writes bytes over the file."""

    def edit(records: Records, path: Path) -> None:
        write(list(records.items()), path)
        data = path.read_bytes()
        offset = place(data)
        path.write_bytes(data[:offset] + value + data[offset + len(value) :])

    return edit


def entry(field: int, suffix: bytes = b"/data/0") -> Callable[[bytes], int]:
    """Return the place of a field in the directory's entry of a record."""

    def place(data: bytes) -> int:
        at = -1
        while (at := data.index(CENTRAL, at + 1)) >= 0:
            (length,) = struct.unpack_from("<H", data, at + 28)
            if data[at + CENTRAL_BYTES : at + CENTRAL_BYTES + length].endswith(suffix):
                return at + field
        raise ValueError(suffix)

    return place


def truncate(records: Records, path: Path) -> None:
    """Leave out a part of the directory."""
    write(list(records.items()), path)
    data = path.read_bytes()
    at = entry(0, b"/version")(data)
    path.write_bytes(data[:at] + data[-END_BYTES:])


def append(records: Records, path: Path) -> None:
    """Write bytes after the directory."""
    write(list(records.items()), path)
    with path.open("ab") as file:
        file.write(b"more")


def pickle(old: bytes, new: bytes) -> Callable[[Records, Path], None]:
    """Return an edit that replaces bytes of data.pkl."""

    def edit(records: Records, path: Path) -> None:
        name = next(name for name in records if name.endswith("/data.pkl"))
        if old not in records[name]:
            raise ValueError(old)
        write(list((records | {name: records[name].replace(old, new, 1)}).items()), path)

    return edit


def enlarge(records: Records, path: Path) -> None:
    """Make the first tensor's shape larger than its data: the numbers before the first two tuples of numbers."""
    name = next(name for name in records if name.endswith("/data.pkl"))
    data = records[name]
    begin = data.index(b"Q", data.index(b"_rebuild_tensor_v2"))
    at = data.index(b"M", begin)
    write(list((records | {name: data[:at] + b"J\xff\xff\xff\x00" + data[at + 3 :]}).items()), path)


def replace(content: bytes) -> Callable[[Records, Path], None]:
    """Return an edit that replaces data.pkl."""

    def edit(records: Records, path: Path) -> None:
        write([(name, content if name.endswith("/data.pkl") else data) for name, data in records.items()], path)

    return edit


EDITS: Mapping[str, Callable[[Records, Path], None]] = {
    "absolute": rename("/version", "/etc/version"),
    "parent": rename("/version", "model/../../version"),
    "backslash": rename("/version", "model/..\\version"),
    "folders": rename("/version", "other/version"),
    "duplicate": duplicate(upper=False),
    "capitals": duplicate(upper=True),
    "compressed": compress("/data/0"),
    "bomb": bomb,
    "sizes": patch(entry(24), struct.pack("<I", 1 << 30)),
    "outside": patch(entry(20), struct.pack("<II", 1 << 31, 1 << 31)),
    "overlap": patch(entry(20), struct.pack("<II", 1 << 20, 1 << 20)),
    "offset": patch(entry(42), struct.pack("<I", 7)),
    "encrypted": patch(entry(8), struct.pack("<H", 1)),
    "truncated": truncate,
    "appended": append,
    "foreign": pickle(b"ccollections\nOrderedDict\n", b"cposix\nsystem\n"),
    "sparse": pickle(b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_sparse_tensor\n"),
    "missing": rename("/data/0", "model/data/none"),
    "larger": enlarge,
    "nested": replace(EMPTY + b"]" * 100_000 + b"."),
    "deep": replace(EMPTY + b")" + b"\x85" * 100_000 + b"."),
    "doubled": replace(
        EMPTY + b")" + b"".join(b"r%bj%b\x86" % (n, n) for n in map(struct.Struct("<I").pack, range(60))) + b"."
    ),
    "cyclic": replace(EMPTY + b"]q\x00(h\x00e."),
    "key": replace(EMPTY + b"}(K\x01u."),
    "memo": replace(EMPTY + b")r\xff\xff\xff\xff."),
    "stack": replace(EMPTY + b"t."),
    "early": replace(EMPTY + b"X\xff\xff\xff\xffa"),
}


def main(source: Path, copy: Path, edit: str) -> None:
    """Write the copy."""
    with zipfile.ZipFile(source) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    EDITS[edit](records, copy)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
