import assert from "node:assert/strict";
import { runProgram } from "../support/program.js";

// All results together take far more. Noise of the allocator and the garbage collector is well below this.
const ALLOWED_GROWTH_MB = 40;

const program = (name: string) => new URL(`./programs/${name}.mjs`, import.meta.url);

describe("resident memory over five hundred generations", () => {
  it("stays constant when generations are aborted, broken out of, dropped, disposed or end with an exception", async () => {
    const ended = await runProgram(program("generation-memory"));
    assert.equal(ended.code, 0, ended.stderr);
    const { before, after, moved, counts } = JSON.parse(ended.stdout) as {
      readonly before: number;
      readonly after: number;
      readonly moved: number;
      readonly counts: Record<string, number>;
    };
    assert.deepEqual(counts, { finished: 100, aborted: 200, broken: 50, thrown: 50, dropped: 50, disposed: 50 });
    assert.ok(moved > 4 * ALLOWED_GROWTH_MB, `only ${moved} MB were moved: a leak would not show`);
    assert.ok(after - before < ALLOWED_GROWTH_MB, `grew from ${before} MB to ${after} MB`);
  });
});

describe("a process that generates", () => {
  for (const call of [
    "generate",
    "generate with a processor",
    "stream",
    "the steps of a session",
    "short generations",
  ]) {
    it(`exits with its own code during ${call}`, async () => {
      const ended = await runProgram(program("end-while-generating"), ["exit", call]);
      assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 7, signal: null }, ended.stderr);
    });

    it(`exits with an uncaught exception during ${call}`, async () => {
      const ended = await runProgram(program("end-while-generating"), ["throw", call]);
      assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 1, signal: null }, ended.stderr);
      assert.match(ended.stderr, /thrown on purpose/);
    });

    it(`survives workers that are terminated during ${call}`, async () => {
      const ended = await runProgram(program("end-while-generating"), ["terminate", call]);
      assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 0, signal: null }, ended.stderr);
      assert.deepEqual(JSON.parse(ended.stdout), { rounds: 16 });
    });
  }
});
