import assert from "node:assert/strict";
import { type DecodingSession, demoModel, type GenerateOptions, type T5ForConditionalGeneration } from "torch-t5";
import { Reference } from "../support/reference.js";
import { describeShape, makeCase, type Shape } from "./cases.js";
import { assertSameBits, assertSameFloats, type ReferenceForward } from "./comparing.js";
import { askGenerate, type ReferenceGeneration, takeSteps } from "./generating.js";
import { FAMILIES, load, makeFamily, openExported, type Prepared } from "./models.js";

const EMBEDDED = "the embedded model";
const STEPS = 28;
const BEAMS = 3;
const SHAPES: readonly Shape[] = [
  { batch: 1, sourceLength: 13, targetLength: 5, masking: "none" },
  { batch: 4, sourceLength: 21, targetLength: 3, masking: "right" },
];

describe("a decoding session's logits are bitwise those of Hugging Face's generate", () => {
  let reference: Reference;

  before(() => {
    reference = new Reference();
  });

  after(() => reference.close());

  for (const name of [...FAMILIES, EMBEDDED]) {
    describe(name, () => {
      let prepared: Prepared;

      before(async function () {
        this.timeout(300_000);
        prepared = await (name === EMBEDDED ? openExported(reference, name, demoModel) : makeFamily(reference, name));
      });

      for (const threads of [1, 2]) {
        describe(`with ${threads} ${threads === 1 ? "thread" : "threads"}`, () => {
          let t5: T5ForConditionalGeneration;

          before(async () => {
            t5 = await load(prepared.directory, threads);
          });

          after(() => t5.dispose());

          for (const shape of SHAPES) {
            describe(describeShape(shape), () => {
              const inputs = () => {
                const { labels: _, decoderInputIds, ...source } = makeCase(shape, prepared.vocabSize);
                return { source, decoderInputIds };
              };
              const generate = (options: GenerateOptions, more: { decoderInputIds?: number[][] } = {}) =>
                askGenerate(reference, {
                  model: name,
                  threads,
                  ...inputs().source,
                  ...more,
                  options: { maxNewTokens: STEPS, eosTokenId: [], ...options },
                });
              const start = async () => {
                const encoded = await t5.encode(inputs().source);
                assert.deepEqual([...encoded.shape], [shape.batch, shape.sourceLength, t5.config.dModel]);
                return encoded.startDecoding();
              };

              it("step by step from the start id", async () => {
                const expected = await generate({ doSample: true, seed: 5 });
                using session = await start();
                await follow(session, expected);
                assert.equal(session.position, STEPS);
              });

              it("after a prefill of several positions", async () => {
                const { source, decoderInputIds } = inputs();
                const prefix = decoderInputIds.map((row) => [t5.config.decoderStartTokenId, ...row]);
                const whole = await reference.request<ReferenceForward>("forward", {
                  model: name,
                  threads,
                  ...source,
                  decoderInputIds: prefix,
                });
                using session = await start();
                const prefilled = await session.prefill(prefix, { hiddenStates: true });
                assertSameBits("logits", prefilled.logits, reference, whole.logits);
                const state = prefilled.decoderLastHiddenState;
                assertSameBits("hidden states", state, reference, whole.decoderLastHiddenState);

                const expected = await generate({ doSample: true, seed: 6 }, { decoderInputIds: prefix });
                const last = prefilled.logits.shape[1] ?? 0;
                const rows = prefix.map((_, row) => prefilled.logits.row(row, last - 1));
                await follow(session, expected, Float32Array.from(rows.flatMap((row) => [...row])));
                assert.equal(session.position, last + STEPS - 1);
              });

              it("with rows reordered as beam search does it", async () => {
                const expected = await generate({ numBeams: BEAMS });
                const crossings = expected.running.rows.slice(1).filter((rows) => rows.some((row, at) => row !== at));
                assert.ok(crossings.length > 0, "the search stays on its beams: nothing is reordered");
                using session = await start();
                session.reorder(Array.from({ length: shape.batch * BEAMS }, (_, row) => Math.floor(row / BEAMS)));
                await follow(session, expected);
              });
            });
          }
        });
      }
    });
  }

  /** Decodes what the reference decoded; `first`: the logits of its first step, where they are known already. */
  async function follow(
    session: DecodingSession,
    { logits, running }: ReferenceGeneration,
    first?: Float32Array,
  ): Promise<void> {
    const steps = takeSteps(reference, logits);
    assert.equal(steps.length, STEPS);
    for (const [index, expected] of steps.entries()) {
      if (index > 0 && running.rows.length > 0) session.reorder(running.rows[index - 1] ?? []);
      const known = index === 0 ? first : undefined;
      const received = known ?? (await step(session, running.tokens[index] ?? []));
      assertSameFloats(`logits of step ${index}`, received, expected, logits.shape.slice(1));
    }
  }

  async function step(session: DecodingSession, tokens: readonly number[]): Promise<Float32Array> {
    const { logits } = await session.step(tokens.map((token) => [token]));
    assert.deepEqual([...logits.shape.slice(0, 2)], [tokens.length, 1]);
    return logits.data;
  }
});
