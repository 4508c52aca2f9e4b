"""The tokenizer: SentencePiece-Unigram as T5 has it, trained on the tasks' own texts."""

from __future__ import annotations

import io
import random
import string

import sentencepiece
from transformers import T5Tokenizer

from t5_demo.tasks import TASKS

LARGEST_VOCABULARY = 640
"""Sentinels included. The corpus has few words, so SentencePiece stops before."""
SENTINELS = 100
CORPUS_EXAMPLES = 12_000
SEED_MARKS = (",", ";")

SINGLE_TOKENS = ("▁true", "▁false")
"""monoT5 compares the logits of these two."""


def train_tokenizer(seed: int) -> T5Tokenizer:
    """Trains the pieces and puts T5's pre-tokenizer, template and sentinels around them.

    No normalizer: T5's charsmap is left out, so that every implementation of tokenizer.json gives the same ids. Digits
    are pieces of their own, and so is every printable ASCII character, which therefore never becomes `<unk>`.
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
    """Puts `mark` after every word, in place of its own.

    SentencePiece looks for pieces among *different* words: a word that has one form only would never become a piece.
    """
    return " ".join(word.rstrip(string.punctuation) + mark for word in line.split())


def _train_pieces(corpus: list[str]) -> list[tuple[str, float]]:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=model,
        model_type="unigram",
        vocab_size=LARGEST_VOCABULARY - SENTINELS,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        split_digits=True,
        required_chars="".join(sorted(set(string.printable) - set(string.whitespace))),
        num_threads=1,  # more threads sum in another order, and the scores would change from run to run
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
    """Refuses a tokenizer that lacks what the tasks and T5's conventions rely on."""
    vocabulary = tokenizer.get_vocab()
    expected = {"<pad>": 0, "</s>": 1, "<unk>": 2, "<extra_id_0>": len(vocabulary) - 1}
    wrong = {token: vocabulary.get(token) for token, index in expected.items() if vocabulary.get(token) != index}
    if wrong:
        raise RuntimeError(f"Expected the ids {expected} but received {wrong}")
    missing = [token for token in (*SINGLE_TOKENS, *string.digits) if token not in vocabulary]
    joined = [token for token in vocabulary if len(token) > 1 and any(c.isdigit() for c in token) and token[0] != "<"]
    if missing or joined:
        raise RuntimeError(f"Expected digits and answers as single pieces but {missing} are missing, {joined} joined")
