"""The tasks of the embedded model, in the order of the reports."""

from __future__ import annotations

import random

from t5_demo import dates_task, numbers_task, relevance_task
from t5_demo.example import Example, Task

TASKS: tuple[Task, ...] = (numbers_task.TASK, dates_task.TASK, relevance_task.TASK)


def held_out_examples(task: Task, count: int, seed: int) -> list[Example]:
    """Draws `count` different held-out inputs of `task`."""
    source = random.Random(f"{seed} {task.name} held out")
    drawn: dict[str, Example] = {}
    while len(drawn) < count:
        example = task.draw(source, True)
        drawn[example.text] = example
    return list(drawn.values())
