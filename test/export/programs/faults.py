"""Breaks the exporter from within, one fault at a time: `faults.py <checkpoint> <directory>`.

Prints `{fault: {"error": message or null, "left": names in the target's folder afterwards}}`.
"""

import errno
import json
import shutil
import sys
from collections import namedtuple
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from unittest.mock import patch

import exporter  # noqa: F401
import torch
from t5_export import ExportError, export_model, export_source, hub, kinds, loading, tokenizers, tracing, writing
from t5_export.architectures import Kind
from t5_export.generation import ExportedT5
from t5_export.kinds import EXPORTS
from torch import Tensor
from transformers import BertConfig, BertModel, GenerationConfig, T5Config, T5ForConditionalGeneration

DiskUsage = namedtuple("DiskUsage", "total used free")
Past = list[Tensor]
REAL_TRACE, REAL_WRITE = tracing.trace, tracing.write_archive


def next_up(tensor: Tensor) -> Tensor:
    """Return each value's neighbour, the smallest possible change."""
    return torch.nextafter(tensor, torch.full_like(tensor, torch.inf))


class OtherLogits(ExportedT5):
    """Its forward differs in the last bit."""

    def forward(self, ids: Tensor, mask: Tensor, decoder_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Perturb the logits."""
        logits, encoder_state, decoder_state = super().forward(ids, mask, decoder_ids)
        return next_up(logits), encoder_state, decoder_state


class OtherState(ExportedT5):
    """Its decoder state differs in the last bit."""

    def forward(self, ids: Tensor, mask: Tensor, decoder_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Perturb the state."""
        logits, encoder_state, decoder_state = super().forward(ids, mask, decoder_ids)
        return logits, encoder_state, next_up(decoder_state)


class IgnoredMask(ExportedT5):
    """Its forward attends to padding."""

    def forward(self, ids: Tensor, mask: Tensor, decoder_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Ignore the mask."""
        return super().forward(ids, torch.ones_like(mask), decoder_ids)


class BakedLength(ExportedT5):
    """Its forward always returns the number of positions that it was traced with."""

    def forward(self, ids: Tensor, mask: Tensor, decoder_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Cut at a constant, as Python code whose shape tracing can't record."""
        logits, encoder_state, decoder_state = super().forward(ids, mask, decoder_ids)
        return logits[:, : int(decoder_ids.shape[1])], encoder_state, decoder_state


class OtherEncoder(ExportedT5):
    """Its encode differs in the last bit."""

    def encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Perturb the state."""
        return next_up(super().encode(ids, mask))


class OtherStep(ExportedT5):
    """Its step differs in the last bit."""

    def step(self, decoder_ids: Tensor, mask: Tensor, past: Past) -> tuple[Tensor, Tensor, Past]:
        """Perturb the logits."""
        logits, state, past = super().step(decoder_ids, mask, past)
        return next_up(logits), state, past


class OtherCache(ExportedT5):
    """The last cross value of its prefill differs in the last bit."""

    def prefill(self, decoder_ids: Tensor, state: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Past]:
        """Perturb the cache."""
        logits, hidden, past = super().prefill(decoder_ids, state, mask)
        return logits, hidden, [*past[:-1], next_up(past[-1])]


def trace_other_weights(model: T5ForConditionalGeneration) -> torch.jit.ScriptModule:
    """Trace a copy in which the last bit of one weight of the encoder is flipped."""
    other = deepcopy(model)
    other.encoder.final_layer_norm.weight.data.view(torch.int32)[0] ^= 1
    return REAL_TRACE(other)


def write_then_damage(traced: torch.jit.ScriptModule, path: Path) -> None:
    """Write the archive, then flip a bit in the middle of its first weight."""
    REAL_WRITE(traced, path)
    content = bytearray(path.read_bytes())
    weight = next(traced.parameters()).detach().contiguous().numpy().tobytes()
    content[content.index(weight) + len(weight) // 2] ^= 1
    path.write_bytes(content)


def full_disk(*_: object) -> None:
    """Fail as a write to a full disk does."""
    raise OSError(errno.ENOSPC, "No space left on device")


def in_training(model: T5ForConditionalGeneration) -> T5ForConditionalGeneration:
    """Return the model with dropout enabled in one block."""
    model.decoder.block[0].train()
    return model


def without_packages(source: Path) -> Callable[[Path], None]:
    """Export a checkpoint with its tokenizer where the package that reads the tokenizer is missing."""

    def run(target: Path) -> None:
        with patch.object(tokenizers, "_is_installed", lambda package: package != "google.protobuf"):
            export_source(str(source), target)

    return run


def tiny(**settings: object) -> T5ForConditionalGeneration:
    """Return a random model."""
    sizes = {"d_model": 16, "d_kv": 4, "d_ff": 16, "num_heads": 2, "num_layers": 1, "decoder_start_token_id": 0}
    return T5ForConditionalGeneration(T5Config(**sizes, **settings)).eval()


def with_settings(model: T5ForConditionalGeneration) -> T5ForConditionalGeneration:
    """Return the model with settings that change `generate`, but no step."""
    model.generation_config = GenerationConfig(
        num_beams=3, do_sample=True, max_length=7, repetition_penalty=1.5, num_return_sequences=2, eos_token_id=1
    )
    return model


def main(checkpoint: Path, directory: Path) -> dict[str, object]:
    """Run each fault in its own folder."""
    loading.quiet_libraries()

    def export(target: Path) -> None:
        export_source(str(checkpoint), target, with_tokenizer=False)

    def with_patch(owner: object, name: str, value: object) -> Callable[[Path], None]:
        def run(target: Path) -> None:
            with patch.object(owner, name, value):
                export(target)

        return run

    def with_model(change: Callable[[T5ForConditionalGeneration], object]) -> Callable[[Path], None]:
        return lambda target: export_model(change(T5ForConditionalGeneration.from_pretrained(checkpoint)), target)

    def traced_as(wrapper: type[ExportedT5]) -> Callable[[Path], None]:
        export = replace(EXPORTS[Kind.GENERATION], wrap=wrapper)
        return with_patch(kinds, "EXPORTS", {**EXPORTS, Kind.GENERATION: export})

    faults: dict[str, Callable[[Path], None]] = {
        "nothing": export,
        "model in memory": with_model(lambda model: model.eval()),
        "one bit of one weight": with_patch(tracing, "trace", trace_other_weights),
        "one bit of the written file": with_patch(tracing, "write_archive", write_then_damage),
        "forward's logits": traced_as(OtherLogits),
        "forward's state": traced_as(OtherState),
        "ignored mask": traced_as(IgnoredMask),
        "baked length": traced_as(BakedLength),
        "encode": traced_as(OtherEncoder),
        "step": traced_as(OtherStep),
        "cache": traced_as(OtherCache),
        "little room": with_patch(shutil, "disk_usage", lambda _: DiskUsage(1 << 30, (1 << 30) - 4096, 4096)),
        "full disk": with_patch(tracing, "write_archive", full_disk),
        "full disk at the end": with_patch(writing, "_replace", full_disk),
        "training": with_model(lambda model: model.train()),
        "training of one block": with_model(lambda model: in_training(model.eval())),
        "half in memory": with_model(lambda model: model.eval().half()),
        "bfloat16 in memory": with_model(lambda model: model.eval().bfloat16()),
        "another class": with_model(lambda _: BertModel(BertConfig(num_hidden_layers=1)).eval()),
        "a vocabulary of two": with_model(lambda _: tiny(vocab_size=2)),
        "no use of the cache": with_model(lambda _: tiny(vocab_size=9, use_cache=False)),
        "settings of generate": with_model(lambda model: with_settings(model.eval())),
        "spiece.model without its packages": without_packages(checkpoint.parent / "sentencepiece"),
        "hub unreachable": lambda target: with_hub(checkpoint, target, None),
        "hub": lambda target: with_hub(checkpoint, target, "main"),
        "hub of sentence-transformers": lambda target: with_hub(checkpoint.parent / "sentences", target, "main"),
    }
    return {name: observe(fault, directory / str(number)) for number, (name, fault) in enumerate(faults.items())}


def with_hub(checkpoint: Path, target: Path, revision: str | None) -> None:
    """Export from a hub with one repository. Without a revision, the hub is unreachable."""
    fetched: list[str] = []
    cache = target.parent.parent / f"cache of {checkpoint.name}"

    def snapshot_download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        if revision is None:
            raise ConnectionError("Name or service not known")
        assert (name, revision) == ("owner/model", "main")
        cache.mkdir(exist_ok=True)
        for path in sorted(path for path in checkpoint.rglob("*") if path.is_file()):
            file = path.relative_to(checkpoint).as_posix()
            if any(fnmatchcase(file, pattern) for pattern in allow_patterns):
                fetched.append(file)
                (cache / file).parent.mkdir(exist_ok=True)
                shutil.copy(path, cache / file)
        return str(cache)

    with patch.object(hub, "snapshot_download", snapshot_download):
        export_source("owner/model", target, with_tokenizer=False, revision=revision)
    # The configuration is fetched first, so that another architecture is refused without a download of its weights.
    assert fetched.index("config.json") < fetched.index("model.safetensors")
    if (checkpoint / "modules.json").is_file():
        assert fetched.index("2_Dense/config.json") < fetched.index("model.safetensors")
        assert (target / "embedding.safetensors").is_file()


def observe(fault: Callable[[Path], None], folder: Path) -> dict[str, object]:
    """Return the error, if there is one, and the files that are left."""
    folder.mkdir()
    error = None
    try:
        fault(folder / "exported")
    except ExportError as refused:
        error = str(refused)
    return {"error": error, "left": sorted(path.name for path in folder.iterdir())}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
