"""The operations that tests request."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import generation
import scoring
import torch
from classifiers import classify, export_classifier, load_classifier, write_classifier
from encoders import encoder_class, export_encoder, write_encoders
from families import FAMILIES, load_checkpoint, load_exported, write_checkpoint
from forms import write_form
from t5_export import export_source
from t5_export.architectures import KINDS_BY_NAME
from tensors import TensorFiles
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import Seq2SeqLMOutput

Request = Mapping[str, Any]
Reply = dict[str, Any]

SOURCE_NAMES = {"inputIds": "input_ids", "attentionMask": "attention_mask"}
DECODER_NAMES = {"decoderInputIds": "decoder_input_ids"}


class Operations:
    """The models that have been made, by name, and the operations on them."""

    def __init__(self, directory: Path, device: torch.device) -> None:
        self._directory = directory
        self._device = device
        self._models: dict[str, PreTrainedModel] = {}
        self._sentences: dict[str, Any] = {}
        self._tokenizers: dict[str, PreTrainedTokenizerBase] = {}
        self._files = TensorFiles(directory)
        self._operations: Mapping[str, Callable[[Request], Reply]] = {
            "classes": self.classes,
            "make": self.make,
            "open": self.open,
            "effect": self.effect,
            "makeForm": self.make_form,
            "makeEncoders": self.make_encoders,
            "forwardEncoder": self.forward_encoder,
            "makeClassifier": self.make_classifier,
            "classifierLogits": self.classifier_logits,
            "classify": self.classify,
            "makeSentences": self.make_sentences,
            "encodeSentences": self.encode_sentences,
            "forward": self.forward,
            "layers": self.layers,
            "shiftRight": self.shift_right,
            "tokenize": self.tokenize,
            "generate": self.generate,
            "encode": self.encode,
            "score": self.score,
            "rescore": self.rescore,
            "logSoftmax": self.log_softmax,
            "rerank": self.rerank,
            "rerankPairs": self.rerank_pairs,
            "embed": self.embed,
        }

    def run(self, operation: str, request: Request) -> Reply:
        """Run one operation."""
        return self._operations[operation](request)

    def classes(self, _: Request) -> Reply:
        """Return the kind of every class that the exporter knows, by its name in config.json."""
        return {"kinds": {name: kind.name for name, kind in KINDS_BY_NAME.items()}}

    def make(self, request: Request) -> Reply:
        """Write a family's random checkpoint, export it, and load the original with `from_pretrained`."""
        name = request["family"]
        checkpoint, exported = self._directory / f"{name}-hf", self._directory / f"{name}-exported"
        write_checkpoint(FAMILIES[name], checkpoint, request["seed"])
        torch.set_num_threads(1)  # more threads slow such a small model down
        # A tokenizer of bytes needs no file. The other families' tokenizers would have to be trained.
        has_tokenizer = "tokenizer_class" in FAMILIES[name].settings
        export_source(str(checkpoint), exported, with_tokenizer=has_tokenizer)
        self._models[name] = load_checkpoint(FAMILIES[name], checkpoint).to(self._device)
        if has_tokenizer:
            self._tokenizers[name] = AutoTokenizer.from_pretrained(exported)
        vocab_size = self._models[name].config.vocab_size
        return {"directory": str(exported), "checkpoint": str(checkpoint), "vocabSize": vocab_size}

    def make_form(self, request: Request) -> Reply:
        """Write a checkpoint of a family in one form, load it, and export it if that is asked for."""
        family, form = request["family"], request["form"]
        checkpoint = self._directory / f"{family}-{form.replace(' ', '-')}"
        exported = checkpoint.with_name(f"{checkpoint.name}-exported") if request["exports"] else None
        model = write_form(family, form, checkpoint, request["seed"], exported=exported)
        self._models[f"{family}, {form}"] = model.to(self._device)
        directory = None if exported is None else str(exported)
        return {"checkpoint": str(checkpoint), "directory": directory, "vocabSize": model.config.vocab_size}

    def open(self, request: Request) -> Reply:
        """Load the model and, if it has one, the tokenizer of an exported directory under a name."""
        name, directory = request["name"], Path(request["directory"])
        self._models[name] = load_exported(directory).to(self._device)
        if (directory / "tokenizer_config.json").is_file():
            self._tokenizers[name] = AutoTokenizer.from_pretrained(directory)
        return {"directory": str(directory), "vocabSize": self._models[name].config.vocab_size}

    def make_encoders(self, request: Request) -> Reply:
        """Write a family's whole model and encoders, export them, and load the originals as encoders."""
        family = request["family"]
        exported: dict[str, str] = {}
        checkpoints: dict[str, str] = {}
        for form, checkpoint in write_encoders(family, self._directory, request["seed"]).items():
            name = f"{family}, {form}"
            checkpoints[name] = str(checkpoint)
            self._models[name] = encoder_class(family).from_pretrained(checkpoint).eval().to(self._device)
            exported[name] = str(checkpoint.with_name(f"{checkpoint.name}-exported"))
            export_encoder(checkpoint, Path(exported[name]), encoder_only=form == "whole")
        whole = self._directory / f"{family}-whole"
        name = f"{family}, whole export"
        self._models[name] = self._models[f"{family}, whole"]
        exported[name] = str(whole.with_name(f"{whole.name}-whole-export"))
        export_source(str(whole), Path(exported[name]), with_tokenizer=False)
        vocab_size = self._models[name].config.vocab_size
        return {"directories": exported, "checkpoints": checkpoints, "vocabSize": vocab_size}

    def forward_encoder(self, request: Request) -> Reply:
        """Run `model(...)` of an encoder."""
        return self._infer(
            request, lambda model, inputs: {"lastHiddenState": self._files.write(model(**inputs).last_hidden_state)}
        )

    def make_classifier(self, request: Request) -> Reply:
        """Write a family's classifier of one form, export it, and load the original."""
        family, form = request["family"], request["form"]
        checkpoint = self._directory / f"{family}-{form}"
        write_classifier(family, form, checkpoint, Path(request["tokenizer"]), request["seed"])
        exported = checkpoint.with_name(f"{checkpoint.name}-exported")
        export_classifier(checkpoint, exported)
        model = load_classifier(family, form, checkpoint).to(self._device)
        self._models[f"{family}, {form}"] = model
        return {"directory": str(exported), "checkpoint": str(checkpoint), "vocabSize": model.config.vocab_size}

    def classifier_logits(self, request: Request) -> Reply:
        """Run `model(...)` of a classifier."""
        return self._infer(request, lambda model, inputs: {"logits": self._files.write(model(**inputs).logits)})

    def classify(self, request: Request) -> Reply:
        """Run Hugging Face's pipeline on texts; see `classifiers.classify`."""
        torch.set_num_threads(request["threads"])
        return {"results": classify(self._models[request["model"]], Path(request["checkpoint"]), request)}

    def make_sentences(self, request: Request) -> Reply:
        """Write a sentence-transformers directory, export it, and load the original."""
        import sentences  # takes seconds, and other tests don't need it

        name = request["name"]
        directory = self._directory / f"sentences-{request['number']}"
        if name == "legacy":
            sentences.write_legacy(directory, Path(request["tokenizer"]), request["seed"])
        else:
            sentences.write_pipeline(name, directory, Path(request["tokenizer"]), request["seed"])
        torch.set_num_threads(1)  # more threads slow such a small model down
        exported = directory.with_name(f"{directory.name}-exported")
        export_source(str(directory), exported)
        self._sentences[name] = sentences.open_directory(directory)
        if name == "legacy":
            sentences.add_safetensors(directory)
        return {"directory": str(exported), "source": str(directory)}

    def encode_sentences(self, request: Request) -> Reply:
        """Run `SentenceTransformer.encode`; see `sentences.encode`."""
        import sentences

        torch.set_num_threads(request["threads"])
        return {"embeddings": self._files.write(sentences.encode(self._sentences[request["name"]], request))}

    def forward(self, request: Request) -> Reply:
        """Run `model(...)`. Ids, mask and labels are nested lists; those that are absent are not passed."""
        torch.set_num_threads(request["threads"])
        arguments = self._tensors(request, {**SOURCE_NAMES, **DECODER_NAMES, "labels": "labels"})
        with torch.inference_mode():
            output = self._models[request["model"]](**arguments, output_hidden_states=True)
        reply = {
            "logits": self._files.write(output.logits),
            "encoderLastHiddenState": self._files.write(output.encoder_last_hidden_state),
            "decoderLastHiddenState": self._files.write(output.decoder_hidden_states[-1]),
        }
        return reply if output.loss is None else {**reply, "loss": self._files.write(output.loss)}

    def layers(self, request: Request) -> Reply:
        """Run `model(...)` for the outputs of every layer, with eager attention where `attentions` is true.

        With `prefix`, the decoder reads that many ids first, and then one at a time.
        """
        torch.set_num_threads(request["threads"])
        model = self._models[request["model"]]
        inputs = self._tensors(request, {**SOURCE_NAMES, **DECODER_NAMES})
        attentions = request["attentions"]
        own = model.config._attn_implementation
        try:
            with torch.inference_mode():
                if "prefix" in request:
                    return {"calls": self._decoded_layers(model, inputs, request["prefix"], attentions=attentions)}
                if attentions:
                    model.set_attn_implementation("eager")
                output = model(**inputs, output_hidden_states=True, output_attentions=attentions)
                return self._write_layers(output)
        finally:
            model.set_attn_implementation(own)

    def _decoded_layers(
        self, model: PreTrainedModel, inputs: Mapping[str, Tensor], prefix: int, *, attentions: bool
    ) -> list[Reply]:
        # A session's encoder output is that of `encode`, which computes with the model's own attention.
        source = {name: inputs[name] for name in SOURCE_NAMES.values() if name in inputs}
        encoder_outputs = model.get_encoder()(**source)
        if attentions:
            model.set_attn_implementation("eager")
        ids = inputs["decoder_input_ids"]
        cache = None
        calls: list[Reply] = []
        for part in (ids[:, :prefix], *ids[:, prefix:].split(1, dim=1)):
            output = model(
                encoder_outputs=encoder_outputs,
                attention_mask=source.get("attention_mask"),
                decoder_input_ids=part,
                past_key_values=cache,
                use_cache=True,
                output_hidden_states=True,
                output_attentions=attentions,
            )
            cache = output.past_key_values
            output.encoder_hidden_states = output.encoder_attentions = None
            calls.append(self._write_layers(output))
        return calls

    def _write_layers(self, output: Seq2SeqLMOutput) -> Reply:
        def write(tensors: tuple[Tensor, ...] | None) -> list[Reply]:
            return [self._files.write(tensor) for tensor in tensors or ()]

        return {
            "logits": self._files.write(output.logits),
            "encoderHiddenStates": write(output.encoder_hidden_states),
            "decoderHiddenStates": write(output.decoder_hidden_states),
            "encoderAttentions": write(output.encoder_attentions),
            "decoderAttentions": write(output.decoder_attentions),
            "crossAttentions": write(output.cross_attentions),
        }

    def shift_right(self, request: Request) -> Reply:
        """Shift labels as the model does for teacher forcing."""
        model = self._models[request["model"]]
        shifted = model.prepare_decoder_input_ids_from_labels(torch.tensor(request["labels"], device=self._device))
        return {"decoderInputIds": shifted.tolist()}

    def tokenize(self, request: Request) -> Reply:
        """Tokenize texts, padded on the right; truncated to `maxLength`, and without special tokens, if it is asked."""
        encoded = self._tokenizers[request["model"]](
            request["texts"],
            padding=True,
            truncation="maxLength" in request,
            max_length=request.get("maxLength"),
            add_special_tokens=request.get("addSpecialTokens", True),
        )
        return {"inputIds": encoded.input_ids, "attentionMask": encoded.attention_mask}

    def generate(self, request: Request) -> Reply:
        """Run `model.generate(...)`; see `generation.generate`."""
        torch.set_num_threads(request["threads"])
        name = request["model"]
        inputs = self._tensors(request, {**SOURCE_NAMES, **DECODER_NAMES})
        return generation.generate(self._models[name], self._tokenizers.get(name), inputs, request, self._files)

    def effect(self, request: Request) -> Reply:
        """Run `model.generate(...)` with and without some options; see `generation.effect`."""
        torch.set_num_threads(request["threads"])
        inputs = self._tensors(request, {**SOURCE_NAMES, **DECODER_NAMES})
        return {"effect": generation.effect(self._models[request["model"]], inputs, request)}

    def encode(self, request: Request) -> Reply:
        """Run the encoder."""
        return self._infer(request, lambda model, inputs: {"state": self._files.write(scoring.encode(model, inputs))})

    def score(self, request: Request) -> Reply:
        """Return log-probabilities of rows of target ids of different lengths; see `scoring.score`."""
        return self._infer(request, lambda model, inputs: scoring.score(model, inputs, request, self._files))

    def rescore(self, request: Request) -> Reply:
        """Return the scores of sequences in float32 and float64; see `scoring.rescore`."""
        return self._infer(request, lambda model, inputs: scoring.rescore(model, inputs, request["targets"]))

    def log_softmax(self, request: Request) -> Reply:
        """Return PyTorch's log-softmax of rows of logits, and the indices of the largest logits of each."""
        logits = torch.tensor(request["logits"], dtype=torch.float32, device=self._device)
        largest = logits.topk(request["count"]).indices
        return {"logProbs": self._files.write(torch.log_softmax(logits, dim=-1)), "largest": largest.tolist()}

    def rerank(self, request: Request) -> Reply:
        """Return the probabilities of one token against another; see `scoring.rerank`."""
        return self._infer(request, lambda model, inputs: scoring.rerank(model, inputs, request["tokens"], self._files))

    def rerank_pairs(self, request: Request) -> Reply:
        """Return duoT5's scores of documents; see `scoring.rerank_pairs`."""
        tokenizer = self._tokenizers[request["model"]]
        return self._infer(request, lambda model, _: scoring.rerank_pairs(model, tokenizer, request))

    def embed(self, request: Request) -> Reply:
        """Return embeddings of sources; see `scoring.embed`."""
        return self._infer(request, lambda model, inputs: scoring.embed(model, inputs, request, self._files))

    def _infer(self, request: Request, compute: Callable[[PreTrainedModel, Mapping[str, Tensor]], Reply]) -> Reply:
        torch.set_num_threads(request["threads"])
        with torch.inference_mode():
            return compute(self._models[request["model"]], self._tensors(request, SOURCE_NAMES))

    def _tensors(self, request: Request, names: Mapping[str, str]) -> dict[str, Tensor]:
        given = {theirs: request[ours] for ours, theirs in names.items() if ours in request}
        return {name: torch.tensor(values, device=self._device) for name, values in given.items()}
