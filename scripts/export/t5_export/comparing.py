"""Proves an archive: every number that it computes is bitwise equal to Hugging Face's."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from t5_export.architectures import T5Model
from t5_export.cases import Case, Shape, make_case
from t5_export.errors import ExportError
from t5_export.progress import Progress


@dataclass(frozen=True)
class Check:
    """One comparison of an archive's methods with the model, on inputs of one shape."""

    # Raises ExportError at the first tensor that is not bitwise equal.
    compare: Callable[[Any, torch.jit.ScriptModule, Case], None]
    shape: Shape
    detail: str = ""


def compare(model: T5Model, archive: torch.jit.ScriptModule, checks: Sequence[Check], progress: Progress) -> None:
    """Raise ExportError at the first tensor that is not bitwise equal."""
    compare_weights(model, archive)
    # The unoptimized executor runs the trace as it is, without fusion or specialization, as torch-t5's engine does.
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        for number, check in enumerate(checks, start=1):
            check.compare(model, archive, make_case(check.shape, model.config.vocab_size))
            progress.count(number, len(checks), f"{check.shape}{check.detail}")


def compare_weights(model: T5Model, archive: torch.jit.ScriptModule) -> None:
    """Compare every weight, because no number of inputs reads every row of the embedding."""
    received = {name.removeprefix("model."): tensor for name, tensor in archive.state_dict().items()}
    for name, expected in model.state_dict().items():
        difference = describe_difference(received[name], expected) if name in received else "none"
        if difference is not None:
            raise ExportError(f"Expected the weight {name} in the archive but received {difference}")


def require_equal(shape: Shape, pairs: Iterable[tuple[str, Tensor, Tensor]]) -> None:
    """Raise ExportError unless each pair has the same type, shape and bits."""
    for name, received, expected in pairs:
        difference = describe_difference(received, expected)
        if difference is not None:
            raise ExportError(f"Expected {name} bitwise equal to Hugging Face's but received {difference} ({shape})")


def describe_difference(received: Tensor, expected: Tensor) -> str | None:
    """Return how the tensors differ; None where every bit is equal, including NaN and the sign of zero."""
    if received.dtype != expected.dtype or received.shape != expected.shape:
        return f"{received.dtype} {list(received.shape)} instead of {expected.dtype} {list(expected.shape)}".replace(
            "torch.", ""
        )
    if torch.equal(_bits(received), _bits(expected)):
        return None
    differing = int((_bits(received) != _bits(expected)).sum())
    largest = (received - expected).abs().max().item()
    return f"{differing} of {received.numel()} values that differ, by up to {largest:.3g}"


def _bits(tensor: Tensor) -> Tensor:
    return tensor.contiguous().view(torch.int32)
