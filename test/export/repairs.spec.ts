import assert from "node:assert/strict";
import { join } from "node:path";
import { runCode, runExporterTimes, runHelper } from "./exporter.js";
import { Folders } from "./folders.js";

const WRAPPED = ["nested", "nested twice", "prefixed", "compiled"];

describe("a refusal of wrapped weights", () => {
  const folders = new Folders();
  let sources: readonly string[];
  let targets: readonly string[];

  before(async function () {
    this.timeout(300_000);
    await folders.makeCheckpoints();
    sources = WRAPPED.map((name) => folders.changed(name, () => {}));
    targets = WRAPPED.map(() => join(folders.empty(), "exported"));
  });

  after(() => folders.remove());

  it("ends with Python that makes a checkpoint of them, which has the same logits", async function () {
    this.timeout(300_000);
    const commands = sources.map((source, index) => [source, targets[index] ?? "", "--no-tokenizer"]);
    for (const { code, stderr } of await runExporterTimes(commands)) {
      assert.equal(code, 1);
      const python = / in Python: (.*)\n$/.exec(stderr)?.[1] ?? "";
      await runCode(python);
    }
    for (const { code, stderr } of await runExporterTimes(commands)) assert.equal(code, 0, stderr);
    const pairs = targets.map((target) => [folders.checkpoint("whole"), target]);
    const same = JSON.parse(await runHelper("same_logits", [JSON.stringify(pairs)]));
    assert.deepEqual(same, [true, true, true, true]);
  });
});
