"""Classifiers (T5ForSequenceClassification, T5ForTokenClassification and the classes like them)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from t5_export.architectures import Classifier, SequenceClassifier, TokenClassifier
from t5_export.cases import ENCODER_SHAPES, Case, Shape
from t5_export.comparing import Check, require_equal
from t5_export.errors import ExportError
from t5_export.signatures import ATTENTION_MASK, INPUT_IDS, Signature, tensor


class ExportedClassifier(nn.Module):
    """`classify` over a classifier."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def classify(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the logits: [B, L] of texts, [B, S, L] of tokens."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def check_sequence_classifier(model: SequenceClassifier) -> None:
    """Raise ExportError for a configuration with which Hugging Face's `forward` or torch-t5's can't classify."""
    config = model.config
    _check_labels(config.id2label, model.classification_head.out_proj.out_features)
    for name in ("eos_token_id", "decoder_start_token_id", "pad_token_id"):
        value = getattr(config, name, None)
        if not isinstance(value, int) or not 0 <= value < config.vocab_size:
            raise ExportError(f"Expected an id of the vocabulary for {name} in config.json but received {value}")


def check_token_classifier(model: TokenClassifier) -> None:
    """Raise ExportError for a configuration without a label for each logit."""
    _check_labels(model.config.id2label, model.classifier.out_features)


def _check_labels(labels: Mapping[int, Any], count: int) -> None:
    if sorted(labels) == list(range(count)) and all(isinstance(label, str) for label in labels.values()):
        return
    received = ", ".join(f"{index}: {label!r}" for index, label in labels.items()) or "none"
    raise ExportError(f"Expected labels of 0 to {count - 1} for id2label in config.json but received {received}")


def sequence_trace_inputs(exported: ExportedClassifier, case: Case) -> dict[str, tuple[Tensor, ...]]:
    """Return the inputs to trace the method with."""
    return token_trace_inputs(exported, with_ends(case, exported.model.config.eos_token_id))


def token_trace_inputs(_: ExportedClassifier, case: Case) -> dict[str, tuple[Tensor, ...]]:
    """Return the inputs to trace the method with."""
    return {"classify": (case.input_ids, case.attention_mask)}


def sequence_signatures(_: SequenceClassifier) -> dict[str, Signature]:
    """Return the signature of the method."""
    logits = tensor("logits", "float32", "batch", "numLabels")
    return {"classify": {"inputs": [INPUT_IDS, ATTENTION_MASK], "outputs": [logits]}}


def token_signatures(_: TokenClassifier) -> dict[str, Signature]:
    """Return the signature of the method."""
    logits = tensor("logits", "float32", "batch", "sourceLength", "numLabels")
    return {"classify": {"inputs": [INPUT_IDS, ATTENTION_MASK], "outputs": [logits]}}


def compare_sequences(model: SequenceClassifier, archive: torch.jit.ScriptModule, case: Case) -> None:
    """Compare the logits of rows with one end-of-sequence id each."""
    compare_tokens(model, archive, with_ends(case, model.config.eos_token_id))


def compare_two_ends(model: SequenceClassifier, archive: torch.jit.ScriptModule, case: Case) -> None:
    """Compare the logits of rows with two end-of-sequence ids each, of which the last one counts."""
    eos = model.config.eos_token_id
    ended = with_ends(case, eos)
    input_ids = ended.input_ids.clone()
    input_ids[:, 0] = eos
    compare_tokens(model, archive, replace(ended, input_ids=input_ids))


def compare_tokens(model: Classifier, archive: torch.jit.ScriptModule, case: Case) -> None:
    """Compare the logits."""
    logits = archive.classify(case.input_ids, case.attention_mask)
    expected = model(input_ids=case.input_ids, attention_mask=case.attention_mask).logits
    require_equal(case.shape, [("classify's logits", logits, expected)])
    if case.shape.padded:
        return
    plain = model(input_ids=case.input_ids).logits
    require_equal(case.shape, [("classify's logits (the model without a mask)", logits, plain)])


TOKEN_CHECKS = tuple(Check(compare_tokens, shape) for shape in ENCODER_SHAPES)
SEQUENCE_CHECKS = (
    *(Check(compare_sequences, shape) for shape in ENCODER_SHAPES),
    *(Check(compare_two_ends, Shape(batch, 33, 0, padded=False), ", two ends") for batch in (1, 3)),
)


def sequence_probe(model: SequenceClassifier, case: Case) -> dict[str, Tensor]:
    """Return a case's inputs and the model's logits for them."""
    return token_probe(model, with_ends(case, model.config.eos_token_id))


def token_probe(model: Classifier, case: Case) -> dict[str, Tensor]:
    """Return a case's inputs and the model's logits for them."""
    inputs = {"input_ids": case.input_ids, "attention_mask": case.attention_mask}
    return {**inputs, "logits": model(**inputs).logits}


def sequence_probe_size(model: SequenceClassifier, shape: Shape) -> int:
    """Return the number of logits of a probe."""
    return shape.batch * model.config.num_labels


def token_probe_size(model: TokenClassifier, shape: Shape) -> int:
    """Return the number of logits of a probe."""
    return shape.batch * shape.source_length * model.config.num_labels


def with_ends(case: Case, eos: int) -> Case:
    """Return the case with one end-of-sequence id per row: the last id that the mask keeps."""
    other = 0 if eos != 0 else 1
    input_ids = case.input_ids.masked_fill(case.input_ids == eos, other)
    input_ids.scatter_(1, case.attention_mask.sum(1, keepdim=True) - 1, eos)
    return replace(case, input_ids=input_ids)
