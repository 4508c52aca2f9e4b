import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  T5EncoderModel,
  T5Error,
  type T5ErrorCode,
  T5ForConditionalGeneration,
  T5ForSequenceClassification,
  T5Tokenizer,
} from "torch-t5";
import { readCheckpoint } from "#lib/loading/checkpoint.js";
import { exportCommand } from "#lib/loading/export-command.js";
import type { NativeStoredTensor, NativeStoredWeights } from "#lib/native/types.js";
import {
  CONFIG,
  fileOf,
  headerOf,
  makeWeights,
  safetensors,
  type WrittenTensor,
  writeCheckpoint,
} from "../support/checkpoint.js";
import { withDirectory } from "../support/directory.js";
import { loadNatively } from "../support/native-model.js";

const WEIGHTS = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const INPUT = { inputIds: [[3, 4, 5, 1]], decoderInputIds: [[0, 7]] };
const GIB = 2 ** 30;
const FLOAT_BYTES = 4;

const load = (directory: string, options: object = {}) =>
  T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: 1, ...options });

async function logitsOf(directory: string): Promise<Float32Array> {
  await using t5 = await load(directory);
  return (await t5.forward(INPUT)).logits.data;
}

const write = (directory: string, name: string, content: string | Buffer) =>
  writeFileSync(join(directory, name), content);

/** Writes a directory whose weights are changed. */
const changed = (change: (weights: Map<string, WrittenTensor>) => unknown) => (directory: string) => {
  const weights = makeWeights();
  change(weights);
  writeCheckpoint(directory, { weights });
};

type Header = ReturnType<typeof headerOf>["header"];

/** Writes a directory whose header is edited as an object, or as text. */
const edited = (edit: (header: Header) => string | object) => (directory: string) => {
  writeCheckpoint(directory);
  const { header, numbers } = headerOf(makeWeights());
  write(directory, WEIGHTS, safetensors(edit(header), numbers));
};

const entryOf = (header: Header, name = "shared.weight") => {
  const entry = header[name];
  assert.ok(entry);
  return entry;
};

const configured = (change: object) => (directory: string) =>
  writeCheckpoint(directory, { config: { ...CONFIG, ...change } });

const also = (name: string, content: string) => (directory: string) => {
  writeCheckpoint(directory);
  write(directory, name, content);
};

/** Writes two shards and their index. */
function shard(directory: string, change: (map: Record<string, unknown>) => unknown = (map) => map): void {
  writeCheckpoint(directory);
  rmSync(join(directory, WEIGHTS));
  const all = [...makeWeights()];
  const map: Record<string, unknown> = {};
  for (const [index, part] of [all.slice(0, 5), all.slice(5)].entries()) {
    write(directory, `model-${index}.safetensors`, fileOf(new Map(part)));
    for (const [name] of part) map[name] = `model-${index}.safetensors`;
  }
  write(directory, INDEX, JSON.stringify({ metadata: {}, weight_map: change(map) }));
}

interface Broken {
  readonly promise: string;
  readonly make: (directory: string) => void;
  readonly code?: T5ErrorCode;
  readonly message: RegExp;
}

const files: readonly Broken[] = [
  {
    promise: "a header of 2^63 bytes",
    make: (directory) => {
      writeCheckpoint(directory);
      write(directory, WEIGHTS, safetensors({}, new Uint8Array(64), 2n ** 63n));
    },
    message: /a header of at most \d+ bytes for model\.safetensors but received 9223372036854775808n/,
  },
  {
    promise: "a header that is longer than the file",
    make: (directory) => {
      writeCheckpoint(directory);
      write(directory, WEIGHTS, safetensors({}, new Uint8Array(64), 67n));
    },
    message: /a header of at most 66 bytes for model\.safetensors but received 67n/,
  },
  {
    promise: "a header of more than 16 MiB",
    make: (directory) => {
      writeCheckpoint(directory);
      write(directory, WEIGHTS, safetensors({}, new Uint8Array(8), 17n * 2n ** 20n));
      truncateSync(join(directory, WEIGHTS), GIB);
    },
    message: /a header of at most 16777216 bytes/,
  },
  {
    promise: "no bytes",
    make: also(WEIGHTS, ""),
    message: /at least 8 bytes for the size of model\.safetensors but received 0/,
  },
  {
    promise: "a header that isn't JSON",
    make: edited(() => "{nonsense}"),
    message: /JSON for the header of model\.safetensors/,
  },
  { promise: "a header that is an array", make: edited(() => "[]"), message: /a JSON object for model\.safetensors/ },
  {
    promise: "a header that isn't UTF-8",
    make: (directory) => {
      writeCheckpoint(directory);
      const file = readFileSync(join(directory, WEIGHTS));
      file.writeUInt8(0xff, 12);
      write(directory, WEIGHTS, file);
    },
    message: /UTF-8 for the header/,
  },
  {
    promise: "a deep header",
    make: edited(() => `{"a":${"[".repeat(1e6)}${"]".repeat(1e6)}}`),
    message: /JSON of at most 3 levels for the header of model\.safetensors/,
  },
  {
    promise: "a name twice",
    make: edited((header) => {
      const text = JSON.stringify(header);
      return `${text.slice(0, -1)},"shared.w\\u0065ight":${JSON.stringify(header["shared.weight"])}}`;
    }),
    message: /each name once for the header of model\.safetensors but received "shared\.weight" twice/,
  },
  {
    promise: "a type twice",
    make: edited((header) => JSON.stringify(header).replace('"dtype":"F32"', '"dtype":"F32","dtype":"F32"')),
    message: /received "dtype" twice/,
  },
  {
    promise: "a tensor outside of the file",
    make: edited((header) => {
      const last = Object.values(header).at(-1);
      assert.ok(last);
      last.data_offsets = [last.data_offsets[0] + 1000, last.data_offsets[1] + 1000];
      return header;
    }),
    message: /offset \d+, where the tensor before it ends, for decoder\.final_layer_norm\.weight in model\.safetensors/,
  },
  {
    promise: "two tensors that overlap",
    make: edited((header) => {
      const entry = entryOf(header, "encoder.final_layer_norm.weight");
      entry.data_offsets = [entry.data_offsets[0] - 4, entry.data_offsets[1] - 4];
      return header;
    }),
    message: /where the tensor before it ends/,
  },
  {
    promise: "bytes that belong to no tensor",
    make: (directory) => {
      writeCheckpoint(directory);
      write(directory, WEIGHTS, Buffer.concat([readFileSync(join(directory, WEIGHTS)), Buffer.alloc(3)]));
    },
    message: /\d+ bytes of numbers for model\.safetensors but received \d+/,
  },
  {
    promise: "offsets that aren't those of its sizes",
    make: edited((header) => {
      entryOf(header).shape = [16, 9];
      return header;
    }),
    message: /offsets of 576 bytes for shared\.weight in model\.safetensors but received \[0,512\]/,
  },
  {
    promise: "sizes whose product overflows",
    make: edited((header) => {
      entryOf(header).shape = [2 ** 32, 2 ** 32, 8, 16];
      return header;
    }),
    message: /offsets of \d.* bytes for shared\.weight/,
  },
  {
    promise: "a negative size",
    make: edited((header) => {
      entryOf(header).shape = [-16, -8];
      return header;
    }),
    message: /sizes for the shape of shared\.weight/,
  },
  {
    promise: "an unknown type",
    make: edited((header) => {
      entryOf(header).dtype = "F33";
      return header;
    }),
    message: /a known type for the type of shared\.weight in model\.safetensors but received "F33"/,
  },
  {
    promise: "a type that isn't computed with",
    make: changed((weights) =>
      weights.set("shared.weight", { dtype: "F64", shape: [16, 8], data: new Uint8Array(1024) }),
    ),
    message: /F32, BF16 or F16 for the type of shared\.weight in model\.safetensors but received "F64"/,
  },
  {
    promise: "a truncated file",
    make: (directory) => {
      writeCheckpoint(directory);
      truncateSync(join(directory, WEIGHTS), readFileSync(join(directory, WEIGHTS)).length - 1);
    },
    message: /bytes of numbers for model\.safetensors/,
  },
  {
    promise: "a weight less",
    make: changed((weights) => weights.delete("encoder.block.0.layer.0.SelfAttention.k.weight")),
    message: /every weight .* the checkpoint lacks encoder\.block\.0\.layer\.0\.SelfAttention\.k\.weight$/,
  },
  {
    promise: "no embedding",
    make: changed((weights) => weights.delete("shared.weight")),
    message: /the checkpoint lacks shared\.weight$/,
  },
  {
    promise: "a weight of another shape",
    make: changed((weights) => weights.set("shared.weight", { shape: [8, 16], data: new Float32Array(128) })),
    message: /\[16,8\] for the shape of shared\.weight in model\.safetensors but received \[8,16\]/,
  },
  {
    promise: "an encoder with its own embedding",
    make: changed((weights) =>
      weights.set("encoder.embed_tokens.weight", { shape: [16, 8], data: new Float32Array(128) }),
    ),
    message: /the matrix of shared\.weight for encoder\.embed_tokens\.weight in model\.safetensors/,
  },
  {
    promise: "names with the prefix of a wrapper",
    make: (directory) => {
      const weights = [...makeWeights()].map(([name, tensor]) => [`module.${name}`, tensor] as const);
      writeCheckpoint(directory, { weights: new Map(weights) });
    },
    message:
      /T5's weights by their names in .* but they begin with "module\."\. Save them alone, in Python: .*name\.removeprefix\("module\."\)/,
  },
  {
    promise: "a weight under two names",
    make: changed((weights) =>
      weights.set("transformer.shared.weight", { shape: [16, 8], data: new Float32Array(128) }),
    ),
    message: /each weight once for model\.safetensors but received shared\.weight|transformer\.shared\.weight/,
  },
];

const directories: readonly Broken[] = [
  {
    promise: "no weights",
    make: (directory) => {
      writeCheckpoint(directory);
      rmSync(join(directory, WEIGHTS));
    },
    code: "ERR_MODEL_NOT_FOUND",
    message: /found no manifest\.json in .*, or a Hugging Face directory but found no model\.safetensors/,
  },
  {
    promise: "a pickled file alone",
    make: (directory) => {
      writeCheckpoint(directory);
      renameSync(join(directory, WEIGHTS), join(directory, "pytorch_model.bin"));
    },
    code: "ERR_MODEL_NOT_FOUND",
    message: /found pytorch_model\.bin, which could run code .* run `npx torch-t5 export \/\S* \/\S*-exported`/,
  },
  {
    promise: "an adapter beside its weights",
    make: also("adapter_config.json", JSON.stringify({ base_model_name_or_path: "x" })),
    code: "ERR_INVALID_ARGUMENT",
    message:
      /a checkpoint without an adapter for directory but received adapter_config\.json: merge it .*merge_and_unload/,
  },
  {
    promise: "an adapter alone",
    make: (directory) => write(directory, "adapter_model.safetensors", ""),
    code: "ERR_INVALID_ARGUMENT",
    message: /a checkpoint without an adapter/,
  },
  {
    promise: "a config.json of 5 MB",
    make: also("config.json", " ".repeat(5e6)),
    message: /at most 4194304 bytes for the size of config\.json but received 5000000/,
  },
  {
    promise: "a deep config.json",
    make: also("config.json", `{"d_model":${"[".repeat(1e6)}${"]".repeat(1e6)}}`),
    message: /JSON of at most 32 levels for config\.json but received 33/,
  },
  {
    promise: "another architecture",
    make: configured({ model_type: "bart" }),
    message: /for model_type in config\.json/,
  },
  {
    promise: "a class that isn't loaded",
    make: configured({ architectures: ["T5ForQuestionAnswering"] }),
    message:
      /one of T5ForConditionalGeneration, .* for architectures in config\.json but received "T5ForQuestionAnswering"/,
  },
  {
    promise: "the class of an encoder",
    make: configured({ architectures: ["T5EncoderModel"] }),
    code: "ERR_INVALID_ARGUMENT",
    message: /the checkpoint of a model with a decoder .* load it with T5EncoderModel\.fromPretrained/,
  },
  {
    promise: "the weights of an encoder alone",
    make: changed((weights) => {
      for (const name of weights.keys()) if (name.startsWith("decoder.")) weights.delete(name);
    }),
    code: "ERR_INVALID_ARGUMENT",
    message: /load it with T5EncoderModel\.fromPretrained/,
  },
  {
    promise: "quantized weights",
    make: configured({ quantization_config: { bits: 4 } }),
    message: /unquantized weights but received a quantization_config/,
  },
  {
    promise: "two thousand million layers",
    make: configured({ num_layers: 2 ** 31 - 1 }),
    message: /the checkpoint lacks encoder\.block\.1\./,
  },
  {
    promise: "an index that leaves it",
    make: (directory) => shard(directory, (map) => ({ ...map, "shared.weight": "../model.safetensors" })),
    message: /files inside the directory for weight_map in model\.safetensors\.index\.json but received "\.\.\/model/,
  },
  {
    promise: "an index with an absolute path",
    make: (directory) => shard(directory, (map) => ({ ...map, "shared.weight": "/etc/passwd" })),
    message: /files inside the directory .* received "\/etc\/passwd"/,
  },
  {
    promise: "an index with a missing file",
    make: (directory) => shard(directory, (map) => ({ ...map, "shared.weight": "none.safetensors" })),
    message: /Expected "none\.safetensors", which model\.safetensors\.index\.json names, .* found none/,
  },
  {
    promise: "an index with a missing weight",
    make: (directory) => shard(directory, (map) => ({ ...map, other: "model-0.safetensors" })),
    message: /other, which model\.safetensors\.index\.json names, for model-0\.safetensors but received none/,
  },
  { promise: "an index without a map", make: (directory) => shard(directory, () => 7), message: /weight_map in model/ },
  {
    promise: "weights in a directory of their name",
    make: (directory) => {
      writeCheckpoint(directory);
      rmSync(join(directory, WEIGHTS));
      mkdirSync(join(directory, WEIGHTS));
    },
    message: /a regular file for model\.safetensors/,
  },
];

describe("a Hugging Face directory", () => {
  it("loads in float32 by default, with its configuration", async () => {
    await withDirectory(async (directory) => {
      writeCheckpoint(directory);
      await using t5 = await load(directory);
      assert.equal(t5.precision, "float32");
      assert.equal(t5.config.dModel, CONFIG.d_model);
      assert.equal(t5.tokenizer, undefined);
      assert.deepEqual([...(await t5.forward(INPUT)).logits.shape], [1, 2, CONFIG.vocab_size]);
    });
  });

  it("takes its generation defaults from config.json where there is no generation_config.json", async () => {
    await withDirectory(async (directory) => {
      writeCheckpoint(directory, { config: { ...CONFIG, num_beams: 2, bos_token_id: null } });
      await using t5 = await load(directory);
      const expected = { decoderStartTokenId: 0, eosTokenId: 1, padTokenId: 0, numBeams: 2 };
      assert.deepEqual({ ...t5.generationConfig }, expected);
      write(directory, "generation_config.json", JSON.stringify({ max_length: 7 }));
      await using other = await load(directory);
      assert.deepEqual({ ...other.generationConfig }, { maxLength: 7 });
    });
  });

  it("is refused in exact, with the command that exports it", async () => {
    await withDirectory(async (directory) => {
      writeCheckpoint(directory);
      const command = `npx torch-t5 export ${directory} ${directory}-exported`;
      const error: unknown = await load(`${directory}/`, { precision: "exact" }).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof Error && "code" in error);
      assert.equal(error.code, "ERR_INVALID_ARGUMENT");
      assert.ok(error.message.includes(`\`${command}\``), error.message);
    });
  });

  it("is named with quotes in that command where a shell needs them", () => {
    const expected = process.platform === "win32" ? '"my $dir" "my $dir-exported"' : "'my $dir' 'my $dir-exported'";
    assert.equal(exportCommand("my $dir/"), `npx torch-t5 export ${expected}`);
    assert.ok(!exportCommand("a\nb").includes("\n"));
  });

  it("takes ids where its tokenizer is not supported, and states why it takes no texts", async () => {
    const bpe = { model: { type: "BPE", vocab: { "</s>": 1 }, merges: [] }, added_tokens: [] };
    const unsupported: readonly (readonly [files: Readonly<Record<string, object>>, why: RegExp])[] = [
      [{ "tokenizer.json": bpe }, /Expected 2, .* for model\.unk_id in tokenizer\.json/],
      [
        { "tokenizer.json": bpe, "tokenizer_config.json": { tokenizer_class: "PreTrainedTokenizerFast" } },
        /Expected Unigram for model\.type in tokenizer\.json but received "BPE"/,
      ],
      [
        { "tokenizer.json": bpe, "tokenizer_config.json": { tokenizer_class: "RobertaTokenizer" } },
        /for tokenizer_class in tokenizer_config\.json but received "RobertaTokenizer"/,
      ],
    ];
    for (const [tokenizer, why] of unsupported) {
      await withDirectory(async (directory) => {
        writeCheckpoint(directory);
        for (const [name, content] of Object.entries(tokenizer)) write(directory, name, JSON.stringify(content));
        await using t5 = await load(directory);
        assert.equal(t5.tokenizer, undefined);
        assert.deepEqual((await t5.forward(INPUT)).logits.shape, [1, 2, CONFIG.vocab_size]);
        const because = /inputIds and labels, because the model's tokenizer is not supported \(/;
        for (const call of [
          t5.forward("text"),
          t5.generate("text"),
          t5.score({ inputIds: INPUT.inputIds }, ["text"]),
        ]) {
          const error: unknown = await call.catch((thrown: unknown) => thrown);
          assert.ok(error instanceof T5Error && error.code === "ERR_INVALID_ARGUMENT", String(error));
          assert.match(error.message, because);
          assert.match(error.message, why);
        }
        await assert.rejects(T5Tokenizer.fromPretrained(directory), { code: "ERR_MODEL_CORRUPT", message: why });
      });
    }
  });

  it("is refused when its tokenizer is damaged", async () => {
    for (const content of ["{", "[]", "{}", '{"model":{"type":"Unigram","vocab":[5]}}', '{"model":{"type":5}}']) {
      await withDirectory(async (directory) => {
        writeCheckpoint(directory);
        write(directory, "tokenizer.json", content);
        write(directory, "tokenizer_config.json", '{"tokenizer_class":"PreTrainedTokenizerFast"}');
        await assert.rejects(load(directory), { code: "ERR_MODEL_CORRUPT", message: /tokenizer\.json/ });
      });
    }
  });

  it("is batch-invariant by default", async () => {
    await withDirectory(async (directory) => {
      writeCheckpoint(directory);
      await using t5 = await load(directory, { batchInvariant: true });
      assert.equal(t5.precision, "float32");
    });
  });

  for (const { promise, make, code = "ERR_MODEL_CORRUPT", message } of files) {
    it(`is refused when its weights have ${promise}`, () => refuses(make, code, message));
  }

  for (const { promise, make, code = "ERR_MODEL_CORRUPT", message } of directories) {
    it(`is refused when it has ${promise}`, () => refuses(make, code, message));
  }

  it("has the same logits in shards, whatever other names it has for its embedding", async () => {
    await withDirectory(async (directory) => {
      writeCheckpoint(directory);
      const expected = await logitsOf(directory);
      shard(directory);
      assert.deepEqual(await logitsOf(directory), expected);
      for (const name of ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"]) {
        const weights = new Map(
          [...makeWeights()].map(([old, tensor]) => [old === "shared.weight" ? name : old, tensor]),
        );
        writeCheckpoint(directory, { weights });
        assert.deepEqual(await logitsOf(directory), expected, name);
      }
    });
  });

  it("loads with weights that its model doesn't have, and warns of them, but not of those of Hugging Face", async () => {
    await withDirectory(async (directory) => {
      const warnings: Error[] = [];
      const listen = (warning: Error) => warnings.push(warning);
      process.on("warning", listen);
      const extra = { shape: [1], data: new Float32Array(1) };
      const unused = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
      changed((weights) => weights.set(unused, extra))(directory);
      await logitsOf(directory);
      assert.equal(warnings.length, 0);
      changed((weights) => weights.set("other.weight", extra))(directory);
      await logitsOf(directory);
      await new Promise(setImmediate);
      process.off("warning", listen);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0]?.message ?? "", /are no part of its model and are not used: other\.weight$/);
    });
  });

  it("loads as an encoder, whatever its class", async () => {
    await withDirectory(async (directory) => {
      configured({ architectures: ["T5Model"] })(directory);
      await using encoder = await T5EncoderModel.fromPretrained(directory, { device: "cpu" });
      assert.deepEqual([...(await encoder.forward({ inputIds: [[3, 1]] })).lastHiddenState.shape], [1, 2, 8]);
    });
  });

  it("is refused as a classifier", async () => {
    await withDirectory(async (directory) => {
      writeCheckpoint(directory);
      await assert.rejects(T5ForSequenceClassification.fromPretrained(directory), {
        code: "ERR_INVALID_ARGUMENT",
        message: /the checkpoint of a classifier of texts .* load it with T5ForConditionalGeneration/,
      });
    });
  });

  describe("with symbolic links", () => {
    it("loads from a snapshot of Hugging Face's cache, and through a link to the directory", async () => {
      await withDirectory(async (cache) => {
        const model = join(cache, "models--some--model");
        const snapshot = join(model, "snapshots", "abc");
        mkdirSync(snapshot, { recursive: true });
        mkdirSync(join(model, "blobs"));
        writeCheckpoint(snapshot);
        const expected = await logitsOf(snapshot);
        for (const name of ["config.json", WEIGHTS]) {
          renameSync(join(snapshot, name), join(model, "blobs", name));
          symlinkSync(join("..", "..", "blobs", name), join(snapshot, name));
        }
        assert.deepEqual(await logitsOf(snapshot), expected);
        // The store that the models of a cache share: the model's blob is a link to it.
        mkdirSync(join(cache, "blobs", "ab"), { recursive: true });
        renameSync(join(model, "blobs", WEIGHTS), join(cache, "blobs", "ab", WEIGHTS));
        symlinkSync(join("..", "..", "blobs", "ab", WEIGHTS), join(model, "blobs", WEIGHTS));
        assert.deepEqual(await logitsOf(snapshot), expected);
        symlinkSync(snapshot, join(cache, "link"));
        assert.deepEqual(await logitsOf(join(cache, "link")), expected);
      });
    });

    it("is refused when a file leads out of it, also beside blobs of another model", async () => {
      await withDirectory(async (outer) => {
        const directory = join(outer, "models--a--b", "snapshots", "abc");
        const other = join(outer, "models--c--d", "blobs");
        for (const folder of [directory, other]) {
          mkdirSync(folder, { recursive: true });
          writeCheckpoint(folder);
        }
        for (const name of ["config.json", WEIGHTS]) {
          writeCheckpoint(directory);
          rmSync(join(directory, name));
          symlinkSync(join(other, name), join(directory, name));
          const message = new RegExp(`a file inside the directory for ${name} but received a link to `);
          await assert.rejects(load(directory), { code: "ERR_MODEL_CORRUPT", message });
          rmSync(join(directory, name));
        }
      });
    });

    it("is refused when a file is a link to itself, or to a pipe", async () => {
      await withDirectory(async (directory) => {
        writeCheckpoint(directory);
        rmSync(join(directory, WEIGHTS));
        symlinkSync(WEIGHTS, join(directory, WEIGHTS));
        await assert.rejects(load(directory), { code: "ERR_MODEL_CORRUPT", message: /a readable file for model/ });
        rmSync(join(directory, WEIGHTS));
        if (process.platform === "win32") return;
        execFileSync("mkfifo", [join(directory, WEIGHTS)]);
        await assert.rejects(load(directory), { code: "ERR_MODEL_CORRUPT", message: /a regular file for model/ });
      });
    });
  });

  describe("in native code", () => {
    const wrong: readonly (readonly [
      promise: string,
      change: (stored: NativeStoredWeights) => NativeStoredWeights,
      code: T5ErrorCode,
      message: RegExp,
    ])[] = [
      ["a file of another size", withFile({ bytes: 5 }), "ERR_MODEL_CORRUPT", /Expected 5 bytes for the size of/],
      ["a missing file", withFile({ path: "/nonexistent" }), "ERR_MODEL_CORRUPT", /a readable file for \/nonexistent/],
      ["a directory as a file", withFile({ path: "/" }), "ERR_MODEL_CORRUPT", /a readable file for \//],
      ["a tensor outside of its file", withTensor({ offset: 2 ** 52 }), "ERR_MODEL_CORRUPT", /inside its file/],
      ["a tensor that ends outside", atEnd, "ERR_MODEL_CORRUPT", /inside its file/],
      ["sizes whose product overflows", withTensor({ shape: Array(9).fill(2 ** 30) }), "ERR_MODEL_CORRUPT", /inside/],
      ["another shape", withTensor({ shape: [8, 16] }), "ERR_MODEL_CORRUPT", /Expected the shape \[16, 8\]/],
      ["no sizes", withTensor({ shape: [] }), "ERR_MODEL_CORRUPT", /Expected the shape \[16, 8\]/],
      ["an empty size", withTensor({ shape: [0, 8] }), "ERR_INVALID_ARGUMENT", /from 1 to \d+ for shape/],
      ["a file that isn't there", withTensor({ file: 1 }), "ERR_INVALID_ARGUMENT", /from 0 to 0 for file/],
      ["a negative offset", withTensor({ offset: -1 }), "ERR_INVALID_ARGUMENT", /for offset/],
      ["an unknown type", withTensor({ dtype: "F64" }), "ERR_INVALID_ARGUMENT", /a known name for dtype/],
      [
        "another name",
        withTensor({ name: "x" }),
        "ERR_MODEL_CORRUPT",
        /the weight shared\.weight in model\.safetensors/,
      ],
    ];
    for (const [promise, change, code, message] of wrong) {
      it(`is refused with ${promise}`, async () => {
        await withDirectory(async (directory) => {
          writeCheckpoint(directory);
          await assert.rejects(loadChanged(directory, change), { code, message });
        });
      });
    }

    it("is refused when its file shrinks after its header was read", async () => {
      await withDirectory(async (directory) => {
        writeCheckpoint(directory);
        const size = readFileSync(join(directory, WEIGHTS)).length;
        const path = join(directory, WEIGHTS);
        const loading = loadChanged(directory, (stored) => {
          truncateSync(path, size - 100);
          return stored;
        });
        await assert.rejects(loading, { code: "ERR_MODEL_CORRUPT", message: /for the size of/ });
      });
    });
  });
});

async function refuses(make: (directory: string) => void, code: T5ErrorCode, message: RegExp): Promise<void> {
  await withDirectory(async (directory) => {
    make(directory);
    await assert.rejects(load(directory), { name: "T5Error", code, message });
  });
}

function withFile(change: object): (stored: NativeStoredWeights) => NativeStoredWeights {
  return (stored) => ({ ...stored, files: stored.files.map((file) => ({ ...file, ...change })) });
}

/** Changes the first tensor, `shared.weight`. */
function withTensor(change: object): (stored: NativeStoredWeights) => NativeStoredWeights {
  return (stored) => ({
    ...stored,
    tensors: stored.tensors.map((tensor, index) =>
      index === 0 ? ({ ...tensor, ...change } as NativeStoredTensor) : tensor,
    ),
  });
}

/** Moves the first tensor so that its last byte is after the end of its file. */
function atEnd(stored: NativeStoredWeights): NativeStoredWeights {
  const { bytes = 0 } = stored.files[0] ?? {};
  const { shape = [] } = stored.tensors[0] ?? {};
  return withTensor({ offset: bytes - FLOAT_BYTES * shape.reduce((product, size) => product * size, 1) + 1 })(stored);
}

/** Loads a directory with a changed description of its weights, without the checks of this side. */
async function loadChanged(
  directory: string,
  change: (stored: NativeStoredWeights) => NativeStoredWeights,
): Promise<void> {
  const { architecture, weights } = await readCheckpoint(directory, "generation", "float32", directory);
  const changes = { path: undefined, storedWeights: change(weights), precision: "float32", architecture } as const;
  const model = await loadNatively(directory, "generation", changes);
  await model.dispose();
}
