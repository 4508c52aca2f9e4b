import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  demoModel,
  readManifest,
  readModelKind,
  type T5ErrorCode,
  T5ForConditionalGeneration,
  T5Tokenizer,
} from "torch-t5";
import { CONFIG, writeCheckpoint } from "../support/checkpoint.js";
import { updateManifest, withDirectory, withModelCopy } from "../support/directory.js";

const load = (directory: unknown, options: unknown = { device: "cpu" }) =>
  T5ForConditionalGeneration.fromPretrained(directory as string, options as object);

/** Changes one file of a model, and with `signed` its entry in the manifest, so that only the content is wrong. */
function change(directory: string, name: string, edit: (before: Buffer) => Buffer | string, signed = false): void {
  const path = join(directory, name);
  writeFileSync(path, edit(readFileSync(path)));
  if (signed) updateManifest(directory, name);
}

const changeManifest = (edit: (manifest: Record<string, unknown>) => unknown) => (directory: string) =>
  change(directory, "manifest.json", (before) => JSON.stringify(edit(JSON.parse(before.toString()))));

function flipByte(before: Buffer): Buffer {
  const after = Buffer.from(before);
  const middle = after.length >> 1;
  after[middle] = (after[middle] ?? 0) ^ 1;
  return after;
}

interface Broken {
  readonly promise: string;
  readonly breakIt: (directory: string) => void;
  readonly code?: T5ErrorCode;
  readonly message: RegExp;
}

const broken: readonly Broken[] = [
  {
    promise: "has no manifest",
    breakIt: (directory) => rmSync(join(directory, "manifest.json")),
    code: "ERR_MODEL_NOT_FOUND",
    message: /`torch-t5 export` wrote for the model but found no manifest\.json/,
  },
  {
    promise: "has a manifest that isn't JSON",
    breakIt: (directory) => change(directory, "manifest.json", () => "{"),
    message: /Expected JSON for manifest.json but received "\{"/,
  },
  {
    promise: "has another format version",
    breakIt: changeManifest((manifest) => ({ ...manifest, formatVersion: 2 })),
    message: /for formatVersion in manifest.json but received 2/,
  },
  {
    promise: "has a truncated archive",
    breakIt: (directory) => truncateSync(join(directory, "model.pt"), 1000),
    message: /Expected \d+ bytes for the size of model.pt but received 1000/,
  },
  {
    promise: "has a changed byte in its archive",
    breakIt: (directory) => change(directory, "model.pt", flipByte),
    message: /Expected SHA-256 [0-9a-f]+… for model.pt but received "[0-9a-f]+…"/,
  },
  {
    promise: "has a changed byte in its probes",
    breakIt: (directory) => change(directory, "parity.safetensors", flipByte),
    message: /for parity.safetensors/,
  },
  {
    promise: "lacks a file",
    breakIt: (directory) => rmSync(join(directory, "model.pt")),
    message: /Expected the file model.pt that manifest.json lists .* found none/,
  },
  {
    promise: "lacks its configuration",
    breakIt: (directory) => rmSync(join(directory, "config.json")),
    message: /Expected the file config.json/,
  },
  {
    promise: "is of another architecture",
    breakIt: (directory) =>
      change(
        directory,
        "config.json",
        (text) => text.toString().replace(/"model_type": "\w+"/, '"model_type": "bart"'),
        true,
      ),
    message: /for model_type in config.json but received "bart"/,
  },
  {
    promise: "has a configuration that isn't JSON",
    breakIt: (directory) => change(directory, "config.json", () => "nonsense", true),
    message: /JSON for config.json/,
  },
  {
    promise: "has an archive that isn't TorchScript",
    breakIt: (directory) => change(directory, "model.pt", () => "not an archive at all", true),
    message: /model\.pt/,
  },
  {
    promise: "has an archive that is cut off, but of the length in the manifest",
    breakIt: (directory) => change(directory, "model.pt", (archive) => archive.subarray(0, archive.length >> 1), true),
    message: /model\.pt/,
  },
  {
    promise: "has an empty tokenizer",
    breakIt: (directory) => change(directory, "tokenizer.json", () => "{}", true),
    message: /for model in tokenizer.json/,
  },
  {
    promise: "has a manifest that lists a file outside of it",
    breakIt: changeManifest((manifest) => ({ ...manifest, files: { ...(manifest.files as object), "../x": {} } })),
    message: /a path inside the directory/,
  },
];

describe("a model directory", () => {
  for (const { promise, breakIt, code = "ERR_MODEL_CORRUPT", message } of broken) {
    it(`is refused when it ${promise}`, async () => {
      await withModelCopy(async (directory) => {
        breakIt(directory);
        await assert.rejects(load(directory), { name: "T5Error", code, message });
      });
    });
  }

  for (const precision of ["exact", "float32", "bfloat16", "int8"] as const) {
    it(`is refused in ${precision} for its SHA-256: with a changed number, and where it can't be read at all`, () =>
      withModelCopy(async (directory) => {
        const refused = { name: "T5Error", code: "ERR_MODEL_CORRUPT", message: /Expected SHA-256 .* for model\.pt / };
        change(directory, "model.pt", flipByte);
        await assert.rejects(load(directory, { precision, device: "cpu" }), refused);
        change(directory, "model.pt", (archive) => Buffer.alloc(archive.length));
        await assert.rejects(load(directory, { precision, device: "cpu" }), refused);
      }));
  }

  it("is refused when it is missing, or a file", async () => {
    for (const [path, reason] of [
      ["/nonexistent", '"/nonexistent" does not exist'],
      [join(demoModel, "config.json", "model"), `"${demoModel}/config.json/model" does not exist`],
      [join(demoModel, "config.json"), `"${demoModel}/config.json" is a file`],
      ["\u{1f600}", '"\u{1f600}" does not exist'],
    ] as const) {
      const message = `Expected a directory for the model but ${reason}`;
      await assert.rejects(load(path), { name: "T5Error", code: "ERR_MODEL_NOT_FOUND", message });
    }
  });

  for (const name of ["manifest.json", "config.json", "model.pt", "tokenizer.json"]) {
    it(`is refused when ${name} is a pipe, which would be waited for`, () =>
      withModelCopy(async (directory) => {
        rmSync(join(directory, name));
        execFileSync("mkfifo", [join(directory, name)]);
        await assert.rejects(load(directory), { name: "T5Error", code: "ERR_MODEL_CORRUPT" });
      }));
  }

  it("has the caller's line on top of the stack when it is refused", async () => {
    const error: unknown = await load("/nonexistent").catch((thrown: unknown) => thrown);
    assert.match(String((error as Error).stack).split("\n")[1] ?? "", /load\.spec\.ts/);
  });

  it("without its tokenizer accepts ids, and refuses text with that reason", async () => {
    await withModelCopy(async (directory) => {
      const names = ["tokenizer.json", "tokenizer_config.json"];
      for (const name of names) rmSync(join(directory, name));
      changeManifest((manifest) => {
        const files = Object.entries(manifest.files as object).filter(([name]) => !names.includes(name));
        return { ...manifest, files: Object.fromEntries(files) };
      })(directory);
      await using t5 = await load(directory);
      assert.equal(t5.tokenizer, undefined);
      assert.equal((await t5.forward({ inputIds: [[3, 1]] })).logits.shape[0], 1);
      const refused = { code: "ERR_INVALID_ARGUMENT", message: /inputIds .* because the model has no tokenizer/ };
      await assert.rejects(t5.forward("text"), refused);
      await assert.rejects(t5.forward({ inputIds: [[3, 1]], target: "text" }), refused);
      await assert.rejects(T5Tokenizer.fromPretrained(directory), { code: "ERR_MODEL_NOT_FOUND" });
    });
  });

  it("has a manifest that can be read without loading the model", async () => {
    const { formatVersion, files } = await readManifest(demoModel);
    assert.equal(formatVersion, 1);
    assert.ok("model.pt" in files);
    await assert.rejects(readManifest("/nonexistent"), { code: "ERR_MODEL_NOT_FOUND" });
  });
});

describe("readModelKind", () => {
  it("reads the kind of an export", async () => {
    assert.equal(await readModelKind(demoModel), "generation");
    assert.equal(await readModelKind(pathToFileURL(demoModel)), "generation");
  });

  it("reads the kind of a Hugging Face directory", () =>
    withDirectory(async (directory) => {
      writeCheckpoint(directory);
      assert.equal(await readModelKind(directory), "generation");
      for (const [name, kind] of [
        ["T5EncoderModel", "encoder"],
        ["MT5ForSequenceClassification", "sequenceClassification"],
        ["T5ForTokenClassification", "tokenClassification"],
      ] as const) {
        writeCheckpoint(directory, { config: { ...CONFIG, architectures: [name] } });
        assert.equal(await readModelKind(directory), kind);
      }
      writeCheckpoint(directory, { config: { ...CONFIG, architectures: ["BertModel"] } });
      await assert.rejects(readModelKind(directory), { code: "ERR_MODEL_CORRUPT", message: /received "BertModel"/ });
      writeFileSync(join(directory, "adapter_config.json"), "{}");
      await assert.rejects(readModelKind(directory), { code: "ERR_INVALID_ARGUMENT", message: /adapter/ });
    }));

  it("refuses what is no directory of a model", async () => {
    await assert.rejects(readModelKind("/nonexistent"), { name: "T5Error", code: "ERR_MODEL_NOT_FOUND" });
    await assert.rejects(readModelKind(5 as never), {
      code: "ERR_INVALID_ARGUMENT",
      message: /for directory but received 5/,
    });
  });
});

describe("load options", () => {
  const wrong: readonly (readonly [promise: string, directory: unknown, options: unknown, message: RegExp])[] = [
    ["no directory", undefined, undefined, /a path or a file: URL for directory but received undefined/],
    ["an empty directory", "", undefined, /for directory but received ""/],
    ["a path with a zero byte", "a\0b", undefined, /for directory but received "a\\u0000b"/],
    ["a URL of the web", new URL("https://example.com/"), undefined, /for directory but received "https:/],
    ["a number as options", demoModel, 5, /an object for options but received 5/],
    ["an unknown option", demoModel, { devcie: "cpu" }, /the names in options .*"devcie"; did you mean device\?/],
    ["another device", demoModel, { device: "gpu" }, /"cuda:<number>" for options.device but received "gpu"/],
    ["a number as a device", demoModel, { device: 0 }, /for options.device but received 0/],
    ["a device without a number", demoModel, { device: "cuda:" }, /for options.device/],
    [
      "another precision",
      demoModel,
      { precision: "float16" },
      /"bfloat16" or "int8" for options.precision .* "float16"/,
    ],
    ["a number as a precision", demoModel, { precision: 8 }, /for options.precision but received 8/],
    [
      "int8 on a GPU",
      demoModel,
      { device: "cuda", precision: "int8" },
      /"auto" or "cpu" for device .* received "cuda"/,
    ],
    ["a string as batchInvariant", demoModel, { batchInvariant: "yes" }, /a boolean for options.batchInvariant/],
    [
      "batch invariance in exact",
      demoModel,
      { batchInvariant: true },
      /with batchInvariant \(the bits of "exact" depend on the batch\) for options.precision but received "exact"/,
    ],
    [
      "batch invariance on a GPU",
      demoModel,
      { batchInvariant: true, precision: "float32", device: "cuda:1" },
      /"auto" or "cpu" with batchInvariant .* for options.device but received "cuda:1"/,
    ],
    ["no threads", demoModel, { intraOpThreads: 0 }, /from 1 to 1024 for options.intraOpThreads but received 0/],
    ["a fraction as a thread count", demoModel, { interOpThreads: 1.5 }, /options.interOpThreads but received 1.5/],
    ["a string as a thread count", demoModel, { intraOpThreads: "2" }, /options.intraOpThreads but received "2"/],
    ["no input", demoModel, { maxInputTokens: 0 }, /at least 1 for options.maxInputTokens but received 0/],
    ["an empty queue", demoModel, { maxQueueLength: 0 }, /at least 1 for options.maxQueueLength but received 0/],
  ];
  for (const [promise, directory, options, message] of wrong) {
    it(`are refused: ${promise}`, async () => {
      await assert.rejects(load(directory, options), { name: "T5Error", code: "ERR_INVALID_ARGUMENT", message });
    });
  }

  it("reject with ERR_DEVICE_UNAVAILABLE for a device that this machine lacks", async () => {
    const lacks = { name: "T5Error", code: "ERR_DEVICE_UNAVAILABLE" };
    await assert.rejects(load(demoModel, { device: "cuda:9999" }), lacks);
  });

  it("reject, and never throw synchronously", () => assert.rejects(load(5)));
});
