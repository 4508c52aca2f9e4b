"""Classifiers of the families: random checkpoints, exported, and Hugging Face's pipelines on them."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from families import COMMON, FAMILIES
from t5_export import export_source
from t5_export.architectures import CLASSES, Kind
from transformers import AutoTokenizer, ByT5Tokenizer, PreTrainedModel, pipeline

ENTITIES = ("O", "B-PER", "I-PER", "B-LOC", "MISC-x-y")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")

# The kind and the settings of each form.
FORMS: Mapping[str, tuple[Kind, Mapping[str, Any]]] = {
    "texts": (Kind.SEQUENCE_CLASSIFICATION, {"id2label": {0: "bad", 1: "fair", 2: "good"}}),
    "two texts labels": (Kind.SEQUENCE_CLASSIFICATION, {}),  # transformers leaves these labels out of config.json
    "topics": (Kind.SEQUENCE_CLASSIFICATION, {"num_labels": 4, "problem_type": "multi_label_classification"}),
    "single label": (Kind.SEQUENCE_CLASSIFICATION, {"num_labels": 1}),
    "regression": (Kind.SEQUENCE_CLASSIFICATION, {"num_labels": 2, "problem_type": "regression"}),
    "tokens": (Kind.TOKEN_CLASSIFICATION, {"id2label": dict(enumerate(ENTITIES))}),
}


def write_classifier(family: str, form: str, directory: Path, tokenizer: Path, seed: int) -> None:
    """Write a checkpoint with a tokenizer; a tokenizer of bytes needs no file."""
    kind, settings = FORMS[form]
    definition = FAMILIES[family]
    torch.manual_seed(seed)
    config = definition.config_class(**{**COMMON, **definition.settings, **settings})
    model = CLASSES[config.model_type][kind](config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "classif" in name:
                # Biases are zero otherwise, and every label of a text nearly as probable as the others.
                parameter.normal_(std=0.5 if name.endswith("bias") else 2 * config.d_model**-0.5)
    model.save_pretrained(directory)
    if family == "byt5":
        ByT5Tokenizer().save_pretrained(directory)
        return
    for file in TOKENIZER_FILES:
        shutil.copy(tokenizer / file, directory)


def export_classifier(checkpoint: Path, exported: Path) -> None:
    """Export a checkpoint."""
    torch.set_num_threads(1)  # more threads slow such a small model down
    export_source(str(checkpoint), exported)


def load_classifier(family: str, form: str, checkpoint: Path) -> PreTrainedModel:
    """Load the original."""
    classes = CLASSES[FAMILIES[family].config_class.model_type]
    return classes[FORMS[form][0]].from_pretrained(checkpoint).eval()


def classify(model: PreTrainedModel, checkpoint: Path, request: Mapping[str, Any]) -> list[Any]:
    """Run the pipeline on each text alone. Offsets are counted in UTF-16 units here, as in JavaScript."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    options = dict(request["options"])
    if not request["ofTokens"]:
        run = pipeline("text-classification", model=model, tokenizer=tokenizer, device=model.device)
        return [run(text, top_k=None, **options) for text in request["texts"]]
    run = pipeline("token-classification", model=model, tokenizer=tokenizer, device=model.device, **options)
    return [[_plain(entity, text) for entity in run(text)] for text in request["texts"]]


def _plain(entity: Mapping[str, Any], text: str) -> dict[str, Any]:
    def units(position: int | None) -> int | None:
        return None if position is None else len(text[:position].encode("utf-16-le")) // 2

    plain = {**entity, "score": float(entity["score"]), "start": units(entity["start"]), "end": units(entity["end"])}
    if "index" in plain:
        plain["index"] = int(plain["index"])
    return plain
