import { demoModel, type T5ForConditionalGeneration } from "torch-t5";
import { Reference } from "../support/reference.js";
import { describeShape, makeCase, SHAPES } from "./cases.js";
import { assertSameBits, assertSameLoss, type ReferenceForward } from "./comparing.js";
import { FAMILIES, load, makeFamily, openExported, type Prepared } from "./models.js";

const EMBEDDED = "the embedded model";
/** More threads split the work of big operators: a few shapes of each kind show that both sides split it alike. */
const SHAPES_BY_THREADS = new Map([
  [1, SHAPES],
  [2, SHAPES.filter((_, index) => index % 3 === 1)],
]);

describe("logits, hidden states and loss are bitwise those of Hugging Face", () => {
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

      for (const [threads, shapes] of SHAPES_BY_THREADS) {
        describe(`with ${threads} ${threads === 1 ? "thread" : "threads"}`, () => {
          let t5: T5ForConditionalGeneration;

          before(async () => {
            t5 = await load(prepared.directory, threads);
          });

          after(() => t5.dispose());

          for (const shape of shapes) {
            it(describeShape(shape), async () => {
              const { labels, decoderInputIds, ...source } = makeCase(shape, prepared.vocabSize);
              const ask = (decoder: object) =>
                reference.request<ReferenceForward>("forward", { model: name, threads, ...source, ...decoder });

              const plain = await ask({ decoderInputIds });
              const forward = await t5.forward({ ...source, decoderInputIds }, { hiddenStates: true });
              for (const output of ["logits", "encoderLastHiddenState", "decoderLastHiddenState"] as const) {
                assertSameBits(output, forward[output], reference, plain[output]);
              }

              const taught = await ask({ labels });
              const scored = await t5.forward({ ...source, labels }, { loss: true });
              assertSameBits("logits of labels", scored.logits, reference, taught.logits);
              assertSameLoss(scored.loss, reference, taught.loss);
            });
          }
        });
      }
    });
  }
});
