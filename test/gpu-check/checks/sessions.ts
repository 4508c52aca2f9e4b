// Compares sessions with Hugging Face's `generate`: they decode its tokens and must give its logits at each step.
import type { DecodingSession, GenerateOptions } from "torch-t5";
import { type Agreement, agreementOf, merge } from "#lib/cli/commands/agreement.js";
import type { Shape } from "../../parity/cases.js";
import { askGenerate, type ReferenceGeneration, takeSteps } from "../../parity/generating.js";

import { testDevice } from "../../parity/models.js";
import { askForward } from "./forward.js";
import { judge, largestOf } from "./judging.js";
import type { Finding, Settings } from "./settings.js";
import { eachSubject, inputsOf, ROW_COUNTS, type Subject, THREADS } from "./subject.js";

const STEPS = 40;
/** The step before which a session is forked. */
const FORK_AT = 17;
/** For each number of rows. */
const FEW_STEPS = 3;
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
    const before = await follow(subject, session, expected, 0, FORK_AT);
    using fork = session.fork();
    // The fork continues after the session has written the same positions of its own cache.
    const one = await follow(subject, session, expected, FORK_AT);
    const other = await follow(subject, fork, expected, FORK_AT);
    return { ...before, agreement: merge([before, one, other].map(({ agreement }) => agreement)) };
  },

  async [`${ROW_COUNTS[0]} to ${ROW_COUNTS.at(-1)} rows`](subject) {
    const measured: Measured[] = [];
    for (const batch of ROW_COUNTS) {
      const shape = { ...SHAPE, batch };
      const expected = await ask(subject, { maxNewTokens: FEW_STEPS }, shape);
      using session = await start(subject, shape);
      measured.push(await follow(subject, session, expected));
    }
    const largest = Math.max(...measured.map((one) => one.largest));
    return { agreement: merge(measured.map(({ agreement }) => agreement)), largest };
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
    return await follow(subject, session, expected);
  },
};

interface Expected {
  readonly running: ReferenceGeneration["running"];
  readonly steps: readonly Float32Array[];
}

async function ask(subject: Subject, options: GenerateOptions, shape = SHAPE): Promise<Expected> {
  const { running, logits } = await askGenerate(subject.reference, {
    model: subject.name,
    threads: THREADS,
    ...inputsOf(subject, shape).source,
    options: { maxNewTokens: STEPS, eosTokenId: [], doSample: false, ...options },
  });
  return { running, steps: takeSteps(subject.reference, logits) };
}

async function start(subject: Subject, shape = SHAPE): Promise<DecodingSession> {
  return (await subject.t5.encode(inputsOf(subject, shape).source)).startDecoding();
}

/** Decodes the reference's tokens of steps `from` to `to - 1`. */
async function follow(
  { vocabSize }: Subject,
  session: DecodingSession,
  { running: { tokens, rows }, steps }: Expected,
  from = 0,
  to = steps.length,
): Promise<Measured> {
  const agreements: Agreement[] = [];
  for (let index = from; index < to; index++) {
    if (index > 0 && rows.length > 0) session.reorder(rows[index - 1] ?? []);
    const { logits } = await session.step((tokens[index] ?? []).map((token) => [token]));
    agreements.push(agreementOf(steps[index] ?? new Float32Array(), logits.data, vocabSize));
    logits.dispose();
  }
  return { agreement: merge(agreements), largest: Math.max(...steps.map(largestOf)) };
}
