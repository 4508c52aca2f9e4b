"""Encoders (T5EncoderModel and the classes like it): the exported method, how it is proved, and its probes."""

import torch
from torch import Tensor, nn

from t5_export.architectures import EncoderModel
from t5_export.cases import ENCODER_SHAPES, Case, Shape
from t5_export.comparing import Check, require_equal
from t5_export.signatures import ATTENTION_MASK, INPUT_IDS, Signature, tensor


class ExportedEncoder(nn.Module):
    """`encode` over a T5EncoderModel."""

    def __init__(self, model: EncoderModel) -> None:
        super().__init__()
        self.model = model

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the last hidden state [B, S, D]."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def trace_inputs(_: ExportedEncoder, case: Case) -> dict[str, tuple[Tensor, ...]]:
    """Return the inputs to trace each method with."""
    return {"encode": (case.input_ids, case.attention_mask)}


def signatures(_: EncoderModel) -> dict[str, Signature]:
    """Return the signature of each method."""
    state = tensor("last_hidden_state", "float32", "batch", "sourceLength", "dModel")
    return {"encode": {"inputs": [INPUT_IDS, ATTENTION_MASK], "outputs": [state]}}


def compare_encode(model: EncoderModel, archive: torch.jit.ScriptModule, case: Case) -> None:
    """Compare the last hidden state."""
    state = archive.encode(case.input_ids, case.attention_mask)
    expected = model(input_ids=case.input_ids, attention_mask=case.attention_mask).last_hidden_state
    require_equal(case.shape, [("encode's last_hidden_state", state, expected)])
    if case.shape.padded:
        return
    plain = model(input_ids=case.input_ids).last_hidden_state
    require_equal(case.shape, [("encode's last_hidden_state (the model without a mask)", state, plain)])


CHECKS = tuple(Check(compare_encode, shape) for shape in ENCODER_SHAPES)


def probe(model: EncoderModel, case: Case) -> dict[str, Tensor]:
    """Return a case's inputs and the model's last hidden state for them."""
    inputs = {"input_ids": case.input_ids, "attention_mask": case.attention_mask}
    return {**inputs, "last_hidden_state": model(**inputs).last_hidden_state}


def probe_size(model: EncoderModel, shape: Shape) -> int:
    """Return the number of floats in the state of a probe."""
    return shape.batch * shape.source_length * model.config.d_model
