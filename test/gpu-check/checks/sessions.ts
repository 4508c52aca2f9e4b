// Compares sessions with Hugging Face's `generate`: they decode its tokens and must give its logits at each step.
import type { DecodingSession } from "torch-t5";
import { type Agreement, agreementOf, merge } from "#lib/cli/commands/agreement.js";
import type { Shape } from "../../parity/cases.js";
import { askGenerate, type ReferenceGeneration, takeSteps } from "../../parity/generating.js";

import { testDevice } from "../../parity/models.js";
import { askForward } from "./forward.js";
import { judge, largestOf } from "./judging.js";
import type { Finding, Settings } from "./settings.js";
import { eachSubject, inputsOf, type Subject, THREADS } from "./subject.js";

const STEPS = 40;
const BEAMS = 3;
const SHAPE: Shape = { batch: 3, sourceLength: 21, targetLength: 18, masking: "right" };

/** Findings for each model: step by step with a fork, after a prefill, and reordered as beam search does it. */
export async function* sessions(settings: Settings): AsyncIterable<Finding> {
  for await (const subject of eachSubject(settings)) {
    for (const [way, measure] of Object.entries(WAYS)) {
      const { agreement, largest } = await measure(subject);
      yield judge(`${subject.name}, ${way}`, agreement, largest, { ...settings, device: testDevice });
    }
  }
}

interface Measured {
  readonly agreement: Agreement;
  readonly largest: number;
}

const WAYS: Readonly<Record<string, (subject: Subject) => Promise<Measured>>> = {
  async "a session and its fork"(subject) {
    const expected = await ask(subject, {});
    using session = await start(subject);
    using fork = session.fork();
    const one = await follow(subject, session, expected.running, expected.steps);
    const other = await follow(subject, fork, expected.running, expected.steps);
    return { ...one, agreement: merge([one.agreement, other.agreement]) };
  },

  async "after a prefill"(subject) {
    const { source, decoderInputIds } = inputsOf(subject, SHAPE);
    const expected = await askForward(subject, { ...source, decoderInputIds });
    using session = await start(subject);
    const { logits } = await session.prefill(decoderInputIds.map((row) => row.slice(0, -1)));
    const { logits: last } = await session.step(decoderInputIds.map((row) => row.slice(-1)));
    const rows = Array.from({ length: SHAPE.batch }, (_, row) => [...logits.row(row), ...last.row(row)]).flat();
    const agreement = agreementOf(expected, Float32Array.from(rows), subject.vocabSize);
    return { agreement, largest: largestOf(expected) };
  },

  async "reordered by beams"(subject) {
    const expected = await ask(subject, { numBeams: BEAMS });
    using session = await start(subject);
    session.reorder(Array.from({ length: SHAPE.batch * BEAMS }, (_, row) => Math.floor(row / BEAMS)));
    // `await` keeps the session until the steps are done.
    return await follow(subject, session, expected.running, expected.steps);
  },
};

async function ask(subject: Subject, options: { readonly numBeams?: number }) {
  const { running, logits } = await askGenerate(subject.reference, {
    model: subject.name,
    threads: THREADS,
    ...inputsOf(subject, SHAPE).source,
    options: { maxNewTokens: STEPS, eosTokenId: [], doSample: false, ...options },
  });
  return { running, steps: takeSteps(subject.reference, logits) };
}

async function start(subject: Subject): Promise<DecodingSession> {
  return (await subject.t5.encode(inputsOf(subject, SHAPE).source)).startDecoding();
}

async function follow(
  { vocabSize }: Subject,
  session: DecodingSession,
  { tokens, rows }: ReferenceGeneration["running"],
  steps: readonly Float32Array[],
): Promise<Measured> {
  const agreements: Agreement[] = [];
  for (const [index, expected] of steps.entries()) {
    if (index > 0 && rows.length > 0) session.reorder(rows[index - 1] ?? []);
    const { logits } = await session.step((tokens[index] ?? []).map((token) => [token]));
    agreements.push(agreementOf(expected, logits.data, vocabSize));
    logits.dispose();
  }
  return { agreement: merge(agreements), largest: Math.max(...steps.map(largestOf)) };
}
