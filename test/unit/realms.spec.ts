// Values of another realm: test runners such as Jest run each test file in a realm of its own.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { createContext, runInContext } from "node:vm";
import { DecodeStream, demoModel, T5Error, T5ForConditionalGeneration, T5Tokenizer, Tensor } from "torch-t5";
import { useModel } from "../support/model.js";

const realm = createContext({});

/** The value of an expression in the other realm. By default it is of no type, which any argument accepts. */
const foreign = <Value = never>(expression: string) => runInContext(`(${expression})`, realm) as Value;

/** A value as JSON has it, with typed arrays as arrays. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

describe("values of another realm", () => {
  const model = useModel();
  const text = "spell number: 7";
  let ids: readonly number[];
  before(() => {
    ids = [...(model().tokenizer?.encode(text).ids ?? [])];
  });

  it("are no instances of this realm's classes, so these tests can fail", () => {
    assert.equal(foreign<object>("new Int32Array(1)") instanceof Int32Array, false);
    assert.equal(foreign<object>("new Error('')") instanceof Error, false);
    assert.notEqual(Object.getPrototypeOf(foreign<object>("[]")), Array.prototype);
  });

  it("are the data and the shape of a tensor", () => {
    const tensor = new Tensor<Float32Array>(foreign("Float32Array.of(1, 3, 2, 6, 5, 4)"), foreign("[2, 3]"));
    assert.deepEqual([...tensor.argmax().data], [1, 0]);
    assert.deepEqual([...tensor.topK(1).values.data], [3, 6]);
    assert.deepEqual([...tensor.row(1)], [6, 5, 4]);
    for (const normalized of [tensor.softmax(), tensor.logSoftmax()]) assert.equal(normalized.data.length, 6);
    tensor.dispose();
    assert.equal(tensor.data.length, 0);
    const integers = new Tensor<Int32Array>(foreign("Int32Array.of(5, 6)"), foreign("[1, 2]"));
    assert.deepEqual([...integers.argmax().data], [1]);
    assert.throws(() => new Tensor(foreign("Float64Array.of(1)"), [1]), {
      message: "Expected a Float32Array or an Int32Array for data but received a Float64Array",
    });
  });

  for (const [name, make] of [
    ["rows", (list: string) => `[${list}]`],
    ["rows of an Int32Array", (list: string) => `[Int32Array.from(${list})]`],
    ["rows of a BigInt64Array", (list: string) => `[BigInt64Array.from(${list}, BigInt)]`],
    ["flat ids", (list: string) => `({ data: Int32Array.from(${list}), shape: [1, ${list}.length] })`],
    ["flat bigints", (list: string) => `({ data: BigInt64Array.from(${list}, BigInt), shape: [1, ${list}.length] })`],
  ] as const) {
    it(`are ids, masks and labels: ${name}`, async () => {
      const source = make(JSON.stringify(ids));
      const mask = make(JSON.stringify(ids.map(() => 1)));
      const input = foreign(`({ inputIds: ${source}, attentionMask: ${mask}, labels: ${make("[5, 6]")} })`);
      const found = await model().forward(input, foreign<{ readonly loss: true }>("({ loss: true })"));
      const own = await model().forward({ inputIds: [ids], labels: [[5, 6]] }, { loss: true });
      assert.equal(found.loss, own.loss);
      const generated = await model().generate(foreign(`({ inputIds: ${source} })`));
      assert.deepEqual(generated.texts, ["seven"]);
    });
  }

  it("are texts, targets, documents and options of the calls", async () => {
    const other = { texts: foreign(`[${JSON.stringify(text)}]`), targets: foreign('["seven", "six"]') };
    const t5 = model();
    const generated = await t5.generate(
      other.texts,
      foreign("({ numBeams: 2, badWordsIds: [[6]], stopStrings: ['x'] })"),
    );
    assert.deepEqual(generated.texts, ["seven"]);
    assert.deepEqual(plain(await t5.score(text, other.targets)), plain(await t5.score(text, ["seven", "six"])));
    const embedded = await t5.embed(other.texts, foreign("({ pooling: 'mean' })"));
    assert.deepEqual([...embedded.data], [...(await t5.embed([text], { pooling: "mean" })).data]);
    const [best] = await t5.rerank(
      "doctor of Thornby",
      foreign('["Its flag is red.", "Thornby. Its doctor is Mona."]'),
    );
    assert.equal(best?.index, 1);
  });

  it("are what a logits processor returns, and the iterators and signals of a call", async () => {
    const signal = foreign(
      "({ aborted: false, reason: undefined, addEventListener() {}, removeEventListener() {}, dispatchEvent() {} })",
    );
    const processor = foreign("(async (step) => { step.logits.data.fill(0); })");
    const { sequences } = await model().generate(text, { logitsProcessor: processor, maxNewTokens: 2, signal });
    assert.equal(sequences.data.length > 0, true);
    const documents = foreign('(function* () { yield "a"; yield "b"; })()');
    assert.equal((await model().rerank("q", documents)).length, 2);
  });

  it("are ids of sessions and of the tokenizer", async () => {
    const encoded = await model().encode(foreign(`({ inputIds: [Int32Array.from(${JSON.stringify(ids)})] })`));
    const session = encoded.startDecoding();
    await session.prefill(foreign("[[0]]"));
    await session.reorder(foreign("Int32Array.of(0)"));
    const { logits } = await session.step(foreign("[Int32Array.of(5)]"));
    assert.equal(logits.shape.at(-1), model().config.vocabSize);
    const tokenizer = await T5Tokenizer.fromPretrained(demoModel);
    const typed = `Int32Array.from(${JSON.stringify(ids)})`;
    assert.equal(
      tokenizer.decode(foreign(typed), foreign("({ skipSpecialTokens: true })")),
      tokenizer.decode([...ids], { skipSpecialTokens: true }),
    );
    const stream: DecodeStream = tokenizer.decodeStream(foreign("({ skipSpecialTokens: true })"));
    assert.equal(stream instanceof DecodeStream, true);
  });

  it("are URLs of a model: anything with a protocol and an href", async () => {
    const { href } = pathToFileURL(demoModel);
    const url = foreign(`({ protocol: "file:", href: ${JSON.stringify(href)} })`);
    await (await T5ForConditionalGeneration.fromPretrained(url)).dispose();
    for (const wrong of ["https://example.org/t5", "file://host/t5", "file:///a%2Fb"]) {
      await assert.rejects(T5ForConditionalGeneration.fromPretrained(new URL(wrong)), {
        code: "ERR_INVALID_ARGUMENT",
        message: `Expected a path or a file: URL for directory but received ${JSON.stringify(new URL(wrong).href)}`,
      });
    }
  });

  it("are errors that the caller's functions throw: they are passed on, and described where they are refused", async () => {
    const thrown = foreign("new TypeError('mine')");
    const logitsProcessor = () => {
      throw thrown;
    };
    await assert.rejects(model().generate(text, { logitsProcessor }), (error) => error === thrown);
    const input = Object.defineProperty({}, "text", {
      enumerable: true,
      get: () => {
        throw thrown;
      },
    });
    const refused = await model()
      .forward(input as { text: string })
      .catch((error: unknown) => error);
    assert.ok(refused instanceof T5Error && refused.cause === thrown);
    await assert.rejects(model().generate(foreign("({ inputIds: {} })")), /an Int32Array or a BigInt64Array/);
    await assert.rejects(model().forward(text, { topK: foreign("({})") }), /but received an object$/);
  });
});
