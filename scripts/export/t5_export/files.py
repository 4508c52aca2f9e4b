"""The names of a checkpoint's files, and JSON."""

import json
from pathlib import Path
from typing import Any

from t5_export.errors import ExportError, one_line

CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
FAST_TOKENIZER = "tokenizer.json"
SENTENCEPIECE = "spiece.model"
SAFETENSORS = "model.safetensors"
PICKLED = "pytorch_model.bin"


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
