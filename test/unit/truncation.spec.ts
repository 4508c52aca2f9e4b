import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RerankOptions, T5ForConditionalGeneration } from "torch-t5";
import { updateManifest, withModelCopy } from "../support/directory.js";
import { useModel } from "../support/model.js";

const LONG = "spell number: 48213";
const SHORT = "a";

describe("texts of a source are truncated", () => {
  const model = useModel();

  it("to maxLength, as by encodeBatch, whose result is a source, too", async () => {
    const source = { text: [LONG, SHORT], maxLength: 5 };
    const encoded = model().tokenizer?.encodeBatch(source.text, { maxLength: 5 });
    assert.ok(encoded);
    assert.deepEqual(encoded.truncated, [true, false]);
    const { logits, truncated } = await model().forward(source);
    assert.deepEqual(truncated, [true, false]);
    const same = await model().forward({ ...encoded, labels: [[1], [1]] });
    assert.deepEqual(same.logits.data, logits.data);
    assert.ok(!("truncated" in same), "ids are taken as they are");
  });

  it("only if it is asked, and results have `truncated` only then", async () => {
    const text = LONG.repeat(20);
    assert.ok(!("truncated" in (await model().forward(text))));
    assert.ok(!("truncated" in (await model().generate(text, { maxNewTokens: 1 }))));
    assert.ok(!("truncated" in ((await model().score(text, ["a"]))[0] ?? {})));
    assert.ok(!("truncated" in ((await model().rerank(text, ["a"]))[0] ?? {})));
    assert.equal((await model().embed(text)).truncated, undefined);
    using encoded = await model().encode(text);
    assert.equal(encoded.truncated, undefined);
    const stream = model().stream(text, { maxNewTokens: 1 });
    await stream.next();
    assert.equal(stream.truncated, undefined);
    assert.ok(!("truncated" in (model().tokenizer?.encode(text) ?? {})));
    assert.ok(!("truncated" in (model().tokenizer?.encodeBatch([text]) ?? {})));
  });

  it("independently of the maxLength of generate, which limits the answer", async () => {
    const { texts, lengths, truncated } = await model().generate({ text: LONG, maxLength: 100 }, { maxNewTokens: 2 });
    assert.deepEqual([lengths, truncated], [[2], [false]]);
    const { lengths: limited } = await model().generate({ text: LONG, maxLength: 5 }, { maxNewTokens: 1 });
    assert.deepEqual(limited, [1]);
    assert.equal(texts?.length, 1);
  });

  it("for targets with an own source each, and for one source of all targets", async () => {
    const each = await model().score({ text: [LONG, SHORT], maxLength: 4 }, ["a", "b"]);
    assert.deepEqual(
      each.map(({ truncated }) => truncated),
      [true, false],
    );
    const all = await model().score({ text: LONG, maxLength: 4 }, ["a", "b"], { reduction: "none" });
    assert.deepEqual(
      all.map(({ truncated }) => truncated),
      [true, true],
    );
  });

  it("to the tokenizer's modelMaxLength with truncation: true", () =>
    withModelCopy(async (directory) => {
      const path = join(directory, "tokenizer_config.json");
      const config = { ...JSON.parse(readFileSync(path, "utf8")), model_max_length: 6 };
      writeFileSync(path, JSON.stringify(config));
      updateManifest(directory, "tokenizer_config.json");
      await using t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu" });
      assert.equal(t5.tokenizer?.modelMaxLength, 6);
      const [whole, cut] = [
        { text: LONG, truncation: true },
        { text: LONG, maxLength: 6 },
      ];
      assert.deepEqual((await t5.embed(whole)).data, (await t5.embed(cut)).data);
      assert.deepEqual((await t5.embed({ text: LONG, truncation: false })).data, (await t5.embed(LONG)).data);
      assert.deepEqual((await t5.embed({ ...whole, maxLength: 4 })).shape, [1, t5.config.dModel]);
      const [ranked] = await t5.rerank("a", ["b c d e f g h i j k"], {
        template: "{query} {document}",
        truncation: true,
      });
      assert.equal(ranked?.truncated, true);
    }));

  it("is refused where it has no effect or no length", async () => {
    const wrong: readonly (readonly [source: object, message: RegExp])[] = [
      [{ text: LONG, truncation: true }, /maxLength alongside it, as the tokenizer has no model_max_length, for input/],
      [{ text: LONG, truncation: false, maxLength: 5 }, /true, as maxLength is given, for input.truncation .* false/],
      [{ text: LONG, truncation: 1 }, /a boolean for input.truncation but received 1/],
      ...[0, -1, 1.5, "5", null, 2 ** 31].map(
        (maxLength) => [{ text: LONG, maxLength }, /an integer of at least 1 for input.maxLength but rec/] as const,
      ),
      [{ inputIds: [[5]], maxLength: 5 }, /only one of inputIds and maxLength for input/],
      [{ inputIds: [[5]], truncation: true }, /only one of inputIds and truncation for input/],
      [{ text: LONG, truncated: [true] }, /only one of text and truncated for input/],
      [{ text: LONG, max_length: 5 }, /did you mean maxLength\?/],
    ];
    for (const [source, message] of wrong) {
      const error = { name: "T5Error", code: "ERR_INVALID_ARGUMENT", message };
      await assert.rejects(model().forward(source as never), error);
      await assert.rejects(model().generate(source as never), error);
      await assert.rejects(
        model()
          .stream(source as never)
          .next(),
        error,
      );
    }
    using encoderOutput = await model().encode("a");
    const both = { encoderOutput, maxLength: 5 } as never;
    await assert.rejects(model().generate(both), /only one of encoderOutput and maxLength for input/);
    await assert.rejects(model().embed({ text: ["a", "b"], maxLength: 0 }, { batchSize: 1 }), /for source.maxLength/);
    await assert.rejects(model().score({ text: "a", maxLength: 0 }, ["a"]), /for source.maxLength but received 0/);
    await assert.rejects(model().rerank("a", ["b"], { maxLength: 0 }), /for options.maxLength but received 0/);
    await assert.rejects(model().rerank("a", ["b"], { truncation: true }), /no model_max_length, for options.trunc/);
  });
});

describe("documents of prompts are truncated", () => {
  const model = useModel();
  const query = "doctor of Thornby";
  const long = "In Thornby the flag is brown. Its doctor is Mona. ".repeat(4);
  const documents = [long, "Its doctor is Pavel.", long];
  const count = (text: string) => model().tokenizer?.countTokens(text) ?? 0;
  const rank = (given: readonly string[], options: RerankOptions) => model().rerank(query, given, options);

  it("and the same in any template that has the same text", async () => {
    const maxLength = 45;
    const expected = await rank(documents, { maxLength });
    const template = (asked: string, document: string) => `Query: ${asked} Document: ${document} Relevant:`;
    assert.deepEqual(await rank(documents, { maxLength, template }), expected);
    const named = "Query: {query} Document: {document} Relevant:";
    assert.deepEqual(await rank(documents, { maxLength, template: named }), expected);
    assert.ok(
      expected.every(({ document, index }) => document === documents[index]),
      "the document is returned whole",
    );
    assert.deepEqual(
      expected.filter(({ truncated }) => truncated).map(({ index }) => index),
      [0, 2],
    );
  });

  it("exactly if the prompt has more ids than maxLength", async () => {
    const [, document = ""] = documents;
    const length = count(`Query: ${query} Document: ${document} Relevant:`);
    const [whole] = await rank([document], {});
    assert.deepEqual(await rank([document], { maxLength: length }), [{ ...whole, truncated: false }]);
    const [cut] = await rank([document], { maxLength: length - 1 });
    assert.ok(cut?.truncated && cut.score !== whole?.score);
  });

  it("at their end alone: a document reads as its beginning does", async () => {
    const template = "Query: {query} Document: {document} Relevant:";
    const beginning = "In Thornby the flag is brown.";
    const maxLength = count(template.replace("{query}", query).replace("{document}", beginning));
    const [short] = await rank([beginning], { maxLength });
    const [cut] = await rank([long], { maxLength });
    assert.deepEqual([cut?.score, cut?.truncated, short?.truncated], [short?.score, true, false]);
  });

  it("in pairs the longer one first, and equal ones to half of the room each", async () => {
    const prompt = (...[first, second]: readonly string[]) =>
      `Query: ${query} Document0: ${first} Document1: ${second} Relevant:`;
    const half = "In Thornby the flag is brown.";
    const [, short = ""] = documents;
    const options = { pairwise: true, batchSize: 1 };
    const equal = await rank([long, long], { ...options, maxLength: count(prompt(half, half)) });
    const halves = await rank([half, half], options);
    assert.deepEqual(
      equal.map(({ score, truncated }) => [score, truncated]),
      halves.map(({ score }) => [score, true]),
    );
    const unequal = await rank([long, short], { ...options, maxLength: count(prompt(half, short)) });
    const parts = await rank([half, short], options);
    assert.deepEqual(
      unequal.map(({ index, score, truncated }) => [index, score, truncated]),
      parts.map(({ index, score }) => [index, score, index === 0]),
    );
  });

  it("but nothing else is: a prompt without room for the document is refused", async () => {
    const empty = count(`Query: ${query} Document:  Relevant:`);
    const message = /more ids than the prompt has without its documents for options.maxLength but received \d+, which/;
    for (const maxLength of [1, empty - 1, empty]) {
      await assert.rejects(rank([long], { maxLength }), { code: "ERR_INVALID_ARGUMENT", message });
    }
    assert.equal((await rank([long], { maxLength: empty + 1 }))[0]?.truncated, true);
    assert.equal((await rank([""], { maxLength: empty }))[0]?.truncated, false);
    await assert.rejects(rank([""], { maxLength: empty - 1 }), message);
    await assert.rejects(rank([long, long], { pairwise: true, maxLength: empty }), /documents\[0\] and documents\[1\]/);
  });

  it("and a prompt that doesn't contain them is refused", async () => {
    const wrong: readonly (readonly [options: RerankOptions, message: RegExp])[] = [
      [{ template: (asked) => asked.repeat(99) }, /a text that contains documents\[0\], to be truncated, for the pro/],
      [{ template: (_, text) => text.toUpperCase() }, /a text that contains documents\[0\], to be truncated, for the/],
      [{ template: "{query} {document} {document}" }, /a text with {document} once, as documents are trunc/],
      [{ template: (() => 5) as never }, /a string for the prompt of documents\[0\] but received 5/],
    ];
    for (const [options, message] of wrong) {
      const error = { name: "T5Error", code: "ERR_INVALID_ARGUMENT", message };
      await assert.rejects(rank([long], { maxLength: 40, ...options }), error);
    }
    const swapped = (asked: string, first = "", second = "") => `${asked} ${second} ${first}`;
    await assert.rejects(
      rank([long, `x ${long}`], { maxLength: 40, pairwise: true, template: swapped }),
      /a text that contains documents\[0\] and documents\[1\], in this order, to be truncated, for the prompt of/,
    );
    const fitting = await rank(["a"], { maxLength: 40, template: (_, text) => text.toUpperCase() });
    assert.equal(fitting[0]?.truncated, false);
    await assert.rejects(
      rank([long], {
        maxLength: 40,
        template() {
          throw new RangeError("thrown by the caller's own code");
        },
      }),
      RangeError,
    );
  });
});
