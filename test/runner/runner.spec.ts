import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../support/directory.js";
import { type Ended, runToEnd } from "../support/program.js";

const runner = fileURLToPath(new URL("run.mjs", import.meta.url));

/** Runs spec files, given by their paths and contents. */
function run(specs: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<Ended> {
  return withDirectory((directory) => {
    for (const [name, content] of Object.entries(specs)) {
      mkdirSync(join(directory, name, ".."), { recursive: true });
      writeFileSync(join(directory, name), content);
    }
    return runToEnd(process.execPath, [runner, "--tests", directory, ...args]);
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

  it("fails, and prints why, when a test or hook fails, is skipped or exclusive, or ends the process, and when a file has no test", async () => {
    const { code, stdout } = await run({
      "fails/a.spec.ts": `
        describe("suite", () => { it("wrong", () => { throw new Error("thrown on purpose"); }); it("right", () => {}); });
        describe("hooked", () => { before(() => { throw new Error("thrown in a hook"); }); it("never", () => {}); });
      `,
      "skips/a.spec.ts": `it.skip("skipped", () => {});`,
      "only/a.spec.ts": `it.only("exclusive", () => {});`,
      "exits/a.spec.ts": `it("exits", () => process.exit(0));`,
      "exits-in-hook/a.spec.ts": `
        it("first", () => {});
        describe("hooked", () => { before(() => process.exit(0)); it("never", () => {}); });
      `,
      "exits-at-end/a.spec.ts": `it("last", () => {}); after(() => process.exit(0));`,
      "dies/a.spec.ts": `it("alive", () => {}); process.on("exit", () => process.kill(process.pid, "SIGKILL"));`,
      "empty/a.spec.ts": "",
      "throws/a.spec.ts": `throw new Error("thrown while loading");`,
    });
    const summary = stdout.slice(stdout.indexOf("\n1) "));
    assert.match(summary, /fails\/a\.spec\.ts: suite wrong\nError: thrown on purpose\n {4}at /);
    assert.match(summary, /fails\/a\.spec\.ts: hooked "before all" hook.*\nError: thrown in a hook\n {4}at /);
    assert.match(summary, /skips\/a\.spec\.ts: skipped\nError: Pending test forbidden/);
    assert.match(summary, /test\/only: mocha ended with 1 before any test/);
    assert.match(summary, /test\/exits: mocha ended with 0 at "exits" of .*exits\/a\.spec\.ts/);
    assert.match(summary, /test\/exits-in-hook: mocha ended with 0 after "first" of .*exits-in-hook\/a\.spec\.ts/);
    assert.match(summary, /test\/exits-at-end: mocha ended with 0 after "last" of .*exits-at-end\/a\.spec\.ts/);
    assert.match(summary, /test\/dies: mocha ended with SIGKILL after all tests/);
    assert.match(summary, /empty\/a\.spec\.ts: no test ran/);
    assert.match(summary, /test\/throws: mocha ended with 1 before any test/);
    assert.match(summary, /\n4 passed, \d+ failed\n$/);
    assert.equal(code, 1);
  });

  it("fails when no test runs: without spec files, lanes, or the folder that is named", async () => {
    const none = await run({ "one/no-spec.ts": "" });
    assert.match(none.stdout, /Expected 1 or more tests but 0 ran\n\n\d+ s\n0 passed, 1 failed\n$/);
    assert.equal(none.code, 1);
    const specs = { "one/a.spec.ts": `it("first", () => {});` };
    for (const [args, message] of [
      [["--lanes", "0"], /Expected a positive integer for --lanes but received 0/],
      [["two"], /Expected folders with spec files but received two/],
    ] as const) {
      const { code, stderr } = await run(specs, args);
      assert.match(stderr, message);
      assert.equal(code, 1);
    }
  });
});
