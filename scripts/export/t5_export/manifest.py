"""Writes manifest.json: the model's methods, the versions that exported it, and the SHA-256 of every file."""

import hashlib
import json
from pathlib import Path

import torch
import transformers

from t5_export.architectures import T5Model
from t5_export.kinds import export_of

FORMAT_VERSION = 1
NAME = "manifest.json"
CHUNK_BYTES = 1 << 22


def write_manifest(directory: Path, model: T5Model) -> None:
    """Describe every other file of the directory."""
    files = sorted(path for path in directory.iterdir() if path.name != NAME)
    manifest = {
        "formatVersion": FORMAT_VERSION,
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "modelType": model.config.model_type,
        "architecture": type(model).__name__,
        "attention": model.config._attn_implementation,
        "dtype": "float32",
        "intraOpThreads": torch.get_num_threads(),
        "files": {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in files},
        "methods": export_of(model).signatures(model),
    }
    (directory / NAME).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """Return the hex digest of a file, which is read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
