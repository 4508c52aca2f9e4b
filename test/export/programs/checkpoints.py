"""Writes the checkpoints of the export tests: `checkpoints.py <directory> <tokenizer directory>`."""

import io
import json
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import Tokenizer
from tokenizers.models import BPE
from torch import Tensor
from transformers import (
    AutoTokenizer,
    BertConfig,
    ByT5Tokenizer,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedModel,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    T5ForSequenceClassification,
    T5ForTokenClassification,
)

SIZES = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_heads": 4, "num_layers": 1, "decoder_start_token_id": 0}
BYTE_VOCABULARY = 384
CAPITALS = ("Hello World", "The Number 42", "no capitals", "</s> <extra_id_0> A")
TEXTS = ("the number 42 is spelled out", "  two  spaces ", "\u00e9 \u2460 x", "")


def make(vocab_size: int) -> T5ForConditionalGeneration:
    """Return a random model."""
    torch.manual_seed(3)
    return T5ForConditionalGeneration(T5Config(vocab_size=vocab_size, **SIZES)).eval()


def write_sentencepiece(directory: Path) -> None:
    """Write an mT5 as on the hub, with only spiece.model, and beside it SentencePiece's ids of some texts."""
    trained = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=(f"the number {number} is spelled out, and so is {number * 7}" for number in range(2000)),
        model_writer=trained,
        vocab_size=80,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    torch.manual_seed(3)
    # The tokenizer adds a hundred sentinels to the eighty pieces.
    MT5ForConditionalGeneration(MT5Config(vocab_size=192, **SIZES)).save_pretrained(directory)
    (directory / "spiece.model").write_bytes(trained.getvalue())
    settings = {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    processor = SentencePieceProcessor(model_proto=trained.getvalue())
    ids = {text: [*processor.encode(text), processor.eos_id()] for text in TEXTS}
    directory.with_suffix(".json").write_text(json.dumps(ids), encoding="utf-8")


def write_named(directory: Path) -> None:
    """Name the first T5 checkpoints' class in config.json."""
    path = directory / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**settings, "architectures": ["T5WithLMHeadModel"]}), encoding="utf-8")


def write_sentences(directory: Path) -> None:
    """Add the modules of sentence-t5, as sentence-transformers 2 wrote them."""
    modules = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense"), ("3_Normalize", "Normalize"))
    dense = {"in_features": 32, "out_features": 16, "bias": False, "activation_function": "torch.nn.modules.Identity"}
    files = {
        "modules.json": [{"path": path, "type": f"sentence_transformers.models.{name}"} for path, name in modules],
        "config_sentence_transformers.json": {"prompts": {"query": "query: "}, "default_prompt_name": None},
        "sentence_bert_config.json": {"max_seq_length": 12, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
        "2_Dense/config.json": dense,
    }
    for name, content in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(json.dumps(content), encoding="utf-8")
    torch.manual_seed(4)
    save_file({"linear.weight": torch.randn(16, 32)}, directory / "2_Dense" / "model.safetensors")


def write_part(directory: Path, left_out: str) -> None:
    """Remove the weights whose name contains a text."""
    path = directory / "model.safetensors"
    save_file(
        {name: weight for name, weight in load_file(path).items() if left_out not in name}, path, {"format": "pt"}
    )


def write_mixed(directory: Path) -> None:
    """Make a part of float16 weights float32 and another bfloat16. config.json still states float16."""
    path = directory / "model.safetensors"
    weights = load_file(path)
    for name, weight in weights.items():
        if ".wo." in name:
            weights[name] = weight.float()
        elif "layer_norm" in name:
            weights[name] = weight.bfloat16()
    save_file(weights, path, {"format": "pt"})


class Command:
    """An object whose unpickling makes a directory where the program runs."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Return what unpickling calls."""
        return os.mkdir, ("unpickled",)


def write_wrapped(copy: Callable[[str], Path], weights: dict[str, Tensor]) -> None:
    """Write weights as training programs do: under a key, with a prefix, and beside objects of other classes."""

    def prefixed(prefix: str) -> dict[str, Tensor]:
        return {f"{prefix}{name}": weight for name, weight in weights.items()}

    pickled: dict[str, object] = {
        "nested": {"state_dict": {**prefixed("model."), "metric.total": torch.zeros(1)}, "epoch": 3},
        "nested twice": {"training": {"weights": weights}, "optimizer": {"lr": 0.1}},
        "prefixed": prefixed("module."),
        "with an epoch": {**weights, "epoch": 3},
        "with a foreign class": {"state_dict": weights, "training": [{"options": Namespace(rate=1)}]},
        "with a command": {"state_dict": weights, "hook": Command()},
        "of a foreign class": Namespace(**weights),
        "without tensors": {"epoch": 3},
        "list": list(weights.values()),
    }
    for name, content in pickled.items():
        folder = copy(name)
        (folder / "model.safetensors").unlink()
        torch.save(content, folder / "pytorch_model.bin")
    folder = copy("with a foreign class, as before")
    (folder / "model.safetensors").unlink()
    content = {"state_dict": weights, "options": Namespace(rate=1)}
    torch.save(content, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    compiled = {name: weight.clone() for name, weight in prefixed("_orig_mod.").items()}
    save_file(compiled, copy("compiled") / "model.safetensors", {"format": "pt"})


def write_byte_pairs(directory: Path) -> None:
    """Replace the tokenizer with a BPE, as of CodeT5+."""
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (directory / file).unlink()
    vocabulary = {"<pad>": 0, "</s>": 1, "<unk>": 2, "a": 3, "b": 4, "ab": 5}
    Tokenizer(BPE(vocab=vocabulary, merges=[("a", "b")], unk_token="<unk>")).save(str(directory / "tokenizer.json"))
    settings = {"tokenizer_class": "RobertaTokenizer", "eos_token": "</s>", "pad_token": "<pad>"}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def write_lowercase(directory: Path) -> None:
    """Add a normalizer that transformers leaves out, and write the ids of some texts with and without it."""
    path = directory / "tokenizer.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    normalizers = [settings["normalizer"], {"type": "Lowercase"}]
    settings["normalizer"] = {"type": "Sequence", "normalizers": [each for each in normalizers if each]}
    path.write_text(json.dumps(settings), encoding="utf-8")
    file, rebuilt = Tokenizer.from_file(str(path)), AutoTokenizer.from_pretrained(directory)
    ids = {text: {"file": file.encode(text).ids, "transformers": rebuilt(text).input_ids} for text in CAPITALS}
    directory.with_suffix(".json").write_text(json.dumps(ids), encoding="utf-8")


def main(directory: Path, tokenizer: Path) -> None:
    """Write each checkpoint to its own folder."""
    vocab_size = json.loads((tokenizer / "config.json").read_text(encoding="utf-8"))["vocab_size"]

    def save(model: PreTrainedModel, name: str, **options: object) -> Path:
        model.save_pretrained(directory / name, **options)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(tokenizer / file, directory / name)
        return directory / name

    model = make(vocab_size)
    save(model, "whole")
    save(model, "sharded", max_shard_size="100KB")
    pickled = save(model, "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save(model.state_dict(), pickled / "pytorch_model.bin")
    save(make(vocab_size).bfloat16(), "bfloat16")
    save(make(vocab_size).half(), "float16")
    save(make(vocab_size).double(), "float64")
    save(T5EncoderModel(T5Config(vocab_size=vocab_size, **SIZES)), "encoder-only")
    write_named(save(T5EncoderModel(T5Config(vocab_size=vocab_size, **SIZES)), "encoder named as a model"))
    write_sentences(save(T5EncoderModel(T5Config(vocab_size=vocab_size, **SIZES)), "sentences"))
    write_part(save(model, "part of a decoder"), "decoder.block.0.layer.2")
    write_part(save(T5EncoderModel(T5Config(vocab_size=vocab_size, **SIZES)), "part of an encoder"), "final_layer_norm")
    three = {"id2label": {0: "bad", 1: "fair", 2: "good"}}
    classifier = T5ForSequenceClassification(T5Config(vocab_size=vocab_size, **SIZES, **three))
    save(classifier, "classifier")
    write_part(save(classifier, "part of a classifier"), "classification_head.out_proj")
    write_part(save(classifier, "classifier without a decoder"), "decoder.")
    of_tokens = T5ForTokenClassification(T5Config(vocab_size=vocab_size, **SIZES))
    save(of_tokens, "classifier of tokens")
    write_part(save(of_tokens, "part of a classifier of tokens"), "classifier.bias")
    write_mixed(save(make(vocab_size).half(), "mixed"))
    write_wrapped(lambda name: save(model, name), model.state_dict())
    write_byte_pairs(save(model, "byte pairs"))
    write_lowercase(save(model, "lowercase"))
    BertConfig().save_pretrained(directory / "bert")
    write_sentencepiece(directory / "sentencepiece")
    byte = directory / "byte"
    make(BYTE_VOCABULARY).save_pretrained(byte)
    ByT5Tokenizer().save_pretrained(byte)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
