"""Results of Hugging Face's forward passes: scores of targets, relevance, embeddings of texts."""

import copy
import itertools
from collections.abc import Mapping
from typing import Any

import torch
from tensors import TensorFiles
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import BaseModelOutput

IGNORED_LABEL = -100
# The minimum of sentence-transformers' mean pooling.
MIN_COUNT = 1e-9


def encode(model: PreTrainedModel, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the encoder's last hidden state."""
    return model.encoder(**inputs).last_hidden_state


def score(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], request: Mapping[str, Any], files: TensorFiles
) -> dict[str, Any]:
    """Score targets in batches. A single source is encoded once and repeated, as `generate` repeats it."""
    targets: list[list[int]] = request["targets"]
    state = encode(model, inputs)
    mask = inputs.get("attention_mask", torch.ones(state.shape[:2], dtype=torch.long, device=state.device))
    log_probs: list[Tensor] = []
    for start in range(0, len(targets), request["batchSize"]):
        rows = targets[start : start + request["batchSize"]]
        own = slice(start, start + len(rows)) if state.shape[0] > 1 else slice(None)
        repeats = len(rows) if state.shape[0] == 1 else 1
        log_probs += _score_batch(
            model, rows, state[own].repeat_interleave(repeats, dim=0), mask[own].repeat_interleave(repeats, dim=0)
        )
    # torch-t5 copies the log-probabilities to the CPU and reduces them there. A GPU adds in another order, so that sums
    # of the same numbers would differ in their last bits.
    log_probs = [row.cpu() for row in log_probs]
    return {
        "logProbs": [files.write(row) for row in log_probs],
        "sums": files.write(torch.stack([row.sum() for row in log_probs])),
        "means": files.write(torch.stack([row.mean() for row in log_probs])),
    }


def rescore(model: PreTrainedModel, inputs: Mapping[str, Tensor], targets: list[list[int]]) -> dict[str, Any]:
    """Return each target's sums of log-probabilities up to each of its tokens, computed in float32 and in float64.

    In float64, transformers still computes the norms' variances and the softmax of attention in float32.
    """
    rows: list[dict[str, list[float]]] = [{} for _ in targets]
    for name, copied in (("float32", model), ("float64", copy.deepcopy(model).double())):
        state = encode(copied, inputs)
        mask = inputs.get("attention_mask", torch.ones(state.shape[:2], dtype=torch.long, device=state.device))
        for row, target in zip(rows, targets, strict=True):
            row[name] = _score_batch(copied, [target], state, mask)[0].double().cumsum(0).tolist()
    return {"rows": rows}


def _score_batch(model: PreTrainedModel, targets: list[list[int]], state: Tensor, mask: Tensor) -> list[Tensor]:
    longest = max(len(target) for target in targets)
    labels = torch.tensor(
        [target + [IGNORED_LABEL] * (longest - len(target)) for target in targets], device=state.device
    )
    logits = model(
        encoder_outputs=BaseModelOutput(last_hidden_state=state),
        attention_mask=mask,
        decoder_input_ids=model.prepare_decoder_input_ids_from_labels(labels),
    ).logits
    normalized = logits.log_softmax(dim=-1)
    gathered = normalized.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return [row[: len(target)] for row, target in zip(gathered, targets, strict=True)]


def rerank(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], tokens: list[int], files: TensorFiles
) -> dict[str, Any]:
    """Return the log-probabilities of two tokens, normalized over these two, at the first position."""
    ids = inputs["input_ids"]
    start = torch.full((ids.shape[0], 1), model.config.decoder_start_token_id, device=ids.device)
    logits = model(**inputs, decoder_input_ids=start).logits[:, 0, tokens]
    return {"logProbs": files.write(logits.log_softmax(dim=-1)), "probabilities": files.write(logits.softmax(dim=-1))}


def rerank_pairs(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, request: Mapping[str, Any]
) -> dict[str, Any]:
    """Score documents as duoT5 does (Pradeep et al., 2021), with the aggregation that PyGaggle uses, SYM-SUM.

    The probability that the first document of a pair is more relevant counts for it, and the rest for the second one.
    """
    documents: list[str] = request["documents"]
    tokens = tokenizer.convert_tokens_to_ids(request["tokens"])
    scores = [0.0] * len(documents)
    pairs = list(itertools.permutations(range(len(documents)), 2))
    for begin in range(0, len(pairs), request["batchSize"]):
        batch = pairs[begin : begin + request["batchSize"]]
        prompts = [
            f"Query: {request['query']} Document0: {documents[a]} Document1: {documents[b]} Relevant:" for a, b in batch
        ]
        inputs = tokenizer(prompts, padding=True, return_tensors="pt").to(model.device)
        start = torch.full((len(batch), 1), model.config.decoder_start_token_id, device=model.device)
        logits = model(**inputs, decoder_input_ids=start).logits[:, 0, tokens]
        for (a, b), probability in zip(batch, logits.softmax(dim=1)[:, 1].tolist(), strict=True):
            scores[a] += probability
            scores[b] += 1 - probability
    return {"scores": scores}


def embed(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], request: Mapping[str, Any], files: TensorFiles
) -> dict[str, Any]:
    """Pool the encoder's output as sentence-transformers does."""
    state = encode(model, inputs)
    if request["pooling"] == "first":
        pooled = state[:, 0]
    else:
        given = inputs.get("attention_mask", torch.ones(state.shape[:2], dtype=torch.long, device=state.device))
        mask = given.unsqueeze(-1).expand(state.size()).float()
        pooled = torch.sum(state * mask, 1) / torch.clamp(mask.sum(1), min=MIN_COUNT)
    return {"embeddings": files.write(functional.normalize(pooled, p=2, dim=1) if request["normalize"] else pooled)}
