"""Finds the local directory of a source, which is a directory or a name on the Hub."""

from collections.abc import Callable
from pathlib import Path

from huggingface_hub import snapshot_download

from t5_export import modules
from t5_export.errors import ExportError, one_line

SETTINGS = [
    "config.json",
    "adapter_config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "spiece.model",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
]
MODULE_SETTINGS = ["config.json"]
SAFETENSORS = ["model.safetensors", "model-*.safetensors", "model.safetensors.index.json"]
PICKLED = ["pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json"]


def fetch(source: str, revision: str | None, check_settings: Callable[[Path], None]) -> Path:
    """Return the local directory. `check_settings` runs before weights are downloaded, and may raise ExportError."""
    local = Path(source)
    if local.is_dir():
        if revision is not None:
            raise ExportError(f"Expected a hub name for --revision but received the directory {source}")
        check_settings(local)
        return local
    if local.exists() or _is_path(source):
        raise ExportError(f"Expected a directory or a hub name for source but received {source}")
    directory = _download(source, revision, SETTINGS)
    folders = modules.folders(directory)
    inside = _below(folders.encoder, SETTINGS) if folders.encoder else []
    inside += [name for folder in folders.others for name in _below(folder, MODULE_SETTINGS)]
    if inside:
        _download(source, revision, inside)
    check_settings(directory)
    for folder in (folders.encoder, *folders.others):
        _download(source, revision, _below(folder, SAFETENSORS))
        if not any((directory / folder).glob("model*.safetensors")):
            _download(source, revision, _below(folder, PICKLED))
    return directory


def _below(folder: str, patterns: list[str]) -> list[str]:
    return [f"{folder}/{pattern}" if folder else pattern for pattern in patterns]


def _is_path(source: str) -> bool:
    return source.count("/") > 1 or "\\" in source or source.startswith((".", "/", "~"))


def _download(name: str, revision: str | None, patterns: list[str]) -> Path:
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the Hub's client raises dozens of types for a name that can't be downloaded
        raise ExportError(
            f"Expected a directory or a hub name for source but received {name} ({one_line(error)})"
        ) from None
