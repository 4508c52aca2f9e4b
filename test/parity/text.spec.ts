import assert from "node:assert/strict";
import { assertSameBits, assertSameLoss, type ReferenceForward } from "./comparing.js";
import { EMBEDDED } from "./models.js";
import { useSubject } from "./subject.js";

const THREADS = 2;
const IGNORED_LABEL = -100;

interface Encoded {
  readonly inputIds: number[][];
  readonly attentionMask: number[][];
}

const TEXTS: readonly (readonly string[])[] = [
  ["spell number: 48213"],
  ["date to iso: March 5, 2021", "spell number: 7", "date to iso: 1 January 1999"],
  ["Query: which town has a harbour? Document: The harbour of Lowmere is old. Relevant:", "x"],
  ["  two  spaces and a tab\t", "ends with a space ", "punctuation, in; all: forms!?", "A", "12", "word"],
];

describe("texts become Hugging Face's tokens and logits", () => {
  const subject = useSubject(EMBEDDED, "exact", THREADS);
  const tokenize = (texts: readonly string[]) => subject.ask<Encoded>("tokenize", { texts });
  const ask = (inputs: object) => subject.ask<ReferenceForward>("forward", inputs);

  for (const texts of TEXTS) {
    it(JSON.stringify(texts), async () => {
      const t5 = subject.t5();
      const encoded = await tokenize(texts);
      const batch = t5.tokenizer?.encodeBatch([...texts]);
      assert.deepEqual(Array.from(batch?.inputIds ?? []), encoded.inputIds.flat());
      assert.deepEqual(Array.from(batch?.attentionMask ?? []), encoded.attentionMask.flat());

      const decoderInputIds = texts.map(() => [t5.config.decoderStartTokenId]);
      const { logits } = await t5.forward(texts);
      assertSameBits("logits", logits, subject.reference(), (await ask({ ...encoded, decoderInputIds })).logits);
    });
  }

  it("a target is tokenized, padded with ignored labels and shifted right", async () => {
    const text = ["spell number: 48213", "spell number: 7"];
    const target = ["forty-eight thousand two hundred thirteen", "seven"];
    const encoded = await tokenize(text);
    const { inputIds, attentionMask } = await tokenize(target);
    assert.ok(attentionMask.flat().includes(0), "the targets have one length: nothing is padded");
    const labels = inputIds.map((row, at) =>
      row.map((id, column) => (attentionMask[at]?.[column] === 1 ? id : IGNORED_LABEL)),
    );
    const expected = await ask({ ...encoded, labels });
    const { logits, loss } = await subject.t5().forward({ text, target }, { loss: true });
    assertSameBits("logits", logits, subject.reference(), expected.logits);
    assertSameLoss(loss, subject.reference(), expected.loss);
  });

  it("one text and an array of one text give the same logits", async () => {
    const text = "spell number: 31";
    const [one, many] = [await subject.t5().forward(text), await subject.t5().forward([text])];
    assert.deepEqual([...one.logits.shape], [...many.logits.shape]);
    assert.ok(Buffer.from(one.logits.data.buffer).equals(Buffer.from(many.logits.data.buffer)));
  });
});
