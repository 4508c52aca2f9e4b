import assert from "node:assert/strict";
import { runProgram } from "../support/program.js";

const program = (name: string) => new URL(`./programs/${name}.mjs`, import.meta.url);

describe("a process that uses the addon", () => {
  it("loads it in four worker threads at once, and all compute the same bits", async () => {
    const ended = await runProgram(program("workers"));
    assert.equal(ended.code, 0, ended.stderr);
    const { workers, equal, values } = JSON.parse(ended.stdout) as Record<string, number>;
    assert.equal(workers, 4);
    assert.equal(equal, 4);
    assert.ok(values !== undefined && values > 0);
  });

  it("survives workers that are terminated while a forward runs", async () => {
    const ended = await runProgram(program("terminate"));
    assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 0, signal: null }, ended.stderr);
    assert.deepEqual(JSON.parse(ended.stdout), { rounds: 3 });
  });

  it("exits with its own code while a forward runs", async () => {
    const ended = await runProgram(program("exit"), ["exit"]);
    assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 7, signal: null }, ended.stderr);
  });

  it("exits with an uncaught exception while a forward runs", async () => {
    const ended = await runProgram(program("exit"), ["throw"]);
    assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 1, signal: null }, ended.stderr);
    assert.match(ended.stderr, /thrown on purpose/);
  });

  it("exits with its own code at any moment of a load", async () => {
    for (let milliseconds = 60; milliseconds <= 600; milliseconds += 60) {
      const ended = await runProgram(program("exit-while-loading"), [String(milliseconds)]);
      assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 7, signal: null }, ended.stderr);
    }
  });

  it("loads it in one worker after another, and nowhere else", async () => {
    const ended = await runProgram(program("workers-in-turn"));
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(JSON.parse(ended.stdout), { codes: [0, 0, 0] });
  });

  it("loads a second copy of it", async () => {
    const ended = await runProgram(program("twice"));
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(JSON.parse(ended.stdout), { equal: [true, true] });
  });

  it("continues after a call that needs more memory than there is", async () => {
    const ended = await runProgram(program("out-of-memory"));
    assert.equal(ended.code, 0, ended.stderr);
    const { code, message, equal } = JSON.parse(ended.stdout) as Record<string, unknown>;
    assert.equal(code, "ERR_OUT_OF_MEMORY");
    assert.match(String(message), /GB of memory available/);
    assert.equal(equal, true);
  });

  it("is kept alive by pending calls only", async () => {
    const ended = await runProgram(program("exit"), ["end"]);
    assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 0, signal: null }, ended.stderr);
    assert.equal(ended.stdout.trim(), "settled");
  });

  it("ends by itself while streams are paused", async () => {
    for (const precision of ["exact", "float32"]) {
      const ended = await runProgram(program("paused-stream"), [precision]);
      assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 0, signal: null }, ended.stderr);
      assert.equal(ended.stdout.trim(), "paused");
    }
  });

  it("turns its event loop while a forward runs", async () => {
    const ended = await runProgram(program("event-loop"));
    assert.equal(ended.code, 0, ended.stderr);
    const { turns } = JSON.parse(ended.stdout) as { turns: number };
    // A forward that blocks the loop allows one turn before it and at most one after it.
    assert.ok(turns > 2, `the loop turned ${turns} times`);
  });
});
