"""Writes manifest.json: the model's methods, the versions that exported it, and the SHA-256 of every file."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
import transformers

from t5_export.architectures import T5Model
from t5_export.wrapper import TENSORS_PER_LAYER

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
        "methods": methods(model),
    }
    (directory / NAME).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """Return the hex digest of a file, which is read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def methods(model: T5Model) -> dict[str, Any]:
    """Return the signature of each method: names, types and the meaning of each dimension."""
    ids = _tensor("input_ids", "int64", "batch", "sourceLength")
    mask = _tensor("attention_mask", "int64", "batch", "sourceLength")
    decoder_ids = _tensor("decoder_input_ids", "int64", "batch", "targetLength")
    one_id = {**decoder_ids, "shape": ["batch", 1]}
    encoder_state = _tensor("encoder_last_hidden_state", "float32", "batch", "sourceLength", "dModel")
    decoder_state = _tensor("decoder_last_hidden_state", "float32", "batch", "targetLength", "dModel")
    one_state = {**decoder_state, "shape": ["batch", 1, "dModel"]}
    logits = _tensor("logits", "float32", "batch", "targetLength", "vocabSize")
    one_logits = {**logits, "shape": ["batch", 1, "vocabSize"]}
    # Layer by layer: self key, self value, cross key, cross value.
    past = {
        **_tensor("past", "float32", "batch", "numHeads", "pastLength", "dKv"),
        "count": TENSORS_PER_LAYER * model.config.num_decoder_layers,
    }
    return {
        "forward": {"inputs": [ids, mask, decoder_ids], "outputs": [logits, encoder_state, decoder_state]},
        "encode": {"inputs": [ids, mask], "outputs": [encoder_state]},
        "prefill": {"inputs": [decoder_ids, encoder_state, mask], "outputs": [logits, decoder_state, past]},
        "step": {"inputs": [one_id, mask, past], "outputs": [one_logits, one_state, past]},
    }


def _tensor(name: str, dtype: str, *shape: str) -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "shape": list(shape)}
