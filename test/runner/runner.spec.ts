import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../support/directory.js";
import { type Ended, runToEnd } from "../support/program.js";

const runner = fileURLToPath(new URL("run.mjs", import.meta.url));

/** Runs spec files, given by their folder and name. */
function run(specs: Readonly<Record<string, string>>): Promise<Ended> {
  return withDirectory((directory) => {
    for (const [name, content] of Object.entries(specs)) {
      mkdirSync(join(directory, name, ".."), { recursive: true });
      writeFileSync(join(directory, name), content);
    }
    return runToEnd(process.execPath, [runner, "--tests", directory]);
  });
}

describe("npm test", () => {
  it("runs the spec files of every folder and counts all tests", async () => {
    const { code, stdout } = await run({
      "one/a.spec.ts": `it("first", () => {}); it("second", () => {});`,
      "one/b.spec.ts": `describe("b", () => { it("third", () => {}); });`,
      "two/nested/c.spec.ts": `it("fourth", () => {});`,
      "two/no-spec.ts": `throw new Error("never loaded");`,
    });
    assert.match(stdout, /b\.spec\.ts: 1 passed$/m);
    assert.match(stdout, /^--- one: 3 passed, 0 failed, \d+ s$/m);
    assert.match(stdout, /^--- two\/nested: 1 passed, 0 failed, \d+ s$/m);
    assert.match(stdout, /\n4 passed, 0 failed\n$/);
    assert.equal(code, 0);
  });

  it("fails, and prints why, when a test or hook fails, is skipped or exclusive, ends the process, or doesn't exist", async () => {
    const { code, stdout } = await run({
      "fails/a.spec.ts": `
        describe("suite", () => { it("wrong", () => { throw new Error("thrown on purpose"); }); it("right", () => {}); });
        describe("hooked", () => { before(() => { throw new Error("thrown in a hook"); }); it("never", () => {}); });
      `,
      "skips/a.spec.ts": `it.skip("skipped", () => {});`,
      "only/a.spec.ts": `it.only("exclusive", () => {});`,
      "exits/a.spec.ts": `it("exits", () => process.exit(0));`,
      "empty/a.spec.ts": "",
      "throws/a.spec.ts": `throw new Error("thrown while loading");`,
    });
    const summary = stdout.slice(stdout.indexOf("\n1) "));
    assert.match(summary, /fails\/a\.spec\.ts: suite wrong\nError: thrown on purpose\n {4}at /);
    assert.match(summary, /fails\/a\.spec\.ts: hooked "before all" hook.*\nError: thrown in a hook\n {4}at /);
    assert.match(summary, /skips\/a\.spec\.ts: skipped\nError: Pending test forbidden/);
    assert.match(summary, /test\/only: mocha ended with 1 before any test/);
    assert.match(summary, /test\/exits: mocha ended with 0 at "exits" of .*exits\/a\.spec\.ts/);
    assert.match(summary, /empty\/a\.spec\.ts: no test ran/);
    assert.match(summary, /test\/throws: mocha ended with 1 before any test/);
    assert.match(summary, /\n1 passed, \d+ failed\n$/);
    assert.equal(code, 1);
  });
});
