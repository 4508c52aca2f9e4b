"""Prints the operators of the archives that the exporter writes, for native/weights/allowed_operators.cc.

Exports a model of each family, class, activation and attention implementation of transformers, and reads every graph.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
import transformers

REPOSITORY = Path(__file__).parents[2]
sys.path += [str(REPOSITORY / "test" / "parity" / "reference"), str(REPOSITORY / "scripts" / "export")]

from families import COMMON, FAMILIES, Family  # noqa: E402
from t5_export.tracing import (  # noqa: E402
    read_archive,
    trace,
    trace_attentions,
    trace_hidden_states,
    write_archive,
    write_code,
)
from transformers import T5Config, T5ForConditionalGeneration  # noqa: E402
from transformers.activations import ACT2FN  # noqa: E402

ATTENTION = ("eager", "sdpa")
OTHER_CLASSES = ("EncoderModel", "ForSequenceClassification", "ForTokenClassification")
SMALL = {"vocab_size": 99, "num_layers": 1}


def operators(block: torch.Block) -> Iterator[str]:
    """Yield the operators of a block and of the blocks inside it."""
    for node in block.nodes():
        yield node.kind()
        for inner in node.blocks():
            yield from operators(inner)


def archive_operators(path: Path) -> set[str]:
    """Return the operators of every method of every module of an archive."""
    found: set[str] = set()
    for module in read_archive(path).modules():
        for name in module._c._method_names():
            found.update(operators(module._c._get_method(name).graph))
    return found


def cases() -> Iterator[tuple[Family, str]]:
    """Yield each family with each class and attention implementation, and T5 with each activation."""
    for family in FAMILIES.values():
        prefix = family.model_class.__name__.removesuffix("ForConditionalGeneration")
        others = [getattr(transformers, prefix + name) for name in OTHER_CLASSES]
        for model_class in (family.model_class, *others):
            for attention in ATTENTION:
                yield Family(family.config_class, model_class, family.tied, family.settings), attention
    for activation in ACT2FN:
        settings = {**SMALL, "feed_forward_proj": activation}
        yield Family(T5Config, T5ForConditionalGeneration, True, settings), "sdpa"


def main() -> None:
    """Print the union, one operator a line."""
    found: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        for family, attention in cases():
            config = family.config_class(**{**COMMON, **family.settings, "tie_word_embeddings": family.tied})
            try:
                model = family.model_class._from_config(config, attn_implementation=attention).eval()
            except (ImportError, TypeError, AttributeError) as error:  # an activation that has no defaults
                print(f"{family.settings}: {error}", file=sys.stderr)
                continue
            write_archive(trace(model), path)
            found |= archive_operators(path)
            for trace_layers in (trace_hidden_states, trace_attentions):
                write_code(trace_layers(model), path)
                found |= archive_operators(path)
    print("\n".join(sorted(found)))


if __name__ == "__main__":
    main()
