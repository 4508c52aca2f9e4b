"""The steps of an export: check, load, trace, write, compare, and describe."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch.jit import ScriptModule
from transformers import PreTrainedTokenizerBase

from t5_export import (
    checkpoint,
    comparing,
    hub,
    layers,
    loading,
    manifest,
    modules,
    probes,
    tokenizers,
    tracing,
    writing,
)
from t5_export.adapters import refuse_adapter
from t5_export.architectures import Kind, T5Model, class_for, kind_of
from t5_export.errors import ExportError, one_line
from t5_export.files import CONFIG, read_json
from t5_export.kinds import export_of
from t5_export.modules import Embedding
from t5_export.progress import Progress, SilentProgress
from t5_export.tokenizers import TokenizerOrigin

STAGES = 7
ARCHIVE = "model.pt"
HIDDEN_STATES = "hidden_states.pt"
ATTENTIONS = "attentions.pt"
PROBES = "parity.safetensors"
# More than the traced code of any T5 needs.
CODE_BYTES = 8 * 1024 * 1024
# transformers may write other files, too, whose content is also in these.
TOKENIZER_FILES = frozenset({"tokenizer.json", "tokenizer_config.json"})


def export_source(
    source: str,
    directory: Path,
    *,
    with_tokenizer: bool = True,
    tokenizer_origin: TokenizerOrigin = "transformers",
    revision: str | None = None,
    encoder_only: bool = False,
    with_modules: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Export a Hugging Face or sentence-transformers directory or a name on the Hub, or its encoder alone.

    `with_modules`: export also what sentence-transformers makes of the encoder's output. Raises ExportError, and then
    leaves no files.
    """
    progress = progress or SilentProgress()
    writing.check_target(directory, overwrite)
    progress.stage(f"Reading {source}")

    def check_settings(root: Path) -> None:
        local = root / modules.folders(root).encoder
        refuse_adapter(source, root)
        if local != root:
            refuse_adapter(str(local), local)
        has_modules = with_modules and modules.are_in(root)
        if has_modules:
            modules.read_modules(root)
        config = read_json(local / CONFIG)
        class_for(config, encoder_only=encoder_only or has_modules)
        if with_tokenizer:
            tokenizers.require_tokenizer(local, config, tokenizer_origin)

    root = hub.fetch(source, revision, check_settings)
    local = root / modules.folders(root).encoder
    has_modules = with_modules and modules.are_in(root)
    encoder_only = encoder_only or has_modules  # sentence-transformers loads the encoder of a whole model, too
    weights = checkpoint.inspect_weights(local)
    model_class = _class_for(read_json(local / CONFIG), weights, encoder_only, progress)
    float32_bytes = weights.encoder_bytes
    if kind_of(model_class).has_decoder:
        float32_bytes += weights.decoder_bytes
    writing.check_disk_space(directory, float32_bytes)
    widened = f", {' and '.join(weights.widened)} widened to float32" if weights.widened else ""
    progress.stage(f"Loading {float32_bytes / 1e6:.1f} MB of weights{widened}")
    model = loading.load_model(local, model_class)
    tokenizer = _load_tokenizer(local, tokenizer_origin, progress) if with_tokenizer else None
    embedding = modules.read_embedding(root, source, model.config.d_model, tokenizer) if has_modules else None
    export_model(model, directory, tokenizer=tokenizer, embedding=embedding, overwrite=overwrite, progress=progress)


def export_model(
    model: T5Model,
    directory: Path,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    embedding: Embedding | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Export a float32 model in evaluation mode on the CPU. Raises ExportError, and then leaves no files."""
    progress = progress or SilentProgress()
    loading.check_model(model)
    export_of(model).check(model)
    if tokenizer is not None:
        tokenizers.check_tokenizer(tokenizer)
    writing.check_target(directory, overwrite)
    writing.check_disk_space(directory, weight_bytes(model))
    try:
        with writing.new_directory(directory) as temporary:
            _write(model, tokenizer, embedding, temporary, progress)
    except (OSError, SafetensorError) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        reason = "no room is left on the disk" if full else one_line(error)
        raise ExportError(f"Could not write {directory}: {reason}") from error


def _class_for(
    config: dict[str, Any], weights: checkpoint.Weights, encoder_only: bool, progress: Progress
) -> type[T5Model]:
    """Return the class for a config.json and the weights: that of an encoder where a decoder has none."""
    named = class_for(config, encoder_only=encoder_only)
    if kind_of(named) is Kind.GENERATION and weights.has_classifier:
        raise ExportError(
            "Expected the class of a classifier for architectures in config.json, as the checkpoint has the weights of "
            f"one, but received {config.get('architectures')} (--encoder-only exports the encoder alone)"
        )
    if kind_of(named) is not Kind.GENERATION or weights.decoder_bytes > 0:
        return named
    encoder = class_for(config, encoder_only=True)
    progress.warn(
        f"config.json describes a {named.__name__} but the checkpoint has weights of an encoder alone: "
        f"exporting a {encoder.__name__}"
    )
    return encoder


def _load_tokenizer(directory: Path, origin: TokenizerOrigin, progress: Progress) -> PreTrainedTokenizerBase:
    tokenizer = tokenizers.load_tokenizer(directory, origin)
    difference = tokenizers.difference_from_file(directory, tokenizer)
    if difference is not None:
        if origin == "file":
            raise ExportError(f"Expected the ids of tokenizer.json for --tokenizer file but {difference}")
        progress.warn(f"{difference}, as by AutoTokenizer (--tokenizer file exports tokenizer.json as it is)")
    return tokenizer


def _write(
    model: T5Model,
    tokenizer: PreTrainedTokenizerBase | None,
    embedding: Embedding | None,
    directory: Path,
    progress: Progress,
) -> None:
    progress.stage(f"Tracing {type(model).__name__} ({model.config._attn_implementation} attention)")
    traced = tracing.trace(model)
    progress.stage("Writing the archives")
    writing.reserve_disk_space(directory, weight_bytes(model) + CODE_BYTES)
    _write_archive(tracing.write_archive, traced, directory / ARCHIVE)
    del traced
    _write_layer_archives(model, directory)
    progress.stage("Comparing the written archives with Hugging Face, bit for bit")
    archive = tracing.read_archive(directory / ARCHIVE)
    comparing.compare(model, archive, export_of(model).checks, progress)
    _compare_layer_archives(model, directory, archive)
    del archive
    progress.stage("Writing probes, configuration and tokenizer")
    probes.write_probes(model, directory / PROBES)
    _write_config(model, directory)
    if model.can_generate():
        # `save_pretrained` raises for settings that `generate` only warns about.
        model.generation_config.to_json_file(directory / "generation_config.json")
    if tokenizer is not None:
        _write_tokenizer(tokenizer, directory)
    if embedding is not None:
        modules.write_embedding(embedding, directory)
    progress.stage("Hashing")
    manifest.write_manifest(directory, model)


def _write_config(model: T5Model, directory: Path) -> None:
    model.config.save_pretrained(directory)
    if kind_of(type(model)).classifies:
        path = directory / CONFIG
        # transformers leaves out the labels if they are LABEL_0 and LABEL_1.
        settings = {**read_json(path), "id2label": {str(index): name for index, name in model.config.id2label.items()}}
        path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _write_layer_archives(model: T5Model, directory: Path) -> None:
    if kind_of(type(model)) is not Kind.GENERATION:
        return
    _write_archive(tracing.write_code, layers.trace_hidden_states(model), directory / HIDDEN_STATES)
    _write_archive(tracing.write_code, layers.trace_attentions(model), directory / ATTENTIONS)


def _compare_layer_archives(model: T5Model, directory: Path, archive: ScriptModule) -> None:
    if kind_of(type(model)) is not Kind.GENERATION:
        return
    layers.compare_layers(model, tracing.read_code(directory / HIDDEN_STATES, archive), with_attentions=False)
    with layers.eager_attention(model):
        layers.compare_layers(model, tracing.read_code(directory / ATTENTIONS, archive), with_attentions=True)


def _write_archive(write: Callable[[ScriptModule, Path], None], traced: ScriptModule, path: Path) -> None:
    try:
        write(traced, path)
    except RuntimeError as error:  # PyTorch's writer raises it when the disk is full
        raise ExportError(f"Could not write {path.name}: {one_line(error)}") from error


def _write_tokenizer(tokenizer: PreTrainedTokenizerBase, directory: Path) -> None:
    before = set(directory.iterdir())
    tokenizer.save_pretrained(directory)
    for path in set(directory.iterdir()) - before:
        if path.name not in TOKENIZER_FILES:
            path.unlink()


def weight_bytes(model: T5Model) -> int:
    """Return the size of the weights in the archive."""
    # `parameters` yields a tied weight once, and the archive stores it once.
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
