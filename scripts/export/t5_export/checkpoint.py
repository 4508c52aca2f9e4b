"""The weights of a Hugging Face checkpoint on disk: finds their files, and checks types and names without loading."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from t5_export.errors import ExportError
from t5_export.files import PICKLED, SAFETENSORS, read_json
from t5_export.headers import STRIPPED_PREFIX, read_headers

FLOAT32_BYTES = 4
# float32 has every value of the others.
ACCEPTED = ("float32", "bfloat16", "float16")


# After the prefix that `from_pretrained` strips.
DECODER_PREFIXES = ("decoder.", "lm_head.")
CLASSIFIER_PREFIXES = ("classification_head.", "classifier.")


@dataclass(frozen=True)
class Weights:
    """The types of the weights, their sizes in float32 (without the decoder's, and the decoder's), and their head."""

    dtypes: frozenset[str]
    encoder_bytes: int
    decoder_bytes: int
    has_classifier: bool

    @property
    def widened(self) -> tuple[str, ...]:
        """The types that are widened to float32."""
        return tuple(dtype for dtype in ACCEPTED[1:] if dtype in self.dtypes)


def weight_files(directory: Path) -> list[Path]:
    """Return the weight files that Hugging Face would load. Raises ExportError where one is missing."""
    for name in (SAFETENSORS, PICKLED):
        if (directory / name).is_file():
            return [directory / name]
        index = directory / f"{name}.index.json"
        if index.is_file():
            weight_map = read_json(index).get("weight_map", {})
            shards = [directory / shard for shard in sorted(set(weight_map.values()))]
            for shard in shards:
                if not shard.is_file():
                    raise ExportError(
                        f"Expected {shard.name}, which {index.name} names, in {directory} but it is missing"
                    )
            return shards
    raise ExportError(f"Expected {SAFETENSORS} or {PICKLED} in {directory} but both are missing")


def inspect_weights(directory: Path) -> Weights:
    """Read the weights' types and sizes. Raises ExportError for a type whose results differ from those in float32."""
    dtypes: set[str] = set()
    elements = Counter[bool]()
    has_classifier = False
    for path in weight_files(directory):
        for header in read_headers(path):
            dtypes.add(header.dtype)
            has_classifier = has_classifier or header.name.startswith(CLASSIFIER_PREFIXES)
            is_decoders = header.name.removeprefix(STRIPPED_PREFIX).startswith(DECODER_PREFIXES)
            elements[is_decoders] += header.elements
    refused = sorted(dtypes.difference(ACCEPTED))
    if refused:
        raise ExportError(f"Expected float32, bfloat16 or float16 weights but received {', '.join(refused)}")
    return Weights(frozenset(dtypes), elements[False] * FLOAT32_BYTES, elements[True] * FLOAT32_BYTES, has_classifier)
