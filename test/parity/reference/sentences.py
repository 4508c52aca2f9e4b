"""Random sentence-transformers directories, one for each way in which a directory makes embeddings, and `encode`."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Module, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import nn
from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration, UMT5Config, UMT5EncoderModel

WIDTH = 48
ALL_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
PROMPTS = {"query": "spell number: ", "document": "date to iso: ", "long": "seven six " * 20, "empty": ""}

# What follows the Transformer, and the arguments of SentenceTransformer.
Pipeline = tuple[list[Module], Mapping[str, Any]]
PIPELINES: Mapping[str, Callable[[], Pipeline]] = {
    # As sentence-t5 and gtr.
    "mean, dense, normalize": lambda: (
        [Pooling(WIDTH, "mean"), Dense(WIDTH, 32, bias=False, activation_function=nn.Identity()), Normalize()],
        {},
    ),
    "cls, dense with bias and tanh, default prompt": lambda: (
        [Pooling(WIDTH, "cls"), Dense(WIDTH, 40)],
        {"prompts": PROMPTS, "default_prompt_name": "query"},
    ),
    # As instructor.
    "mean without the prompt, dense, normalize": lambda: (
        [Pooling(WIDTH, "mean", include_prompt=False), Dense(WIDTH, WIDTH, bias=False), Normalize()],
        {"prompts": PROMPTS},
    ),
    "every pooling": lambda: ([Pooling(WIDTH, ALL_MODES)], {"prompts": PROMPTS}),
    "every pooling without the prompt": lambda: (
        [Pooling(WIDTH, ALL_MODES, include_prompt=False)],
        {"prompts": PROMPTS, "default_prompt_name": "document"},
    ),
    "max, normalize, dense with gelu, dense with relu": lambda: (
        [
            Pooling(WIDTH, "max"),
            Normalize(),
            Dense(WIDTH, 64, activation_function=nn.GELU()),
            Dense(64, 24, activation_function=nn.ReLU()),
        ],
        {},
    ),
    "lasttoken, dense with silu, dense with sigmoid": lambda: (
        [
            Pooling(WIDTH, "lasttoken"),
            Dense(WIDTH, 16, activation_function=nn.SiLU()),
            Dense(16, 8, activation_function=nn.Sigmoid()),
        ],
        {},
    ),
    "weightedmean": lambda: ([Pooling(WIDTH, "weightedmean"), Normalize()], {"prompts": PROMPTS}),
}
SIZES = {"vocab_size": 399, "d_model": WIDTH, "d_kv": 12, "d_ff": 80, "num_heads": 4, "num_layers": 2}
MAX_LENGTH = 24
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def write_pipeline(name: str, directory: Path, tokenizer: Path, seed: int) -> None:
    """Save a directory as sentence-transformers does."""
    torch.manual_seed(seed)
    modules, arguments = PIPELINES[name]()
    base = directory.with_name(f"{directory.name}-base")
    is_umt5 = name == "weightedmean"
    (UMT5EncoderModel(UMT5Config(**SIZES)) if is_umt5 else T5EncoderModel(T5Config(**SIZES))).save_pretrained(base)
    _copy_tokenizer(tokenizer, base)
    # Without a limit, sentence-transformers takes the tokenizer's.
    limits = {} if name.startswith("every") else {"max_seq_length": MAX_LENGTH}
    transformer = Transformer(str(base), **limits)
    SentenceTransformer(modules=[transformer, *modules], **arguments).save(str(directory))


def write_legacy(directory: Path, tokenizer: Path, seed: int) -> None:
    """Write a directory as sentence-transformers 2 did, with the weights of a whole T5 in a folder of its own."""
    torch.manual_seed(seed)
    folder = directory / "0_Transformer"
    T5ForConditionalGeneration(T5Config(**SIZES, decoder_start_token_id=0)).save_pretrained(folder)
    _copy_tokenizer(tokenizer, folder)
    dense = nn.Linear(2 * WIDTH, 20)
    files: Mapping[str, object] = {
        "modules.json": [
            {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{name}"}
            for index, (path, name) in enumerate(
                [
                    ("0_Transformer", "Transformer"),
                    ("1_Pooling", "Pooling"),
                    ("2_Dense", "Dense"),
                    ("3_Normalize", "Normalize"),
                ]
            )
        ],
        "config_sentence_transformers.json": {"__version__": {"sentence_transformers": "2.2.0"}},
        "0_Transformer/sentence_bert_config.json": {"max_seq_length": MAX_LENGTH, "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": WIDTH,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": True,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "2_Dense/config.json": {
            "in_features": 2 * WIDTH,
            "out_features": 20,
            "bias": True,
            "activation_function": "torch.nn.modules.activation.Tanh",
        },
    }
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    weights = {f"linear.{name}": weight for name, weight in dense.state_dict().items()}
    torch.save(weights, directory / "2_Dense" / "pytorch_model.bin")
    (directory / "3_Normalize").mkdir()


def add_safetensors(directory: Path) -> None:
    """Store the pickled weights of Dense as safetensors as well."""
    folder = directory / "2_Dense"
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    save_file(weights, folder / "model.safetensors")


def open_directory(directory: Path) -> SentenceTransformer:
    """Load a directory in float32."""
    return SentenceTransformer(str(directory), device="cpu", local_files_only=True)


def encode(model: SentenceTransformer, request: Mapping[str, Any]) -> torch.Tensor:
    """Run `encode`, without the modules of some classes."""
    left_out = tuple({"Dense": Dense, "Normalize": Normalize}[name] for name in request["without"])
    kept = [module for module in model if not isinstance(module, left_out)]
    modules = SentenceTransformer(
        modules=kept, prompts=model.prompts, default_prompt_name=model.default_prompt_name, device="cpu"
    )
    options = {
        name: request[given]
        for name, given in (
            ("prompt", "prompt"),
            ("prompt_name", "promptName"),
            ("normalize_embeddings", "normalize"),
            ("batch_size", "batchSize"),
        )
        if given in request
    }
    return modules.encode(request["texts"], convert_to_tensor=True, **options)


def _copy_tokenizer(tokenizer: Path, directory: Path) -> None:
    for name in TOKENIZER_FILES:
        shutil.copy(tokenizer / name, directory)
