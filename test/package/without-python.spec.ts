import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runtimeInfo, T5ForConditionalGeneration } from "torch-t5";
import { HubServer, repositoryOf } from "../hub/server.js";
import { CONFIG, fileOf, makeWeights } from "../support/checkpoint.js";
import { makeInstalledProject, succeed } from "../support/packed.js";

const TEXT = "Grüße";
const NAME = "org/byt5";
/** ByT5's bytes, special tokens and sentinels. */
const SETTINGS = { ...CONFIG, vocab_size: 384 };
const OPTIONS = { device: "cpu", intraOpThreads: 1 } as const;
const GENERATION = { maxNewTokens: 6 } as const;

/** A Hugging Face directory of a ByT5 with random weights. */
const FILES = {
  "config.json": JSON.stringify(SETTINGS),
  "tokenizer_config.json": JSON.stringify({ tokenizer_class: "ByT5Tokenizer" }),
  "model.safetensors": fileOf(makeWeights(SETTINGS)),
};

/** Loads the model, generates, and prints the ids. */
const PROGRAM = `
import { T5ForConditionalGeneration } from "torch-t5";
const t5 = await T5ForConditionalGeneration.fromPretrained(process.argv[1], ${JSON.stringify(OPTIONS)});
const { sequences, texts } = await t5.generate(${JSON.stringify(TEXT)}, ${JSON.stringify(GENERATION)});
console.log(JSON.stringify({ ids: [...sequences.data], texts }));
await t5.dispose();
`;

describe("a machine without Python", () => {
  let folder = "";
  let server: HubServer;
  let expected: { readonly ids: readonly number[]; readonly texts: readonly string[] | undefined };
  /** A file that any Python, compiler or other program on the PATH would write. */
  const started = () => join(folder, "started");

  before(async function () {
    this.timeout(120_000);
    folder = mkdtempSync(join(tmpdir(), "torch-t5-without-python-"));
    for (const name of ["model", "bin", "home", "cache/torch-t5/libtorch"]) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    for (const [name, content] of Object.entries(FILES)) writeFileSync(join(folder, "model", name), content);
    for (const name of ["python", "python3", "g++", "sh"]) {
      const program = join(folder, "bin", name);
      writeFileSync(program, `#!/bin/sh\necho ${name} >> "${started()}"\nexit 1\n`);
      chmodSync(program, 0o755);
    }
    // As set-up leaves the cache: libtorch alone.
    symlinkSync(dirname(runtimeInfo().libtorch.directory), join(folder, "cache/torch-t5/libtorch/torch"));
    await makeInstalledProject(join(folder, "project"));
    server = await HubServer.start();
    server.add(NAME, repositoryOf(FILES));
    await using t5 = await T5ForConditionalGeneration.fromPretrained(join(folder, "model"), OPTIONS);
    const { sequences, texts } = await t5.generate(TEXT, GENERATION);
    expected = { ids: [...sequences.data], texts };
  });

  after(async () => {
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs the program with an environment that has nothing of this process's. */
  async function generated(model: string): Promise<unknown> {
    const env = {
      ...Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined])),
      PATH: join(folder, "bin"),
      HOME: join(folder, "home"),
      XDG_CACHE_HOME: join(folder, "cache"),
      HF_ENDPOINT: server.endpoint,
    };
    const args = ["--input-type=module", "-e", PROGRAM, model];
    const { stdout } = await succeed(process.execPath, args, join(folder, "project"), env);
    assert.equal(existsSync(started()), false);
    return JSON.parse(stdout);
  }

  it("loads a Hugging Face directory and generates", async () => {
    assert.ok(expected.ids.length > 1);
    assert.deepEqual(await generated(join(folder, "model")), expected);
    assert.equal(server.requests.length, 0);
  });

  it("loads a name on the hub and generates, and again from the cache in its home", async () => {
    assert.deepEqual(await generated(NAME), expected);
    const requests = server.requests.length;
    assert.ok(requests > 1);
    assert.deepEqual(await generated(NAME), expected);
    // Only what the branch stands for now.
    assert.equal(server.requests.length, requests + 1);
    assert.ok(existsSync(join(folder, "cache", "huggingface", "hub", "models--org--byt5")));
  });
});
