import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Manifest,
  T5EncoderModel,
  T5ForConditionalGeneration,
  T5ForSequenceClassification,
  T5ForTokenClassification,
  T5Tokenizer,
} from "torch-t5";
import { torchT5 } from "../support/cli.js";
import { updateManifest } from "../support/directory.js";
import type { Ended } from "../support/program.js";
import { runExporter, runExporterTimes, runHelper } from "./exporter.js";
import { Folders, names, readJson, replaceText } from "./folders.js";

const CODE = ["attentions.pt", "hidden_states.pt"];
const OTHER_FILES = ["config.json", "generation_config.json", "manifest.json", "model.pt", "parity.safetensors"];
const FILES = [...CODE, ...OTHER_FILES].sort();
/** Of encoders and classifiers. */
const FILES_OF_OTHERS = FILES.filter((name) => name !== "generation_config.json" && !CODE.includes(name));
const TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json"];
/** The maximum size of the code of the four methods. */
const MAX_BYTES_BESIDE_WEIGHTS = 120_000;
const SHARED_WEIGHT_BYTES_PER_TOKEN = 32 * 4;
/** The exports beside "whole", all made by one Python process: their options, by the name of their directory. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  "whole without a tokenizer": ["whole", "--no-tokenizer"],
  sharded: ["sharded", "--no-tokenizer"],
  pickled: ["pickled", "--no-tokenizer"],
  bfloat16: ["bfloat16", "--no-tokenizer"],
  byte: ["byte"],
  sentencepiece: ["sentencepiece"],
  float16: ["float16", "--no-tokenizer"],
  mixed: ["mixed", "--no-tokenizer"],
  "with an epoch": ["with an epoch", "--no-tokenizer"],
  lowercase: ["lowercase"],
  "lowercase of the file": ["lowercase", "--tokenizer", "file"],
  "whole of the file": ["whole", "--tokenizer", "file"],
  encoder: ["encoder-only"],
  "encoder of a whole model": ["whole", "--encoder-only"],
  sentences: ["sentences"],
  "sentences without modules": ["sentences", "--no-modules"],
  classifier: ["classifier"],
  "classifier of tokens": ["classifier of tokens"],
  "encoder of a classifier": ["classifier", "--encoder-only", "--no-tokenizer"],
  "encoder of a model's name": ["encoder named as a model", "--no-tokenizer"],
};

/** The ids of a text by tokenizer.json as it is, and by AutoTokenizer. */
interface IdsByOrigin {
  readonly file: readonly number[];
  readonly transformers: readonly number[];
}

interface Signature {
  readonly inputs: readonly { readonly name: string; readonly dtype: string }[];
  readonly outputs: readonly { readonly name: string; readonly dtype: string }[];
}

describe("an exported directory", () => {
  const folders = new Folders();
  const exported = (name: string) => join(folders.root, name);
  const nested = join(exported("empty"), "a", "b");
  let ended: Ended;
  let manifest: Manifest & { readonly methods: Readonly<Record<string, Signature>> };
  /** What the exporter wrote to stderr, by the name of the export. */
  let messages: ReadonlyMap<string, string>;

  async function exportWhole(...options: readonly string[]): Promise<Ended> {
    const result = await runExporter([folders.checkpoint("whole"), exported("whole"), ...options]);
    assert.equal(result.code, 0, result.stderr);
    return result;
  }

  before(async function () {
    this.timeout(300_000);
    await folders.makeCheckpoints();
    ended = await exportWhole();
    manifest = readJson(join(exported("whole"), "manifest.json")) as unknown as typeof manifest;
    mkdirSync(exported("empty"));
    const commands = {
      nested: [folders.checkpoint("whole"), nested, "--no-tokenizer"],
      ...Object.fromEntries(
        Object.entries(OTHERS).map(([name, [checkpoint = "", ...options]]) => [
          name,
          [folders.checkpoint(checkpoint), exported(name), ...options],
        ]),
      ),
    };
    const replies = await runExporterTimes(Object.values(commands));
    for (const { code, stderr } of replies) assert.equal(code, 0, stderr);
    messages = new Map(Object.keys(commands).map((name, index) => [name, replies[index]?.stderr ?? ""]));
  });

  after(() => folders.remove());

  it("has the archive, configuration, tokenizer, probes and manifest, and nothing else", () => {
    assert.deepEqual(names(exported("whole")), [...FILES, ...TOKENIZER_FILES].sort());
  });

  it("leaves no temporary files beside it", () => {
    assert.deepEqual(
      names(folders.root).filter((name) => name.startsWith(".")),
      [],
    );
  });

  it("states the size and SHA-256 of every file", () => {
    assert.deepEqual(
      Object.keys(manifest.files).sort(),
      [...FILES, ...TOKENIZER_FILES].filter((name) => name !== "manifest.json").sort(),
    );
    for (const [name, { bytes, sha256 }] of Object.entries(manifest.files)) {
      const content = readFileSync(join(exported("whole"), name));
      assert.equal(bytes, content.length, name);
      assert.equal(sha256, createHash("sha256").update(content).digest("hex"), name);
    }
  });

  it("states its format, its versions and the traced model", () => {
    assert.equal(manifest.formatVersion, 1);
    assert.match(manifest.torch, /^\d+\.\d+\.\d+$/);
    assert.match(manifest.transformers, /^\d+\.\d+\.\d+$/);
    const { modelType, architecture, attention, dtype, intraOpThreads } = manifest;
    assert.deepEqual(
      { modelType, architecture, attention, dtype, intraOpThreads },
      {
        modelType: "t5",
        architecture: "T5ForConditionalGeneration",
        attention: "sdpa",
        dtype: "float32",
        intraOpThreads: 1,
      },
    );
  });

  it("states the signature of its four methods", () => {
    const signatures = Object.entries(manifest.methods).map(([method, { inputs, outputs }]) => [
      method,
      inputs.map(({ name }) => name),
      outputs.map(({ name }) => name),
    ]);
    const [ids, mask, decoderIds] = ["input_ids", "attention_mask", "decoder_input_ids"];
    const [logits, encoder, decoder] = ["logits", "encoder_last_hidden_state", "decoder_last_hidden_state"];
    assert.deepEqual(signatures, [
      ["forward", [ids, mask, decoderIds], [logits, encoder, decoder]],
      ["encode", [ids, mask], [encoder]],
      ["prefill", [decoderIds, encoder, mask], [logits, decoder, "past"]],
      ["step", [decoderIds, mask, "past"], [logits, decoder, "past"]],
    ]);
  });

  it("has no weights in the archives of the methods that return outputs of layers", () => {
    for (const name of CODE) {
      const { size } = statSync(join(exported("whole"), name));
      assert.ok(size > 0 && size < MAX_BYTES_BESIDE_WEIGHTS, `${size} bytes of ${name}`);
    }
  });

  it("has each weight once, and no debug records or paths of the machine that wrote it", () => {
    const archive = readFileSync(join(exported("whole"), "model.pt"));
    const weights = statSync(join(folders.checkpoint("whole"), "model.safetensors")).size;
    assert.ok(archive.length >= weights);
    assert.ok(archive.length < weights + MAX_BYTES_BESIDE_WEIGHTS, `${archive.length} bytes for ${weights}`);
    // The embedding, which three modules share, is large enough for a second copy to exceed the limit.
    const { vocab_size } = readJson(join(exported("whole"), "config.json")) as { vocab_size: number };
    assert.ok(vocab_size * SHARED_WEIGHT_BYTES_PER_TOKEN > 40_000);
    assert.ok(!archive.includes(".debug_pkl"));
    assert.ok(!archive.includes(process.cwd()));
  });

  it("is made with a message for each stage and each compared case", () => {
    const lines = ended.stderr.trimEnd().split("\n");
    assert.deepEqual(
      lines.flatMap((line) => /^\[(\d)\/7\] [A-Z]/.exec(line)?.[1] ?? []),
      ["1", "2", "3", "4", "5", "6", "7"],
    );
    const cases = lines.flatMap((line) => /^ +(\d+)\/(\d+) batch \d, source \d+/.exec(line)?.slice(1) ?? []);
    assert.ok(cases.length >= 2 * 12);
    assert.equal(cases.at(-1), cases.at(-2));
    assert.match(lines.at(-1) ?? "", /^Wrote .*every output is bitwise equal/);
    assert.equal(ended.stdout, "");
  });

  it("loads in torch-t5", async () => {
    await using t5 = await T5ForConditionalGeneration.fromPretrained(exported("whole"), { device: "cpu" });
    const { logits } = await t5.forward("spell number: 3");
    assert.deepEqual([...logits.shape], [1, 1, t5.config.vocabSize]);
  });

  it("is the same, byte for byte, when it is exported again over itself", async () => {
    const contents = () => names(exported("whole")).map((name) => readFileSync(join(exported("whole"), name)));
    const [before, inode] = [contents(), statSync(exported("whole")).ino];
    // A file of the earlier export that the new one lacks.
    writeFileSync(join(exported("whole"), "spiece.model"), "");
    await exportWhole("--overwrite");
    assert.notEqual(statSync(exported("whole")).ino, inode);
    assert.deepEqual(contents(), before);
  });

  it("has every weight of its checkpoint, from one file, from shards and from pickled weights", () => {
    const weights = readSafetensors(join(folders.checkpoint("whole"), "model.safetensors"));
    assert.ok(weights.size > 20);
    for (const name of ["whole without a tokenizer", "sharded", "pickled", "with an epoch"]) {
      assert.deepEqual(names(exported(name)), FILES);
      const archive = readFileSync(join(exported(name), "model.pt"));
      for (const [weight, bytes] of weights) assert.ok(archive.includes(bytes), `${weight} of ${name}`);
    }
  });

  it("has float32 weights if the checkpoint's are bfloat16, and the exporter states it", () => {
    assert.match(messages.get("bfloat16") ?? "", /^\[2\/7\] .*, bfloat16 widened to float32$/m);
    assert.equal(readJson(join(exported("bfloat16"), "manifest.json")).dtype, "float32");
    assert.equal(readJson(join(exported("bfloat16"), "config.json")).dtype, "float32");
  });

  it("has the weights and logits of Hugging Face in float32 if the checkpoint's are float16, or of several types", async () => {
    const widened = ["float16", "mixed", "bfloat16"];
    const pairs = widened.map((name) => [folders.checkpoint(name), exported(name)]);
    assert.deepEqual(JSON.parse(await runHelper("same_logits", [JSON.stringify(pairs)])), [true, true, true]);
    assert.match(messages.get("float16") ?? "", /^\[2\/7\] .*, float16 widened to float32$/m);
    assert.match(messages.get("mixed") ?? "", /^\[2\/7\] .*, bfloat16 and float16 widened to float32$/m);
    for (const name of widened) assert.equal(readJson(join(exported(name), "config.json")).dtype, "float32");
  });

  it("has the tokenizer of AutoTokenizer, or of tokenizer.json with --tokenizer file, if they give different ids", async () => {
    const texts = Object.entries(readJson(`${folders.checkpoint("lowercase")}.json`)) as [string, IdsByOrigin][];
    const rebuilt = await T5Tokenizer.fromPretrained(exported("lowercase"));
    const file = await T5Tokenizer.fromPretrained(exported("lowercase of the file"));
    for (const [text, ids] of texts) {
      assert.deepEqual([...rebuilt.encode(text).ids], ids.transformers, text);
      assert.deepEqual([...file.encode(text).ids], ids.file, text);
    }
    assert.notDeepEqual(texts[0]?.[1].file, texts[0]?.[1].transformers);
  });

  it("is made with a warning if AutoTokenizer gives other ids than tokenizer.json, and only then", () => {
    const warned = [...messages].filter(([, stderr]) => stderr.includes("warning: ")).map(([name]) => name);
    assert.deepEqual(warned, ["lowercase", "encoder of a model's name"]);
    assert.match(
      messages.get("lowercase") ?? "",
      /^torch-t5 export: warning: "Hello World" is \[5, 287, .*\] by tokenizer.json but \[5, 260, .*\] by the export, as by AutoTokenizer \(--tokenizer file /m,
    );
  });

  it("of an encoder, has its one method, its states as probes, and no settings of generation", async () => {
    const files = FILES_OF_OTHERS;
    for (const name of ["encoder", "encoder of a whole model"]) {
      assert.deepEqual(names(exported(name)), [...files, ...TOKENIZER_FILES].sort());
      const { architecture, methods } = readJson(join(exported(name), "manifest.json")) as unknown as typeof manifest;
      assert.equal(architecture, "T5EncoderModel");
      assert.deepEqual(Object.keys(methods), ["encode"]);
      assert.deepEqual(
        [methods.encode?.inputs, methods.encode?.outputs].map((tensors) => tensors?.map((tensor) => tensor.name)),
        [["input_ids", "attention_mask"], ["last_hidden_state"]],
      );
      assert.ok(readSafetensors(join(exported(name), "parity.safetensors")).has("probe.4.last_hidden_state"));
      await using t5 = await T5EncoderModel.fromPretrained(exported(name), { device: "cpu" });
      const { lastHiddenState } = await t5.forward("spell number: 3");
      assert.deepEqual([...lastHiddenState.shape.slice(0, 1), lastHiddenState.shape[2]], [1, t5.config.dModel]);
    }
  });

  it("of a sentence-transformers directory, has what follows the encoder, unless --no-modules", async () => {
    const files = [...FILES_OF_OTHERS, ...TOKENIZER_FILES];
    assert.deepEqual(names(exported("sentences without modules")), files.sort());
    assert.deepEqual(names(exported("sentences")), [...files, "embedding.json", "embedding.safetensors"].sort());
    await using t5 = await T5EncoderModel.fromPretrained(exported("sentences"), { device: "cpu" });
    assert.deepEqual(t5.embeddingConfig, {
      pooling: ["mean"],
      includePrompt: true,
      modules: [{ type: "dense", inputs: 32, outputs: 16, bias: false, activation: "identity" }, { type: "normalize" }],
      prompts: { query: "query: ", document: "" },
      defaultPromptName: undefined,
      maxSeqLength: 12,
    });
    await using plain = await T5EncoderModel.fromPretrained(exported("sentences without modules"), { device: "cpu" });
    assert.equal(plain.embeddingConfig, undefined);
    assert.deepEqual((await plain.embed("a b")).data, (await t5.embed("a b", { dense: false, normalize: false })).data);
    await assert.rejects(t5.embed("a", { pooling: ["mean", "max"] }), {
      code: "ERR_INVALID_ARGUMENT",
      message: /poolings with 32 numbers in all, as the model's dense module reads .* options.pooling but received 64/,
    });
    await assert.rejects(t5.embed("a", { promptName: "passage" }), {
      code: "ERR_INVALID_ARGUMENT",
      message: /Expected one of "document", "query" for options.promptName but received "passage"/,
    });
  });

  it("of an encoder, is run by torch-t5 verify and torch-t5 embed, and by no other command", async () => {
    for (const name of ["encoder", "sentences"]) {
      const verified = await torchT5(["verify", exported(name), "--exact"]);
      assert.equal(verified.code, 0, verified.stdout + verified.stderr);
      assert.match(verified.stdout, /^probe\.0: encoder \[2, 9\]: bitwise equal$/m);
      assert.match(verified.stdout, /\nAll 5 probes are bitwise equal to Hugging Face's\.\n$/);
      const int8 = await torchT5(["verify", exported(name), "--precision", "int8", "--tolerance", "0"]);
      assert.equal(int8.code, 1);
      assert.match(int8.stdout, /\nAll 200 positions: largest difference \d\.\d+e-\d+, mean \d\.\d+e-\d+\nNot equal: /);
    }
    const limited = await torchT5(["verify", exported("encoder"), "--max-kl", "1"]);
    assert.deepEqual([limited.code, limited.stdout], [2, ""]);
    const flags = ["--model", exported("sentences"), "--device", "cpu"];
    const embedded = await torchT5(["embed", ...flags, "--prompt-name", "query", "--no-normalize", "number 7"]);
    assert.deepEqual([embedded.code, embedded.stderr], [0, ""]);
    await using t5 = await T5EncoderModel.fromPretrained(exported("sentences"), { device: "cpu" });
    const expected = await t5.embed("number 7", { promptName: "query", normalize: false });
    assert.deepEqual(JSON.parse(embedded.stdout).embedding.map(Math.fround), [...expected.data]);
    for (const wrong of [
      ["--prompt-name", "x"],
      ["--prompt", "a", "--prompt-name", "query"],
      ["--pooling", "x"],
    ]) {
      assert.equal((await torchT5(["embed", ...flags, ...wrong, "a"])).code, 2, wrong.join(" "));
    }
    for (const command of ["generate", "logits"]) {
      const { code, stdout, stderr } = await torchT5([command, ...flags, "a"]);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /the export of a model with a decoder .* an encoder alone, T5EncoderModel: .*\n$/);
    }
  });

  it("of a sentence-transformers directory, is refused if embedding.json or its weights were changed", async () => {
    const directory = exported("sentences");
    const kept = ["embedding.json", "embedding.safetensors"].map((name) => readFileSync(join(directory, name)));
    const refuses = async (name: string, edit: (before: Buffer) => Buffer | string, message: RegExp) => {
      writeFileSync(join(directory, name), edit(readFileSync(join(directory, name))));
      updateManifest(directory, name);
      const load = T5EncoderModel.fromPretrained(directory, { device: "cpu" });
      await assert.rejects(load, { code: "ERR_MODEL_CORRUPT", message });
      for (const [index, file] of ["embedding.json", "embedding.safetensors"].entries()) {
        writeFileSync(join(directory, file), kept[index] ?? "");
        updateManifest(directory, file);
      }
    };
    const json = (changes: object) => (before: Buffer) =>
      JSON.stringify({ ...JSON.parse(before.toString()), ...changes });
    await refuses("embedding.json", () => "{", /Expected JSON for embedding.json/);
    await refuses("embedding.json", json({ pooling: ["median"] }), /some of mean, .* for pooling in embedding.json/);
    await refuses("embedding.json", json({ includePrompt: 1 }), /a boolean for includePrompt in embedding.json/);
    await refuses("embedding.json", json({ prompts: { a: 1 } }), /texts by name for prompts in embedding.json/);
    await refuses("embedding.json", json({ defaultPromptName: "toString" }), /a prompt or null for defaultPromptName/);
    await refuses("embedding.json", json({ maxSeqLength: 0 }), /a positive integer or null for maxSeqLength/);
    await refuses("embedding.json", json({ modules: {} }), /an array for modules in embedding.json/);
    await refuses(
      "embedding.json",
      json({ modules: [{ type: "lstm" }] }),
      /a module .* for modules\[0\] in embedding.json/,
    );
    await refuses("embedding.json", json({ pooling: ["mean", "max"] }), /a module that fits .* for modules\[0\]/);
    await refuses(
      "embedding.safetensors",
      (before) => before.subarray(0, 4),
      /at least 8 bytes for the size of embedding/,
    );
    await refuses(
      "embedding.safetensors",
      (before) => before.subarray(0, -4),
      /2048 bytes of numbers for embedding.safetensors but received 2044/,
    );
    const rename = (from: string, to: string) => (before: Buffer) =>
      Buffer.from(before.toString("latin1").replace(from, to), "latin1");
    await refuses(
      "embedding.safetensors",
      rename("0.weight", "1.weight"),
      /float32 \[16,32\] for 0.weight .* undefined/,
    );
    await refuses("embedding.safetensors", rename("[16,32]", "[32,16]"), /float32 \[16,32\] for 0.weight/);
    await refuses("embedding.safetensors", rename("F32", "I32"), /F32 or I64 for the type of 0.weight/);
  });

  it("of a classifier, has its one method, its probes, its labels and no generation_config.json", async () => {
    const files = FILES_OF_OTHERS;
    const labels = { 0: "bad", 1: "fair", 2: "good" };
    const unnamed = { 0: "LABEL_0", 1: "LABEL_1" };
    for (const [name, architecture, id2label, shape] of [
      ["classifier", "T5ForSequenceClassification", labels, ["batch", "numLabels"]],
      ["classifier of tokens", "T5ForTokenClassification", unnamed, ["batch", "sourceLength", "numLabels"]],
    ] as const) {
      assert.deepEqual(names(exported(name)), [...files, ...TOKENIZER_FILES].sort());
      const { architecture: stated, methods } = readJson(
        join(exported(name), "manifest.json"),
      ) as unknown as typeof manifest;
      assert.equal(stated, architecture);
      assert.deepEqual(methods.classify?.outputs, [{ name: "logits", dtype: "float32", shape }]);
      assert.deepEqual(Object.keys(methods), ["classify"]);
      assert.deepEqual(readJson(join(exported(name), "config.json")).id2label, id2label);
      assert.ok(readSafetensors(join(exported(name), "parity.safetensors")).has("probe.4.logits"));
    }
    await using ofTexts = await T5ForSequenceClassification.fromPretrained(exported("classifier"), { device: "cpu" });
    const scores = await ofTexts.classify("spell number: 3");
    assert.deepEqual(scores.map(({ label }) => label).sort(), Object.values(labels));
    const directory = exported("classifier of tokens");
    await using ofTokens = await T5ForTokenClassification.fromPretrained(directory, { device: "cpu" });
    assert.match((await ofTokens.classify("spell number: 3"))[0]?.entity ?? "", /^LABEL_[01]$/);
    await using encoder = await T5EncoderModel.fromPretrained(exported("encoder of a classifier"), { device: "cpu" });
    assert.equal((await encoder.forward({ inputIds: [[3]] })).lastHiddenState.shape[2], 32);
  });

  it("of a whole model's encoder, has the weights of the encoder alone", () => {
    const weights = readSafetensors(join(folders.checkpoint("whole"), "model.safetensors"));
    const archive = readFileSync(join(exported("encoder of a whole model"), "model.pt"));
    const [ofEncoder, others] = [/^(?:shared|encoder)\./, /^(?:decoder|lm_head)\./].map((pattern) =>
      [...weights].filter(([name]) => pattern.test(name)),
    );
    assert.ok(ofEncoder !== undefined && ofEncoder.length > 8 && others !== undefined && others.length > 10);
    for (const [name, bytes] of ofEncoder) assert.ok(archive.includes(bytes), name);
    const sizes = ofEncoder.reduce((sum, [, bytes]) => sum + bytes.length, 0);
    assert.ok(archive.length < sizes + MAX_BYTES_BESIDE_WEIGHTS / 2, `${archive.length} bytes for ${sizes}`);
  });

  it("of an encoder whose config.json names a whole model, is that of the encoder, and the exporter states it", () => {
    const manifest = readJson(join(exported("encoder of a model's name"), "manifest.json"));
    assert.equal(manifest.architecture, "T5EncoderModel");
    assert.match(
      messages.get("encoder of a model's name") ?? "",
      /^torch-t5 export: warning: config.json describes a T5ForConditionalGeneration but the checkpoint has weights of an encoder alone: exporting a T5EncoderModel$/m,
    );
  });

  it("of an encoder, is refused as a whole model, also where its manifest says that it is one", async () => {
    const load = (name: string) => T5ForConditionalGeneration.fromPretrained(exported(name), { device: "cpu" });
    await assert.rejects(load("encoder"), {
      code: "ERR_INVALID_ARGUMENT",
      message:
        "Expected the export of a model with a decoder and a language-model head for directory but received that of " +
        "an encoder alone, T5EncoderModel: load it with T5EncoderModel.fromPretrained",
    });
    const path = join(exported("encoder of a model's name"), "manifest.json");
    replaceText(path, '"T5EncoderModel"', '"T5ForConditionalGeneration"');
    const message = /Expected a T5 export with the method forward for model.pt but received .* without it/;
    await assert.rejects(load("encoder of a model's name"), { code: "ERR_MODEL_CORRUPT", message });
  });

  it("has no tokenizer.json for ByT5, which reads bytes", () => {
    assert.deepEqual(names(exported("byte")), [...FILES, "tokenizer_config.json"].sort());
    const settings = readJson(join(exported("byte"), "tokenizer_config.json"));
    assert.equal(settings.tokenizer_class, "ByT5Tokenizer");
  });

  it("has a tokenizer.json that gives SentencePiece's ids if the checkpoint has only spiece.model", async () => {
    assert.deepEqual(names(exported("sentencepiece")), [...FILES, ...TOKENIZER_FILES].sort());
    const expected = Object.entries(readJson(`${folders.checkpoint("sentencepiece")}.json`));
    await using t5 = await T5ForConditionalGeneration.fromPretrained(exported("sentencepiece"), { device: "cpu" });
    for (const [text, ids] of expected) assert.deepEqual(Array.from(t5.tokenizer?.encode(text).ids ?? []), ids, text);
    assert.equal(expected.length, 4);
  });

  it("may be in an empty folder, in folders that the exporter makes", () => assert.deepEqual(names(nested), FILES));
});

/** The bytes of each tensor of a safetensors file. */
function readSafetensors(path: string): Map<string, Buffer> {
  const file = readFileSync(path);
  const start = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString("utf8", 8, start)) as Record<string, { data_offsets?: [number, number] }>;
  return new Map(
    Object.entries(header).flatMap(([name, { data_offsets: offsets }]) =>
      offsets === undefined ? [] : [[name, file.subarray(start + offsets[0], start + offsets[1])]],
    ),
  );
}
