"""sentence-transformers directories: how the encoder's output becomes an embedding, and what can't be exported of it.

`modules.json` lists the modules: Transformer (the encoder), Pooling, then any of Dense and Normalize. What torch-t5
needs of them is written to embedding.json, and the weights of Dense to embedding.safetensors.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from t5_export.errors import ExportError, one_line
from t5_export.files import PICKLED, SAFETENSORS, read_json

MODULES = "modules.json"
SETTINGS = "config_sentence_transformers.json"
TRANSFORMER_SETTINGS = "sentence_bert_config.json"
MODULE_CONFIG = "config.json"
EMBEDDING = "embedding.json"
WEIGHTS = "embedding.safetensors"

WITHOUT_MODULES = "(--no-modules exports the encoder without them)"
PACKAGE = "sentence_transformers."
# In the order in which several modes are concatenated.
POOLING_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
# The names of the modes in older directories, one flag each.
POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# By the names of PyTorch's classes, with the arguments that they have by default.
ACTIVATIONS = {
    "Identity": "identity",
    "Tanh": "tanh",
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
}
DEFAULT_ACTIVATION = "torch.nn.modules.activation.Tanh"
SENTENCE = "sentence_embedding"
# What sentence-transformers assumes of a directory, and the one value of each that torch-t5 can apply.
TRANSFORMER_VALUES: Mapping[str, Any] = {
    "do_lower_case": False,
    "transformer_task": "feature-extraction",
    "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
    "module_output_name": "token_embeddings",
}
# Prompts that every model has.
DEFAULT_PROMPTS = {"query": "", "document": ""}
# sentence-transformers excludes the prompts of these from pooling, whatever their files say.
INSTRUCTORS = frozenset({"hkunlp/instructor-base", "hkunlp/instructor-large", "hkunlp/instructor-xl"})
# Tokenizers without a limit have a larger one.
MAX_LENGTH = 2**31 - 1


@dataclass(frozen=True)
class Module:
    """An entry of modules.json: the last part of its class, and its folder, which is "" for the root."""

    name: str
    folder: str


@dataclass(frozen=True)
class Embedding:
    """What embedding.json states, and the weights of Dense by the names that embedding.safetensors gives them."""

    pooling: Sequence[str]
    include_prompt: bool
    layers: Sequence[Mapping[str, Any]]
    prompts: Mapping[str, str]
    default_prompt_name: str | None
    max_seq_length: int | None
    weights: Mapping[str, Tensor]


@dataclass(frozen=True)
class Folders:
    """The folders of a directory, relative to it: that of the encoder, and those of the other modules."""

    encoder: str
    others: Sequence[str]


def are_in(directory: Path) -> bool:
    """Return whether the directory is one of sentence-transformers."""
    return (directory / MODULES).is_file()


def folders(directory: Path) -> Folders:
    """Return the folders of a directory, whatever its modules. Without modules.json the encoder is in the root."""
    if not are_in(directory):
        return Folders("", ())
    entries = _entries(directory)
    encoders = [_folder(entry) for entry in entries if _name(entry) == "Transformer"]
    others = [_folder(entry) for entry in entries if _name(entry) != "Transformer"]
    return Folders(encoders[0] if encoders else "", others)


def read_modules(directory: Path) -> list[Module]:
    """Return the modules. Raises ExportError for those that torch-t5 can't apply, and for another order."""
    modules = [_module(entry) for entry in _entries(directory)]
    names = [module.name for module in modules]
    if names[:2] != ["Transformer", "Pooling"] or not set(names[2:]) <= {"Dense", "Normalize", "Dropout"}:
        raise ExportError(
            f"Expected Transformer, Pooling, then Dense or Normalize for the modules of {directory / MODULES} "
            f"but received {', '.join(names) or 'none'} {WITHOUT_MODULES}"
        )
    return modules


def read_embedding(directory: Path, source: str, d_model: int, tokenizer: PreTrainedTokenizerBase | None) -> Embedding:
    """Read all that follows the encoder. Raises ExportError for a setting that torch-t5 can't apply."""
    transformer, pooling, *others = read_modules(directory)
    settings_path = directory / SETTINGS
    settings = read_json(settings_path) if settings_path.is_file() else {}
    _require(settings_path, "model_type", settings.get("model_type"), "SentenceTransformer")
    pooled = read_json(directory / pooling.folder / MODULE_CONFIG)
    modes = _pooling_modes(directory / pooling.folder / MODULE_CONFIG, pooled)
    width = pooled.get("embedding_dimension", pooled.get("word_embedding_dimension"))
    _require(directory / pooling.folder / MODULE_CONFIG, "embedding_dimension", width, d_model)
    include_prompt = pooled.get("include_prompt", True) is not False and source not in INSTRUCTORS
    layers: list[Mapping[str, Any]] = []
    weights: dict[str, Tensor] = {}
    width = d_model * len(modes)
    for module in others:
        folder = directory / module.folder
        if module.name == "Normalize":
            _require_sentence(folder)
            layers.append({"type": "normalize"})
        elif module.name == "Dense":
            layer, tensors = _read_dense(folder, width)
            width = layer["outputs"]
            weights.update({f"{len(layers)}.{name}": tensor for name, tensor in tensors.items()})
            layers.append(layer)
    return Embedding(
        pooling=modes,
        include_prompt=include_prompt,
        layers=layers,
        max_seq_length=_max_seq_length(directory / transformer.folder, tokenizer),
        weights=weights,
        **_read_prompts(settings_path, settings),
    )


def write_embedding(embedding: Embedding, directory: Path) -> None:
    """Write the files of an embedding."""
    settings = {
        "pooling": list(embedding.pooling),
        "includePrompt": embedding.include_prompt,
        "modules": list(embedding.layers),
        "prompts": dict(embedding.prompts),
        "defaultPromptName": embedding.default_prompt_name,
        "maxSeqLength": embedding.max_seq_length,
    }
    (directory / EMBEDDING).write_text(
        json.dumps(settings, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
    )
    if embedding.weights:
        save_file(dict(embedding.weights), directory / WEIGHTS)


def _entries(directory: Path) -> list[Mapping[str, Any]]:
    path = directory / MODULES
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(f"Expected JSON in {path} but received a damaged file ({one_line(error)})") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ExportError(f"Expected a list of modules in {path} but received {type(entries).__name__}")
    return entries


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("type")).rsplit(".", 1)[-1]


def _folder(entry: Mapping[str, Any]) -> str:
    folder = entry.get("path", "")
    if not isinstance(folder, str) or PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
        raise ExportError(f"Expected a folder inside the directory for path in {MODULES} but received {folder}")
    return folder


def _module(entry: Mapping[str, Any]) -> Module:
    full_name = str(entry.get("type"))
    if not full_name.startswith(PACKAGE):
        raise ExportError(
            f"Expected modules of sentence-transformers in {MODULES} but received {full_name} {WITHOUT_MODULES}"
        )
    if entry.get("kwargs"):
        raise ExportError(f"Expected no kwargs in {MODULES} but received {entry['kwargs']} {WITHOUT_MODULES}")
    return Module(_name(entry), _folder(entry))


def _pooling_modes(path: Path, config: Mapping[str, Any]) -> list[str]:
    given = config.get("pooling_mode")
    if given is None:
        given = [mode for flag, mode in POOLING_FLAGS.items() if config.get(flag)] or ["mean"]
    modes = [given] if isinstance(given, str) else given
    if not isinstance(modes, list) or not modes or not set(map(str, modes)) <= set(POOLING_MODES):
        raise ExportError(
            f"Expected {', '.join(POOLING_MODES)} for pooling_mode in {path} but received {given} {WITHOUT_MODULES}"
        )
    return modes


def _read_dense(folder: Path, width: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a layer for embedding.json, and its weights in float32."""
    path = folder / MODULE_CONFIG
    config = read_json(path)
    _require_sentence(folder)
    _require(path, "use_residual", config.get("use_residual"), False)
    _require(path, "in_features", config.get("in_features"), width)
    function = str(config.get("activation_function", DEFAULT_ACTIVATION))
    activation = ACTIVATIONS.get(function.rsplit(".", 1)[-1]) if function.startswith("torch.nn.") else None
    if activation is None:
        raise ExportError(
            f"Expected {', '.join(ACTIVATIONS)} of torch.nn for activation_function in {path} but received {function} "
            f"{WITHOUT_MODULES}"
        )
    has_bias = config.get("bias", True) is not False
    outputs = config.get("out_features")
    expected = {"linear.weight": [outputs, width], **({"linear.bias": [outputs]} if has_bias else {})}
    weights = _load_weights(folder)
    received = {name: list(tensor.shape) for name, tensor in weights.items()}
    if received != expected:
        raise ExportError(f"Expected the weights {expected} of Dense in {folder} but received {received}")
    layer = {"type": "dense", "inputs": width, "outputs": outputs, "bias": has_bias, "activation": activation}
    # Contiguous, because safetensors stores no strides.
    return layer, {name.removeprefix("linear."): weight.float().contiguous() for name, weight in weights.items()}


def _load_weights(folder: Path) -> dict[str, Tensor]:
    safetensors, pickled = folder / SAFETENSORS, folder / PICKLED
    try:
        if safetensors.is_file():
            weights = load_file(safetensors)
        elif pickled.is_file():
            weights = torch.load(pickled, map_location="cpu", weights_only=True)
        else:
            raise ExportError(f"Expected {SAFETENSORS} or {PICKLED} in {folder} but both are missing")
    except ExportError:
        raise
    except Exception as error:  # a damaged file raises many types
        raise ExportError(f"Expected weights in {folder} but received a damaged file ({one_line(error)})") from None
    if not isinstance(weights, dict) or not all(
        isinstance(each, Tensor) and each.is_floating_point() for each in weights.values()
    ):
        raise ExportError(f"Expected floating-point weights in {folder} but received something else")
    return weights


def _read_prompts(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    given = settings.get("prompts") or {}
    if not isinstance(given, dict) or not all(isinstance(text, str | None) for text in given.values()):
        raise ExportError(f"Expected texts for prompts in {path} but received {given}")
    prompts = {**DEFAULT_PROMPTS, **{name: text or "" for name, text in given.items()}}
    default = settings.get("default_prompt_name")
    if default is not None and default not in prompts:
        raise ExportError(f"Expected the name of a prompt for default_prompt_name in {path} but received {default}")
    return {"prompts": prompts, "default_prompt_name": default}


def _max_seq_length(folder: Path, tokenizer: PreTrainedTokenizerBase | None) -> int | None:
    """Return how many ids a text is truncated to. Raises ExportError for another setting of the Transformer."""
    path = folder / TRANSFORMER_SETTINGS
    settings = read_json(path) if path.is_file() else {}
    for name, value in settings.items():
        if name == "max_seq_length" or value in (None, {}, []):
            continue
        if name not in TRANSFORMER_VALUES:
            raise ExportError(f"Expected no {name} in {path} but received {json.dumps(value)} {WITHOUT_MODULES}")
        _require(path, name, value, TRANSFORMER_VALUES[name])
    given = settings.get("max_seq_length")
    if given is None:
        given = None if tokenizer is None else tokenizer.model_max_length
    if given is None or given > MAX_LENGTH:
        return None
    if not isinstance(given, int) or given < 1:
        raise ExportError(f"Expected a positive integer for max_seq_length in {path} but received {given}")
    return given


def _require_sentence(folder: Path) -> None:
    """Raise ExportError for a module that reads or writes anything but the embedding."""
    path = folder / MODULE_CONFIG
    config = read_json(path) if path.is_file() else {}
    for name in ("module_input_name", "module_output_name"):
        _require(path, name, config.get(name), SENTENCE)


def _require(path: Path, name: str, received: object, expected: object) -> None:
    """Raise ExportError for another value of a setting. It may be absent."""
    if received is not None and received != expected:
        raise ExportError(
            f"Expected {json.dumps(expected)} for {name} in {path} but received {json.dumps(received)} "
            f"{WITHOUT_MODULES}"
        )
