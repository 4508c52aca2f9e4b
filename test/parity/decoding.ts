// Defines tests of decoding sessions: each repeats what Hugging Face's `generate` computed, step by step.
import assert from "node:assert/strict";
import type { DecodingSession, GenerateOptions } from "torch-t5";
import { makeCase, type Shape } from "./cases.js";
import { type Compare, type Comparison, type ReferenceForward, takeFloats } from "./comparing.js";
import { askGenerate, type ReferenceGeneration, takeSteps } from "./generating.js";
import type { Subject } from "./subject.js";

const STEPS = 28;
const BEAMS = 3;

/** Sessions that are stepped, prefilled and reordered. */
export function describeDecoding(subject: Subject, shape: Shape, comparison: Comparison): void {
  const generate = (options: GenerateOptions, decoder: { readonly decoderInputIds?: number[][] } = {}) =>
    askSession(subject, shape, options, decoder);

  it("step by step from the start id", async () => {
    const expected = await generate({ doSample: true, seed: 5 });
    using session = await startSession(subject, shape);
    await follow(subject, session, expected, comparison.logits);
    assert.equal(session.position, STEPS);
  });

  it("after a prefill of several positions", async () => {
    const { source, decoderInputIds } = inputsOf(subject, shape);
    const { decoderStartTokenId } = subject.t5().config;
    const prefix = decoderInputIds.map((row) => [decoderStartTokenId, ...row]);
    const expected = await subject.ask<ReferenceForward>("forward", { ...source, decoderInputIds: prefix });
    using session = await startSession(subject, shape);
    const { logits, decoderLastHiddenState } = await session.prefill(prefix, { hiddenStates: true });
    const [allLogits, allStates] = [expected.logits, expected.decoderLastHiddenState].map((tensor) =>
      takeFloats(subject.reference(), tensor),
    );
    assert.ok(allLogits !== undefined && allStates !== undefined);
    comparison.logits("the prefill's logits", logits.data, allLogits, logits.shape);
    const { data: states, shape: size } = decoderLastHiddenState;
    comparison.numbers("the prefill's hidden states", states, allStates, size);

    const rest = await generate({ doSample: true, seed: 6 }, { decoderInputIds: prefix });
    const last = (logits.shape[1] ?? 0) - 1;
    const first = Float32Array.from(prefix.flatMap((_, row) => [...logits.row(row, last)]));
    await follow(subject, session, rest, comparison.logits, first);
    assert.equal(session.position, last + STEPS);
  });

  it("with rows reordered as beam search does it", async () => {
    const expected = await generate({ numBeams: BEAMS });
    const crossings = expected.running.rows.slice(1).filter((rows) => rows.some((row, at) => row !== at));
    assert.ok(crossings.length > 0, "the search stays on its beams: nothing is reordered");
    using session = await startSession(subject, shape);
    session.reorder(Array.from({ length: shape.batch * BEAMS }, (_, row) => Math.floor(row / BEAMS)));
    await follow(subject, session, expected, comparison.logits);
  });
}

/** A session and its fork, each with its own past. */
export function describeFork(subject: Subject, shape: Shape, { logits }: Comparison): void {
  it("with a fork, each with its own past", async () => {
    const [one, other] = await Promise.all([7, 8].map((seed) => askSession(subject, shape, { doSample: true, seed })));
    assert.ok(one !== undefined && other !== undefined);
    using session = await startSession(subject, shape);
    // Both start with the start id.
    const first = await step(session, one.running.tokens[0] ?? []);
    using fork = session.fork();
    await follow(subject, session, one, logits, first);
    await follow(subject, fork, other, logits, first);
  });
}

function inputsOf(subject: Subject, shape: Shape) {
  const { labels: _, decoderInputIds, ...source } = makeCase(shape, subject.prepared().vocabSize);
  return { source, decoderInputIds };
}

function askSession(
  subject: Subject,
  shape: Shape,
  options: GenerateOptions,
  decoder: { readonly decoderInputIds?: number[][] } = {},
): Promise<ReferenceGeneration> {
  return askGenerate(subject.reference(), {
    model: subject.name,
    threads: subject.threads,
    ...inputsOf(subject, shape).source,
    ...decoder,
    options: { maxNewTokens: STEPS, eosTokenId: [], ...options },
  });
}

async function startSession(subject: Subject, shape: Shape): Promise<DecodingSession> {
  const encoded = await subject.t5().encode(inputsOf(subject, shape).source);
  assert.deepEqual([...encoded.shape], [shape.batch, shape.sourceLength, subject.t5().config.dModel]);
  return encoded.startDecoding();
}

/** Decodes the tokens that the reference decoded. `first`: the logits of its first step, if they are known already. */
async function follow(
  subject: Subject,
  session: DecodingSession,
  { logits, running }: ReferenceGeneration,
  compare: Compare,
  first?: Float32Array,
): Promise<void> {
  const steps = takeSteps(subject.reference(), logits);
  assert.equal(steps.length, STEPS);
  for (const [index, expected] of steps.entries()) {
    if (index > 0 && running.rows.length > 0) session.reorder(running.rows[index - 1] ?? []);
    const known = index === 0 ? first : undefined;
    const received = known ?? (await step(session, running.tokens[index] ?? []));
    compare(`logits of step ${index}`, received, expected, logits.shape.slice(1));
  }
}

async function step(session: DecodingSession, tokens: readonly number[]): Promise<Float32Array> {
  const { logits } = await session.step(tokens.map((token) => [token]));
  assert.deepEqual([...logits.shape.slice(0, 2)], [tokens.length, 1]);
  return logits.data;
}
