"""Adapters of peft: refused, because they are not part of the weights that are exported."""

import json
from pathlib import Path

from t5_export.errors import ExportError
from t5_export.files import ADAPTER_CONFIG, CONFIG, read_json

ADAPTER_FILES = (ADAPTER_CONFIG, "adapter_model.safetensors", "adapter_model.bin")
UNKNOWN_BASE = "base"
MERGED = "merged"


def refuse_adapter(source: str, directory: Path) -> None:
    """Raise ExportError where the source's directory has an adapter, alone or beside the weights of its base model.

    Where peft is installed, Hugging Face's `from_pretrained` applies the adapter; where it isn't, the adapter is
    ignored.
    """
    found = next((name for name in ADAPTER_FILES if (directory / name).is_file()), None)
    if found is None:
        return
    adapter, base, first = source, _base(directory), "in Python"
    if Path(source).is_dir() and (directory / CONFIG).is_file():
        # Beside its base model the adapter is loaded with it, and a second time by peft.
        adapter, base = str(directory / "adapter"), source
        first = f"move the files adapter_* to {adapter}, then in Python"
    raise ExportError(
        f"Expected a checkpoint without an adapter but received {found} in {source}: merge it into the base "
        f"model and export the result ({first}: {merge_code(base, adapter)})"
    )


def merge_code(base: str, adapter: str) -> str:
    """Return the Python that writes the base model with the adapter merged into its weights."""
    loaded = f"AutoModelForSeq2SeqLM.from_pretrained({json.dumps(base)})"
    merged = f"PeftModel.from_pretrained({loaded}, {json.dumps(adapter)}).merge_and_unload()"
    imports = "from peft import PeftModel; from transformers import AutoModelForSeq2SeqLM"
    return f"{imports}; model = {merged}; model.save_pretrained({json.dumps(MERGED)})"


def _base(directory: Path) -> str:
    path = directory / ADAPTER_CONFIG
    name = read_json(path).get("base_model_name_or_path") if path.is_file() else None
    return name if isinstance(name, str) and name else UNKNOWN_BASE
