"""Saves a head that compares every query with every document: the similarity matrix of contrastive learning.

python examples/heads/contrastive.py contrastive.pt
"""

import sys

import torch
from torch import Tensor, nn


class Contrastive(nn.Module):
    """Cosines between mean-pooled encoder states, divided by a temperature."""

    def __init__(self, temperature: float) -> None:
        """Keep the temperature."""
        super().__init__()
        self.temperature = temperature

    def forward(self, encoder_last_hidden_state: Tensor, attention_mask: Tensor) -> Tensor:
        """Return [queries, documents]: the first half of the batch are queries, the second half documents."""
        mask = attention_mask.unsqueeze(-1).to(encoder_last_hidden_state.dtype)
        mean = (encoder_last_hidden_state * mask).sum(1) / mask.sum(1)
        queries, documents = nn.functional.normalize(mean, dim=-1).chunk(2)
        return queries @ documents.T / self.temperature


if __name__ == "__main__":
    torch.jit.script(Contrastive(temperature=0.05)).save(sys.argv[1])
