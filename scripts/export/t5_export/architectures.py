"""The families that can be exported, each by Hugging Face's own class."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from transformers import MT5ForConditionalGeneration, T5ForConditionalGeneration, UMT5ForConditionalGeneration

from t5_export.errors import ExportError

T5Model: TypeAlias = T5ForConditionalGeneration | MT5ForConditionalGeneration | UMT5ForConditionalGeneration

# By `model_type` of config.json. T5 v1.1, Flan-T5 and ByT5 are "t5" too.
CLASSES: Mapping[str, type[T5Model]] = {
    "t5": T5ForConditionalGeneration,
    "mt5": MT5ForConditionalGeneration,
    "umt5": UMT5ForConditionalGeneration,
}

# What the first T5 checkpoints call T5ForConditionalGeneration.
OLD_NAMES = frozenset({"T5WithLMHeadModel"})


def class_for(config: Mapping[str, Any]) -> type[T5Model]:
    """Return the class for a config.json, or refuse: another architecture, or a T5 without its decoder or head."""
    model_type = config.get("model_type")
    model_class = CLASSES.get(str(model_type))
    if model_class is None:
        raise ExportError(f"Expected t5, mt5 or umt5 for model_type in config.json but received {model_type}")
    names = config.get("architectures") or []
    known = {each.__name__ for each in CLASSES.values()} | OLD_NAMES
    if names and known.isdisjoint(names):
        received = ", ".join(map(str, names))
        raise ExportError(f"Expected {model_class.__name__} for architectures in config.json but received {received}")
    if config.get("quantization_config") is not None:
        raise ExportError("Expected unquantized weights but received a quantization_config in config.json")
    return model_class
