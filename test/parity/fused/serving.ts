// Defines tests of what a server needs: cancellation, several models in one process, and bounded memory.
import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import type { Precision, T5ForConditionalGeneration } from "torch-t5";
import { runProgram } from "../../support/program.js";
import { makeCase } from "../cases.js";
import { load } from "../models.js";
import type { Subject } from "../subject.js";

const LONG = { batch: 24, sourceLength: 256, targetLength: 64, masking: "none" } as const;
const SHORT = { batch: 2, sourceLength: 9, targetLength: 4, masking: "right" } as const;
const ATTEMPTS = 5;
/** A call that is cancelled after a tenth of its duration frees the engine within this share of its duration. */
const FREED_WITHIN = 0.6;
const ROUNDS = 6;

/** What loaded-memory.mjs prints, in MB. */
interface Memory {
  readonly loaded: number;
  readonly used: number;
  /** After the model is disposed. */
  readonly left: number;
}

/** The largest resident memory of a model, in MB. */
export interface MemoryBound {
  readonly precision: Precision;
  readonly max: number;
}

export function describeCancellation(subject: Subject): void {
  const inputOf = (shape: typeof LONG | typeof SHORT) => {
    const { labels: _, ...input } = makeCase(shape, subject.prepared().vocabSize);
    return input;
  };
  const forward = (shape: typeof LONG | typeof SHORT, signal?: AbortSignal) =>
    subject.t5().forward(inputOf(shape), { positions: "last", signal });

  it("a cancelled forward pass ends soon, and the next call has the same bits as before", async () => {
    const expected = (await forward(SHORT)).logits.data;
    const duration = await timed(() => forward(LONG));
    let shortest = Number.POSITIVE_INFINITY;
    for (let attempt = 0; attempt < ATTEMPTS && shortest > FREED_WITHIN * duration; attempt++) {
      const controller = new AbortController();
      const taken = await timed(async () => {
        const call = forward(LONG, controller.signal);
        setTimeout(() => controller.abort(), duration / 10);
        const after = forward(SHORT);
        await assert.rejects(call, { name: "AbortError" });
        assert.deepEqual((await after).logits.data, expected);
      });
      shortest = Math.min(shortest, taken);
    }
    assert.ok(shortest <= FREED_WITHIN * duration, `${shortest} ms, of ${duration} ms`);
  });

  it("a cancelled search ends, and a later search has the same result as before", async () => {
    const options = { maxNewTokens: 24, numBeams: 3, eosTokenId: [] };
    const expected = await subject.t5().generate(inputOf(SHORT), options);
    for (const delay of [0, 1, 3, 9, 20]) {
      const call = subject.t5().generate(inputOf(SHORT), {
        ...options,
        maxNewTokens: 2000,
        signal: AbortSignal.timeout(delay),
      });
      await assert.rejects(call, { name: "TimeoutError" });
    }
    assert.deepEqual((await subject.t5().generate(inputOf(SHORT), options)).sequences, expected.sequences);
  });

  it("a cancelled step leaves its session as it was", async () => {
    const { decoderInputIds: _, ...source } = inputOf(SHORT);
    using encoded = await subject.t5().encode(source);
    using session = encoded.startDecoding();
    using other = encoded.startDecoding();
    for (let id = 3; id < 12; id++) {
      const step = [[id], [id + 1]];
      const expected = await other.step(step);
      await assert.rejects(session.step([[id], [id]], { signal: AbortSignal.abort() }), { name: "AbortError" });
      assert.deepEqual((await session.step(step)).logits.data, expected.logits.data);
    }
  });
}

/** Models of every precision and of one to three threads, which compute at the same time. */
export function describeSideBySide(subject: Subject, precisions: readonly Precision[]): void {
  it("models of every precision compute at the same time, each with the bits that it has alone", async () => {
    const { directory, vocabSize } = subject.prepared();
    const { labels: _, ...input } = makeCase({ ...SHORT, sourceLength: 60 }, vocabSize);
    const kinds = precisions.flatMap((precision) => [1, 2, 3].map((threads) => ({ precision, threads })));
    const alone: Float32Array[] = [];
    for (const { precision, threads } of kinds) {
      await using t5 = await load(directory, threads, precision);
      alone.push((await t5.forward(input)).logits.data);
    }
    for (const [index, { precision, threads }] of kinds.entries()) {
      // In the fused engine, the number of threads changes no bit.
      if (threads > 1 && precision !== "exact") assert.deepEqual(alone[index], alone[index - 1], precision);
    }
    const models: T5ForConditionalGeneration[] = await Promise.all(
      kinds.map(({ precision, threads }) => load(directory, threads, precision)),
    );
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const results = await Promise.all(models.map((t5) => t5.forward(input)));
        for (const [index, { logits }] of results.entries()) {
          assert.deepEqual(logits.data, alone[index], JSON.stringify(kinds[index]));
        }
      }
      // Disposing one model leaves the others usable.
      await models[0]?.dispose();
      const [, second] = models;
      assert.deepEqual((await second?.forward(input))?.logits.data, alone[1]);
      assert.deepEqual(
        models.map(({ precision }) => precision),
        kinds.map(({ precision }) => precision),
      );
    } finally {
      await Promise.all(models.map((t5) => t5.dispose()));
    }
  });
}

/** The memory of each precision, measured in its own process. */
export function describeMemory(subject: Subject, bounds: readonly MemoryBound[]): void {
  for (const { precision, max } of bounds) {
    it(`${precision}: at most ${max} MB, of which at least half is freed`, async () => {
      const program = new URL("programs/loaded-memory.mjs", import.meta.url);
      const { code, stdout, stderr } = await runProgram(program, [subject.prepared().directory, precision]);
      assert.equal(code, 0, stderr);
      const { loaded, used, left } = JSON.parse(stdout) as Memory;
      assert.ok(loaded <= max && used <= max, stdout);
      assert.ok(left <= max / 2, stdout);
    });
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}
