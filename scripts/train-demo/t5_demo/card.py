"""Fills card.template, the model card, with the measured numbers."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path

from t5_demo.checkpoint import Record
from t5_demo.evaluation import Score
from t5_demo.example import Task
from t5_demo.tasks import TASKS, held_out_examples

TEMPLATE = Path(__file__).with_name("card.template")
EXAMPLES_SHOWN = 3


def model_card(record: Record, scores: Mapping[str, Score]) -> str:
    """Returns the model card."""
    return string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        accuracy="\n".join(
            f"| {name} | {score.count} | {len(score.misses)} | {score.accuracy:.2%} |" for name, score in scores.items()
        ),
        tasks="\n\n".join(_section(task, record.seed) for task in TASKS),
        parameters=f"{record.parameters:,}",
        architecture=record.architecture,
        vocabulary=record.vocabulary,
        steps=f"{record.steps:,}",
        examples=record.examples_per_step,
        seed=record.seed,
        threads=record.threads,
        torch=record.torch,
        transformers=record.transformers,
        minutes=f"{record.seconds / 60:.1f}",
        processor_minutes=f"{record.processor_seconds / 60:.1f}",
        weights=record.weights_sha256,
    )


def _section(task: Task, seed: int) -> str:
    examples = [f"- `{example.text}` → `{example.answer}`" for example in held_out_examples(task, EXAMPLES_SHOWN, seed)]
    return "\n".join((f"### {task.name}", "", task.rule, "", task.split, "", *examples))
