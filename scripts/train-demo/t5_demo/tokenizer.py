"""Trains the tokenizer: SentencePiece Unigram, as in T5, on the tasks' own texts."""

from __future__ import annotations

import io
import random
import string

import sentencepiece
from transformers import T5Tokenizer

from t5_demo.tasks import TASKS

MAX_VOCABULARY = 640
"""Includes the sentinels. The corpus has few words, so SentencePiece makes fewer pieces."""
SENTINELS = 100
CORPUS_EXAMPLES = 12_000
SEED_MARKS = (",", ";")

SINGLE_TOKENS = ("▁true", "▁false")
"""The two tokens whose logits monoT5 compares."""


def train_tokenizer(seed: int) -> T5Tokenizer:
    """Trains the pieces, and adds T5's pre-tokenizer, template and sentinels.

    There is no normalizer: without T5's charsmap, every implementation of tokenizer.json yields the same ids. Each
    digit and every other printable ASCII character is a piece, so that none becomes `<unk>`.
    """
    pieces = _train_pieces(_corpus(seed))
    sentinels = [(f"<extra_id_{index}>", 0.0) for index in reversed(range(SENTINELS))]
    tokenizer = T5Tokenizer(vocab=pieces + sentinels, extra_ids=SENTINELS, clean_up_tokenization_spaces=False)
    _check(tokenizer)
    return tokenizer


def _corpus(seed: int) -> list[str]:
    source = random.Random(f"{seed} tokenizer")
    lines: list[str] = []
    for _ in range(CORPUS_EXAMPLES):
        example = TASKS[source.randrange(len(TASKS))].draw(source, False)
        lines += (example.text, example.answer)
    return lines + [_punctuated(line, mark) for line in lines for mark in SEED_MARKS]


def _punctuated(line: str, mark: str) -> str:
    """Ends every word with `mark`, instead of its own punctuation.

    SentencePiece makes pieces of what *different* words have in common. A word with only one form would never be one.
    """
    return " ".join(word.rstrip(string.punctuation) + mark for word in line.split())


def _train_pieces(corpus: list[str]) -> list[tuple[str, float]]:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=model,
        model_type="unigram",
        vocab_size=MAX_VOCABULARY - SENTINELS,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        split_digits=True,
        required_chars="".join(sorted(set(string.printable) - set(string.whitespace))),
        num_threads=1,  # several threads would add in a different order in each run, and change the scores
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        pad_piece="<pad>",
        eos_piece="</s>",
        unk_piece="<unk>",
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return [(processor.id_to_piece(index), processor.get_score(index)) for index in range(processor.get_piece_size())]


def _check(tokenizer: T5Tokenizer) -> None:
    """Raises RuntimeError where the tokenizer lacks pieces or ids that the tasks and T5's conventions need."""
    vocabulary = tokenizer.get_vocab()
    expected = {"<pad>": 0, "</s>": 1, "<unk>": 2, "<extra_id_0>": len(vocabulary) - 1}
    wrong = {token: vocabulary.get(token) for token, index in expected.items() if vocabulary.get(token) != index}
    if wrong:
        raise RuntimeError(f"Expected the ids {expected} but received {wrong}")
    missing = [token for token in (*SINGLE_TOKENS, *string.digits) if token not in vocabulary]
    joined = [token for token in vocabulary if len(token) > 1 and any(c.isdigit() for c in token) and token[0] != "<"]
    if missing or joined:
        raise RuntimeError(f"Expected digits and answers as single pieces but {missing} are missing, {joined} joined")
