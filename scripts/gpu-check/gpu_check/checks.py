"""What is checked: each check is data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MODELS = ["t5", "t5-v1.1", "umt5", "gated-silu", "demo", "wide"]
"""Families of test/parity/reference/families.py, and `demo`, the embedded model."""
PRECISIONS = ["exact", "float32", "bfloat16"]
"""Those that a GPU has."""
SPECS = {"exact": None, "sessions": None, "scoring": None, "reductions": None, "fused": "float32: logits within"}
"""Of test/parity, those that hold on any device, and the part of a test's name that limits them."""
SEED = 11


@dataclass(frozen=True)
class Check:
    """A program of test/gpu-check/checks and what it is asked."""

    name: str
    says: str
    program: str
    settings: dict[str, Any] = field(default_factory=dict)


def plan(precisions: Sequence[str]) -> list[Check]:
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
    for spec, grep in SPECS.items():
        says_all = "bit for bit" if grep is None else grep
        settings = {"spec": spec, "grep": grep, "precision": "exact"}
        checks.append(Check(f"parity-{spec}", f"test/parity/{spec}.spec.ts, {says_all}", "parity", settings))
    return checks
