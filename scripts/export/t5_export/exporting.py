"""The steps of an export: check, load, trace, write, compare, and describe."""

import errno
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from torch.jit import ScriptModule
from transformers import PreTrainedTokenizerBase

from t5_export import checkpoint, comparing, hub, loading, manifest, probes, tokenizers, tracing, writing
from t5_export.adapters import refuse_adapter
from t5_export.architectures import T5Model, class_for
from t5_export.errors import ExportError, one_line
from t5_export.files import CONFIG, read_json
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
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Export a Hugging Face directory or a name on the Hub. Raises ExportError, and then leaves no files."""
    progress = progress or SilentProgress()
    writing.check_target(directory, overwrite)
    progress.stage(f"Reading {source}")

    def check_settings(local: Path) -> None:
        refuse_adapter(source, local)
        config = read_json(local / CONFIG)
        class_for(config)
        if with_tokenizer:
            tokenizers.require_tokenizer(local, config, tokenizer_origin)

    local = hub.fetch(source, revision, check_settings)
    weights = checkpoint.inspect_weights(local)
    writing.check_disk_space(directory, weights.float32_bytes)
    widened = f", {' and '.join(weights.widened)} widened to float32" if weights.widened else ""
    progress.stage(f"Loading {weights.float32_bytes / 1e6:.1f} MB of weights{widened}")
    model = loading.load_model(local, class_for(read_json(local / CONFIG)))
    tokenizer = _load_tokenizer(local, tokenizer_origin, progress) if with_tokenizer else None
    export_model(model, directory, tokenizer=tokenizer, overwrite=overwrite, progress=progress)


def export_model(
    model: T5Model,
    directory: Path,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Export a float32 model in evaluation mode on the CPU. Raises ExportError, and then leaves no files."""
    progress = progress or SilentProgress()
    loading.check_model(model)
    if tokenizer is not None:
        tokenizers.check_tokenizer(tokenizer)
    writing.check_target(directory, overwrite)
    writing.check_disk_space(directory, weight_bytes(model))
    try:
        with writing.new_directory(directory) as temporary:
            _write(model, tokenizer, temporary, progress)
    except (OSError, SafetensorError) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        reason = "no room is left on the disk" if full else one_line(error)
        raise ExportError(f"Could not write {directory}: {reason}") from error


def _load_tokenizer(directory: Path, origin: TokenizerOrigin, progress: Progress) -> PreTrainedTokenizerBase:
    tokenizer = tokenizers.load_tokenizer(directory, origin)
    difference = tokenizers.difference_from_file(directory, tokenizer)
    if difference is not None:
        if origin == "file":
            raise ExportError(f"Expected the ids of tokenizer.json for --tokenizer file but {difference}")
        progress.warn(f"{difference}, as by AutoTokenizer (--tokenizer file exports tokenizer.json as it is)")
    return tokenizer


def _write(model: T5Model, tokenizer: PreTrainedTokenizerBase | None, directory: Path, progress: Progress) -> None:
    progress.stage(f"Tracing {type(model).__name__} ({model.config._attn_implementation} attention)")
    traced = tracing.trace(model)
    hidden_states, attentions = tracing.trace_hidden_states(model), tracing.trace_attentions(model)
    progress.stage("Writing the archives")
    writing.reserve_disk_space(directory, weight_bytes(model) + CODE_BYTES)
    _write_archive(tracing.write_archive, traced, directory / ARCHIVE)
    _write_archive(tracing.write_code, hidden_states, directory / HIDDEN_STATES)
    _write_archive(tracing.write_code, attentions, directory / ATTENTIONS)
    del traced, hidden_states, attentions
    progress.stage("Comparing the written archives with Hugging Face, bit for bit")
    archive = tracing.read_archive(directory / ARCHIVE)
    comparing.compare(model, archive, progress)
    comparing.compare_layers(model, tracing.read_code(directory / HIDDEN_STATES, archive), with_attentions=False)
    with tracing.eager_attention(model):
        comparing.compare_layers(model, tracing.read_code(directory / ATTENTIONS, archive), with_attentions=True)
    del archive
    progress.stage("Writing probes, configuration and tokenizer")
    probes.write_probes(model, directory / PROBES)
    model.config.save_pretrained(directory)
    # `save_pretrained` raises for settings that `generate` only warns about.
    model.generation_config.to_json_file(directory / "generation_config.json")
    if tokenizer is not None:
        _write_tokenizer(tokenizer, directory)
    progress.stage("Hashing")
    manifest.write_manifest(directory, model)


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
