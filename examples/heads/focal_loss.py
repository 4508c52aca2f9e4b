"""Saves a head that computes a loss: the focal loss of each text's target.

python examples/heads/focal_loss.py focal_loss.pt
"""

import sys

import torch
from torch import Tensor, nn


class FocalLoss(nn.Module):
    """Cross entropy with a smaller weight where the model is confident (Lin et al., 2017)."""

    def __init__(self, gamma: float) -> None:
        """Keep the exponent; 0 is the usual cross entropy."""
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return [batch] for logits [batch, target_length, vocab_size]: the mean over the labels that are not -100."""
        counts = labels != -100
        log_probs = logits.log_softmax(-1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        losses = -((1 - log_probs.exp()) ** self.gamma) * log_probs
        return (losses * counts).sum(-1) / counts.sum(-1)


if __name__ == "__main__":
    torch.jit.script(FocalLoss(gamma=2.0)).save(sys.argv[1])
