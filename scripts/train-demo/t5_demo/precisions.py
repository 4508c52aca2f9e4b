"""Counts the exported model's wrong answers in each precision, with the command `torch-t5 generate`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from t5_demo.example import Example
from t5_demo.model import MAX_ANSWER_TOKENS
from t5_demo.tasks import TASKS, held_out_examples

PRECISIONS = ("exact", "float32", "bfloat16", "int8")
HEADER = f"| task | {' | '.join(PRECISIONS)} |\n|{'---|' * (1 + len(PRECISIONS))}\n"
BATCH = 64

Wrong = Mapping[str, Mapping[str, int]]
"""The number of wrong answers, by task and precision."""


def measure_precisions(repository: Path, model: Path, count: int, seed: int) -> Wrong:
    """Counts the wrong answers to `count` held-out inputs of every task in every precision."""
    return {
        task.name: {
            precision: _wrong(repository, model, precision, held_out_examples(task, count, seed))
            for precision in PRECISIONS
        }
        for task in TASKS
    }


def with_precisions(card: str, wrong: Wrong, count: int) -> str:
    """Returns the model card with these accuracies in its table, instead of earlier ones."""
    before, after = card.split(HEADER)
    rest = after.splitlines(keepends=True)
    while rest and rest[0].startswith("|"):
        rest.pop(0)
    rows = [
        f"| {name} | {' | '.join(f'{1 - misses / count:.2%}' for misses in by_precision.values())} |\n"
        for name, by_precision in wrong.items()
    ]
    return "".join([before, HEADER, *rows, *rest])


def _wrong(repository: Path, model: Path, precision: str, examples: Sequence[Example]) -> int:
    # Sorted by length, so that batches have little padding.
    ordered = sorted(examples, key=lambda example: len(example.text))
    command = ["node", str(repository / "dist" / "cli" / "main.js"), "generate", "-", "--json"]
    command += ["--model", str(model), "--device", "cpu", "--precision", precision]
    command += ["--batch-size", str(BATCH), "--max-new-tokens", str(MAX_ANSWER_TOKENS)]
    texts = "".join(f"{example.text}\n" for example in ordered)
    finished = subprocess.run(command, input=texts, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True)
    answers = [json.loads(line)["texts"][0] for line in finished.stdout.splitlines()]
    return sum(answer != example.answer for answer, example in zip(answers, ordered, strict=True))
