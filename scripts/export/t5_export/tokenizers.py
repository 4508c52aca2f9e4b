"""The tokenizer of a checkpoint: found, loaded, and refused where torch-t5 doesn't support it."""

import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from t5_export.errors import ExportError, one_line
from t5_export.files import FAST_TOKENIZER, SENTENCEPIECE, TOKENIZER_CONFIG, read_json

# What the export's tokenizer is made from: tokenizer.json as it is, or what AutoTokenizer makes of the checkpoint.
TokenizerOrigin: TypeAlias = Literal["file", "transformers"]

BYTE_TOKENIZER = "ByT5Tokenizer"
T5_TOKENIZERS = frozenset({"T5Tokenizer", "T5TokenizerFast", "MT5Tokenizer", "MT5TokenizerFast"})
BPE_FILES = ("vocab.json", "merges.txt")
SENTENCEPIECE_PACKAGES = ("sentencepiece", "google.protobuf")
WITHOUT_TOKENIZER = "(--no-tokenizer exports a model that takes only token ids)"
MODEL = "Unigram"

# The types of each part of tokenizer.json that torch-t5 supports, as in lib/tokenizer.
PARTS: Mapping[str, tuple[str, ...]] = {
    "normalizer": (
        *("Sequence", "Precompiled", "Replace", "Strip", "Prepend", "Lowercase"),
        *("NFC", "NFD", "NFKC", "NFKD", "Nmt", "StripAccents"),
    ),
    "pre_tokenizer": ("WhitespaceSplit", "Metaspace", "Sequence"),
    "post_processor": ("TemplateProcessing", "Sequence"),
    "decoder": ("Metaspace", "ByteFallback", "Fuse", "Strip", "Replace", "Sequence"),
}
# The keys under which a Sequence has its members.
MEMBERS = ("normalizers", "pretokenizers", "processors", "decoders")

# Capitals, accents, compatibility characters, several scripts, white space of every kind, digits and special tokens.
TEXTS = (
    "Hello World",
    "translate English to German: The house is wonderful.",
    "",
    " ",
    "  two  spaces  and a trailing one ",
    "tabs\tand\nnew lines\r\n",
    "non-breaking\u00a0space, zero\u200bwidth, thin\u2009space",
    "Caf\u00e9 na\u00efve \u00c5ngstr\u00f6m, decomposed Cafe\u0301",
    "\uff26\uff55\uff4c\uff4c \u2460\u00bd\ufb01\u2122 x\u00b2",
    "\u201cquotes\u201d, 'apostrophes' and \u2026 -- \u2014 dashes",
    "1234567890 3.14 1,000 2026-01-01",
    "\u0417\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439",
    "\u4f60\u597d\u4e16\u754c \u0645\u0631\u062d\u0628\u0627",
    "\u3053\u3093\u306b\u3061\u306f \uc548\ub155 \u0928\u092e\u0938\u094d\u0924\u0947",
    "emoji \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "if (a[0] != b) { return `x`; } // code_with_underscores",
    "<extra_id_0> in <extra_id_1> text</s> <pad><unk>",
    "\u2581the \u2581 sign itself",
)


def require_tokenizer(directory: Path, config: dict[str, Any], origin: TokenizerOrigin) -> None:
    """Raise ExportError where the checkpoint's files have no tokenizer, or one that isn't supported.

    Without a tokenizer, transformers would create an empty one.
    """
    settings_path = directory / TOKENIZER_CONFIG
    settings = read_json(settings_path) if settings_path.is_file() else {}
    tokenizer_class = settings.get("tokenizer_class") or config.get("tokenizer_class")
    has_file = (directory / FAST_TOKENIZER).is_file()
    if origin == "file" and not has_file:
        raise ExportError(f"Expected {FAST_TOKENIZER} in {directory} for --tokenizer file but it is missing")
    if tokenizer_class == BYTE_TOKENIZER:
        return
    if has_file:
        _require_unigram(read_json(directory / FAST_TOKENIZER), str(directory / FAST_TOKENIZER))
        return
    if not (directory / SENTENCEPIECE).is_file():
        received = "both are missing"
        if all((directory / name).is_file() for name in BPE_FILES):
            received = f"received {' and '.join(BPE_FILES)}, a BPE tokenizer, which is not supported"
        elif tokenizer_class is not None and tokenizer_class not in T5_TOKENIZERS:
            received = f"received {tokenizer_class}, which is not supported"
        raise ExportError(
            f"Expected {FAST_TOKENIZER} or {SENTENCEPIECE} in {directory} but {received} {WITHOUT_TOKENIZER}"
        )
    for package in SENTENCEPIECE_PACKAGES:
        if not _is_installed(package):
            raise ExportError(
                f"Expected the Python package {package}, which reads {SENTENCEPIECE}, but it is not installed: "
                "run `npx torch-t5 setup --export`"
            )


def load_tokenizer(directory: Path, origin: TokenizerOrigin) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the checkpoint. Raises ExportError where transformers can't load it."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        return tokenizer if origin == "transformers" else _load_file(directory / FAST_TOKENIZER, tokenizer)
    except Exception as error:  # as in load_model
        raise ExportError(f"Expected a tokenizer in {directory} ({one_line(error)})") from error


def check_tokenizer(tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise ExportError for a tokenizer that torch-t5 doesn't support."""
    name = type(tokenizer).__name__
    if name == BYTE_TOKENIZER:
        return
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise ExportError(f"Expected a {MODEL} tokenizer or {BYTE_TOKENIZER} but received {name} {WITHOUT_TOKENIZER}")
    settings = json.loads(backend.to_str())
    _require_unigram(settings, f"the tokenizer ({name})")
    for part, supported in PARTS.items():
        for received in _types(settings.get(part)):
            if received not in supported:
                raise ExportError(
                    f"Expected one of {', '.join(supported)} for {part} of the tokenizer but received {received} "
                    f"{WITHOUT_TOKENIZER}"
                )


def difference_from_file(directory: Path, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Return the first text to which the tokenizer and tokenizer.json give different ids, with both, or None."""
    path = directory / FAST_TOKENIZER
    if type(tokenizer).__name__ == BYTE_TOKENIZER or not path.is_file():
        return None
    try:
        file = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises nothing more specific
        return f"{FAST_TOKENIZER} is not readable as it is ({one_line(error)})"
    file.no_padding()
    file.no_truncation()
    for text in TEXTS:
        expected, received = file.encode(text).ids, tokenizer(text).input_ids
        if received != expected:
            quoted = json.dumps(text, ensure_ascii=False)
            return f"{quoted} is {expected} by {FAST_TOKENIZER} but {received} by the export"
    return None


def _load_file(path: Path, tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return the tokenizer of tokenizer.json as it is, with the other one's special tokens."""
    return PreTrainedTokenizerFast(
        tokenizer_file=str(path),
        model_max_length=tokenizer.model_max_length,
        clean_up_tokenization_spaces=tokenizer.clean_up_tokenization_spaces,
        **{name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)},
    )


def _require_unigram(settings: Mapping[str, Any], name: str) -> None:
    model = settings.get("model")
    model_type = model.get("type", MODEL) if isinstance(model, Mapping) else MODEL
    if model_type != MODEL:
        raise ExportError(f"Expected a {MODEL} tokenizer in {name} but received {model_type} {WITHOUT_TOKENIZER}")


def _types(part: object) -> Iterator[str]:
    """Yield the type of a part, and those of its members."""
    if not isinstance(part, Mapping):
        return
    yield str(part.get("type"))
    for key in MEMBERS:
        for member in part.get(key) or ():
            yield from _types(member)


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # a parent package isn't installed
        return False
