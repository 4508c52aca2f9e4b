"""Traces a model, and writes and reads its TorchScript archives.

An archive has two peculiarities. First, it has no debug records: TorchScript's are as large as the code, and
they contain file paths of the exporting machine. Second, it records the alignment of the weights: MKL's matrix-vector
product handles the elements up to the next 64-byte boundary separately, so the last bits of its sums depend on the
matrix's address. `from_pretrained` maps weights from a safetensors file, at the same offset at every load. An archive's
weights are allocated, and have to be moved to the same alignment to give the same bits.
"""

import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from t5_export.architectures import T5Model
from t5_export.cases import TRACED_SHAPE, make_case
from t5_export.kinds import export_of

ALIGNMENT_BYTES = 64
ALIGNMENT_RECORD = "weight_placement.txt"
DEBUG_SUFFIX = ".debug_pkl"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence TorchScript's deprecation and the tracer's warnings. The comparison proves the trace."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=FutureWarning)
        warnings.simplefilter("ignore", category=DeprecationWarning)
        warnings.simplefilter("ignore", category=torch.jit.TracerWarning)
        yield


def trace(model: T5Model) -> torch.jit.ScriptModule:
    """Return the traced module, which shares the model's weights."""
    export = export_of(model)
    exported = export.wrap(model).eval()
    return trace_methods(
        exported, lambda: export.trace_inputs(exported, make_case(TRACED_SHAPE, model.config.vocab_size))
    )


def trace_methods(
    exported: nn.Module, inputs: Callable[[], Mapping[str, tuple[Tensor | list[Tensor], ...]]]
) -> torch.jit.ScriptModule:
    """Return a module whose methods are traced with `inputs`. It shares the weights."""
    # The trace doesn't depend on the values of the ids. Not inference mode, whose tensors can't be traced.
    with torch.no_grad(), quiet():
        # strict=False allows lists of tensors as outputs.
        return torch.jit.trace_module(exported, dict(inputs()), check_trace=False, strict=False, _store_inputs=False)


def write_archive(traced: torch.jit.ScriptModule, path: Path) -> None:
    """Write the archive, with each weight once and without debug records."""
    with quiet():
        torch.jit.save(traced, str(path), _extra_files={ALIGNMENT_RECORD: describe_alignment(traced)})
    remove_debug_records(path)


def write_code(traced: torch.jit.ScriptModule, path: Path) -> None:
    """Write an archive of a traced module without its weights: it runs with those of another archive."""
    with quiet(), without_weights(traced):
        torch.jit.save(traced, str(path))
    remove_debug_records(path)


@contextmanager
def without_weights(module: nn.Module) -> Iterator[None]:
    """Replace each weight by an empty tensor meanwhile."""
    parameters = list(module.parameters())
    data = [parameter.data for parameter in parameters]
    try:
        for parameter in parameters:
            parameter.data = torch.empty(0)
        yield
    finally:
        for parameter, weights in zip(parameters, data, strict=True):
            parameter.data = weights


def read_code(path: Path, weights: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """Read an archive that `write_code` wrote, with the weights of the other archive."""
    with quiet():
        archive = torch.jit.load(str(path), map_location="cpu").eval()
    own = dict(weights.named_parameters(remove_duplicate=False))
    for name, parameter in archive.named_parameters(remove_duplicate=False):
        parameter.data = own[name].data
    return archive


def read_archive(path: Path) -> torch.jit.ScriptModule:
    """Read an archive as torch-t5's engine does, with its weights aligned as the model's were."""
    records = {ALIGNMENT_RECORD: b""}
    with quiet():
        archive = torch.jit.load(str(path), map_location="cpu", _extra_files=records).eval()
    align_weights(archive, records[ALIGNMENT_RECORD].decode())
    return archive


def describe_alignment(module: nn.Module) -> str:
    """Return a line `<address modulo 64> <name>` for each weight whose address is no multiple of 64."""
    weights = module.named_parameters(remove_duplicate=False)
    remainders = [(weight.data_ptr() % ALIGNMENT_BYTES, name) for name, weight in weights]
    return "".join(f"{remainder} {name}\n" for remainder, name in remainders if remainder != 0)


def align_weights(module: nn.Module, description: str) -> None:
    """Move weights on the CPU to the described alignment. Weights that share memory keep sharing it."""
    remainders = {name: int(remainder) for remainder, name in (line.split(" ", 1) for line in description.splitlines())}
    moved: dict[int, Tensor] = {}
    with torch.no_grad():
        for name, weight in module.named_parameters(remove_duplicate=False):
            remainder = remainders.get(name)
            if remainder is None or weight.data_ptr() % ALIGNMENT_BYTES == remainder:
                continue
            address = weight.data_ptr()
            if address not in moved:
                moved[address] = _aligned_copy(weight, remainder)
            weight.data = moved[address]


def _aligned_copy(weight: Tensor, remainder: int) -> Tensor:
    memory = torch.empty(weight.numel() + ALIGNMENT_BYTES // weight.element_size(), dtype=weight.dtype)
    skipped = (remainder - memory.data_ptr()) % ALIGNMENT_BYTES // weight.element_size()
    return memory[skipped : skipped + weight.numel()].view(weight.shape).copy_(weight)


def remove_debug_records(path: Path) -> None:
    """Remove the debug records from an archive, in place.

    The weights are stored at the beginning of the archive, aligned for memory mapping. They stay there, and only the
    records from the first debug record on are written again.
    """
    with zipfile.ZipFile(path, "a") as archive:
        records = sorted(archive.infolist(), key=lambda info: info.header_offset)
        first = next((index for index, info in enumerate(records) if info.filename.endswith(DEBUG_SUFFIX)), None)
        if first is None:
            return
        tail = records[first:]
        kept = [(info, archive.read(info)) for info in tail if not info.filename.endswith(DEBUG_SUFFIX)]
        for info in tail:
            archive.filelist.remove(info)
            del archive.NameToInfo[info.filename]
        # The offset of the next record. When the archive is closed, it writes the directory and truncates the file.
        archive.start_dir = tail[0].header_offset
        for info, content in kept:
            record = zipfile.ZipInfo(info.filename)
            record.compress_type = info.compress_type
            archive.writestr(record, content)
