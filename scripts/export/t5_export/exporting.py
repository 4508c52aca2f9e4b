"""The export from beginning to end."""

import errno
from pathlib import Path

from safetensors import SafetensorError
from transformers import PreTrainedTokenizerBase

from t5_export import checkpoint, comparing, hub, loading, manifest, probes, tracing, writing
from t5_export.architectures import T5Model, class_for
from t5_export.errors import ExportError, one_line
from t5_export.progress import Progress, SilentProgress

STAGES = 7
ARCHIVE = "model.pt"
PROBES = "parity.safetensors"
# More than the traced code of any T5 takes.
CODE_BYTES = 8 * 1024 * 1024
# What transformers may write beside these is in them already.
TOKENIZER_FILES = frozenset({"tokenizer.json", "tokenizer_config.json"})


def export_source(
    source: str,
    directory: Path,
    *,
    with_tokenizer: bool = True,
    revision: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Export a Hugging Face directory or hub name; raises ExportError and leaves nothing behind when it can't."""
    progress = progress or SilentProgress()
    writing.check_target(directory, overwrite)
    progress.stage(f"Reading {source}")

    def check_settings(local: Path) -> None:
        config = checkpoint.read_json(local / checkpoint.CONFIG)
        class_for(config)
        if with_tokenizer:
            checkpoint.require_tokenizer(local, config)

    local = hub.fetch(source, revision, check_settings)
    weights = checkpoint.inspect_weights(local)
    writing.check_room(directory, weights.float32_bytes)
    widened = ", bfloat16 widened to float32" if "bfloat16" in weights.dtypes else ""
    progress.stage(f"Loading {weights.float32_bytes / 1e6:.1f} MB of weights{widened}")
    model = loading.load_model(local, class_for(checkpoint.read_json(local / checkpoint.CONFIG)))
    tokenizer = loading.load_tokenizer(local) if with_tokenizer else None
    export_model(model, directory, tokenizer=tokenizer, overwrite=overwrite, progress=progress)


def export_model(
    model: T5Model,
    directory: Path,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Export a model in memory, in evaluation mode, float32, on the CPU; raises ExportError as `export_source` does."""
    progress = progress or SilentProgress()
    loading.check_model(model)
    writing.check_target(directory, overwrite)
    writing.check_room(directory, weight_bytes(model))
    try:
        with writing.new_directory(directory) as temporary:
            _write(model, tokenizer, temporary, progress)
    except (OSError, SafetensorError) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        reason = "no room is left on the disk" if full else one_line(error)
        raise ExportError(f"Could not write {directory}: {reason}") from error


def _write(model: T5Model, tokenizer: PreTrainedTokenizerBase | None, directory: Path, progress: Progress) -> None:
    progress.stage(f"Tracing {type(model).__name__} ({model.config._attn_implementation} attention)")
    traced = tracing.trace(model)
    progress.stage("Writing the archive")
    writing.prove_room(directory, weight_bytes(model) + CODE_BYTES)
    _write_archive(traced, directory / ARCHIVE)
    del traced
    progress.stage("Comparing the written archive with Hugging Face, bit for bit")
    comparing.compare(model, tracing.read_archive(directory / ARCHIVE), progress)
    progress.stage("Writing probes, configuration and tokenizer")
    probes.write_probes(model, directory / PROBES)
    model.config.save_pretrained(directory)
    # `save_pretrained` refuses settings that `generate` only warns of.
    model.generation_config.to_json_file(directory / "generation_config.json")
    if tokenizer is not None:
        _write_tokenizer(tokenizer, directory)
    progress.stage("Hashing")
    manifest.write_manifest(directory, model)


def _write_archive(traced: object, path: Path) -> None:
    try:
        tracing.write_archive(traced, path)
    except RuntimeError as error:  # what PyTorch's writer raises when the disk is full
        raise ExportError(f"Could not write {path.name}: {one_line(error)}") from error


def _write_tokenizer(tokenizer: PreTrainedTokenizerBase, directory: Path) -> None:
    before = set(directory.iterdir())
    tokenizer.save_pretrained(directory)
    for path in set(directory.iterdir()) - before:
        if path.name not in TOKENIZER_FILES:
            path.unlink()


def weight_bytes(model: T5Model) -> int:
    """Return the size of the weights in the archive."""
    # `parameters` gives a tied weight once, and so does the archive.
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
