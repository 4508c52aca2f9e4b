"""Trains a linear classifier on embeddings that `torch-t5 embed` wrote, and saves it as a head.

python examples/heads/classifier.py embeddings.jsonl classifier.pt
"""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

LABELS = ["date", "number", "relevance"]
STEPS = 300
LEARNING_RATE = 0.05
WEIGHT_DECAY = 0.01


class Classifier(nn.Module):
    """A linear layer on the mean of the encoder's hidden states.

    A common mistake is to put this layer on `logits`. Those are [batch, target_length, vocab_size], one score for each
    token of the vocabulary, so `nn.Linear(hidden_size, labels)` fails on them. Hidden states have `hidden_size` numbers
    per token.
    """

    def __init__(self, hidden_size: int, labels: int) -> None:
        """Make an untrained classifier."""
        super().__init__()
        self.linear = nn.Linear(hidden_size, labels)

    def forward(self, encoder_last_hidden_state: Tensor, attention_mask: Tensor) -> Tensor:
        """Return [batch, labels] for hidden states [batch, length, hidden_size]; padding does not count in the mean."""
        mask = attention_mask.unsqueeze(-1).to(encoder_last_hidden_state.dtype)
        mean = (encoder_last_hidden_state * mask).sum(1) / mask.sum(1)
        return self.linear(mean)


def main(embeddings: Path, head: Path) -> None:
    """Train on lines with an "embedding" and a "label"."""
    lines = [json.loads(line) for line in embeddings.read_text("utf-8").splitlines()]
    inputs = torch.tensor([line["embedding"] for line in lines])
    labels = torch.tensor([LABELS.index(line["label"]) for line in lines])
    torch.manual_seed(0)
    classifier = Classifier(inputs.shape[1], len(LABELS))
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(STEPS):
        loss = nn.functional.cross_entropy(classifier.linear(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.jit.script(classifier.eval()).save(str(head))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
