import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { cachedModels, deleteCachedModel, demoModel, downloadModel, T5Tokenizer } from "torch-t5";
import { runToEnd } from "../support/program.js";
import { pythonPath } from "../support/python.js";
import { fakeExport, noise, pull, useHub } from "./hub.js";
import { filesOf, repositoryOf, sha256 } from "./server.js";

const NAME = "org/model";
const client = fileURLToPath(new URL("programs/hub_client.py", import.meta.url));
const puller = fileURLToPath(new URL("programs/pull.mjs", import.meta.url));

type Step = readonly ["share" | "file" | "snapshot" | "scan" | "tokenize", Readonly<Record<string, unknown>>];

/** Runs steps of Python's huggingface_hub in a process of their own. */
async function python(steps: readonly Step[], env: NodeJS.ProcessEnv = {}): Promise<readonly unknown[]> {
  const variables = { HF_HUB_DISABLE_PROGRESS_BARS: "1", HF_HUB_DISABLE_TELEMETRY: "1", ...env };
  const { code, stdout, stderr } = await runToEnd(pythonPath(), [client, JSON.stringify(steps)], { env: variables });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

describe("the cache and Python's huggingface_hub", () => {
  const hub = useHub();

  it("finds what this package has downloaded: offline, and without downloading it again", async () => {
    const { server, cache } = hub();
    const repository = server.add("org/demo", repositoryOf(filesOf(demoModel), ["main", "v1.0"]));
    const directory = await downloadModel("org/demo");
    await downloadModel("org/demo", { revision: "v1.0" });
    const paths = [...repository.files.keys()].filter((path) => path !== "README.md").sort();
    const text = "spell number: 48213";
    const [snapshot, tokenized, scanned, ...files] = await python(
      [
        ["snapshot", { repo_id: "org/demo", ignore_patterns: ["README.md"] }],
        ["tokenize", { name: "org/demo", text }],
        ["scan", { cache }],
        ...paths.map((filename) => ["file", { repo_id: "org/demo", filename, revision: "v1.0" }] as const),
      ],
      { HF_HUB_OFFLINE: "1" },
    );
    assert.equal(snapshot, directory);
    assert.deepEqual(
      files,
      paths.map((path) => join(directory, path)),
    );
    const { d_model: dModel } = JSON.parse(repository.files.get("config.json")?.toString() ?? "{}");
    const { ids } = (await T5Tokenizer.fromPretrained("org/demo")).encode(text);
    assert.deepEqual(tokenized, { ids: [...ids], d_model: dModel });
    assert.deepEqual(scanned, {
      warnings: [],
      repositories: [{ name: "org/demo", files: paths, refs: ["main", "v1.0"] }],
    });

    server.requests.length = 0;
    assert.deepEqual(await python([["snapshot", { repo_id: "org/demo" }]]), [directory]);
    assert.deepEqual(server.downloads(), ["README.md"]);
  });

  it("provides what it has downloaded: offline, and without downloading it again", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    const [directory] = await python([["snapshot", { repo_id: NAME }]]);
    server.requests.length = 0;
    assert.equal(await pull(NAME, { localFilesOnly: true }), directory);
    assert.equal(await pull(NAME, { revision: repository.commit }), directory);
    assert.equal(server.requests.length, 0);
    assert.equal(await pull(NAME), directory);
    assert.deepEqual(server.downloads(), []);
    const [model] = await cachedModels();
    assert.deepEqual([model?.name, model?.revisions, model?.commits], [NAME, ["main"], [repository.commit]]);
  });

  it("provides single files, which are a model offline, and are completed online", async () => {
    const { server } = hub();
    const files = {
      "config.json": "{}",
      "generation_config.json": '{"max_length":20}',
      "model.safetensors": noise(1000),
      "pytorch_model.bin": "x",
    };
    const repository = server.add(NAME, repositoryOf({ ...files, "sub/config.json": "{}" }));
    const [, path] = await python(
      ["config.json", "model.safetensors", "sub/config.json"].map(
        (filename) => ["file", { repo_id: NAME, filename }] as const,
      ),
    );
    const directory = await pull(NAME, { localFilesOnly: true });
    assert.equal(path, join(directory, "model.safetensors"));
    server.intercept = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    for (const revision of ["main", repository.commit]) assert.equal(await pull(NAME, { revision }), directory);
    server.intercept = () => false;
    server.requests.length = 0;
    assert.equal(await pull(NAME, { revision: repository.commit }), directory);
    assert.deepEqual(server.downloads(), ["generation_config.json"]);
  });

  it("may keep contents once for several models, which load, and are deleted with the last of them", async () => {
    const { server, cache } = hub();
    const names = ["org/model", "org/copy"];
    for (const name of names) {
      server.add(name, fakeExport());
      await pull(name);
    }
    const bytes = 3_000_000;
    const sha = sha256(fakeExport().files.get("model.pt") ?? Buffer.of());
    const blob = (name: string) => join(cache, `models--${name.replace("/", "--")}`, "blobs", sha);
    const xetHash = "ab".repeat(32);
    const shares = names.map((name) => ["share", { cache, blob: blob(name), xet_hash: xetHash, size: bytes }] as const);
    assert.deepEqual(await python(shares), [true, true]);
    const payload = join(cache, "blobs", "ab", xetHash);
    assert.equal(realpathSync(blob("org/copy")), realpathSync(payload));
    for (const model of await cachedModels()) assert.ok(model.bytes > bytes);
    for (const name of names) {
      const directory = await pull(name, { localFilesOnly: true });
      assert.equal(statSync(join(directory, "model.pt")).size, bytes);
    }
    server.requests.length = 0;
    await pull("org/model");
    assert.deepEqual(server.downloads(), []);
    assert.ok((await deleteCachedModel("org/model")) < bytes);
    assert.equal(statSync(join(await pull("org/copy", { localFilesOnly: true }), "model.pt")).size, bytes);
    assert.ok((await deleteCachedModel("org/copy")) > bytes);
    assert.ok(!existsSync(payload));
  });

  it("downloads at the same time as this package, and both are right", async () => {
    const { server } = hub();
    const repository = server.add(NAME, fakeExport());
    const child = spawn(execPath, [puller, NAME], { stdio: "ignore" });
    const [[directory], own, [code]] = await Promise.all([
      python([["snapshot", { repo_id: NAME }]]),
      pull(NAME),
      once(child, "close"),
    ]);
    assert.deepEqual([own, code], [directory, 0]);
    for (const [path, content] of repository.files) {
      assert.ok(readFileSync(join(own, path)).equals(content), path);
    }
  });
});
