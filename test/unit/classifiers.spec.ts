import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  demoModel,
  T5EncoderModel,
  type T5Error,
  T5ForConditionalGeneration,
  T5ForSequenceClassification,
  T5ForTokenClassification,
} from "torch-t5";
import { type ClassifierForm, useClassifiers } from "../support/classifiers.js";
import { changeConfig, updateManifest, withDirectory } from "../support/directory.js";
import { PRECISIONS } from "../support/model.js";
import { loadNatively } from "../support/native-model.js";

const CPU = { device: "cpu", intraOpThreads: 1 } as const;
const EOS = 1;
const invalid = "ERR_INVALID_ARGUMENT";

const made = useClassifiers("texts", "tokens", "regression");
const directoryOf = (form: ClassifierForm) => made(form).directory;

/** Calls `use` with a copy of an export. */
function withCopy<Result>(form: "texts" | "tokens" | "regression", use: (directory: string) => Promise<Result>) {
  return withDirectory((directory) => {
    cpSync(directoryOf(form), directory, { recursive: true });
    return use(directory);
  });
}

function changeManifest(directory: string, changes: object): void {
  const path = join(directory, "manifest.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...changes }));
}

describe("T5ForSequenceClassification", () => {
  let model: T5ForSequenceClassification;

  before(async () => {
    model = await T5ForSequenceClassification.fromPretrained(directoryOf("texts"), CPU);
  });

  after(() => model?.dispose());

  it("has the properties of a loaded model, its labels, and the methods of a classifier alone", async () => {
    assert.deepEqual(Object.keys(model).sort(), ["config", "device", "precision", "tokenizer"]);
    assert.deepEqual(model.config.id2label, { 0: "bad", 1: "fair", 2: "good" });
    assert.deepEqual([model.config.numLabels, model.config.problemType, model.config.modelType], [3, undefined, "t5"]);
    assert.ok(Object.isFrozen(model.config) && Object.isFrozen(model.config.id2label));
    assert.deepEqual(Object.getOwnPropertyNames(T5ForSequenceClassification.prototype).sort(), [
      "classify",
      "constructor",
      "forward",
    ]);
    await using regression = await T5ForSequenceClassification.fromPretrained(directoryOf("regression"), CPU);
    assert.deepEqual([regression.config.numLabels, regression.config.problemType], [2, "regression"]);
    assert.deepEqual(Object.values(regression.config.id2label), ["LABEL_0", "LABEL_1"]);
  });

  for (const precision of PRECISIONS) {
    it(`gives the same logits for texts, ids and encoded texts in ${precision}`, async () => {
      await using one = await T5ForSequenceClassification.fromPretrained(directoryOf("texts"), { ...CPU, precision });
      const texts = ["spell number: 7", "a"];
      const encoded = one.tokenizer?.encodeBatch(texts);
      assert.ok(encoded !== undefined);
      const [{ logits }, ofIds] = [await one.forward(texts), await one.forward(encoded)];
      assert.deepEqual(logits.shape, [2, 3]);
      assert.deepEqual(logits.data, ofIds.logits.data);
      assert.notDeepEqual(logits.row(0), logits.row(1));
    });
  }

  const wrongInputs: readonly (readonly [promise: string, input: unknown, message: RegExp, code?: string])[] = [
    ["nothing", undefined, /a text, an array of texts or an object for input but received undefined/],
    ["ids without an end", { inputIds: [[5, 6]] }, /at least one id 1, the end .* row 0 of inputIds but received 0/],
    [
      "a second row without an end",
      {
        inputIds: [
          [5, EOS],
          [5, 6],
        ],
      },
      /as many ids as row 0 has, 1, 1, the end of the sequence, for row 1 of inputIds but received 0/,
    ],
    [
      "rows with 1 and 2 ends",
      {
        inputIds: [
          [5, EOS],
          [EOS, EOS],
        ],
      },
      /row 1 of inputIds but received 2/,
    ],
    ["texts of which one contains an end", ["a", "a </s> b"], /row 1 of inputIds but received 2/],
    ["decoder ids", { inputIds: [[EOS]], decoderInputIds: [[0]] }, /the names in input .* "decoderInputIds"/],
    ["labels", { inputIds: [[EOS]], labels: [[0]] }, /the names in input .* "labels"/],
    ["an id out of range", { inputIds: [[512, EOS]] }, /inputIds\[0\]\[0\]/, "ERR_TOKEN_OUT_OF_RANGE"],
  ];
  for (const [promise, input, message, code = invalid] of wrongInputs) {
    it(`forward refuses ${promise}`, async () => {
      await assert.rejects(model.forward(input as string), { name: "T5Error", code, message });
    });
  }

  const wrongCalls: readonly (readonly [promise: string, texts: unknown, options: unknown, message: RegExp])[] = [
    ["nothing", undefined, undefined, /a text or an array of at least one text for texts but received undefined/],
    ["no texts", [], undefined, /at least one text for texts but received an empty array/],
    ["ids", { inputIds: [[5, EOS]] }, undefined, /a text or an array of at least one text for texts/],
    ["a number among texts", ["a", 5], undefined, /a string for texts\[1\] but received 5/],
    ["a hole among texts", new Array(1), undefined, /a string for texts\[0\] but received undefined/],
    ["topK 0", "a", { topK: 0 }, /an integer from 1 to 3 for options.topK but received 0/],
    ["more than all labels", "a", { topK: 4 }, /an integer from 1 to 3 for options.topK but received 4/],
    [
      "an unknown function",
      "a",
      { functionToApply: "relu" },
      /"softmax", "sigmoid" or "none" for options.functionToApp/,
    ],
    ["batchSize 0", "a", { batchSize: 0 }, /for options.batchSize but received 0/],
    ["an option of tokens", "a", { ignoreLabels: [] }, /only topK, functionToApply, .* "ignoreLabels"/],
  ];
  for (const [promise, texts, options, message] of wrongCalls) {
    it(`classify refuses ${promise}`, async () => {
      const call = model.classify(texts as string, options as object);
      await assert.rejects(call, { name: "T5Error", code: invalid, message });
    });
  }

  it("classifies every text in its place, whatever the batch and the number of ends in it", async () => {
    const texts = ["a", "b </s> c", "spell number: 7", "", "</s></s>", "d"];
    const alone = [];
    for (const text of texts) alone.push(await model.classify(text));
    const labels = (results: readonly (readonly { readonly label: string }[])[]) =>
      results.map((scores) => scores.map(({ label }) => label));
    for (const batchSize of [1, 2, 32]) {
      assert.deepEqual(labels(await model.classify(texts, { batchSize })), labels(alone), `batchSize ${batchSize}`);
    }
  });

  it("classifies texts of several lengths with a tokenizer that pads with the end of the sequence", async () => {
    await withCopy("texts", async (directory) => {
      const path = join(directory, "tokenizer_config.json");
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), pad_token: "</s>" }));
      updateManifest(directory, "tokenizer_config.json");
      await using other = await T5ForSequenceClassification.fromPretrained(directory, CPU);
      assert.equal(other.tokenizer?.padTokenId, EOS);
      const texts = ["a", "spell number: 7", "b", "a </s> b"];
      const labels = (await other.classify(texts)).map(([best]) => best?.label);
      for (const [index, text] of texts.entries()) {
        assert.equal((await model.classify(text))[0]?.label, labels[index], text);
      }
    });
  });

  it("truncates no text: the last word of a long one counts", async () => {
    const long = "number ".repeat(1500);
    const [one, other] = [await model.forward(`${long} seven`), await model.forward(`${long} six`)];
    assert.notDeepEqual(one.logits.data, other.logits.data);
    const length = model.tokenizer?.countTokens(`${long} seven`) ?? 0;
    assert.ok(length > 1500, `${length} ids`);
  });

  it("rejects with the signal's reason, and computes the same afterwards", async () => {
    const expected = await model.classify(["a", "b"]);
    const reason = new Error("enough");
    const aborted = { signal: AbortSignal.abort(reason) };
    await assert.rejects(model.forward("a", aborted), (thrown) => thrown === reason);
    await assert.rejects(model.classify("a", aborted), (thrown) => thrown === reason);
    const controller = new AbortController();
    const running = model.classify(Array(40).fill("spell number: 7 ".repeat(60)), { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(running, (thrown) => thrown === reason);
    assert.deepEqual(await model.classify(["a", "b"]), expected);
  });

  it("copies its arguments before it returns", async () => {
    const expected = [await model.classify(["a", "b"]), await model.forward({ inputIds: [[3, 4, EOS]] })] as const;
    const [texts, row] = [
      ["a", "b"],
      [3, 4, EOS],
    ];
    const calls = [model.classify(texts), model.forward({ inputIds: [row] })] as const;
    texts.fill("c");
    row.fill(EOS);
    assert.deepEqual(await calls[0], expected[0]);
    assert.deepEqual((await calls[1]).logits.data, expected[1].logits.data);
  });

  it("refuses calls after dispose, with the caller's stack", async () => {
    const other = await T5ForSequenceClassification.fromPretrained(directoryOf("texts"), CPU);
    await Promise.all([other.dispose(), other.dispose()]);
    for (const call of [other.forward("a"), other.classify("a")]) {
      await assert.rejects(call, (error: T5Error) => {
        assert.equal(error.code, "ERR_DISPOSED");
        assert.match(error.stack?.split("\n")[1] ?? "", /classifiers\.spec\.ts/);
        return true;
      });
    }
  });
});

describe("T5ForTokenClassification", () => {
  let model: T5ForTokenClassification;

  before(async () => {
    model = await T5ForTokenClassification.fromPretrained(directoryOf("tokens"), CPU);
  });

  after(() => model?.dispose());

  it("gives a logit of each label to every id", async () => {
    const { logits } = await model.forward({
      inputIds: [
        [5, 6, 7],
        [8, 9, 10],
      ],
    });
    assert.deepEqual(logits.shape, [2, 3, 5]);
    assert.ok(!("classify" in T5EncoderModel.prototype) && !("embed" in model));
  });

  for (const precision of PRECISIONS) {
    it(`labels each token but those that the tokenizer adds, with its part of the text, in ${precision}`, async () => {
      await using one = await T5ForTokenClassification.fromPretrained(directoryOf("tokens"), { ...CPU, precision });
      const text = "spell 😀 number: 48213";
      const tokens = await one.classify(text, { ignoreLabels: [] });
      const { ids, offsets } = one.tokenizer?.encode(text) ?? {};
      assert.deepEqual(
        tokens.map(({ index, start, end }) => [index, start, end]),
        Array.from({ length: tokens.length }, (_, index) => [index, offsets?.[2 * index], offsets?.[2 * index + 1]]),
      );
      assert.equal(tokens.length, (ids?.length ?? 0) - 1);
      // An unknown token has the text as its word.
      assert.ok(tokens.some(({ word, start }) => word === "😀" && start === text.indexOf("😀")));
      const groups = await one.classify(text, { aggregationStrategy: "simple", ignoreLabels: [] });
      assert.deepEqual([groups[0]?.start, groups.at(-1)?.end], [0, text.length]);
      for (const { entity, score } of tokens) {
        assert.ok(Object.values(one.config.id2label).includes(entity));
        assert.ok(score >= 1 / one.config.numLabels - 1e-6 && score <= 1, `${score}`);
      }
    });
  }

  it("gives an empty list for an empty text", async () => {
    assert.deepEqual(await model.classify(""), []);
    assert.deepEqual(await model.classify(["", ""], { aggregationStrategy: "simple" }), [[], []]);
  });

  const wrongCalls: readonly (readonly [promise: string, texts: unknown, options: unknown, message: RegExp])[] = [
    ["nothing", undefined, undefined, /a text or an array of at least one text for texts/],
    [
      "a strategy of words",
      "a",
      { aggregationStrategy: "first" },
      /"none" or "simple" for options.aggregationStrategy/,
    ],
    ["one label to ignore as a text", "a", { ignoreLabels: "O" }, /an array of labels for options.ignoreLabels/],
    ["a number to ignore", "a", { ignoreLabels: [0] }, /an array of labels for options.ignoreLabels/],
    ["an option of texts", "a", { topK: 1 }, /only aggregationStrategy, .* "topK"/],
  ];
  for (const [promise, texts, options, message] of wrongCalls) {
    it(`classify refuses ${promise}`, async () => {
      const call = model.classify(texts as string, options as object);
      await assert.rejects(call, { name: "T5Error", code: invalid, message });
    });
  }
});

describe("the export of a classifier", () => {
  it("is refused by every other class, before anything native runs, and the message names the right one", async () => {
    for (const [form, right] of [
      ["texts", "T5ForSequenceClassification"],
      ["tokens", "T5ForTokenClassification"],
    ] as const) {
      await withCopy(form, async (directory) => {
        writeFileSync(join(directory, "model.pt"), "not read");
        const classes = [
          T5ForConditionalGeneration,
          T5EncoderModel,
          T5ForSequenceClassification,
          T5ForTokenClassification,
        ].filter(({ name }) => name !== right);
        for (const Model of classes) {
          const message = new RegExp(
            `that of a classifier of ${form}, ${right}: load it with ${right}.fromPretrained$`,
          );
          await assert.rejects(Model.fromPretrained(directory, CPU), { code: invalid, message });
        }
      });
    }
  });

  it("alone is loaded by a classifier's class", async () => {
    for (const Model of [T5ForSequenceClassification, T5ForTokenClassification]) {
      const message =
        /received that of a model with a decoder .*: load it with T5ForConditionalGeneration.fromPretrained/;
      await assert.rejects(Model.fromPretrained(demoModel, CPU), { code: invalid, message });
    }
  });

  const wrongLabels: readonly (readonly [promise: string, changes: object, message: RegExp])[] = [
    ["no labels", { id2label: undefined }, /an object with the label of each logit for id2label in config.json/],
    ["an empty object of labels", { id2label: {} }, /the label of each logit for id2label/],
    ["an array of labels", { id2label: ["a", "b"] }, /the label of each logit for id2label/],
    ["a number as a label", { id2label: { 0: "a", 1: 5, 2: "c" } }, /a string for id2label\[1\] in config.json .* 5/],
    ["a gap in the labels", { id2label: { 0: "a", 2: "c" } }, /a string for id2label\[1\] in config.json .* undefined/],
    ["an unknown problem", { problem_type: "ranking" }, /one of regression, .* for problem_type in config.json/],
  ];
  for (const [promise, changes, message] of wrongLabels) {
    it(`is refused with ${promise} in config.json`, async () => {
      await withCopy("texts", async (directory) => {
        changeConfig(directory, changes as Record<string, unknown>);
        const loading = T5ForSequenceClassification.fromPretrained(directory, CPU);
        await assert.rejects(loading, { code: "ERR_MODEL_CORRUPT", message });
      });
    });
  }

  for (const precision of PRECISIONS) {
    it(`is refused with another number of labels than the head has, in ${precision}`, async () => {
      await withCopy("texts", async (directory) => {
        changeConfig(directory, { id2label: { 0: "a", 1: "b" } });
        await using model = await T5ForSequenceClassification.fromPretrained(directory, { ...CPU, precision });
        const message = /logits of the shape \[1, 2\], as id2label .* for model.pt but received \[1, 3\]/;
        await assert.rejects(model.forward("a"), { code: "ERR_MODEL_CORRUPT", message });
        await assert.rejects(model.classify("a"), { code: "ERR_MODEL_CORRUPT", message });
      });
    });

    it(`is refused as one of another kind than its weights, in ${precision}`, async () => {
      await withCopy("texts", async (directory) => {
        changeManifest(directory, { architecture: "T5ForTokenClassification" });
        const use = async () => {
          await using model = await T5ForTokenClassification.fromPretrained(directory, { ...CPU, precision });
          await model.classify("a");
        };
        await assert.rejects(use, { code: "ERR_MODEL_CORRUPT" });
      });
    });
  }

  it("without a tokenizer takes ids, and classify refuses texts", async () => {
    await withCopy("texts", async (directory) => {
      const { files } = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
      for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
        rmSync(join(directory, name));
        delete files[name];
      }
      changeManifest(directory, { files });
      await using model = await T5ForSequenceClassification.fromPretrained(directory, CPU);
      assert.deepEqual((await model.forward({ inputIds: [[5, EOS]] })).logits.shape, [1, 3]);
      const message = /a model with a tokenizer \(forward takes ids\) for classify/;
      await assert.rejects(model.classify("a"), { code: invalid, message });
    });
  });

  it("is checked natively as well: requests that don't match, and other models, are refused", async () => {
    const source = { batch: 1, length: 2, inputIds: Int32Array.of(5, EOS), attentionMask: undefined };
    const [decoderInputIds, positions] = [Int32Array.of(0, 5), Int32Array.of(1)];
    const classifier = await loadNatively(directoryOf("texts"), "sequenceClassification");
    const wrong = [
      [{ decoderInputIds, positions: undefined }, /decoderInputIds and positions, or neither,/],
      [{ decoderInputIds: Int32Array.of(0), positions }, /1 x 2 values for decoderInputIds but received 1/],
      [{ decoderInputIds, positions: Int32Array.of(0, 1) }, /1 x 1 values for positions but received 2/],
      [{ decoderInputIds, positions: Int32Array.of(2) }, /positions/],
      [{ decoderInputIds, positions: Int32Array.of(-1) }, /positions/],
    ] as const;
    for (const [part, message] of wrong) {
      await assert.rejects(
        async () => classifier.classify({ scheduling: { id: 1, priority: 0, isObserved: false }, source, ...part }),
        { code: invalid, message },
      );
    }
    assert.deepEqual(
      (
        await classifier.classify({
          scheduling: { id: 2, priority: 0, isObserved: false },
          source,
          decoderInputIds,
          positions,
        })
      ).shape,
      [1, 3],
    );
    const other = await loadNatively(demoModel, "generation");
    const message = /Expected a model that classifies for the call but received another/;
    const request = { scheduling: { id: 1, priority: 0, isObserved: false }, source, decoderInputIds, positions };
    await assert.rejects(other.classify(request), { code: invalid, message });
    await Promise.all([classifier.dispose(), other.dispose()]);
  });
});
