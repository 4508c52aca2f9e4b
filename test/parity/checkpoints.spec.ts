import assert from "node:assert/strict";
import { T5ForConditionalGeneration } from "torch-t5";
import { FIRST_NAME, KINDS } from "#lib/loading/architectures.js";
import { describeShape, makeCase, SHAPES } from "./cases.js";
import { assertSameShape, type ReferenceForward, takeFloats } from "./comparing.js";
import { CLOSE } from "./fused/tolerances.js";
import { FAMILIES, load, onTestDevice, SEED, testDevice } from "./models.js";
import { prepareFamily, sharedReference } from "./subject.js";

const PREPARATION_MS = 300_000;
const PRECISIONS = onTestDevice(["float32", "bfloat16", "int8"]);
/** Some shapes of each kind. */
const FEW = SHAPES.filter((_, index) => index % 5 === 1);

/** A form of a checkpoint: see test/parity/reference/forms.py. */
interface Form {
  readonly family: "t5" | "t5-v1.1" | "umt5" | "umt5-tied";
  readonly form: string;
  /** What has the same bits: its own export, or the checkpoint that `save_pretrained` writes. */
  readonly equals: "its export" | "the usual form";
}

const FORMS: readonly Form[] = [
  { family: "t5", form: "every name", equals: "the usual form" },
  { family: "umt5-tied", form: "the encoder's name", equals: "the usual form" },
  { family: "t5", form: "the decoder's name", equals: "the usual form" },
  { family: "t5", form: "lm_head's name", equals: "the usual form" },
  { family: "t5-v1.1", form: "the decoder's name", equals: "its export" },
  { family: "t5-v1.1", form: "the base prefix", equals: "the usual form" },
  { family: "t5", form: "an unused weight", equals: "the usual form" },
  { family: "umt5", form: "bfloat16", equals: "its export" },
  { family: "t5-v1.1", form: "float16", equals: "its export" },
  { family: "t5", form: "two types", equals: "the usual form" },
  { family: "umt5", form: "shards", equals: "the usual form" },
  { family: "t5-v1.1", form: "an odd offset", equals: "the usual form" },
];

describe("the classes of transformers", () => {
  it("have the same kinds here as in the exporter", async function () {
    this.timeout(PREPARATION_MS);
    const { kinds } = await sharedReference().request<{ kinds: Readonly<Record<string, string>> }>("classes");
    const camelCase = (name: string) =>
      name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    const exported = Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, camelCase(kind)]));
    assert.deepEqual({ ...Object.fromEntries(KINDS), [FIRST_NAME]: "generation" }, exported);
  });
});

describe("a Hugging Face directory", () => {
  for (const family of FAMILIES) {
    it(`${family}: its logits are bitwise those of its export, and within 1e-4 of Hugging Face's`, async function () {
      this.timeout(PREPARATION_MS);
      const { checkpoint, directory, vocabSize } = await prepareFamily(family);
      await compareBitwise(checkpoint, directory, vocabSize);
      await compareWithHuggingFace(checkpoint, family, vocabSize);
    });
  }

  for (const { family, form, equals } of FORMS) {
    it(`${family}, with ${form}: its logits are bitwise those of ${equals}`, async function () {
      this.timeout(PREPARATION_MS);
      const made = await sharedReference().request<{ checkpoint: string; directory: string | null; vocabSize: number }>(
        "makeForm",
        { family, form, seed: SEED, exports: equals === "its export" },
      );
      const { checkpoint, vocabSize } = made;
      await compareBitwise(checkpoint, made.directory ?? (await prepareFamily(family)).checkpoint, vocabSize);
      await compareWithHuggingFace(checkpoint, `${family}, ${form}`, vocabSize);
    });
  }

  it("generates the tokens of its export, with the defaults of its generation_config.json", async function () {
    this.timeout(PREPARATION_MS);
    const { checkpoint, directory, vocabSize } = await prepareFamily("t5");
    const { inputIds } = makeCase({ batch: 3, sourceLength: 9, targetLength: 1, masking: "none" }, vocabSize);
    const [own, exported] = await Promise.all([load(checkpoint, 1, "float32"), load(directory, 1, "float32")]);
    assert.deepEqual(own.generationConfig, exported.generationConfig);
    assert.deepEqual(own.config, exported.config);
    const generated = await Promise.all([own, exported].map((t5) => t5.generate({ inputIds }, { maxNewTokens: 12 })));
    assert.deepEqual(generated[0]?.sequences.data, generated[1]?.sequences.data);
    await Promise.all([own.dispose(), exported.dispose()]);
  });
});

/** Compares the logits of two directories in every precision, bit for bit. */
async function compareBitwise(checkpoint: string, expected: string, vocabSize: number): Promise<void> {
  for (const precision of PRECISIONS) {
    await using own = await load(checkpoint, 1, precision);
    await using other = await load(expected, 1, precision);
    for (const shape of FEW) {
      const { labels, ...input } = makeCase(shape, vocabSize);
      const [a, b] = await Promise.all([own, other].map((t5) => t5.forward(input)));
      assert.ok(a !== undefined && b !== undefined);
      assert.deepEqual(a.logits.data, b.logits.data, `${precision}, ${describeShape(shape)}`);
    }
  }
}

/** Compares the logits in the default precision with those of Hugging Face's model of a name. */
async function compareWithHuggingFace(checkpoint: string, model: string, vocabSize: number): Promise<void> {
  await using t5 = await T5ForConditionalGeneration.fromPretrained(checkpoint, {
    device: testDevice,
    intraOpThreads: 1,
  });
  assert.equal(t5.precision, "float32");
  for (const shape of FEW) {
    const { labels, ...input } = makeCase(shape, vocabSize);
    const expected = await sharedReference().request<ReferenceForward>("forward", { model, threads: 1, ...input });
    const { logits } = await t5.forward(input);
    assertSameShape("logits", logits, expected.logits);
    CLOSE.logits("logits", logits.data, takeFloats(sharedReference(), expected.logits), logits.shape);
  }
}
