"""The checks, as data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MODELS = ["t5", "t5-v1.1", "umt5", "gated-silu", "demo", "wide"]
"""Model families of test/parity/reference/families.py, and `demo`, the embedded model."""
PRECISIONS = ["exact", "float32", "bfloat16"]
"""The precisions that run on a GPU."""
UMT5_SINCE = (5, 18)
"""In older versions of transformers, UMT5's decoder without a mask attended to later positions. A traced decoder
doesn't, so the exporter rejects it."""
SPECS = {
    "exact": "",
    "sessions": "",
    "scoring": "",
    "reductions": "",
    # Two models only, because all of them take minutes.
    "fused": "float32: logits within.*(t5-v1.1|gated-silu) ",
    # The models of these are made by each spec itself, so a few families run.
    "classifiers": "(^a classifier's logits (t5|umt5), (texts|tokens) |directory are bitwise)",
    "encoders": "(^an encoder's hidden states umt5, |t5: of a Hugging Face directory)",
    "checkpoints": "^a Hugging Face directory (t5|umt5|t5-v1.1)",
    "layers": " (t5|the embedded model) ",
}
"""The specs of test/parity that pass on any device, and a regular expression for the tests of each that run."""
SEED = 11


@dataclass(frozen=True)
class Check:
    """A program of test/gpu-check/checks, and its settings."""

    name: str
    title: str
    program: str
    settings: dict[str, Any] = field(default_factory=dict)
    is_alone: bool = False
    """Whether no other check runs at the same time, because the machine's memory is measured."""


def has_umt5(transformers: str) -> bool:
    """Whether a version of transformers computes UMT5 correctly."""
    return tuple(map(int, transformers.split(".")[:2])) >= UMT5_SINCE


def plan(precisions: Sequence[str], *, with_umt5: bool, on_gpu: bool, checker: str | None) -> list[Check]:
    """Return every check, the quick ones first. `checker`: NVIDIA's memory checker, if there is one."""
    checks = [Check("refusals", "rejected input and its error codes", "refusals", {"precision": "float32"})]
    titles = {
        "forward": "logits of forward passes, padded and not, against Hugging Face's float32",
        "sessions": "logits of decoding steps, forks, prefills and beams, against Hugging Face's float32",
        "generation": "tokens of greedy and beam search, against Hugging Face's",
        "results": "a single copy of each requested result",
        "ends": "generations that end early, and the calls after them",
        "replicas": "two replicas on the device, against one model, bit for bit",
        "side-by-side": "a model on the CPU and one on the device in one process: logits against each other's",
    }
    for program, text in titles.items():
        for precision in precisions:
            settings = {"precision": precision}
            is_alone = program == "results" and on_gpu
            checks.append(Check(f"{program}-{precision}", f"{precision}: {text}", program, settings, is_alone))
    for precision in precisions:
        if precision != "exact":
            title = f"{precision}: tokens of many callers whose calls run together, against Hugging Face's"
            settings = {"precision": precision, "batching": True}
            checks.append(Check(f"batching-{precision}", title, "generation", settings))
    if on_gpu:
        for precision in precisions:
            title = f"{precision}: a call that needs more memory than a GPU has"
            checks.append(Check(f"out-of-memory-{precision}", title, "out-of-memory", {"precision": precision}))
        if checker is not None:
            settings = {"precision": "float32", "checker": checker}
            checks.append(Check("memory", "kernels under NVIDIA's memory checker", "memory", settings))
        title = "calls after the GPU has stopped working"
        checks.append(Check("lost-gpu", title, "lost-gpu", {"precision": "float32"}))
    for spec, part in SPECS.items():
        grep = f"^(?=.*{part}){'' if with_umt5 else '(?!.*umt5)'}"
        title = f"test/parity/{spec}.spec.ts: {part or 'bit for bit'}"
        checks.append(Check(f"parity-{spec}", title, "parity", {"spec": spec, "grep": grep, "precision": "exact"}))
    return checks
