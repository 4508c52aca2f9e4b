"""Prints the SHA-256 of the weights after a few steps of the embedded model's training, once for each given seed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "train-demo"))

import torch
from t5_demo import run
from t5_demo.checkpoint import digest
from t5_demo.model import build_model
from t5_demo.tokenizer import train_tokenizer
from t5_demo.training import train

STEPS = 4


def main(seed: int) -> None:
    """Train as scripts/train-demo does, but with fewer steps."""
    torch.set_num_threads(run.THREADS)
    torch.use_deterministic_algorithms(True)
    tokenizer = train_tokenizer(seed)
    model = build_model(tokenizer, seed)
    train(model, tokenizer, seed=seed, steps=STEPS, report_every=STEPS, report=lambda step, loss: None)
    print(digest(model))


if __name__ == "__main__":
    for seed in sys.argv[1:]:
        main(int(seed))
