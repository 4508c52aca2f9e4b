import assert from "node:assert/strict";
import { cpSync, existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readDocuments } from "../docs/blocks.js";
import { installPackages, runCode, runExporter, runHelper } from "./exporter.js";
import { Folders, names } from "./folders.js";

const requirements = fileURLToPath(new URL("peft-requirements.txt", import.meta.url));

describe("the Python that merges an adapter", () => {
  const folders = new Folders();
  let packages: string;
  let written: string;

  before(async function () {
    this.timeout(300_000);
    packages = folders.empty();
    written = folders.empty();
    await Promise.all([folders.makeCheckpoints(), installPackages(requirements, packages)]);
    await runHelper("adapters", [folders.checkpoint("whole"), written], packages);
  });

  after(() => folders.remove());

  /** Fails unless the folder's `merged` has the base's weights with the adapter merged into them, bit for bit. */
  const assertMerged = (folder: string) =>
    runHelper("adapters", ["--compare", join(folder, "merged"), join(written, "expected.safetensors")], packages);

  /** The code in the message with which the exporter refuses a source. */
  async function codeFor(source: string, pattern: RegExp): Promise<string> {
    const { code, stderr } = await runExporter([source, join(folders.empty(), "exported")]);
    assert.equal(code, 1, stderr);
    const found = pattern.exec(stderr)?.[1];
    assert.ok(found !== undefined, stderr);
    return found;
  }

  it("of the message for an adapter alone gives a checkpoint that can be exported", async () => {
    const folder = folders.empty();
    cpSync(join(written, "adapter"), join(folder, "adapter"), { recursive: true });
    const code = await codeFor(join(folder, "adapter"), /\(in Python: (.*)\)$/m);
    assert.equal(code.split(";").length, 4, "two imports and two statements");
    await runCode(code, { packages, directory: folder });
    await assertMerged(folder);
    const target = join(folder, "exported");
    const { code: status, stderr } = await runExporter([join(folder, "merged"), target, "--no-tokenizer"]);
    assert.equal(status, 0, stderr);
    assert.ok(existsSync(join(target, "manifest.json")));
  });

  it("of the message for an adapter beside its base does, after the files are moved", async () => {
    const folder = folders.empty();
    const base = join(folder, "base");
    cpSync(folders.checkpoint("whole"), base, { recursive: true });
    cpSync(join(written, "adapter"), base, { recursive: true });
    const adapter = join(base, "adapter");
    const code = await codeFor(base, /\(move the files adapter_\* to .*adapter, then in Python: (.*)\)$/m);
    const moved = names(base).filter((name) => name.startsWith("adapter_"));
    cpSync(folders.empty(), adapter, { recursive: true });
    for (const name of moved) renameSync(join(base, name), join(adapter, name));
    await runCode(code, { packages, directory: folder });
    await assertMerged(folder);
  });

  it("of docs/export.md does, with the tokenizer", async () => {
    const folder = folders.empty();
    cpSync(folders.checkpoint("whole"), join(folder, "base"), { recursive: true });
    cpSync(join(written, "adapter"), join(folder, "adapter"), { recursive: true });
    const blocks = readDocuments().flatMap(({ blocks: all }) => all.filter(({ notRun }) => notRun === "needs peft"));
    const [block] = blocks;
    assert.ok(block !== undefined && blocks.length === 1);
    await runCode(block.code, { packages, directory: folder });
    await assertMerged(folder);
    assert.ok(existsSync(join(folder, "merged", "tokenizer.json")));
  });
});
