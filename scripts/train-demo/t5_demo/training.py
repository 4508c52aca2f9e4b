"""Trains the model, with a seed, on examples that are drawn during the training."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import T5ForConditionalGeneration, T5Tokenizer

from t5_demo import dates_task, numbers_task, relevance_task
from t5_demo.batches import to_batch
from t5_demo.example import Example, Task

LEARNING_RATE = 1e-3
WARM_UP_STEPS = 300
SECOND_MOMENT_DECAY = 0.999
WEIGHT_DECAY = 0.1
MAX_GRADIENT_NORM = 1.0
POOL_BATCHES = 8
"""The number of batches that are drawn together and split by length, so that they have little padding."""


@dataclass(frozen=True)
class Group:
    """Tasks of similar length that share a batch, and the number of examples of each in a step."""

    tasks: tuple[Task, ...]
    examples_of_each: int


GROUPS = (
    Group((numbers_task.TASK, dates_task.TASK), 32),
    Group((relevance_task.TASK,), 64),
)
EXAMPLES_PER_STEP = sum(len(group.tasks) * group.examples_of_each for group in GROUPS)


def train(
    model: T5ForConditionalGeneration,
    tokenizer: T5Tokenizer,
    *,
    seed: int,
    steps: int,
    report_every: int,
    report: Callable[[int, float], None],
) -> None:
    """Trains `model` in place with AdamW. The learning rate rises linearly, then falls linearly to zero.

    Calls `report(step, mean loss since the last report)` every `report_every` steps.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, SECOND_MOMENT_DECAY), weight_decay=WEIGHT_DECAY, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    streams = [_batches(group, random.Random(f"{seed} training {index}")) for index, group in enumerate(GROUPS)]
    total = 0.0
    model.train()
    for step in range(1, steps + 1):
        for examples in (next(stream) for stream in streams):
            batch = to_batch(tokenizer, examples)
            loss = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels).loss
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % report_every == 0 or step == steps:
            model.eval()
            report(step, total / (report_every * len(streams)))
            model.train()
            total = 0.0
    model.eval()


def _rate(step: int, steps: int) -> float:
    """The factor of the learning rate at `step`."""
    if step < WARM_UP_STEPS:
        return (step + 1) / WARM_UP_STEPS
    return max(0.0, (steps - step) / max(1, steps - WARM_UP_STEPS))


def _batches(group: Group, source: random.Random) -> Iterator[Sequence[Example]]:
    """Yields the examples of one step after another, without end. None of them is held out."""
    size = len(group.tasks) * group.examples_of_each
    while True:
        pool = [task.draw(source, False) for task in group.tasks for _ in range(group.examples_of_each * POOL_BATCHES)]
        if len(group.tasks) == 1:
            pool.sort(key=lambda example: len(example.text.split()))
            parts = [pool[start : start + size] for start in range(0, len(pool), size)]
            source.shuffle(parts)
        else:
            parts = [pool[start::POOL_BATCHES] for start in range(POOL_BATCHES)]
        yield from parts
