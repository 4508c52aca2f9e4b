"""What is checked: each check is data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MODELS = ["t5", "t5-v1.1", "umt5", "gated-silu", "demo", "wide"]
"""Families of test/parity/reference/families.py, and `demo`, the embedded model."""
PRECISIONS = ["exact", "float32", "bfloat16"]
"""Those that a GPU has."""
UMT5_SINCE = (5, 18)
"""Before this version of transformers UMT5's decoder saw later positions where no mask was given, which a traced one
doesn't: the exporter refuses it."""
SPECS = {
    "exact": "",
    "sessions": "",
    "scoring": "",
    "reductions": "",
    # Of two models: all of them take minutes.
    "fused": "float32: logits within.*(t5-v1.1|gated-silu) ",
}
"""Of test/parity, those that hold on any device, and a regular expression for the part of their tests that is run."""
SEED = 11


@dataclass(frozen=True)
class Check:
    """A program of test/gpu-check/checks and what it is asked."""

    name: str
    says: str
    program: str
    settings: dict[str, Any] = field(default_factory=dict)


def has_umt5(transformers: str) -> bool:
    """Whether a version of transformers can be asked about UMT5."""
    return tuple(map(int, transformers.split(".")[:2])) >= UMT5_SINCE


def plan(precisions: Sequence[str], *, with_umt5: bool) -> list[Check]:
    """Return every check, the quick ones first."""
    checks = [Check("refusals", "what is refused, and by which code", "refusals", {"precision": "float32"})]
    says = {
        "forward": "logits of whole passes, padded and not, beside Hugging Face's float32",
        "sessions": "logits of decoding steps, forks, prefills and beams, beside Hugging Face's float32",
        "generation": "tokens of greedy and beam search, beside Hugging Face's",
        "results": "one copy of what was asked for",
        "side-by-side": "a model of the CPU, then one of the device, in one process: logits of one beside the other's",
    }
    for program, text in says.items():
        for precision in precisions:
            checks.append(Check(f"{program}-{precision}", f"{precision}: {text}", program, {"precision": precision}))
    for spec, part in SPECS.items():
        grep = f"^(?=.*{part}){'' if with_umt5 else '(?!.*umt5)'}"
        says_all = f"test/parity/{spec}.spec.ts: {part or 'bit for bit'}"
        checks.append(Check(f"parity-{spec}", says_all, "parity", {"spec": spec, "grep": grep, "precision": "exact"}))
    return checks
