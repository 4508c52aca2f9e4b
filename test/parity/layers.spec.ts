import assert from "node:assert/strict";
import type { Tensor } from "torch-t5";
import { describeShape, makeCase, type Shape } from "./cases.js";
import { assertSameBits, type ReferenceTensor } from "./comparing.js";
import { NAMES } from "./models.js";
import { describeThreads, useSubject } from "./subject.js";

const LAYERS = [
  "encoderHiddenStates",
  "decoderHiddenStates",
  "encoderAttentions",
  "decoderAttentions",
  "crossAttentions",
] as const;

type Layers<Kind> = Readonly<Partial<Record<(typeof LAYERS)[number], readonly Kind[]>>>;
type ReferenceLayers = Layers<ReferenceTensor> & { readonly logits: ReferenceTensor };
type ReceivedLayers = Layers<Tensor> & { readonly logits: Tensor };

const SHAPES: readonly Shape[] = [
  { batch: 1, sourceLength: 9, targetLength: 1, masking: "none" },
  { batch: 3, sourceLength: 21, targetLength: 6, masking: "right" },
  { batch: 2, sourceLength: 33, targetLength: 19, masking: "left" },
  { batch: 2, sourceLength: 140, targetLength: 7, masking: "holes" },
];
const PREFIX = 3;
const DECODED: readonly Shape[] = [
  { batch: 1, sourceLength: 12, targetLength: 7, masking: "none" },
  { batch: 3, sourceLength: 21, targetLength: 9, masking: "right" },
];

describe("the outputs of every layer are bitwise those of Hugging Face", () => {
  for (const name of NAMES) {
    describe(name, () => {
      for (const threads of [1, 2]) {
        describe(describeThreads(threads), () => {
          const subject = useSubject(name, "exact", threads);

          function compare(call: string, received: ReceivedLayers, expected: ReferenceLayers): void {
            const reference = subject.reference();
            assertSameBits(`${call}: logits`, received.logits, reference, expected.logits);
            for (const kind of LAYERS) {
              const [ours, theirs] = [received[kind] ?? [], expected[kind] ?? []];
              assert.equal(ours.length, theirs.length, `${call}: the number of ${kind}`);
              for (const [layer, tensor] of theirs.entries()) {
                const own = ours[layer];
                assert.ok(own !== undefined);
                assertSameBits(`${call}: ${kind}[${layer}]`, own, reference, tensor);
              }
            }
          }

          for (const shape of SHAPES) {
            it(`forward, ${describeShape(shape)}`, async () => {
              const { labels: _, ...input } = makeCase(shape, subject.prepared().vocabSize);
              const ask = (attentions: boolean) => subject.ask<ReferenceLayers>("layers", { ...input, attentions });
              const { config } = subject.t5();
              const states = await subject.t5().forward(input, { outputHiddenStates: true });
              assert.equal(states.encoderHiddenStates.length, config.numLayers + 1);
              assert.equal(states.decoderHiddenStates.length, config.numDecoderLayers + 1);
              compare("with the model's attention", states, await ask(false));
              const options = { outputHiddenStates: true, outputAttentions: true } as const;
              const all = await subject.t5().forward(input, options);
              assert.equal(all.encoderAttentions.length, config.numLayers);
              assert.equal(all.crossAttentions.length, config.numDecoderLayers);
              compare("with eager attention", all, await ask(true));
            });
          }

          for (const shape of DECODED) {
            for (const attentions of [false, true]) {
              const how = attentions ? "eager" : "the model's";
              it(`prefill and steps with ${how} attention, ${describeShape(shape)}`, async () => {
                const { labels: _, decoderInputIds, ...source } = makeCase(shape, subject.prepared().vocabSize);
                const request = { ...source, decoderInputIds, attentions, prefix: PREFIX };
                const { calls } = await subject.ask<{ readonly calls: readonly ReferenceLayers[] }>("layers", request);
                assert.equal(calls.length, 1 + shape.targetLength - PREFIX);
                using encoded = await subject.t5().encode(source);
                using session = encoded.startDecoding();
                const options = { outputHiddenStates: true, outputAttentions: attentions };
                for (const [index, expected] of calls.entries()) {
                  const end = PREFIX + index;
                  const ids = decoderInputIds.map((row) => row.slice(index === 0 ? 0 : end - 1, end));
                  const call = index === 0 ? session.prefill(ids, options) : session.step(ids, options);
                  compare(`position ${end}`, await call, expected);
                }
              });
            }
          }
        });
      }
    });
  }
});
