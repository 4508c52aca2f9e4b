"""The operations that the tests may request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from catalogues import read_catalogues
from directories import DIRECTORIES
from packing import read_rows, read_texts, write_rows, write_texts
from pipelines import write_pipeline
from random_directories import write_random
from recipes import RECIPES
from tokenizers import Encoding, Tokenizer
from transformers import AutoTokenizer, ByT5Tokenizer, PreTrainedTokenizerBase

Request = Mapping[str, Any]
Reply = dict[str, Any]

UNKNOWN_IDS = 3


class Operations:
    """The tokenizers opened so far, by name, and the operations on them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tokenizers: dict[str, Tokenizer | ByT5Tokenizer] = {}
        self._cleaned_up: set[str] = set()
        self._operations: Mapping[str, Callable[[Request], Reply]] = {
            "make": self.make,
            "pipeline": self.pipeline,
            "directory": self.directory,
            "open": self.open,
            "catalogues": self.catalogues,
            "encode": self.encode,
            "decode": self.decode,
            "batch": self.batch,
            "disagreements": self.disagreements,
        }

    def run(self, operation: str, request: Request) -> Reply:
        """Run one operation."""
        return self._operations[operation](request)

    def make(self, request: Request) -> Reply:
        """Train the tokenizer of a recipe, or of a kind of directory, and write it to a new directory."""
        directory = self._directory / request["recipe"]
        directory.mkdir()
        (RECIPES | DIRECTORIES)[request["recipe"]](directory)
        return {"directory": str(directory)}

    def pipeline(self, request: Request) -> Reply:
        """Write the random tokenizer of a seed to a new directory."""
        directory = self._directory / f"pipeline-{request['seed']}"
        directory.mkdir()
        write_pipeline(directory, request["seed"])
        return {"directory": str(directory)}

    def directory(self, request: Request) -> Reply:
        """Write the random directory of a seed to a new directory."""
        directory = self._directory / f"directory-{request['seed']}"
        directory.mkdir()
        write_random(directory, request["seed"])
        return {"directory": str(directory)}

    def open(self, request: Request) -> Reply:
        """Load the tokenizer.json of a directory in Rust, or ByT5's tokenizer if there is none."""
        directory = Path(request["directory"])
        if request.get("auto"):
            return self._open_auto(request["name"], directory)
        file = directory / "tokenizer.json"
        tokenizer = Tokenizer.from_file(str(file)) if file.is_file() else AutoTokenizer.from_pretrained(directory)
        self._tokenizers[request["name"]] = tokenizer
        settings = directory / "tokenizer_config.json"
        if settings.is_file() and json.loads(settings.read_bytes()).get("clean_up_tokenization_spaces"):
            self._cleaned_up.add(request["name"])
        if isinstance(tokenizer, ByT5Tokenizer):
            return {"ids": len(tokenizer)}
        # Ids beyond the vocabulary are decoded too. They add nothing.
        return {"ids": tokenizer.get_vocab_size() + UNKNOWN_IDS}

    def _open_auto(self, name: str, directory: Path) -> Reply:
        """Load what AutoTokenizer makes of a directory, and reply with its special ids."""
        tokenizer = AutoTokenizer.from_pretrained(directory)
        is_bytes = isinstance(tokenizer, ByT5Tokenizer)
        self._tokenizers[name] = tokenizer if is_bytes else tokenizer.backend_tokenizer
        if tokenizer.clean_up_tokenization_spaces:
            self._cleaned_up.add(name)
        count = len(tokenizer) + (0 if is_bytes else UNKNOWN_IDS)
        return {"ids": count, "pad": tokenizer.pad_token_id, "eos": tokenizer.eos_token_id}

    def catalogues(self, request: Request) -> Reply:
        """Real text: the messages of gettext catalogues, by language."""
        texts = read_catalogues()
        write_texts(self._directory / request["file"], [text for language in texts.values() for text in language])
        return {"languages": {name: len(language) for name, language in texts.items()}}

    def encode(self, request: Request) -> Reply:
        """Ids, offsets in code points, and both decoded texts of every text in a file."""
        tokenizer = self._tokenizers[request["name"]]
        texts = read_texts(self._directory / request["texts"])
        if isinstance(tokenizer, ByT5Tokenizer):
            rows, offsets = [tokenizer(text).input_ids for text in texts], []
        else:
            encodings: list[Encoding] = tokenizer.encode_batch(texts)
            rows = [encoding.ids for encoding in encodings]
            offsets = [encoding.offsets for encoding in encodings]
        flat_offsets = chain.from_iterable(chain.from_iterable(offsets))
        write_rows(self._directory / request["ids"], rows, flat_offsets)
        self._write_decoded(tokenizer, rows, request)
        return {}

    def decode(self, request: Request) -> Reply:
        """Both decoded texts of every row of ids in a file."""
        rows = read_rows(self._directory / request["ids"])
        self._write_decoded(self._tokenizers[request["name"]], rows, request)
        return {}

    def batch(self, request: Request) -> Reply:
        """Truncate and pad texts with transformers."""
        encoded = AutoTokenizer.from_pretrained(request["directory"])(
            request["texts"],
            truncation=request.get("truncation", "maxLength" in request),
            max_length=request.get("maxLength"),
            add_special_tokens=request.get("addSpecialTokens", True),
            padding=True,
            pad_to_multiple_of=request.get("padToMultipleOf"),
        )
        return {"inputIds": encoded.input_ids, "attentionMask": encoded.attention_mask}

    def disagreements(self, request: Request) -> Reply:
        """Count the texts for which a directory's AutoTokenizer of transformers gives other ids than Rust."""
        tokenizer = AutoTokenizer.from_pretrained(request["directory"])
        texts = read_texts(self._directory / request["texts"])
        encodings = self._tokenizers[request["name"]].encode_batch(texts)
        batch = tokenizer(texts).input_ids
        return {"count": sum(ids != encoding.ids for ids, encoding in zip(batch, encodings, strict=True))}

    def _write_decoded(self, tokenizer: Tokenizer | ByT5Tokenizer, rows: list[list[int]], request: Request) -> None:
        for key, skip in (("whole", False), ("skipped", True)):
            if isinstance(tokenizer, ByT5Tokenizer):
                texts = [tokenizer.decode(row, skip_special_tokens=skip) for row in rows]
            else:
                texts = tokenizer.decode_batch(rows, skip_special_tokens=skip)
            if request["name"] in self._cleaned_up:
                texts = [PreTrainedTokenizerBase.clean_up_tokenization(None, text) for text in texts]
            write_texts(self._directory / request[key], texts)
