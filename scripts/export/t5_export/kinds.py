"""How the models of each kind are exported: the one place to add a kind to, beside its classes in architectures.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from t5_export import classification, encoder, generation, generation_checks
from t5_export.architectures import Kind, T5Model, kind_of
from t5_export.cases import Case, Shape
from t5_export.comparing import Check
from t5_export.signatures import Signature


@dataclass(frozen=True)
class Export:
    """What is exported of a model."""

    # Raises ExportError for a model that can be loaded but not exported.
    check: Callable[[Any], None]
    # The module around the model whose methods are traced.
    wrap: Callable[[Any], nn.Module]
    # The inputs to trace each of its methods with.
    trace_inputs: Callable[[Any, Case], Mapping[str, tuple[Tensor | list[Tensor], ...]]]
    signatures: Callable[[Any], Mapping[str, Signature]]
    checks: Sequence[Check]
    # The inputs of a case, and the model's output for them, which `torch-t5 verify` compares.
    probe: Callable[[Any, Case], Mapping[str, Tensor]]
    # The number of floats in the output of a probe.
    probe_size: Callable[[Any, Shape], int]


def accept(_: T5Model) -> None:
    """Accept every model that was loaded."""


EXPORTS: Mapping[Kind, Export] = {
    Kind.GENERATION: Export(
        check=accept,
        wrap=generation.ExportedT5,
        trace_inputs=generation.trace_inputs,
        signatures=generation.signatures,
        checks=generation_checks.CHECKS,
        probe=generation.probe,
        probe_size=generation.probe_size,
    ),
    Kind.ENCODER: Export(
        check=accept,
        wrap=encoder.ExportedEncoder,
        trace_inputs=encoder.trace_inputs,
        signatures=encoder.signatures,
        checks=encoder.CHECKS,
        probe=encoder.probe,
        probe_size=encoder.probe_size,
    ),
    Kind.SEQUENCE_CLASSIFICATION: Export(
        check=classification.check_sequence_classifier,
        wrap=classification.ExportedClassifier,
        trace_inputs=classification.sequence_trace_inputs,
        signatures=classification.sequence_signatures,
        checks=classification.SEQUENCE_CHECKS,
        probe=classification.sequence_probe,
        probe_size=classification.sequence_probe_size,
    ),
    Kind.TOKEN_CLASSIFICATION: Export(
        check=classification.check_token_classifier,
        wrap=classification.ExportedClassifier,
        trace_inputs=classification.token_trace_inputs,
        signatures=classification.token_signatures,
        checks=classification.TOKEN_CHECKS,
        probe=classification.token_probe,
        probe_size=classification.token_probe_size,
    ),
}


def export_of(model: T5Model) -> Export:
    """Return what is exported of a model."""
    return EXPORTS[kind_of(type(model))]
