"""Reads the names, types and sizes of a weight file's tensors, and refuses a file that wraps or renames them."""

import json
import pickle
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from t5_export.errors import ExportError, one_line

SAFETENSORS_NAMES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16", "F64": "float64"}
# The names that every T5 has, after the prefix that a wrapper such as DistributedDataParallel adds.
T5_NAME = re.compile(r"((?:[^.]+\.)*?)(?:shared\.weight|(?:encoder|decoder)\.block\.\d)")
# `base_model_prefix` of Hugging Face's T5 classes, which `from_pretrained` strips.
STRIPPED_PREFIX = "transformer."
# Training programs nest weights one or two dictionaries deep.
MAX_DEPTH = 4
# PyTorch's messages for a class that `weights_only` doesn't allow.
FOREIGN_CLASS = re.compile(r"(?:Unsupported global:|Trying to load unsupported) GLOBAL (\S+)")
UNPICKLER_MESSAGE = re.compile(r"WeightsUnpickler error: (.*)", re.DOTALL)


@dataclass(frozen=True)
class Header:
    """One tensor of a weight file."""

    name: str
    dtype: str
    elements: int


def read_headers(path: Path) -> list[Header]:
    """Return the headers of a file. Raises ExportError for a damaged file and for weights under another name."""
    return _safetensors_headers(path) if path.suffix == ".safetensors" else _pickled_headers(path)


def _safetensors_headers(path: Path) -> list[Header]:
    headers: list[Header] = []
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (the file has no iterator)
                view = file.get_slice(name)
                dtype = view.get_dtype()
                elements = torch.Size(view.get_shape()).numel()
                headers.append(Header(name, SAFETENSORS_NAMES.get(dtype, dtype), elements))
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, one_line(error)) from None
    prefix = _shared_prefix(header.name for header in headers)
    if prefix:
        file_name = json.dumps(str(path))
        # Cloned, because the tensors may be mapped from the file that is written.
        raise ExportError(
            f'Expected T5\'s weights by their names in {path} but they begin with "{prefix}". Save them alone, in '
            "Python: from safetensors.torch import load_file, save_file; "
            f"weights = {{name: each.clone() for name, each in load_file({file_name}).items()}}; "
            f'save_file({_stripped(prefix)}, {file_name}, {{"format": "pt"}})'
        )
    return headers


def _pickled_headers(path: Path) -> list[Header]:
    content = _unpickle(path)
    found = _find_weights(content)
    prefix = _shared_prefix(found.tensors)
    if not found.tensors:
        raise ExportError(f"Expected tensors in {path} but received {type(content).__name__} without any")
    if found.keys or prefix:
        file_name = json.dumps(str(path))
        subscripts = "".join(f"[{key!r}]" for key in found.keys)
        places = [f"are under {'.'.join(map(str, found.keys))}"] if found.keys else []
        places += [f'begin with "{prefix}"'] if prefix else []
        raise ExportError(
            f"Expected T5's weights by their names in {path} but they {' and '.join(places)}. Save them alone, in "
            f'Python: import torch; weights = torch.load({file_name}, map_location="cpu", weights_only=True)'
            f"{subscripts}; torch.save({_stripped(prefix)}, {file_name})"
        )
    return [Header(name, str(each.dtype).removeprefix("torch."), each.numel()) for name, each in found.tensors.items()]


def _unpickle(path: Path) -> object:
    """Read a pickled file without memory for its tensors. Only tensors and plain containers are unpickled."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        message = UNPICKLER_MESSAGE.search(str(error))
        reason = " ".join((message[1] if message else str(error)).split())
        foreign = FOREIGN_CLASS.match(reason)
        if foreign is None:
            raise _damaged(path, reason) from None
        raise ExportError(
            f"Expected only tensors in {path} but received {foreign[1]}, which is not unpickled: it could run code. "
            "Save the weights alone, in the program that wrote the file: "
            f"torch.save(model.state_dict(), {json.dumps(path.name)})"
        ) from None
    except Exception as error:  # a damaged file raises many types
        raise _damaged(path, one_line(error)) from None


@dataclass(frozen=True)
class _Found:
    """The tensors of a dictionary by their names, and the keys under which the dictionary is."""

    keys: tuple[object, ...]
    tensors: Mapping[str, Tensor]


def _find_weights(content: object) -> _Found:
    """Return the first dictionary with T5's weights, else the outermost with tensors, else an empty one."""
    dictionaries = list(_dictionaries(content, ()))
    with_tensors = [each for each in dictionaries if each.tensors]
    of_t5 = (each for each in with_tensors if any(T5_NAME.match(name) for name in each.tensors))
    return next(of_t5, with_tensors[0] if with_tensors else _Found((), {}))


def _dictionaries(content: object, keys: tuple[object, ...]) -> Iterator[_Found]:
    if not isinstance(content, Mapping) or len(keys) > MAX_DEPTH:
        return
    yield _Found(keys, {str(name): value for name, value in content.items() if isinstance(value, Tensor)})
    for key, value in content.items():
        yield from _dictionaries(value, (*keys, key))


def _shared_prefix(names: Iterable[str]) -> str:
    """Return what precedes T5's names, or an empty string where `from_pretrained` finds the weights."""
    prefixes = Counter(match[1] for match in map(T5_NAME.match, names) if match)
    if not prefixes or "" in prefixes or STRIPPED_PREFIX in prefixes:
        return ""
    return prefixes.most_common(1)[0][0]


def _stripped(prefix: str) -> str:
    """Return the Python expression for the dictionary `weights` without a prefix."""
    if not prefix:
        return "weights"
    quoted = json.dumps(prefix)
    return f"{{name.removeprefix({quoted}): each for name, each in weights.items() if name.startswith({quoted})}}"


def _damaged(path: Path, reason: str) -> ExportError:
    return ExportError(f"Expected weights in {path} but received a damaged file ({reason})")
