// Sessions, compared with what Hugging Face's `generate` computed step by step.
import assert from "node:assert/strict";
import type { DecodingSession, GenerateOptions } from "torch-t5";
import { describeShape, makeCase, type Shape } from "../cases.js";
import { floats } from "../comparing.js";
import { askGenerate, type ReferenceGeneration, takeSteps } from "../generating.js";
import { assertCloseFloats, assertSameBest } from "./close.js";
import { askForward } from "./forward.js";
import type { Subject } from "./subject.js";

const STEPS = 28;
const BEAMS = 3;
const SHAPES: readonly Shape[] = [
  { batch: 1, sourceLength: 13, targetLength: 5, masking: "none" },
  { batch: 4, sourceLength: 21, targetLength: 3, masking: "right" },
  { batch: 3, sourceLength: 19, targetLength: 2, masking: "left" },
];

export function describeDecoding(subject: Subject): void {
  for (const shape of SHAPES) {
    const inputs = () => {
      const { labels: _, decoderInputIds, ...source } = makeCase(shape, subject.prepared().vocabSize);
      return { source, decoderInputIds };
    };
    const generate = (options: GenerateOptions, more: { decoderInputIds?: number[][] } = {}) =>
      askGenerate(subject.reference(), {
        model: subject.name,
        threads: subject.threads,
        ...inputs().source,
        ...more,
        options: { maxNewTokens: STEPS, eosTokenId: [], ...options },
      });
    const start = async () => (await subject.t5().encode(inputs().source)).startDecoding();

    it(`a session of ${describeShape(shape)}, step by step`, async () => {
      using session = await start();
      await follow(subject, session, await generate({ doSample: true, seed: 5 }));
      assert.equal(session.position, STEPS);
    });

    it(`a session of ${describeShape(shape)}, after a prefill`, async () => {
      const { source, decoderInputIds } = inputs();
      const { decoderStartTokenId } = subject.t5().config;
      const prefix = decoderInputIds.map((row) => [decoderStartTokenId, ...row]);
      const whole = await askForward(subject, source, { decoderInputIds: prefix });
      using session = await start();
      const { logits } = await session.prefill(prefix);
      assertCloseFloats("the prefill", logits.data, floats(subject.reference().take(whole.logits.file)));
      const rows = prefix.map((_, row) => logits.row(row, (logits.shape[1] ?? 0) - 1));
      const first = Float32Array.from(rows.flatMap((row) => [...row]));
      await follow(subject, session, await generate({ doSample: true, seed: 6 }, { decoderInputIds: prefix }), first);
    });

    it(`a session of ${describeShape(shape)}, reordered as beam search does it`, async () => {
      const expected = await generate({ numBeams: BEAMS });
      using session = await start();
      session.reorder(Array.from({ length: shape.batch * BEAMS }, (_, row) => Math.floor(row / BEAMS)));
      await follow(subject, session, expected);
    });

    it(`a session of ${describeShape(shape)} and its fork, each with a past of its own`, async () => {
      const [one, other] = await Promise.all([7, 8].map((seed) => generate({ doSample: true, seed })));
      assert.ok(one !== undefined && other !== undefined);
      using session = await start();
      // Both begin with the start id.
      const first = await step(session, one.running.tokens[0] ?? []);
      using fork = session.fork();
      await follow(subject, session, one, first);
      await follow(subject, fork, other, first);
    });
  }
}

/** Decodes what the reference decoded; `first`: the logits of its first step, where they are known already. */
async function follow(
  subject: Subject,
  session: DecodingSession,
  { logits, running }: ReferenceGeneration,
  first?: Float32Array,
): Promise<void> {
  const steps = takeSteps(subject.reference(), logits);
  assert.equal(steps.length, STEPS);
  for (const [index, expected] of steps.entries()) {
    if (index > 0 && running.rows.length > 0) session.reorder(running.rows[index - 1] ?? []);
    const known = index === 0 ? first : undefined;
    const received = known ?? (await step(session, running.tokens[index] ?? []));
    assertSameBest(`logits of step ${index}`, received, expected, subject.prepared().vocabSize);
  }
}

async function step(session: DecodingSession, tokens: readonly number[]): Promise<Float32Array> {
  const { logits } = await session.step(tokens.map((token) => [token]));
  assert.deepEqual([...logits.shape.slice(0, 2)], [tokens.length, 1]);
  return logits.data;
}
