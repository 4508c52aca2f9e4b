"""Writes a directory completely or not at all: next to the target, synced to disk, then renamed."""

import os
import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from t5_export import manifest
from t5_export.errors import ExportError, Interrupted

# For everything except the weights: code, tokenizer, probes, and the file system's own data.
SPARE_BYTES = 48 * 1024 * 1024
MEBIBYTE = 1024 * 1024
FILE_MODE = 0o644
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def check_target(target: Path, overwrite: bool) -> None:
    """Raise ExportError for a target with files, unless it is an earlier export and `overwrite` is true."""
    if not target.exists():
        if target.is_symlink():
            raise ExportError(f"Expected a new directory for the export but received a dangling link: {target}")
        return
    if not target.is_dir():
        raise ExportError(f"Expected a directory for the export but received a file: {target}")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise ExportError(
            f"Expected an empty or new directory for the export but {target} has files (--overwrite replaces it)"
        )
    if not (target / manifest.NAME).is_file():
        raise ExportError(f"Expected an earlier export for --overwrite but {target} has no {manifest.NAME}")


def check_disk_space(target: Path, weight_bytes: int) -> None:
    """Raise ExportError where the disk doesn't have enough free space."""
    existing = next(parent for parent in (target.absolute(), *target.absolute().parents) if parent.exists())
    free, needed = shutil.disk_usage(existing).free, weight_bytes + SPARE_BYTES
    if free < needed:
        raise ExportError(
            f"Expected {-(-needed // MEBIBYTE)} MiB of free disk space but {existing} has {free // MEBIBYTE} MiB"
        )


def reserve_disk_space(directory: Path, size: int) -> None:
    """Allocate that many bytes on the disk and free them again. Raises OSError where a quota or limit prevents it.

    PyTorch's writer ends the process when it can't write, so the space is checked first.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    path = directory / "reserved"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    path.unlink()


@contextmanager
def new_directory(target: Path) -> Iterator[Path]:
    """Yield a temporary directory, which becomes `target` at the end, and is deleted after an error or a signal."""
    target = target.resolve()
    temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}.partial"
    created: list[Path] = []
    deferred: list[int] = []
    try:
        with _handlers(_interrupt):
            _make_parents(target.parent, created)
            temporary.mkdir()
            yield temporary
            _sync(temporary)
            # Signals are deferred until both renames are done, and then raised for the caller.
            with _handlers(lambda number, _frame: deferred.append(number)):
                _replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        for parent in reversed(created):
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise
    for number in deferred:
        signal.raise_signal(number)


def _make_parents(directory: Path, created: list[Path]) -> None:
    missing = [parent for parent in (directory, *directory.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        created.append(parent)


def _replace(temporary: Path, target: Path) -> None:
    """Rename the new directory to the target. The old target is restored if that fails."""
    old = target.parent / f"{temporary.name}.old"
    if target.exists():
        target.rename(old)
    try:
        temporary.rename(target)
    except BaseException:
        if old.exists():
            old.rename(target)
        raise
    _sync_directory(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(directory: Path) -> None:
    for path in directory.iterdir():
        path.chmod(FILE_MODE)  # safetensors makes its file readable only by the owner
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    if os.name == "nt":  # Windows can't open a directory, and needs no sync of its entries
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)


@contextmanager
def _handlers(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the signals that end a process with `handler`."""
    # Python allows signal handlers only on the main thread.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)
