"""Writes the results to the repository: the exported model with its card, and held-out inputs for the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from transformers import T5Tokenizer

from t5_demo.card import model_card
from t5_demo.checkpoint import Record
from t5_demo.evaluation import Score
from t5_demo.precisions import measure_precisions, with_precisions
from t5_demo.tasks import TASKS, held_out_examples

TEST_INPUTS = 200
"""The number of held-out inputs of each task in the tests."""


def publish(
    repository: Path, checkpoint: Path, tokenizer: T5Tokenizer, record: Record, scores: Mapping[str, Score]
) -> None:
    """Exports `checkpoint` to `models/demo`, and writes the model card and the tests' fixtures."""
    model = repository / "models" / "demo"
    tests = repository / "test" / "demo-model"
    model.parent.mkdir(exist_ok=True)
    command = [sys.executable, str(repository / "scripts" / "export"), str(checkpoint), str(model), "--overwrite"]
    subprocess.run(command, check=True)
    _write(model / "README.md", model_card(record, scores))
    _write(tests / "held-out.jsonl", "".join(f"{line}\n" for line in _held_out_lines(tokenizer, record.seed)))
    measured = {name: {"inputs": score.count, "wrong": len(score.misses)} for name, score in scores.items()}
    _write(tests / "measured.json", json.dumps(measured, indent=2) + "\n")


def publish_precisions(repository: Path, count: int, seed: int) -> None:
    """Measures the exported model in every precision, and updates the model card and the tests' fixtures."""
    model = repository / "models" / "demo"
    wrong = measure_precisions(repository, model, count, seed)
    card = model / "README.md"
    _write(card, with_precisions(card.read_text(encoding="utf-8"), wrong, count))
    fixture = repository / "test" / "demo-model" / "measured.json"
    measured = json.loads(fixture.read_text(encoding="utf-8"))
    for name, by_precision in wrong.items():
        measured[name]["precisions"] = by_precision
    _write(fixture, json.dumps(measured, indent=2) + "\n")


def _held_out_lines(tokenizer: T5Tokenizer, seed: int) -> list[str]:
    """Held-out inputs of every task, with their answers and token ids, as JSON lines."""
    return [
        json.dumps(
            {
                "task": task.name,
                "input": example.text,
                "target": example.answer,
                "inputIds": tokenizer(example.text).input_ids,
            }
        )
        for task in TASKS
        for example in held_out_examples(task, TEST_INPUTS, seed)
    ]


def _write(path: Path, text: str) -> None:
    """Replaces a file at once, so that it is never incomplete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)
