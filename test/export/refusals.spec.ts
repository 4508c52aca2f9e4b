import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Reply, runExporter, runExporterTimes, runExporterWithoutPackages } from "./exporter.js";
import { Folders, names, readJson, replaceText } from "./folders.js";

interface Refusal {
  readonly title: string;
  readonly message: RegExp;
  readonly source: (folders: Folders) => string;
  readonly options?: readonly string[];
  /** Prepares the folder in which the target, "exported", is. */
  readonly prepare?: (folder: string) => void;
}

const changed = (name: string, change: (directory: string) => void) => (folders: Folders) =>
  folders.changed(name, change);
const without = (name: string, ...files: string[]) =>
  changed(name, (directory) => {
    for (const file of files) rmSync(join(directory, file));
  });
const withConfig = (name: string, ...replacements: readonly (readonly [string, string])[]) =>
  changed(name, (directory) => {
    for (const [from, to] of replacements) replaceText(join(directory, "config.json"), from, to);
  });

function writeAdapter(directory: string): void {
  const settings = { peft_type: "LORA", base_model_name_or_path: "owner/base", r: 8 };
  writeFileSync(join(directory, "adapter_config.json"), JSON.stringify(settings));
  writeFileSync(join(directory, "adapter_model.safetensors"), "");
}

const REFUSALS: readonly Refusal[] = [
  {
    title: "another architecture",
    message: /Expected t5, mt5 or umt5 for model_type in config.json but received bert/,
    source: (folders) => folders.checkpoint("bert"),
  },
  {
    title: "another architecture for its encoder",
    message: /Expected t5, mt5 or umt5 for model_type in config.json but received bert/,
    source: (folders) => folders.checkpoint("bert"),
    options: ["--encoder-only"],
  },
  {
    title: "a class of T5 without an export",
    message:
      /Expected T5ForConditionalGeneration, T5EncoderModel, T5ForSequenceClassification or T5ForTokenClassification for architectures in config.json but received T5Model \(--encoder-only /,
    source: withConfig("whole", ["T5ForConditionalGeneration", "T5Model"]),
  },
  {
    title: "a whole model without a part of its decoder",
    message: /Expected every weight of T5ForConditionalGeneration but the checkpoint lacks decoder\..* and \d+ more/,
    source: (folders) => folders.checkpoint("part of a decoder"),
  },
  {
    title: "an encoder without a part of its weights",
    message: /Expected every weight of T5EncoderModel but the checkpoint lacks encoder\..*layer_norm.weight/,
    source: (folders) => folders.checkpoint("part of an encoder"),
  },
  ...[
    [
      "a module",
      "modules.json",
      "models.Normalize",
      "models.LSTM",
      /Expected Transformer, Pooling, then Dense or .* received Transformer, Pooling, Dense, LSTM \(--no-modules /,
    ],
    [
      "a module of another package",
      "modules.json",
      "sentence_transformers.models.Dense",
      "mine.Dense",
      /Expected modules of sentence-transformers in modules.json but received mine.Dense/,
    ],
    [
      "a module outside the directory",
      "modules.json",
      '"2_Dense"',
      '"../2_Dense"',
      /Expected a folder inside the directory for path in modules.json but received ..\/2_Dense/,
    ],
    [
      "modules without Pooling",
      "modules.json",
      "models.Pooling",
      "models.Normalize",
      /but received Transformer, Normalize, Dense, Normalize/,
    ],
    [
      "a pooling",
      "1_Pooling/config.json",
      '"pooling_mode_mean_tokens": true',
      '"pooling_mode": "median"',
      /Expected cls, max, .* for pooling_mode in .* but received median/,
    ],
    [
      "another width of Pooling",
      "1_Pooling/config.json",
      "32",
      "33",
      /Expected 32 for embedding_dimension in .* but received 33/,
    ],
    [
      "an activation",
      "2_Dense/config.json",
      "torch.nn.modules.Identity",
      "torch.nn.modules.Softmax",
      /Expected Identity, Tanh, .* for activation_function in .* received torch.nn.modules.Softmax/,
    ],
    [
      "an activation of another package",
      "2_Dense/config.json",
      "torch.nn.modules.Identity",
      "mine.Tanh",
      /for activation_function in .* received mine.Tanh/,
    ],
    [
      "a residual connection",
      "2_Dense/config.json",
      '"bias"',
      '"use_residual": true, "bias"',
      /Expected false for use_residual in .* but received true/,
    ],
    [
      "a Dense of tokens",
      "2_Dense/config.json",
      '"bias"',
      '"module_input_name": "token_embeddings", "bias"',
      /Expected "sentence_embedding" for module_input_name in .* received "token_embeddings"/,
    ],
    [
      "a Dense of another width",
      "2_Dense/config.json",
      '"in_features": 32',
      '"in_features": 64',
      /Expected 32 for in_features in .* but received 64/,
    ],
    [
      "a Dense without its bias",
      "2_Dense/config.json",
      '"bias": false',
      '"bias": true',
      /Expected the weights {.*linear.bias.*} of Dense in .* but received {'linear.weight': \[16, 32\]}/,
    ],
    [
      "lower case",
      "sentence_bert_config.json",
      '"do_lower_case": false',
      '"do_lower_case": true',
      /Expected false for do_lower_case in .* but received true/,
    ],
    [
      "arguments of the tokenizer",
      "sentence_bert_config.json",
      '"do_lower_case": false',
      '"tokenizer_args": {"use_fast": true}',
      /Expected no tokenizer_args in .* but received {"use_fast": true}/,
    ],
    [
      "no length",
      "sentence_bert_config.json",
      "12",
      "0",
      /Expected a positive integer for max_seq_length in .* but received 0/,
    ],
    [
      "an unknown default prompt",
      "config_sentence_transformers.json",
      "null",
      '"passage"',
      /the name of a prompt for default_prompt_name in .* but received passage/,
    ],
    [
      "a prompt that is no text",
      "config_sentence_transformers.json",
      '"query: "',
      "5",
      /Expected texts for prompts in .*/,
    ],
    [
      "another kind of sentence-transformers",
      "config_sentence_transformers.json",
      '"prompts"',
      '"model_type": "SparseEncoder", "prompts"',
      /Expected "SentenceTransformer" for model_type in .* received "SparseEncoder"/,
    ],
  ].map(([title, file, from, to, message]) => ({
    title: `sentence-transformers with ${title}`,
    message: message as RegExp,
    source: changed("sentences", (directory) => replaceText(join(directory, String(file)), String(from), String(to))),
  })),
  {
    title: "a Dense without weights",
    message: /Expected model.safetensors or pytorch_model.bin in .*2_Dense but both are missing/,
    source: without("sentences", "2_Dense/model.safetensors"),
  },
  {
    title: "a Dense with damaged weights",
    message: /Expected weights in .*2_Dense but received a damaged file/,
    source: changed("sentences", (directory) => truncateSync(join(directory, "2_Dense/model.safetensors"), 100)),
  },
  {
    title: "a damaged modules.json",
    message: /Expected JSON in .*modules.json but received a damaged file/,
    source: changed("sentences", (directory) => writeFileSync(join(directory, "modules.json"), "[")),
  },
  {
    title: "a classifier without a part of its head",
    message:
      /Expected every weight of T5ForSequenceClassification but the checkpoint lacks classification_head\.out_proj\.bias and 1 more/,
    source: (folders) => folders.checkpoint("part of a classifier"),
  },
  {
    title: "a classifier without its decoder",
    message: /Expected every weight of T5ForSequenceClassification but the checkpoint lacks transformer\.decoder\./,
    source: (folders) => folders.checkpoint("classifier without a decoder"),
  },
  {
    title: "a classifier of tokens without a part of its head",
    message: /Expected every weight of T5ForTokenClassification but the checkpoint lacks classifier\.bias/,
    source: (folders) => folders.checkpoint("part of a classifier of tokens"),
  },
  {
    title: "a model of another class as a classifier",
    message:
      /Expected every weight of T5ForSequenceClassification but the checkpoint lacks classification_head\.dense\.bias and 3 more/,
    source: withConfig("whole", ["T5ForConditionalGeneration", "T5ForSequenceClassification"]),
  },
  {
    title: "a classifier whose config.json names no class",
    message:
      /Expected the class of a classifier for architectures in config.json, .* but received None \(--encoder-only/,
    source: withConfig("classifier", ['"architectures"', '"former_architectures"']),
  },
  {
    title: "a classifier with other numbers as labels",
    message: /Expected labels of 0 to 2 for id2label in config.json but received 0: 'bad', 1: 'fair', 5: 'good'/,
    source: withConfig("classifier", ['"2": "good"', '"5": "good"']),
  },
  {
    title: "a classifier with two end-of-sequence ids",
    message: /Expected an id of the vocabulary for eos_token_id in config.json but received \[1, 2\]/,
    source: withConfig("classifier", ['"eos_token_id": 1', '"eos_token_id": [1, 2]']),
  },
  {
    title: "a classifier without a decoder start id",
    message: /Expected an id of the vocabulary for decoder_start_token_id in config.json but received None/,
    source: withConfig("classifier", ['"decoder_start_token_id": 0', '"decoder_start_token_id": null']),
  },
  {
    title: "no model type",
    message: /for model_type in config.json but received None/,
    source: withConfig("whole", ['"model_type": "t5",', ""]),
  },
  {
    title: "quantized weights",
    message: /Expected unquantized weights but received a quantization_config/,
    source: withConfig("whole", ["{", '{ "quantization_config": { "quant_method": "bitsandbytes" },']),
  },
  {
    title: "sizes in config.json that differ from the weights'",
    message: /Expected a checkpoint of T5ForConditionalGeneration in .* \(.*mismatch/,
    source: withConfig("whole", ['"d_ff": 64', '"d_ff": 65']),
  },
  {
    title: "float64",
    message: /Expected float32, bfloat16 or float16 weights but received float64/,
    source: (folders) => folders.checkpoint("float64"),
  },
  { title: "no config.json", message: /Expected config.json in .* missing/, source: without("whole", "config.json") },
  {
    title: "a config.json that is not JSON",
    message: /Expected JSON in .*config.json but received a damaged file/,
    source: changed("whole", (directory) => writeFileSync(join(directory, "config.json"), "{")),
  },
  {
    title: "no weights",
    message: /Expected model.safetensors or pytorch_model.bin in .* both are missing/,
    source: without("whole", "model.safetensors"),
  },
  {
    title: "a missing shard",
    message: /Expected model-00002-of-00002.safetensors, which model.safetensors.index.json names, in .* missing/,
    source: without("sharded", "model-00002-of-00002.safetensors"),
  },
  {
    title: "truncated weights",
    message: /Expected weights in .*model.safetensors but received a damaged file/,
    source: changed("whole", (directory) => truncateSync(join(directory, "model.safetensors"), 5000)),
  },
  {
    title: "truncated pickled weights",
    message: /Expected weights in .*pytorch_model.bin but received a damaged file/,
    source: changed("pickled", (directory) => truncateSync(join(directory, "pytorch_model.bin"), 5000)),
  },
  {
    title: "no tokenizer",
    message: /Expected tokenizer.json or spiece.model in .* both are missing \(--no-tokenizer /,
    source: without("whole", "tokenizer.json", "tokenizer_config.json"),
  },
  {
    title: "a damaged tokenizer",
    message: /Expected a tokenizer in .* \(/,
    source: changed("whole", (directory) => writeFileSync(join(directory, "tokenizer.json"), "{}")),
  },
  {
    title: "an adapter beside the weights of its base model",
    message: new RegExp(
      "Expected a checkpoint without an adapter but received adapter_config.json in .*: merge it into the base model " +
        'and export the result \\(move the files adapter_\\* to .*/adapter, .*PeftModel.from_pretrained\\(.*, ".*/adapter"\\)' +
        '\\.merge_and_unload\\(\\); model.save_pretrained\\("merged"\\)\\)$',
    ),
    source: changed("whole", writeAdapter),
  },
  {
    title: "an adapter's weights without its configuration",
    message: /without an adapter but received adapter_model.safetensors in .*: merge it/,
    source: changed("whole", (directory) => writeFileSync(join(directory, "adapter_model.safetensors"), "")),
  },
  {
    title: "an adapter alone",
    message:
      /received adapter_config.json in .*: merge it .*from_pretrained\(AutoModelForSeq2SeqLM.from_pretrained\("owner\/base"\), "/,
    source: changed("whole", (directory) => {
      rmSync(join(directory, "config.json"));
      rmSync(join(directory, "model.safetensors"));
      writeAdapter(directory);
    }),
  },
  {
    title: "weights under a key, with a prefix",
    message:
      /Expected T5's weights by their names in .* are under state_dict and begin with "model."\. Save them alone/,
    source: (folders) => folders.checkpoint("nested"),
  },
  {
    title: "weights under two keys",
    message:
      /but they are under training.weights\. Save them alone, in Python: .*\['training'\]\['weights'\]; torch.save/,
    source: (folders) => folders.checkpoint("nested twice"),
  },
  {
    title: "weights with a prefix",
    message:
      /Expected T5's weights by their names in .*pytorch_model.bin but they begin with "module."\. Save them alone/,
    source: (folders) => folders.checkpoint("prefixed"),
  },
  {
    title: "weights of a compiled model",
    message: /Expected T5's weights by their names in .*model.safetensors but they begin with "_orig_mod."\. Save them/,
    source: (folders) => folders.checkpoint("compiled"),
  },
  {
    title: "a pickled object of another class",
    message: /Expected only tensors in .*pytorch_model.bin but received argparse.Namespace, which is not unpickled/,
    source: (folders) => folders.checkpoint("of a foreign class"),
  },
  {
    title: "a pickled object of another class under keys",
    message:
      /received argparse.Namespace under training.0.options, which is not unpickled: .* torch.save\(model.state_d/,
    source: (folders) => folders.checkpoint("with a foreign class"),
  },
  {
    title: "a pickled command",
    message: /received posix.mkdir under hook, which is not unpickled: it could run code/,
    source: (folders) => folders.checkpoint("with a command"),
  },
  {
    title: "a pickled object of another class in the format before PyTorch 1.6",
    message: /received argparse.Namespace under options, which is not unpickled/,
    source: (folders) => folders.checkpoint("with a foreign class, as before"),
  },
  {
    title: "a pickled dictionary without tensors",
    message: /Expected tensors in .*pytorch_model.bin but received dict without any/,
    source: (folders) => folders.checkpoint("without tensors"),
  },
  {
    title: "a pickled list",
    message: /Expected tensors in .*pytorch_model.bin but received list without any/,
    source: (folders) => folders.checkpoint("list"),
  },
  {
    title: "a pointer of Git LFS",
    message: /Expected weights in .*pytorch_model.bin but received a damaged file/,
    source: changed("pickled", (directory) =>
      writeFileSync(join(directory, "pytorch_model.bin"), "version https://git-lfs.github.com/spec/v1\n"),
    ),
  },
  {
    title: "a BPE tokenizer",
    message: /Expected a Unigram tokenizer in .*tokenizer.json but received BPE \(--no-tokenizer /,
    source: (folders) => folders.checkpoint("byte pairs"),
  },
  {
    title: "a BPE tokenizer in two files",
    message: /but received vocab.json and merges.txt, a BPE tokenizer, which is not supported \(--no-tokenizer /,
    source: changed("byte pairs", (directory) => {
      rmSync(join(directory, "tokenizer.json"));
      for (const name of ["vocab.json", "merges.txt"]) writeFileSync(join(directory, name), "{}");
    }),
  },
  {
    title: "a tokenizer of another class without its files",
    message: /Expected tokenizer.json or spiece.model in .* but received RobertaTokenizer, .* \(--no-tokenizer /,
    source: changed("byte pairs", (directory) => rmSync(join(directory, "tokenizer.json"))),
  },
  {
    title: "a part of a tokenizer that torch-t5 doesn't support",
    message:
      /Expected one of WhitespaceSplit, Metaspace, Sequence for pre_tokenizer .* received Digits \(--no-tokenizer /,
    source: changed("whole", (directory) => {
      const settings = readJson(join(directory, "tokenizer.json"));
      const digits = { type: "Digits", individual_digits: true };
      writeFileSync(join(directory, "tokenizer.json"), JSON.stringify({ ...settings, pre_tokenizer: digits }));
      replaceText(join(directory, "tokenizer_config.json"), "T5Tokenizer", "PreTrainedTokenizerFast");
    }),
  },
  {
    title: "to export a tokenizer.json that isn't there",
    message: /Expected tokenizer.json in .* for --tokenizer file but it is missing/,
    source: (folders) => folders.checkpoint("sentencepiece"),
    options: ["--tokenizer", "file"],
  },
  {
    title: "a source that doesn't exist",
    message: /Expected a directory or a hub name for source but received \/no\/such\/model/,
    source: () => "/no/such/model",
  },
  {
    title: "a file as the source",
    message: /Expected a directory or a hub name for source but received .*model.safetensors/,
    source: (folders) => join(folders.checkpoint("whole"), "model.safetensors"),
  },
  {
    title: "a hub name that can't be fetched",
    message: /Expected a directory or a hub name for source but received nobody\/nothing \(.+\)/,
    source: () => "nobody/nothing",
  },
  {
    title: "a revision of a directory",
    message: /Expected a hub name for --revision but received the directory/,
    source: (folders) => folders.checkpoint("whole"),
    options: ["--revision", "main"],
  },
  {
    title: "a target that has files",
    message: /Expected an empty or new directory for the export but .*exported has files \(--overwrite replaces it\)/,
    source: (folders) => folders.checkpoint("whole"),
    prepare: (folder) => {
      mkdirSync(join(folder, "exported"));
      writeFileSync(join(folder, "exported", "manifest.json"), "{}");
    },
  },
  {
    title: "to overwrite a directory that is not an export",
    message: /Expected an earlier export for --overwrite but .*exported has no manifest.json/,
    source: (folders) => folders.checkpoint("whole"),
    options: ["--overwrite"],
    prepare: (folder) => {
      mkdirSync(join(folder, "exported"));
      writeFileSync(join(folder, "exported", "letter.txt"), "dear");
    },
  },
  {
    title: "a target that is a file",
    message: /Expected a directory for the export but received a file/,
    source: (folders) => folders.checkpoint("whole"),
    options: ["--overwrite"],
    prepare: (folder) => writeFileSync(join(folder, "exported"), "a file"),
  },
];

describe("the exporter refuses", () => {
  const folders = new Folders();
  const targets = new Map<Refusal, { readonly folder: string; readonly before: readonly string[] }>();
  let replies: Map<Refusal, Reply>;

  before(async function () {
    this.timeout(300_000);
    await folders.makeCheckpoints();
    const lines = REFUSALS.map((refusal) => {
      const folder = folders.empty();
      refusal.prepare?.(folder);
      targets.set(refusal, { folder, before: names(folder) });
      return [refusal.source(folders), join(folder, "exported"), ...(refusal.options ?? [])];
    });
    const output = await runExporterTimes(lines);
    replies = new Map(REFUSALS.map((refusal, index) => [refusal, output[index] ?? { code: 0, stderr: "" }]));
  });

  after(() => folders.remove());

  for (const refusal of REFUSALS) {
    it(`${refusal.title}, in one line, and writes nothing`, () => {
      const { code, stderr } = replies.get(refusal) ?? { code: 0, stderr: "" };
      const { folder, before } = targets.get(refusal) ?? { folder: "", before: [] };
      const lines = stderr.trimEnd().split("\n");
      assert.match(lines.at(-1) ?? "", refusal.message);
      assert.match(lines.at(-1) ?? "", /^torch-t5 export: /);
      // Only stages come before it.
      for (const line of lines.slice(0, -1)) assert.match(line, /^\[\d\/\d\] /);
      assert.equal(code, 1);
      assert.deepEqual(names(folder), before);
    });
  }

  it("to run what a pickle names", () => assert.ok(!existsSync("unpickled")));

  it("to run without its packages, and prints how to install them", async () => {
    const folder = folders.empty();
    const target = join(folder, "exported");
    const { code, stderr } = await runExporterWithoutPackages([folders.checkpoint("whole"), target]);
    assert.match(stderr, /^torch-t5 export: Expected the Python package \S+ .*: run `npx torch-t5 setup --export`\n$/);
    assert.equal(code, 1);
    assert.deepEqual(names(folder), []);
  });

  it("both options of the tokenizer, and prints its usage", async () => {
    const options = ["--no-tokenizer", "--tokenizer", "file"];
    const { code, stderr } = await runExporter([folders.checkpoint("whole"), "target", ...options]);
    assert.match(stderr, /argument --tokenizer: not allowed with argument --no-tokenizer\n$/);
    assert.equal(code, 2);
  });

  it("an incomplete command line, and prints its usage", async () => {
    const { code, stderr } = await runExporter([folders.checkpoint("whole")]);
    assert.match(stderr, /usage: torch-t5 export .*source directory\n.*required: directory\n$/s);
    assert.equal(code, 2);
  });
});
