"""The model families that can be exported, and their Hugging Face classes."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from transformers import MT5ForConditionalGeneration, T5ForConditionalGeneration, UMT5ForConditionalGeneration

from t5_export.errors import ExportError

T5Model: TypeAlias = T5ForConditionalGeneration | MT5ForConditionalGeneration | UMT5ForConditionalGeneration

# By `model_type` of config.json. T5 v1.1, Flan-T5 and ByT5 have the model type "t5", too.
CLASSES: Mapping[str, type[T5Model]] = {
    "t5": T5ForConditionalGeneration,
    "mt5": MT5ForConditionalGeneration,
    "umt5": UMT5ForConditionalGeneration,
}

# The name of T5ForConditionalGeneration in the first T5 checkpoints.
OLD_NAMES = frozenset({"T5WithLMHeadModel"})


def class_for(config: Mapping[str, Any]) -> type[T5Model]:
    """Return the class for a config.json. Raises ExportError where it isn't a T5 with decoder and head."""
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
