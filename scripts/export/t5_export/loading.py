"""Loads a checkpoint as Hugging Face does, in float32."""

import logging
from pathlib import Path
from typing import Any

import torch
import transformers

from t5_export.architectures import KINDS_BY_CLASS, T5Model
from t5_export.errors import ExportError, one_line


def load_model(directory: Path, model_class: type[T5Model]) -> T5Model:
    """Return the model with its default attention. Raises ExportError where the checkpoint lacks a weight."""
    try:
        model, info = model_class.from_pretrained(
            directory, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # transformers raises many types for a checkpoint that it can't load
        raise ExportError(
            f"Expected a checkpoint of {model_class.__name__} in {directory} ({one_line(error)})"
        ) from error
    missing = sorted(info["missing_keys"])
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ExportError(
            f"Expected every weight of {model_class.__name__} but the checkpoint lacks {missing[0]}{more}"
        )
    return model.eval()


def quiet_libraries() -> None:
    """Silence the libraries' warnings. Those that matter are errors of the exporter."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("torch").setLevel(logging.ERROR)


def check_model(model: Any) -> None:  # noqa: ANN401 (a caller may pass anything)
    """Raise ExportError for a model with dropout, of another class or type, or on another device."""
    if not isinstance(model, T5Model):
        raise ExportError(
            f"Expected one of {', '.join(each.__name__ for each in KINDS_BY_CLASS)} for model "
            f"but received {type(model).__name__}"
        )
    training = [name or type(model).__name__ for name, module in model.named_modules() if module.training]
    if training:
        raise ExportError(
            f"Expected a model in evaluation mode but received one with dropout on in {training[0]}: call model.eval()"
        )
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise ExportError(f"Expected float32 weights but received {dtype} in {name}: call model.float()")
        if tensor.device.type != "cpu":
            raise ExportError(f"Expected a model on the CPU but received {name} on {tensor.device}")
