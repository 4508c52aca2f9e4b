import assert from "node:assert/strict";
import { type Precision, T5EncoderModel, T5ForConditionalGeneration, type Tensor } from "torch-t5";
import { describeShape, makeCase, SHAPES, type Shape } from "./cases.js";
import { assertSameShape, BITWISE, type Comparison, type ReferenceTensor, takeFloats } from "./comparing.js";
import { CLOSE } from "./fused/tolerances.js";
import { FAMILIES, onTestDevice, SEED, testDevice } from "./models.js";
import { describeThreads, sharedReference } from "./subject.js";

const PREPARATION_MS = 300_000;
/** What a checkpoint has: see test/parity/reference/encoders.py. The last two are loaded from the same whole model. */
const FORMS = ["encoder", "own-embedding", "two-embeddings", "other-name", "pickled", "whole", "whole export"] as const;
/** Every form of a few families, and of the others the one that Hugging Face writes. */
const FORMS_OF: Readonly<Partial<Record<(typeof FAMILIES)[number], readonly (typeof FORMS)[number][]>>> = {
  t5: FORMS,
  umt5: FORMS,
  mt5: ["encoder", "whole"],
};
/** Some shapes of each kind. */
const FEW = SHAPES.filter((_, index) => index % 4 === 1);
const POOLED: Shape = { batch: 6, sourceLength: 14, targetLength: 1, masking: "right" };

interface Prepared {
  /** The exported directories by "<family>, <form>". */
  readonly directories: Readonly<Record<string, string>>;
  /** What was exported, by the same names. */
  readonly checkpoints: Readonly<Record<string, string>>;
  readonly vocabSize: number;
}

const prepared = new Map<string, Promise<Prepared>>();

function prepare(family: string): Promise<Prepared> {
  const found = prepared.get(family) ?? sharedReference().request<Prepared>("makeEncoders", { family, seed: SEED });
  prepared.set(family, found);
  return found;
}

describe("an encoder's hidden states", () => {
  for (const family of FAMILIES) {
    for (const form of FORMS_OF[family] ?? ["encoder"]) {
      describe(`${family}, ${form}`, () => {
        describe("are bitwise those of Hugging Face", () => describeForward(family, form, "exact", 1, SHAPES, BITWISE));
        describe(`are bitwise those of Hugging Face ${describeThreads(2)}`, () =>
          describeForward(family, form, "exact", 2, FEW, BITWISE));
        describe("are within 1e-4 of them in float32", () =>
          describeForward(family, form, "float32", 1, SHAPES, CLOSE));
      });
    }
  }

  for (const family of ["t5", "mt5", "umt5"] as const) {
    it(`${family}: of a Hugging Face directory are bitwise those of its export`, async function () {
      this.timeout(PREPARATION_MS);
      const { directories, checkpoints, vocabSize } = await prepare(family);
      for (const form of FORMS_OF[family] ?? []) {
        const name = `${family}, ${form}`;
        if (form === "pickled" || form === "whole export") continue;
        for (const precision of onTestDevice(["float32", "int8"])) {
          const options = { device: testDevice, precision } as const;
          await using own = await T5EncoderModel.fromPretrained(checkpoints[name] ?? "", options);
          await using exported = await T5EncoderModel.fromPretrained(directories[name] ?? "", options);
          for (const shape of FEW) {
            const { inputIds, attentionMask } = makeCase(shape, vocabSize);
            const [a, b] = await Promise.all([own, exported].map((t5) => t5.forward({ inputIds, attentionMask })));
            assert.deepEqual(a?.lastHiddenState.data, b?.lastHiddenState.data, `${form}, ${precision}`);
            assert.ok(a !== undefined);
          }
        }
      }
    });
  }

  for (const family of ["t5", "t5-v1.1", "umt5"] as const) {
    for (const precision of ["bfloat16", "int8"] as const) {
      it(`${family}: are bitwise those of the whole model in ${precision}`, async function () {
        this.timeout(PREPARATION_MS);
        const { directories, vocabSize } = await prepare(family);
        const options = { device: testDevice, precision } as const;
        const whole = await T5ForConditionalGeneration.fromPretrained(
          directories[`${family}, whole export`] ?? "",
          options,
        );
        for (const form of ["whole", "whole export"]) {
          const encoder = await T5EncoderModel.fromPretrained(directories[`${family}, ${form}`] ?? "", options);
          for (const shape of FEW) {
            const { inputIds, attentionMask } = makeCase(shape, vocabSize);
            const { lastHiddenState } = await encoder.forward({ inputIds, attentionMask });
            const expected = await whole.forward({ inputIds, attentionMask }, { hiddenStates: true });
            assert.deepEqual(lastHiddenState.data, expected.encoderLastHiddenState.data, describeShape(shape));
          }
          await encoder.dispose();
        }
        await whole.dispose();
      });
    }
  }
});

function describeForward(
  family: string,
  form: string,
  precision: Precision,
  threads: number,
  shapes: readonly Shape[],
  comparison: Comparison,
): void {
  let encoder: T5EncoderModel;
  let vocabSize: number;
  const ask = <Reply>(operation: string, fields: object) =>
    sharedReference().request<Reply>(operation, { model: `${family}, ${form}`, threads, ...fields });
  const take = (tensor: ReferenceTensor) => takeFloats(sharedReference(), tensor);

  before(async function () {
    this.timeout(PREPARATION_MS);
    const made = await prepare(family);
    ({ vocabSize } = made);
    const directory = made.directories[`${family}, ${form}`] ?? "";
    encoder = await T5EncoderModel.fromPretrained(directory, {
      device: testDevice,
      intraOpThreads: threads,
      precision,
    });
  });

  after(() => encoder?.dispose());

  for (const shape of shapes) {
    it(describeShape(shape), async () => {
      const { inputIds, attentionMask } = makeCase(shape, vocabSize);
      const source = { inputIds, ...(attentionMask && { attentionMask }) };
      const expected = await ask<{ lastHiddenState: ReferenceTensor }>("forwardEncoder", source);
      const { lastHiddenState } = await encoder.forward(source);
      assertSameShape("the encoder's state", lastHiddenState, expected.lastHiddenState);
      comparison.encoderState(lastHiddenState, take(expected.lastHiddenState), attentionMask);
    });
  }

  it("pooled, of a source and of its encoder output", async () => {
    const { inputIds, attentionMask } = makeCase(POOLED, vocabSize);
    using encoded = await encoder.encode({ inputIds, attentionMask });
    for (const pooling of ["mean", "first"] as const) {
      for (const normalize of [false, true]) {
        const fields = { inputIds, attentionMask, pooling, normalize };
        const { embeddings } = await ask<{ embeddings: ReferenceTensor }>("embed", fields);
        const expected = take(embeddings);
        const compare = (received: Tensor) => {
          assertSameShape("embeddings", received, embeddings);
          comparison.numbers("embeddings", received.data, expected, received.shape);
        };
        compare(await encoder.embed({ inputIds, attentionMask }, { pooling, normalize }));
        compare(await encoder.embed(encoded, { pooling, normalize }));
      }
    }
  });
}
