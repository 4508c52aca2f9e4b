import assert from "node:assert/strict";
import { type Precision, T5ForSequenceClassification, T5ForTokenClassification, type Tensor } from "torch-t5";
import { agreementOf, merge } from "#lib/cli/commands/agreement.js";
import { type ClassifierForm, type MadeClassifier, makeClassifier } from "../support/classifiers.js";
import { describeShape, makeCase, SHAPES, type Shape } from "./cases.js";
import { assertSameShape, BITWISE, type Comparison, type ReferenceTensor, takeFloats } from "./comparing.js";
import { BOUNDS, CLOSE } from "./fused/tolerances.js";
import { onTestDevice, testDevice } from "./models.js";
import { describeThreads, sharedReference } from "./subject.js";

const PREPARATION_MS = 300_000;
const FAMILIES = ["t5", "t5-v1.1", "mt5", "umt5", "byt5", "wide"] as const;
const EOS = 1;
/** Some shapes of each kind. */
const FEW = SHAPES.filter((_, index) => index % 4 === 1);

const KINDS = ["texts", "tokens"] as const;

const TEXTS: readonly string[] = [
  "spell number: 7",
  "",
  "Ann went  to Paris, and 😀 so did Bob",
  "a",
  "an end </s> within the text",
  "naïve ﬁne café",
  "two ends </s></s>",
  "date to iso: March 5, 2021",
];

type Classifier = T5ForSequenceClassification | T5ForTokenClassification;

const prepared = new Map<string, Promise<MadeClassifier>>();

function prepare(family: string, form: ClassifierForm): Promise<MadeClassifier> {
  const name = `${family}, ${form}`;
  const found = prepared.get(name) ?? makeClassifier(sharedReference(), family, form);
  prepared.set(name, found);
  return found;
}

function open(directory: string, form: ClassifierForm, threads: number, precision: Precision): Promise<Classifier> {
  const options = { device: testDevice, intraOpThreads: threads, precision };
  return form === "tokens"
    ? T5ForTokenClassification.fromPretrained(directory, options)
    : T5ForSequenceClassification.fromPretrained(directory, options);
}

/** A case whose rows have the same number of end-of-sequence ids, the last one at the end of what the mask keeps. */
function makeEnded(shape: Shape, vocabSize: number) {
  const { inputIds, attentionMask } = makeCase(shape, vocabSize);
  const rows = inputIds.map((ids, row) => {
    const last = attentionMask?.[row]?.lastIndexOf(1) ?? ids.length - 1;
    return ids.map((id, position) => (position === last ? EOS : id === EOS ? EOS + 1 : id));
  });
  return { inputIds: rows, ...(attentionMask && { attentionMask }) };
}

describe("a classifier's logits", () => {
  for (const family of FAMILIES) {
    for (const form of KINDS) {
      describe(`${family}, ${form}`, () => {
        describe("are bitwise those of Hugging Face", () => describeLogits(family, form, "exact", 1, SHAPES, BITWISE));
        describe(`are bitwise those of Hugging Face ${describeThreads(2)}`, () =>
          describeLogits(family, form, "exact", 2, FEW, BITWISE));
        describe("are within 1e-4 of them in float32", () => describeLogits(family, form, "float32", 1, SHAPES, CLOSE));
      });
    }
  }

  for (const family of ["t5", "umt5"] as const) {
    for (const form of family === "t5" ? (["texts", "two texts labels", "tokens"] as const) : KINDS) {
      it(`${family}, ${form}: of a Hugging Face directory are bitwise those of its export`, async function () {
        this.timeout(PREPARATION_MS);
        const { directory, checkpoint, vocabSize } = await prepare(family, form);
        for (const precision of onTestDevice(["float32", "int8"])) {
          await using own = await open(checkpoint, form, 1, precision);
          await using exported = await open(directory, form, 1, precision);
          assert.deepEqual(own.config, exported.config);
          for (const shape of FEW) {
            const source = makeEnded(shape, vocabSize);
            const [a, b] = await Promise.all([own, exported].map((model) => model.forward(source)));
            assert.deepEqual(a?.logits.data, b?.logits.data, `${precision}, ${describeShape(shape)}`);
            assert.ok(a !== undefined);
          }
        }
      });
    }
  }

  for (const form of KINDS) {
    for (const precision of ["bfloat16", "int8"] as const) {
      const bounds = BOUNDS[precision].random;
      it(`${form}: within the bounds of ${precision}, ${JSON.stringify(bounds)}`, async function () {
        this.timeout(PREPARATION_MS);
        const { directory, vocabSize } = await prepare("wide", form);
        await using model = await open(directory, form, 1, precision);
        const agreements = [];
        for (const shape of SHAPES) {
          const source = makeEnded(shape, vocabSize);
          const { logits } = await model.forward(source);
          const reply = await ask<{ logits: ReferenceTensor }>("wide", form, 1, "classifierLogits", source);
          const { numLabels } = model.config;
          const kept = (all: Float32Array) => withoutPadding(all, form, source.attentionMask, numLabels);
          const expected = takeFloats(sharedReference(), reply.logits);
          agreements.push(agreementOf(kept(expected), kept(logits.data), numLabels));
        }
        const all = merge(agreements);
        const measured = JSON.stringify(all);
        assert.ok(all.top1 >= bounds.top1, measured);
        assert.ok(all.meanDivergence <= bounds.meanDivergence, measured);
        assert.ok(all.largestDivergence <= bounds.largestDivergence, measured);
      });
    }

    for (const precision of ["float32", "bfloat16", "int8"] as const) {
      it(`${form}: do not depend on the batch in ${precision}`, async function () {
        this.timeout(PREPARATION_MS);
        const { directory, vocabSize } = await prepare("t5", form);
        await using model = await open(directory, form, 1, precision);
        const source = makeEnded({ batch: 5, sourceLength: 37, targetLength: 1, masking: "right" }, vocabSize);
        const { logits } = await model.forward(source);
        for (const [row, ids] of source.inputIds.entries()) {
          const kept = source.attentionMask?.[row]?.filter((bit) => bit === 1).length ?? ids.length;
          const alone = await model.forward({ inputIds: [ids.slice(0, kept)] });
          const whole = logits.data.subarray((row * logits.data.length) / 5).subarray(0, alone.logits.data.length);
          assert.deepEqual(alone.logits.data, whole, `row ${row}`);
        }
      });
    }
  }

  it("of rows with two end-of-sequence ids are bitwise those of Hugging Face, and float32's are close", async function () {
    this.timeout(PREPARATION_MS);
    const { directory } = await prepare("t5", "texts");
    const source = {
      inputIds: [
        [5, EOS, 9, 11, EOS, 0],
        [EOS, 8, 7, EOS, 3, 4],
      ],
      // Ends that the mask leaves out count as well.
      attentionMask: [
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1],
      ],
    };
    const reply = await ask<{ logits: ReferenceTensor }>("t5", "texts", 1, "classifierLogits", source);
    const expected = takeFloats(sharedReference(), reply.logits);
    for (const [precision, comparison] of [["exact", BITWISE] as const, ["float32", CLOSE] as const]) {
      await using model = await open(directory, "texts", 1, precision);
      const { logits } = await model.forward(source);
      comparison.logits("logits", logits.data, expected, logits.shape);
    }
  });

  it("refuse what Hugging Face refuses: rows with different numbers of end-of-sequence ids, or none", async function () {
    this.timeout(PREPARATION_MS);
    const { directory } = await prepare("t5", "texts");
    await using model = await open(directory, "texts", 1, "exact");
    for (const [inputIds, message, theirs] of [
      [
        [
          [5, 6, EOS],
          [5, EOS, EOS],
        ],
        /as many ids as row 0 has, 1, 1, the end .* row 1 of inputIds but received 2/,
        /same number of <eos>/,
      ],
      [
        [[5, 6, 7]],
        /at least one id 1, the end of the sequence, for row 0 of inputIds but received 0/,
        /at least one <eos>/,
      ],
    ] as const) {
      const source = { inputIds };
      await assert.rejects(model.forward(source), { code: "ERR_INVALID_ARGUMENT", message });
      await assert.rejects(ask("t5", "texts", 1, "classifierLogits", source), theirs);
    }
  });
});

describe("classify", () => {
  for (const family of ["t5", "umt5", "byt5"] as const) {
    for (const form of ["texts", "topics", "single label", "regression", "two texts labels"] as const) {
      it(`${family}, ${form}: is the pipeline's result, function by function`, async function () {
        this.timeout(PREPARATION_MS);
        const { directory, checkpoint } = await prepare(family, form);
        const model = await T5ForSequenceClassification.fromPretrained(directory, {
          device: testDevice,
          intraOpThreads: 1,
        });
        await using _ = model;
        for (const functionToApply of [undefined, "softmax", "sigmoid", "none"] as const) {
          const options = functionToApply === undefined ? {} : { function_to_apply: functionToApply };
          const fields = { checkpoint, texts: TEXTS, ofTokens: false, options };
          const { results } = await ask<{ results: readonly (readonly { label: string; score: number }[])[] }>(
            family,
            form,
            1,
            "classify",
            fields,
          );
          const received = await model.classify(TEXTS, { functionToApply, batchSize: 1 });
          // Of one text, the logits are bitwise Hugging Face's.
          assertSameResults(received, results, functionToApply === "none" ? 0 : SCORE_TOLERANCE);
          assertSameResults(await model.classify(TEXTS, { functionToApply }), results, BATCH_TOLERANCE);
        }
        assert.deepEqual(await model.classify("a"), (await model.classify(["a"]))[0]);
        const whole = await model.classify(TEXTS);
        const best = await model.classify(TEXTS, { topK: 1 });
        assert.deepEqual(
          best.map((labels) => labels.length),
          TEXTS.map(() => 1),
        );
        assert.deepEqual(
          best.flat(),
          whole.map(([first]) => first),
        );
      });
    }

    it(`${family}, tokens: is the pipeline's result, strategy by strategy`, async function () {
      this.timeout(PREPARATION_MS);
      const { directory, checkpoint } = await prepare(family, "tokens");
      await using model = await T5ForTokenClassification.fromPretrained(directory, {
        device: testDevice,
        intraOpThreads: 1,
      });
      let entities = 0;
      for (const aggregationStrategy of [undefined, "none", "simple"] as const) {
        for (const ignoreLabels of [undefined, [], ["PER", "MISC-x-y", "x-y"]] as const) {
          const options = {
            ...(aggregationStrategy && { aggregation_strategy: aggregationStrategy }),
            ...(ignoreLabels && { ignore_labels: ignoreLabels }),
          };
          const fields = { checkpoint, texts: TEXTS, ofTokens: true, options };
          const { results } = await ask<{ results: readonly (readonly Record<string, unknown>[])[] }>(
            family,
            "tokens",
            1,
            "classify",
            fields,
          );
          const received = await model.classify(TEXTS, { aggregationStrategy, ignoreLabels, batchSize: 1 });
          const expected = results.map((tokens) =>
            tokens.map(({ entity_group, ...token }) => ({
              ...(entity_group === undefined ? {} : { entityGroup: entity_group }),
              ...token,
            })),
          );
          // transformers has no offsets of bytes.
          const comparable =
            family !== "byt5"
              ? received
              : received.map((tokens) => tokens.map((token) => ({ ...token, start: null, end: null })));
          assertSameResults(comparable, expected);
          entities += received.flat().length;
        }
      }
      assert.ok(entities > 300, `${entities} entities`);
    });
  }
});

function describeLogits(
  family: string,
  form: ClassifierForm,
  precision: Precision,
  threads: number,
  shapes: readonly Shape[],
  comparison: Comparison,
): void {
  let model: Classifier;
  let vocabSize: number;

  before(async function () {
    this.timeout(PREPARATION_MS);
    const made = await prepare(family, form);
    ({ vocabSize } = made);
    model = await open(made.directory, form, threads, precision);
  });

  after(() => model?.dispose());

  for (const shape of shapes) {
    it(describeShape(shape), async () => {
      const source = makeEnded(shape, vocabSize);
      const reply = await ask<{ logits: ReferenceTensor }>(family, form, threads, "classifierLogits", source);
      const { logits } = await model.forward(source);
      assertSameShape("logits", logits, reply.logits);
      const expected = takeFloats(sharedReference(), reply.logits);
      // Only "exact" computes the states of padding.
      const mask = precision === "exact" ? undefined : source.attentionMask;
      const kept = (all: Float32Array) => withoutPadding(all, form, mask, model.config.numLabels);
      comparison.logits("logits", kept(logits.data), kept(expected), logits.shape);
    });
  }
}

function ask<Reply>(
  family: string,
  form: ClassifierForm,
  threads: number,
  operation: string,
  fields: object,
): Promise<Reply> {
  return sharedReference().request<Reply>(operation, { model: `${family}, ${form}`, threads, ...fields });
}

function withoutPadding(
  logits: Tensor["data"],
  form: ClassifierForm,
  mask: number[][] | undefined,
  numLabels: number,
): Float32Array {
  if (form !== "tokens" || mask === undefined) return Float32Array.from(logits);
  const kept = mask.flat();
  return Float32Array.from(logits).filter((_, at) => kept[Math.floor(at / numLabels)] === 1);
}

/** Scores of at most 1, which both sides round to float32 after exponentials: NumPy's in float32, ours in float64. */
const SCORE_TOLERANCE = 1e-6;

/** The pipeline runs one text after the other. In a batch of rows, MKL rounds the last bits of logits differently. */
const BATCH_TOLERANCE = 1e-5;

type Results = readonly (readonly object[])[];

/** Fails unless both have the same entries, and scores within the tolerance. */
function assertSameResults(received: Results, expected: Results, tolerance = SCORE_TOLERANCE): void {
  const entries = (results: Results) => results.map((list) => list.map((entry) => ({ ...entry, score: undefined })));
  assert.deepEqual(entries(received), entries(expected));
  const scores = (results: Results) =>
    results.flat().map((entry) => Number((entry as { readonly score?: unknown }).score));
  const found = scores(received);
  for (const [index, score] of scores(expected).entries()) {
    const near = found[index] ?? Number.NaN;
    assert.ok(Math.abs(near - score) <= tolerance, `${near} instead of ${score}`);
  }
}
