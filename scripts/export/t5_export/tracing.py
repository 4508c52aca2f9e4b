"""Traces the model once, and writes and reads the TorchScript archive."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from t5_export.architectures import T5Model
from t5_export.debug_records import remove_debug_records
from t5_export.placement import RECORD, note_placement, place_weights
from t5_export.wrapper import ExportedT5

# Sizes that differ from each other and from 1: a size that the trace bakes in then shows in the comparison.
BATCH, SOURCE_LENGTH, TARGET_LENGTH, PADDED = 2, 5, 3, 2


@contextmanager
def quiet() -> Iterator[None]:
    """Silence TorchScript's deprecation and the tracer's advice: the comparison is what proves the trace."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=FutureWarning)
        warnings.simplefilter("ignore", category=DeprecationWarning)
        warnings.simplefilter("ignore", category=torch.jit.TracerWarning)
        yield


def trace(model: T5Model) -> torch.jit.ScriptModule:
    """Return the traced module; it shares the model's weights."""
    exported = ExportedT5(model).eval()
    # Any ids do: no value of a tensor decides what is traced.
    input_ids = torch.zeros(BATCH, SOURCE_LENGTH, dtype=torch.int64)
    attention_mask = torch.ones_like(input_ids)
    attention_mask[-1, -PADDED:] = 0
    decoder_input_ids = torch.zeros(BATCH, TARGET_LENGTH, dtype=torch.int64)
    # Not inference mode: its tensors can't be traced.
    with torch.no_grad(), quiet():
        state = exported.encode(input_ids, attention_mask)
        past = exported.prefill(decoder_input_ids, state, attention_mask)[2]
        inputs: dict[str, tuple[Tensor | list[Tensor], ...]] = {
            "forward": (input_ids, attention_mask, decoder_input_ids),
            "encode": (input_ids, attention_mask),
            "prefill": (decoder_input_ids, state, attention_mask),
            "step": (decoder_input_ids[:, :1], attention_mask, past),
        }
        # strict=False allows the list of past tensors as an output.
        return torch.jit.trace_module(exported, inputs, check_trace=False, strict=False, _store_inputs=False)


def write_archive(traced: torch.jit.ScriptModule, path: Path) -> None:
    """Write the archive, weights once, without the records that only serve TorchScript's stack traces."""
    with quiet():
        torch.jit.save(traced, str(path), _extra_files={RECORD: note_placement(traced)})
    remove_debug_records(path)


def read_archive(path: Path) -> torch.jit.ScriptModule:
    """Read an archive as torch-t5's engine will, its weights where the model's lay."""
    records = {RECORD: b""}
    with quiet():
        archive = torch.jit.load(str(path), map_location="cpu", _extra_files=records).eval()
    place_weights(archive, records[RECORD].decode())
    return archive
