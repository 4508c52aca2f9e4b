"""A Hugging Face checkpoint on disk: finds its files, and reads the weights' types and sizes without loading them."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from t5_export.errors import ExportError, one_line

CONFIG = "config.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
BYTE_TOKENIZER = "ByT5Tokenizer"
FAST_TOKENIZER = "tokenizer.json"
SENTENCEPIECE = "spiece.model"
SENTENCEPIECE_PACKAGES = ("sentencepiece", "google.protobuf")
SAFETENSORS = "model.safetensors"
PICKLED = "pytorch_model.bin"
FLOAT32_BYTES = 4
SAFETENSORS_NAMES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16", "F64": "float64"}
ACCEPTED = frozenset({"float32", "bfloat16"})


@dataclass(frozen=True)
class Weights:
    """The types of the weights, and their size in float32."""

    dtypes: frozenset[str]
    float32_bytes: int


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises ExportError where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ExportError(f"Expected {path.name} in {path.parent} but it is missing") from None
    except ValueError as error:
        raise ExportError(f"Expected JSON in {path} but received a damaged file ({one_line(error)})") from None
    if not isinstance(value, dict):
        raise ExportError(f"Expected a JSON object in {path} but received {type(value).__name__}")
    return value


def weight_files(directory: Path) -> list[Path]:
    """Return the weight files that Hugging Face would load. Raises ExportError where one is missing."""
    for name in (SAFETENSORS, PICKLED):
        if (directory / name).is_file():
            return [directory / name]
        index = directory / f"{name}.index.json"
        if index.is_file():
            weight_map = read_json(index).get("weight_map", {})
            shards = [directory / shard for shard in sorted(set(weight_map.values()))]
            for shard in shards:
                if not shard.is_file():
                    raise ExportError(
                        f"Expected {shard.name}, which {index.name} names, in {directory} but it is missing"
                    )
            return shards
    raise ExportError(f"Expected {SAFETENSORS} or {PICKLED} in {directory} but both are missing")


def inspect_weights(directory: Path) -> Weights:
    """Read the weights' types and sizes. Raises ExportError for a type whose results differ from those in float32."""
    dtypes: set[str] = set()
    elements = 0
    for path in weight_files(directory):
        for dtype, count in _headers(path):
            dtypes.add(dtype)
            elements += count
    weights = Weights(frozenset(dtypes), elements * FLOAT32_BYTES)
    if "float16" in weights.dtypes:
        raise ExportError(
            "Expected float32 or bfloat16 weights but received float16, in which T5's activations overflow: "
            "export the checkpoint that it was made from"
        )
    if not weights.dtypes <= ACCEPTED:
        raise ExportError(f"Expected float32 or bfloat16 weights but received {', '.join(sorted(dtypes - ACCEPTED))}")
    return weights


def require_tokenizer(directory: Path, config: dict[str, Any]) -> None:
    """Raise ExportError where the checkpoint has no tokenizer: transformers would create an empty one."""
    settings_path = directory / TOKENIZER_CONFIG
    settings = read_json(settings_path) if settings_path.is_file() else {}
    if BYTE_TOKENIZER in (settings.get("tokenizer_class"), config.get("tokenizer_class")):
        return
    if (directory / FAST_TOKENIZER).is_file():
        return
    if not (directory / SENTENCEPIECE).is_file():
        raise ExportError(
            f"Expected {FAST_TOKENIZER} or {SENTENCEPIECE} in {directory} but both are missing "
            "(--no-tokenizer exports a model that takes only token ids)"
        )
    for package in SENTENCEPIECE_PACKAGES:
        if not _is_installed(package):
            raise ExportError(
                f"Expected the Python package {package}, which reads {SENTENCEPIECE}, but it is not installed: "
                "run `npx torch-t5 setup --export`"
            )


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # a parent package isn't installed
        return False


def _headers(path: Path) -> list[tuple[str, int]]:
    try:
        return _safetensors_headers(path) if path.suffix == ".safetensors" else _pickled_headers(path)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError) as error:
        raise ExportError(f"Expected weights in {path} but received a damaged file ({one_line(error)})") from None


def _safetensors_headers(path: Path) -> list[tuple[str, int]]:
    headers: list[tuple[str, int]] = []
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 (the file has no iterator)
            view = file.get_slice(name)
            dtype = view.get_dtype()
            headers.append((SAFETENSORS_NAMES.get(dtype, dtype), torch.Size(view.get_shape()).numel()))
    return headers


def _pickled_headers(path: Path) -> list[tuple[str, int]]:
    tensors = torch.load(path, map_location="meta", weights_only=True)
    return [(str(tensor.dtype).removeprefix("torch."), tensor.numel()) for tensor in tensors.values()]
