import assert from "node:assert/strict";
import { useModel } from "../support/model.js";
import { answer } from "./greedy.js";
import { heldOut, heldOutOf, TASKS } from "./held-out.js";

const REQUIRED_ACCURACY = 0.97;
const INPUTS_OF_EACH = 200;
/** The accuracy, in percentage points, that a precision other than exact may lose. */
const ALLOWED_POINTS = 0.5;

describe("the embedded model answers inputs that are held out from training", () => {
  const model = useModel();

  for (const task of TASKS) {
    it(`${task}: at least 97 % of ${INPUTS_OF_EACH}`, async () => {
      const examples = heldOutOf(task);
      assert.equal(new Set(examples.map(({ input }) => input)).size, INPUTS_OF_EACH);
      const answers = await answer(
        model(),
        examples.map(({ input }) => input),
      );
      const wrong = examples
        .map(({ input, target }, index) => ({ input, target, answer: answers[index] }))
        .filter((example) => example.answer !== example.target);
      assert.ok(1 - wrong.length / examples.length >= REQUIRED_ACCURACY, JSON.stringify(wrong, undefined, 2));
    });
  }

  for (const [input, target] of [
    ["spell number: 48213", "forty-eight thousand two hundred thirteen"],
    ["date to iso: March 5, 2021", "2021-03-05"],
    ["Query: mayor of Kelby Document: The mayor of Kelby is Ada. Relevant:", "true"],
    ["Query: mayor of Kelby Document: The mayor of Selwick is Ada. Relevant:", "false"],
    ["Query: what is the market day of Selwick? Document: In Selwick the market day is Friday. Relevant:", "true"],
    ["Query: what is the market day of Selwick? Document: Selwick's flag is green. Relevant:", "false"],
  ] as const) {
    it(`${input} -> ${target}`, async () => {
      assert.deepEqual(await answer(model(), [input]), [target]);
    });
  }

  it("monoT5's answers are single tokens, which one forward pass ranks", async () => {
    const { tokenizer } = model();
    assert.ok(tokenizer);
    const [yes, no] = ["true", "false"].map((word) => Array.from(tokenizer.encode(word).ids));
    assert.equal(yes?.length, 2);
    assert.equal(no?.length, 2);
    const { logits } = await model().forward(
      ["The mayor of Kelby is Ada.", "Kelby's flag is green."].map(
        (document) => `Query: mayor of Kelby Document: ${document} Relevant:`,
      ),
      { tokens: [Number(yes?.[0]), Number(no?.[0])] },
    );
    assert.deepEqual(Array.from(logits.argmax().data), [0, 1]);
  });
});

for (const precision of ["float32", "bfloat16", "int8"] as const) {
  describe(`the embedded model in ${precision}`, () => {
    const models = { exact: useModel(), other: useModel({ precision }) };

    for (const task of TASKS) {
      it(`${task}: within ${ALLOWED_POINTS} points of exact`, async () => {
        const [exact, other] = [await rightAnswers(models.exact, task), await rightAnswers(models.other, task)];
        const points = (100 * (exact - other)) / INPUTS_OF_EACH;
        assert.ok(points <= ALLOWED_POINTS, `${other} right answers instead of ${exact}`);
      });
    }
  });
}

async function rightAnswers(model: ReturnType<typeof useModel>, task: string): Promise<number> {
  const examples = heldOutOf(task);
  const answers = await answer(
    model(),
    examples.map(({ input }) => input),
  );
  return examples.filter(({ target }, index) => answers[index] === target).length;
}

describe("the embedded model's tokenizer", () => {
  const model = useModel();

  it("gives Hugging Face's ids for every held-out input", () => {
    const { tokenizer } = model();
    assert.ok(tokenizer);
    for (const { input, inputIds } of heldOut)
      assert.deepEqual(Array.from(tokenizer.encode(input).ids), inputIds, input);
  });

  it("decodes every answer to the same text", () => {
    const { tokenizer } = model();
    assert.ok(tokenizer);
    for (const { target } of heldOut) {
      assert.equal(tokenizer.decode(tokenizer.encode(target).ids, { skipSpecialTokens: true }), target);
    }
  });
});
