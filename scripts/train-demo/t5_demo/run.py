"""Trains the embedded model from scratch, measures it on held-out inputs, exports it and writes its model card."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

# Both variables are read when torch is imported. The tokenizer's own threads would compete with torch's. A waiting
# thread spins for some microseconds: without spinning, training takes half as long again, and long spinning would take
# the core from another thread on a busy machine.
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import torch
import transformers
from transformers import T5ForConditionalGeneration, T5Tokenizer

from t5_demo.checkpoint import Record, digest, load, save
from t5_demo.evaluation import Score, evaluate
from t5_demo.model import build_model, count_parameters, describe
from t5_demo.publish import publish, publish_precisions
from t5_demo.tasks import TASKS, held_out_examples
from t5_demo.tokenizer import train_tokenizer
from t5_demo.training import EXAMPLES_PER_STEP, train

REPOSITORY = Path(__file__).resolve().parents[3]
THREADS = 2
"""Fixed, because another number of threads adds numbers in another order, which changes the weights."""
SEED = 20_210_305
STEPS = 4500
REPORT_EVERY = 50
EVALUATE_EVERY = 500
PROGRESS_INPUTS = 200
MEASURED_INPUTS = 2000
REQUIRED_ACCURACY = 0.97


def main() -> None:
    """Trains, measures, and writes the results to the repository."""
    arguments = _parse()
    if arguments.precisions:
        publish_precisions(REPOSITORY, MEASURED_INPUTS, SEED)
        return
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory(prefix="torch-t5-demo-") as scratch:
        directory = arguments.checkpoint or Path(scratch) / "checkpoint"
        if not (arguments.reuse and (directory / "model.safetensors").exists()):
            _train(directory, arguments.steps)
        model, tokenizer, record = load(directory)
        scores = _measure(model, tokenizer)
        publish(REPOSITORY, directory, tokenizer, record, scores)
        publish_precisions(REPOSITORY, MEASURED_INPUTS, SEED)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="train-demo", description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help=f"optimizer steps (default {STEPS})")
    parser.add_argument(
        "--checkpoint", type=Path, help="a directory to keep the Hugging Face checkpoint in (default: none)"
    )
    parser.add_argument(
        "--reuse", action="store_true", help="measure and export the checkpoint of an earlier run, if there is one"
    )
    parser.add_argument(
        "--precisions", action="store_true", help="only measure the exported model in each precision again"
    )
    return parser.parse_args()


def _train(directory: Path, steps: int) -> None:
    tokenizer = train_tokenizer(SEED)
    model = build_model(tokenizer, SEED)
    parameters = count_parameters(model)
    print(f"{parameters:,} parameters, {len(tokenizer)} tokens, {steps} steps, {THREADS} threads", flush=True)
    progress = {task.name: held_out_examples(task, PROGRESS_INPUTS, SEED + 1) for task in TASKS}
    started, processor_started = time.monotonic(), time.process_time()

    def report(step: int, loss: float) -> None:
        seconds = time.monotonic() - started
        line = f"step {step}/{steps}  loss {loss:.4f}  {seconds:.0f} s  {seconds / step * (steps - step):.0f} s left"
        if step % EVALUATE_EVERY == 0:
            scores = {name: evaluate(model, tokenizer, examples) for name, examples in progress.items()}
            line += "  held out: " + ", ".join(f"{name} {score.accuracy:.1%}" for name, score in scores.items())
        print(line, flush=True)

    train(model, tokenizer, seed=SEED, steps=steps, report_every=REPORT_EVERY, report=report)
    record = Record(
        seed=SEED,
        steps=steps,
        examples_per_step=EXAMPLES_PER_STEP,
        threads=THREADS,
        seconds=round(time.monotonic() - started),
        processor_seconds=round(time.process_time() - processor_started),
        parameters=parameters,
        vocabulary=len(tokenizer),
        architecture=describe(model),
        torch=torch.__version__.partition("+")[0],
        transformers=transformers.__version__,
        weights_sha256=digest(model),
    )
    save(directory, model, tokenizer, record)


def _measure(model: T5ForConditionalGeneration, tokenizer: T5Tokenizer) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    for task in TASKS:
        score = evaluate(model, tokenizer, held_out_examples(task, MEASURED_INPUTS, SEED))
        scores[task.name] = score
        print(f"{task.name}: {score.accuracy:.2%} of {score.count} held-out inputs", flush=True)
        for miss in score.misses[:5]:
            print(f"  {miss.text!r}: expected {miss.expected!r}, received {miss.received!r}", flush=True)
        if score.accuracy < REQUIRED_ACCURACY:
            raise SystemExit(
                f"Expected at least {REQUIRED_ACCURACY:.0%} of {task.name!r} but received {score.accuracy:.2%}"
            )
    return scores
