import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { chdir, cwd } from "node:process";
import { pathToFileURL } from "node:url";
import { demoModel, downloadModel, T5EncoderModel, T5ForConditionalGeneration, T5Tokenizer } from "torch-t5";
import { isHubName } from "#lib/hub/name.js";
import { type Available, selectModel, selectTokenizer } from "#lib/hub/selection.js";
import { readSettings } from "#lib/hub/settings.js";
import { withDirectory } from "../support/directory.js";
import { useHub } from "./hub.js";

/** Files by path, those that are read with their text. */
function available(files: Readonly<Record<string, string>>): Available {
  return { has: (path) => files[path] !== undefined, read: async (path) => files[path] ?? "" };
}

const fileNames = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, ""]));

const OTHERS = [
  "README.md",
  "pytorch_model.bin",
  "tf_model.h5",
  "flax_model.msgpack",
  "rust_model.ot",
  "onnx/model.onnx",
];
const TOKENIZER = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "spiece.model",
];

/** modules.json with an encoder in a folder, and with modules of other classes. */
const modules = (encoder: string, ...others: readonly string[]) =>
  JSON.stringify([
    { path: encoder, type: "sentence_transformers.models.Transformer" },
    ...others.map((name, index) => ({ path: `${index + 1}_${name}`, type: `sentence_transformers.models.${name}` })),
  ]);

describe("the files that a model needs", () => {
  const accepted: readonly (readonly [string, Readonly<Record<string, string>>, readonly string[]])[] = [
    [
      "of a repository like google/flan-t5-small",
      fileNames(...OTHERS, ...TOKENIZER, "config.json", "generation_config.json", "model.safetensors"),
      ["config.json", "model.safetensors", "generation_config.json", ...TOKENIZER],
    ],
    [
      "of one with shards",
      {
        ...fileNames(...OTHERS, "config.json", "spiece.model", "a.safetensors", "b.safetensors", "c.safetensors"),
        "model.safetensors.index.json": JSON.stringify({
          weight_map: { x: "a.safetensors", y: "b.safetensors", z: "a.safetensors" },
        }),
      },
      ["config.json", "model.safetensors.index.json", "a.safetensors", "b.safetensors", "spiece.model"],
    ],
    [
      "of one with a whole file and shards: the whole file, as in transformers",
      fileNames("config.json", "model.safetensors", "model.safetensors.index.json"),
      ["config.json", "model.safetensors"],
    ],
    [
      "of one like sentence-transformers/sentence-t5-base",
      {
        ...fileNames(...OTHERS, ...TOKENIZER, "config.json", "model.safetensors", "config_sentence_transformers.json"),
        ...fileNames(
          "sentence_bert_config.json",
          "1_Pooling/config.json",
          "2_Dense/config.json",
          "2_Dense/model.safetensors",
        ),
        ...fileNames("2_Dense/pytorch_model.bin"),
        "modules.json": modules("", "Pooling", "Dense", "Normalize"),
      },
      [
        ...["modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "config.json"],
        ...[
          "model.safetensors",
          ...TOKENIZER,
          "1_Pooling/config.json",
          "2_Dense/config.json",
          "2_Dense/model.safetensors",
        ],
      ],
    ],
    [
      "of a sentence-transformers model whose encoder is in a folder",
      {
        ...fileNames("0_Transformer/config.json", "0_Transformer/model.safetensors", "0_Transformer/tokenizer.json"),
        ...fileNames("1_Pooling/config.json"),
        "modules.json": modules("0_Transformer", "Pooling"),
      },
      [
        ...["modules.json", "0_Transformer/config.json", "0_Transformer/model.safetensors"],
        ...["0_Transformer/tokenizer.json", "1_Pooling/config.json"],
      ],
    ],
    [
      "of an export: those of its manifest",
      {
        ...fileNames("README.md", "model.pt", "config.json", "extra.json", "model.safetensors"),
        "manifest.json": JSON.stringify({ files: { "model.pt": {}, "config.json": {} } }),
      },
      ["manifest.json", "model.pt", "config.json"],
    ],
    [
      "of a repository with another manifest.json",
      fileNames("manifest.json", "config.json", "model.safetensors"),
      ["config.json", "model.safetensors"],
    ],
  ];
  for (const [what, files, expected] of accepted) {
    it(`are chosen ${what}`, async () => {
      assert.deepEqual([...(await selectModel("org/model", available(files)))].sort(), [...expected].sort());
    });
  }

  const refused: readonly (readonly [string, Readonly<Record<string, string>>, string, RegExp])[] = [
    [
      "no config.json",
      fileNames("model.safetensors"),
      "ERR_MODEL_NOT_FOUND",
      /Expected config\.json in "org\/model" but found none/,
    ],
    [
      "no weights",
      fileNames("config.json"),
      "ERR_MODEL_NOT_FOUND",
      /Expected model\.safetensors in "org\/model" but found none/,
    ],
    [
      "only pytorch_model.bin",
      fileNames("config.json", "pytorch_model.bin"),
      "ERR_MODEL_NOT_FOUND",
      /only pytorch_model\.bin, which `npx torch-t5 export org\/model <directory>` reads/,
    ],
    [
      "only shards of pytorch_model.bin",
      fileNames("config.json", "pytorch_model.bin.index.json"),
      "ERR_MODEL_NOT_FOUND",
      /npx torch-t5 export org\/model/,
    ],
    [
      "a dense module that is pickled",
      {
        ...fileNames("config.json", "model.safetensors", "1_Pooling/config.json"),
        ...fileNames("2_Dense/config.json", "2_Dense/pytorch_model.bin"),
        "modules.json": modules("", "Pooling", "Dense"),
      },
      "ERR_MODEL_NOT_FOUND",
      /Expected 2_Dense\/model\.safetensors .*`npx torch-t5 export/,
    ],
    [
      "a shard that is missing",
      { ...fileNames("config.json"), "model.safetensors.index.json": '{"weight_map":{"x":"a.safetensors"}}' },
      "ERR_MODEL_NOT_FOUND",
      /Expected a\.safetensors, which model\.safetensors\.index\.json names/,
    ],
    [
      "an index without shards",
      { ...fileNames("config.json"), "model.safetensors.index.json": '{"weight_map":[]}' },
      "ERR_MODEL_CORRUPT",
      /weight_map in model\.safetensors\.index\.json/,
    ],
    [
      "an index that is no JSON",
      { ...fileNames("config.json"), "model.safetensors.index.json": "{" },
      "ERR_MODEL_CORRUPT",
      /Expected JSON/,
    ],
    ["modules.json without a list", { "modules.json": "{}" }, "ERR_MODEL_CORRUPT", /an array of at most 32 modules/],
    [
      "modules.json without paths",
      { "modules.json": '[{"type":"x"}]' },
      "ERR_MODEL_CORRUPT",
      /modules with a type and a path/,
    ],
    [
      "a module that can't be applied, before anything is downloaded",
      { ...fileNames("config.json", "model.safetensors"), "modules.json": modules("", "Pooling", "LSTM") },
      "ERR_MODEL_CORRUPT",
      /received "sentence_transformers\.models\.LSTM"/,
    ],
    [
      "a file of the manifest that is missing",
      { ...fileNames("model.pt"), "manifest.json": '{"files":{"config.json":{}}}' },
      "ERR_MODEL_NOT_FOUND",
      /Expected config\.json, which manifest\.json lists,/,
    ],
    [
      "a manifest without files",
      { ...fileNames("model.pt"), "manifest.json": "{}" },
      "ERR_MODEL_CORRUPT",
      /files in manifest\.json/,
    ],
  ];
  for (const [what, files, code, message] of refused) {
    it(`are refused of a repository with ${what}`, () =>
      assert.rejects(selectModel("org/model", available(files)), { code, message }));
  }

  it("are those of the tokenizer alone for a tokenizer", async () => {
    const files = available(fileNames(...OTHERS, "config.json", "tokenizer_config.json", "spiece.model"));
    assert.deepEqual(await selectTokenizer("x", files), ["tokenizer_config.json", "spiece.model"]);
    await assert.rejects(selectTokenizer("x", available(fileNames("config.json"))), { code: "ERR_MODEL_NOT_FOUND" });
  });
});

describe("a name", () => {
  const hub = useHub();

  it("is what validate_repo_id of huggingface_hub accepts", () => {
    for (const name of [
      "t5-small",
      "google/flan-t5-small",
      "123",
      "Foo-BAR_foo.bar123",
      "a/b",
      "_a/b_",
      "x".repeat(96),
    ]) {
      assert.ok(isHubName(name), name);
    }
    const others = [
      ...["", ".", "..", "a/", "/a", "a/b/c", "./a", "../a", ".a", "a.", "a-", "-a", "a--b", "a..b", "a.git", "a b"],
      ...["C:a", "C:\\a", "a\\b", "~", "~/a", "a\0", "ä/b", "a/b\n", "x".repeat(97)],
    ];
    for (const path of others) assert.ok(!isHubName(path), path);
  });

  it("gives way to a local directory, and says so where that is no model", async () => {
    const before = cwd();
    await withDirectory(async (directory) => {
      chdir(directory);
      try {
        mkdirSync("org/model", { recursive: true });
        const message =
          /"org\/model", which exists here and so takes precedence over the model of that name on the hub/;
        for (const load of [T5ForConditionalGeneration.fromPretrained, T5Tokenizer.fromPretrained, downloadModel]) {
          await assert.rejects(load("org/model"), { code: "ERR_MODEL_NOT_FOUND", message });
        }
        writeFileSync("org/model/config.json", "{}");
        assert.equal(await downloadModel("org/model"), "org/model");
        writeFileSync("file", "");
        await assert.rejects(downloadModel("file"), { code: "ERR_MODEL_NOT_FOUND", message: /takes precedence/ });
        rmSync("org", { recursive: true });
        await assert.rejects(downloadModel("org/model"), { message: /a local directory or a model on http/ });
        assert.equal(hub().server.requests.length, 1);
      } finally {
        chdir(before);
      }
    });
  });

  it("is no path: those are directories, and reach no hub", async () => {
    for (const path of ["./none", "../none", "/none", "C:\\none", "a/b/none", "none/", "~/none"]) {
      await assert.rejects(T5EncoderModel.fromPretrained(path), { code: "ERR_MODEL_NOT_FOUND" }, path);
    }
    assert.equal(await downloadModel(pathToFileURL(demoModel)), demoModel);
    assert.equal(hub().server.requests.length, 0);
  });

  it("takes options that are checked, for paths as well", async () => {
    const wrong: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
      [{ revision: 5 }, /Expected a branch, tag or commit for options\.revision but received 5/],
      ...["", "..", "a/../b", "/a", "a/", "a b", ".a", "a\0", "a.lock", "a\\b", "a:b", "x".repeat(256)].map(
        (revision) => [{ revision }, /a branch, tag or commit for options\.revision/] as const,
      ),
      [{ progress: 5 }, /a function for options\.progress/],
      [{ signal: {} }, /an AbortSignal for options\.signal/],
      [{ cacheDir: "" }, /options\.cacheDir/],
      [{ localFilesOnly: "yes" }, /a boolean for options\.localFilesOnly/],
      [{ revisions: "main" }, /did you mean revision\?/],
    ];
    for (const [options, message] of wrong) {
      for (const load of [T5ForConditionalGeneration.fromPretrained, T5Tokenizer.fromPretrained, downloadModel]) {
        await assert.rejects(load(demoModel, options), { code: "ERR_INVALID_ARGUMENT", message });
      }
    }
    await assert.rejects(downloadModel(demoModel, { revision: "main" }), {
      code: "ERR_INVALID_ARGUMENT",
      message: /Expected a name on the hub with options\.revision for directory/,
    });
    assert.equal(hub().server.requests.length, 0);
  });
});

describe("the settings of the environment", () => {
  it("have Python's names and defaults", async () => {
    const settings = await readSettings({ HF_TOKEN_PATH: "/nonexistent" });
    assert.equal(settings.endpoint, "https://huggingface.co");
    assert.equal(settings.cacheDir, join(homedir(), ".cache", "huggingface", "hub"));
    assert.deepEqual([settings.isOffline, settings.token], [false, undefined]);
    assert.deepEqual([settings.responseTimeoutMs, settings.downloadTimeoutMs], [10_000, 10_000]);
    const cacheOf = async (env: Readonly<Record<string, string>>) => (await readSettings(env)).cacheDir;
    assert.equal(await cacheOf({ XDG_CACHE_HOME: "/x" }), "/x/huggingface/hub");
    assert.equal(await cacheOf({ HF_HOME: "~/y", XDG_CACHE_HOME: "/x" }), join(homedir(), "y", "hub"));
    assert.equal(await cacheOf({ HF_HUB_CACHE: "$A/\u0024{B}/c", A: "/a", B: "b", HF_HOME: "/y" }), "/a/b/c");
    for (const value of ["1", "on", "YES", "true"]) {
      assert.ok((await readSettings({ HF_HUB_OFFLINE: value })).isOffline);
      assert.ok((await readSettings({ TRANSFORMERS_OFFLINE: value })).isOffline);
    }
    for (const value of ["", "0", "no"]) assert.ok(!(await readSettings({ HF_HUB_OFFLINE: value })).isOffline);
    assert.equal((await readSettings({ HF_ENDPOINT: "https://mirror.org/hf/" })).endpoint, "https://mirror.org/hf");
    assert.equal((await readSettings({ HF_HUB_DOWNLOAD_TIMEOUT: "0.5" })).downloadTimeoutMs, 500);
  });

  it("are refused where they are impossible, without showing a token", async () => {
    for (const HF_ENDPOINT of ["x", "ftp://x", "https://user:secret@x", "https://x/?a", "file:///x"]) {
      await assert.rejects(readSettings({ HF_ENDPOINT }), { code: "ERR_INVALID_ARGUMENT" }, HF_ENDPOINT);
    }
    for (const HF_HUB_ETAG_TIMEOUT of ["x", "-1", "0", "1e9", "Infinity"]) {
      await assert.rejects(readSettings({ HF_HUB_ETAG_TIMEOUT }), { code: "ERR_INVALID_ARGUMENT" });
    }
    await assert.rejects(readSettings({ HF_TOKEN: "hf_se cret\n" }), (thrown) => {
      assert.ok(thrown instanceof Error);
      assert.doesNotMatch(thrown.message, /se cret/);
      return true;
    });
  });
});
