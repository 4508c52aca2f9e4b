"""The signature of an archive's method as manifest.json states it: names, types and the meaning of each dimension."""

from collections.abc import Sequence
from typing import Any, TypeAlias

Tensor: TypeAlias = dict[str, Any]
Signature: TypeAlias = dict[str, Sequence[Tensor]]


def tensor(name: str, dtype: str, *shape: str | int) -> Tensor:
    """Describe an input or output."""
    return {"name": name, "dtype": dtype, "shape": list(shape)}


INPUT_IDS = tensor("input_ids", "int64", "batch", "sourceLength")
ATTENTION_MASK = tensor("attention_mask", "int64", "batch", "sourceLength")
