"""The model families and classes that can be exported, and the kind of each class."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeAlias

from transformers import (
    MT5EncoderModel,
    MT5ForConditionalGeneration,
    MT5ForSequenceClassification,
    MT5ForTokenClassification,
    T5EncoderModel,
    T5ForConditionalGeneration,
    T5ForSequenceClassification,
    T5ForTokenClassification,
    UMT5EncoderModel,
    UMT5ForConditionalGeneration,
    UMT5ForSequenceClassification,
    UMT5ForTokenClassification,
)

from t5_export.errors import ExportError

GenerationModel: TypeAlias = T5ForConditionalGeneration | MT5ForConditionalGeneration | UMT5ForConditionalGeneration
EncoderModel: TypeAlias = T5EncoderModel | MT5EncoderModel | UMT5EncoderModel
SequenceClassifier: TypeAlias = (
    T5ForSequenceClassification | MT5ForSequenceClassification | UMT5ForSequenceClassification
)
TokenClassifier: TypeAlias = T5ForTokenClassification | MT5ForTokenClassification | UMT5ForTokenClassification
Classifier: TypeAlias = SequenceClassifier | TokenClassifier
T5Model: TypeAlias = GenerationModel | EncoderModel | Classifier


class Kind(Enum):
    """What a model computes. kinds.py has how the models of each kind are exported."""

    GENERATION = "conditional generation"
    ENCODER = "encoder"
    SEQUENCE_CLASSIFICATION = "sequence classification"
    TOKEN_CLASSIFICATION = "token classification"

    @property
    def has_decoder(self) -> bool:
        """Whether a model of this kind has a decoder."""
        return self in (Kind.GENERATION, Kind.SEQUENCE_CLASSIFICATION)

    @property
    def classifies(self) -> bool:
        """Whether a model of this kind gives a logit to each of its labels."""
        return self in (Kind.SEQUENCE_CLASSIFICATION, Kind.TOKEN_CLASSIFICATION)


# By `model_type` of config.json. T5 v1.1, Flan-T5 and ByT5 have the model type "t5", too.
CLASSES: Mapping[str, Mapping[Kind, type[T5Model]]] = {
    "t5": {
        Kind.GENERATION: T5ForConditionalGeneration,
        Kind.ENCODER: T5EncoderModel,
        Kind.SEQUENCE_CLASSIFICATION: T5ForSequenceClassification,
        Kind.TOKEN_CLASSIFICATION: T5ForTokenClassification,
    },
    "mt5": {
        Kind.GENERATION: MT5ForConditionalGeneration,
        Kind.ENCODER: MT5EncoderModel,
        Kind.SEQUENCE_CLASSIFICATION: MT5ForSequenceClassification,
        Kind.TOKEN_CLASSIFICATION: MT5ForTokenClassification,
    },
    "umt5": {
        Kind.GENERATION: UMT5ForConditionalGeneration,
        Kind.ENCODER: UMT5EncoderModel,
        Kind.SEQUENCE_CLASSIFICATION: UMT5ForSequenceClassification,
        Kind.TOKEN_CLASSIFICATION: UMT5ForTokenClassification,
    },
}

KINDS_BY_CLASS: Mapping[type[T5Model], Kind] = {
    model_class: kind for classes in CLASSES.values() for kind, model_class in classes.items()
}
KINDS_BY_NAME: Mapping[str, Kind] = {
    **{model_class.__name__: kind for model_class, kind in KINDS_BY_CLASS.items()},
    # The name of T5ForConditionalGeneration in the first T5 checkpoints.
    "T5WithLMHeadModel": Kind.GENERATION,
}


def class_for(config: Mapping[str, Any], *, encoder_only: bool = False) -> type[T5Model]:
    """Return the class for a config.json: that of its encoder with `encoder_only`.

    Raises ExportError where the config.json isn't that of a T5, or of a class that can't be exported.
    """
    model_type = config.get("model_type")
    classes = CLASSES.get(str(model_type))
    if classes is None:
        raise ExportError(f"Expected {_any_of(CLASSES)} for model_type in config.json but received {model_type}")
    if config.get("quantization_config") is not None:
        raise ExportError("Expected unquantized weights but received a quantization_config in config.json")
    if encoder_only:
        return classes[Kind.ENCODER]
    names = [str(name) for name in config.get("architectures") or []]
    known = [KINDS_BY_NAME[name] for name in names if name in KINDS_BY_NAME]
    if names and not known:
        expected = _any_of([model_class.__name__ for model_class in classes.values()])
        raise ExportError(
            f"Expected {expected} for architectures in config.json but received {', '.join(names)} "
            "(--encoder-only exports the encoder alone)"
        )
    return classes[known[0] if known else Kind.GENERATION]


def kind_of(model_class: type[T5Model]) -> Kind:
    """Return the kind of a class in `CLASSES`, or of a class derived from it."""
    return next(KINDS_BY_CLASS[base] for base in model_class.__mro__ if base in KINDS_BY_CLASS)


def _any_of(names: Mapping[str, object] | list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"
