"""Reads the keys of a pickled file whose classes PyTorch refuses, without importing or running anything it names."""

import pickle
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

# Of the pickle without the tensors' numbers: the several hundred names of a T5 take a tenth of it.
MAX_BYTES = 1 << 22
# Before the object itself, PyTorch's format of before 1.6 has a magic number, a version and the machine's properties.
LEGACY_HEADERS = 3
MAX_DEPTH = 4
MAX_KEY_CHARACTERS = 60


class _Inert:
    """Stands for an object of any class: it accepts whatever a pickle does to an object, and does nothing."""

    qualified_name = ""

    def __init__(self, *args: object, **kwargs: object) -> None: ...

    def __new__(cls, *args: object, **kwargs: object) -> "_Inert":
        return super().__new__(cls)

    def __call__(self, *args: object, **kwargs: object) -> "_Inert":
        return self

    def __setstate__(self, state: object) -> None: ...

    def __setitem__(self, key: object, value: object) -> None: ...

    def append(self, item: object) -> None: ...

    def extend(self, items: object) -> None: ...

    def add(self, item: object) -> None: ...


class _InertDictionary(dict[object, object]):
    """Stands for an OrderedDict, which a state dictionary is."""

    def __setstate__(self, state: object) -> None: ...


# The implementation in Python: the one in C allocates as much memory as the pickle asks for.
class _KeyReader(pickle._Unpickler):
    """Makes dictionaries, lists and numbers, and an inert object of everything else.

    Tuples become lists, which can't be keys: Python hashes nested tuples without a limit of time or depth.
    """

    dispatch: ClassVar = {
        **pickle._Unpickler.dispatch,
        pickle.EMPTY_TUPLE[0]: pickle._Unpickler.load_empty_list,
        pickle.TUPLE[0]: pickle._Unpickler.load_list,
        pickle.TUPLE1[0]: lambda reader: reader.list_of(1),
        pickle.TUPLE2[0]: lambda reader: reader.list_of(2),
        pickle.TUPLE3[0]: lambda reader: reader.list_of(3),
    }

    def list_of(self, count: int) -> None:
        """Replace the last objects of the stack with a list of them."""
        self.stack[-count:] = [self.stack[-count:]]

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 (as the base class)
        if (module, name) == ("collections", "OrderedDict"):
            return type("OrderedDict", (_InertDictionary,), {})
        return type("Inert", (_Inert,), {"qualified_name": f"{module}.{name}"})

    def persistent_load(self, pid: object) -> Any:  # noqa: ANN401
        return _Inert()


def find_keys(path: Path, class_name: str) -> tuple[str, ...]:
    """Return the keys that lead to the first object of a class in a pickled file. Empty if they can't be read."""
    try:
        entries = _entries(_read(path), (), set())
        return next((keys for keys, value in entries if getattr(value, "qualified_name", None) == class_name), ())
    except Exception:  # a damaged or hostile pickle raises many types
        return ()


def _read(path: Path) -> object:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return _last_of(BytesIO(file.read(MAX_BYTES)), LEGACY_HEADERS + 1)
    with zipfile.ZipFile(path) as archive:
        record = next(each for each in archive.infolist() if each.filename.endswith("/data.pkl"))
        if record.file_size > MAX_BYTES:
            raise ValueError(record.file_size)
        return _last_of(BytesIO(archive.read(record)), 1)


def _last_of(file: BinaryIO, count: int) -> object:
    return [_KeyReader(file, encoding="utf-8").load() for _ in range(count)][-1]


def _entries(content: object, keys: tuple[str, ...], seen: set[int]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield every value of nested dictionaries and lists, each of them once."""
    if len(keys) > MAX_DEPTH or id(content) in seen:
        return
    seen.add(id(content))
    if isinstance(content, Mapping):
        items: Iterable[tuple[object, object]] = content.items()
    elif isinstance(content, list):
        items = enumerate(content)
    else:
        return
    for key, value in items:
        # The text of a nested key could be of any length.
        name = str(key) if isinstance(key, str | int) else type(key).__name__
        below = (*keys, " ".join(name.split())[:MAX_KEY_CHARACTERS])
        yield below, value
        yield from _entries(value, below, seen)
