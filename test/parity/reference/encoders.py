"""Encoders of the families: saved as checkpoints of their own in each form that is found on the hub, and exported."""

import json
from pathlib import Path

import torch
from families import FAMILIES, write_checkpoint
from safetensors.torch import load_file, save_file
from t5_export import export_source
from t5_export.architectures import CLASSES, Kind
from transformers import PreTrainedModel

OWN_EMBEDDING = "encoder.embed_tokens.weight"
SHARED_EMBEDDING = "shared.weight"


def encoder_class(family: str) -> type[PreTrainedModel]:
    """Return T5EncoderModel, or the class like it."""
    return CLASSES[FAMILIES[family].config_class.model_type][Kind.ENCODER]


def write_encoders(family: str, directory: Path, seed: int) -> dict[str, Path]:
    """Write a whole model, and checkpoints of its encoder alone. Return the directories by their forms."""
    forms = {
        form: directory / f"{family}-{form}"
        for form in ("whole", "encoder", "own-embedding", "two-embeddings", "other-name", "pickled")
    }
    write_checkpoint(FAMILIES[family], forms["whole"], seed)
    model = encoder_class(family).from_pretrained(forms["whole"])
    for form in set(forms) - {"whole"}:
        model.save_pretrained(forms[form])
    weights = load_file(forms["encoder"] / "model.safetensors")
    embedding = weights.pop(SHARED_EMBEDDING)
    weights[OWN_EMBEDDING] = embedding
    save_file(weights, forms["own-embedding"] / "model.safetensors", {"format": "pt"})
    # The encoder reads its own.
    weights[SHARED_EMBEDDING] = embedding + 1
    save_file(weights, forms["two-embeddings"] / "model.safetensors", {"format": "pt"})
    settings = json.loads((forms["other-name"] / "config.json").read_text(encoding="utf-8"))
    name = "T5WithLMHeadModel" if settings["model_type"] == "t5" else FAMILIES[family].model_class.__name__
    changed = {**settings, "architectures": [name]}
    (forms["other-name"] / "config.json").write_text(json.dumps(changed), encoding="utf-8")
    (forms["pickled"] / "model.safetensors").unlink()
    torch.save(model.state_dict(), forms["pickled"] / "pytorch_model.bin")
    return forms


def export_encoder(checkpoint: Path, exported: Path, *, encoder_only: bool) -> None:
    """Export the encoder of a checkpoint."""
    torch.set_num_threads(1)  # more threads slow such a small model down
    export_source(str(checkpoint), exported, with_tokenizer=False, encoder_only=encoder_only)
