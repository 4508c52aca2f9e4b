import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { runExporter } from "./exporter.js";
import { Folders, names } from "./folders.js";

const SIGNALLED = 128;

describe("an interrupted export", () => {
  const folders = new Folders();

  before(async function () {
    this.timeout(300_000);
    await folders.makeCheckpoints();
  });

  after(() => folders.remove());

  /** Exports to a folder, and sends the signal once stderr contains `moment`. */
  async function interrupt(target: string, moment: string, signal: NodeJS.Signals, ...options: string[]) {
    let isSent = false;
    const ended = await runExporter([folders.checkpoint("whole"), target, ...options], (child, stderr) => {
      if (isSent || !stderr.includes(moment)) return;
      isSent = child.kill(signal);
    });
    assert.ok(isSent, `${JSON.stringify(moment)} never appeared: ${ended.stderr}`);
    assert.equal(ended.code, SIGNALLED + constants.signals[signal], ended.stderr);
    assert.match(ended.stderr, /^torch-t5 export: Interrupted: nothing was written$/m);
    assert.doesNotMatch(ended.stderr, /Traceback/);
    return ended;
  }

  const MOMENTS: readonly (readonly [string, string, NodeJS.Signals])[] = [
    ["while it traces", "[3/7]", "SIGTERM"],
    ["while it compares", "2/19", "SIGTERM"],
    ["while it compares", "2/19", "SIGINT"],
  ];

  for (const [when, moment, signal] of MOMENTS) {
    it(`leaves nothing, not even the folders that it made (${signal} ${when})`, async () => {
      const folder = folders.empty();
      await interrupt(join(folder, "above", "exported"), moment, signal);
      assert.deepEqual(names(folder), []);
    });
  }

  it("leaves the export that it would have replaced unchanged", async () => {
    const folder = folders.empty();
    const target = join(folder, "exported");
    mkdirSync(target);
    writeFileSync(join(target, "manifest.json"), "the earlier one");
    await interrupt(target, "2/19", "SIGTERM", "--overwrite");
    assert.deepEqual(names(folder), ["exported"]);
    assert.deepEqual(names(target), ["manifest.json"]);
    assert.equal(readFileSync(join(target, "manifest.json"), "utf8"), "the earlier one");
  });
});
