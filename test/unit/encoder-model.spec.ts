import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { demoModel, T5EncoderModel, type T5Error, T5ForConditionalGeneration } from "torch-t5";
import { withModelCopy } from "../support/directory.js";
import { PRECISIONS } from "../support/model.js";
import { loadNatively } from "../support/native-model.js";

const ids = { inputIds: [[3, 4, 1, 0]], attentionMask: [[1, 1, 1, 0]] };
const CPU = { device: "cpu", intraOpThreads: 1 } as const;

function nameClass(directory: string, architecture: unknown): void {
  const path = join(directory, "manifest.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), architecture }));
}

describe("T5EncoderModel", () => {
  let encoder: T5EncoderModel;

  before(async () => {
    encoder = await T5EncoderModel.fromPretrained(demoModel, CPU);
  });

  after(() => encoder.dispose());

  it("has the properties of a loaded model, and the methods of an encoder alone", () => {
    assert.deepEqual(Object.keys(encoder).sort(), ["config", "device", "embeddingConfig", "precision", "tokenizer"]);
    assert.deepEqual([encoder.config.modelType, encoder.device, encoder.precision], ["t5", "cpu", "exact"]);
    assert.deepEqual(Object.getOwnPropertyNames(T5EncoderModel.prototype).sort(), [
      "constructor",
      "embed",
      "encode",
      "forward",
    ]);
    for (const method of ["generate", "stream", "score", "rerank", "loadHead"]) assert.ok(!(method in encoder), method);
  });

  for (const precision of PRECISIONS) {
    it(`computes the whole model's encoder states in ${precision}, of texts and of ids`, async () => {
      const options = { ...CPU, precision };
      const [one, whole] = [
        await T5EncoderModel.fromPretrained(demoModel, options),
        await T5ForConditionalGeneration.fromPretrained(demoModel, options),
      ];
      for (const source of ["spell number: 7", { text: ["spell number: 7", "a"] }, ids]) {
        const { lastHiddenState } = await one.forward(source);
        const { encoderLastHiddenState } = await whole.forward(source, { hiddenStates: true });
        assert.deepEqual(lastHiddenState.shape, encoderLastHiddenState.shape);
        assert.deepEqual(lastHiddenState.data, encoderLastHiddenState.data);
        assert.deepEqual((await one.embed(source)).data, (await whole.embed(source)).data);
      }
      await Promise.all([one.dispose(), whole.dispose()]);
    });
  }

  it("encodes once for several calls of embed", async () => {
    using encoded = await encoder.encode(["a", "spell number: 7"]);
    assert.deepEqual([encoded.batch, encoded.shape[2]], [2, encoder.config.dModel]);
    for (const pooling of ["mean", "first"] as const) {
      const expected = await encoder.embed(["a", "spell number: 7"], { pooling });
      assert.deepEqual((await encoder.embed(encoded, { pooling })).data, expected.data);
    }
  });

  it("starts no decoder: its encoder outputs refuse it, and stay usable", async () => {
    using encoded = await encoder.encode("a");
    const message = "Expected a model with a decoder for startDecoding but received a T5EncoderModel";
    assert.throws(() => encoded.startDecoding(), { code: "ERR_INVALID_ARGUMENT", message });
    assert.equal((await encoder.embed(encoded)).shape[0], 1);
  });

  const wrong: readonly (readonly [promise: string, input: unknown, options: unknown, message: RegExp])[] = [
    ["nothing", undefined, undefined, /a text, an array of texts or an object for input but received undefined/],
    ["decoder ids", { ...ids, decoderInputIds: [[0]] }, undefined, /the names in input .* "decoderInputIds"/],
    ["a target", { text: "a", target: "b" }, undefined, /the names in input .* "target"/],
    [
      "an unknown option",
      "a",
      { hiddenStates: true },
      /only signal, timeoutMs, priority for the names in options .*"hiddenStates"/,
    ],
    ["a signal that isn't one", "a", { signal: 5 }, /an AbortSignal for options.signal but received 5/],
    ["a mask of another shape", { ...ids, attentionMask: [[1]] }, undefined, /attentionMask/],
  ];

  for (const [promise, input, options, message] of wrong) {
    it(`forward refuses ${promise}`, async () => {
      const call = encoder.forward(input as string, options as object);
      await assert.rejects(call, { name: "T5Error", code: "ERR_INVALID_ARGUMENT", message });
    });
  }

  it("forward refuses an encoder output, and an id out of range", async () => {
    using encoded = await encoder.encode("a");
    const message = /Expected texts or ids for input but received/;
    await assert.rejects(encoder.forward(encoded as never), { code: "ERR_INVALID_ARGUMENT", message });
    await assert.rejects(encoder.forward({ inputIds: [[399]] }), { code: "ERR_TOKEN_OUT_OF_RANGE" });
  });

  it("rejects with the signal's reason, and computes the same afterwards", async () => {
    const before = await encoder.forward(ids);
    const reason = new Error("enough");
    await assert.rejects(encoder.forward(ids, { signal: AbortSignal.abort(reason) }), (thrown) => thrown === reason);
    const controller = new AbortController();
    const running = encoder.forward({ inputIds: [Array(2000).fill(5)] }, { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(running, (thrown) => thrown === reason);
    assert.deepEqual((await encoder.forward(ids)).lastHiddenState.data, before.lastHiddenState.data);
  });

  it("copies its arguments before it returns", async () => {
    const row = [3, 4, 1];
    const call = encoder.forward({ inputIds: [row] });
    row.fill(9);
    const expected = await encoder.forward({ inputIds: [[3, 4, 1]] });
    assert.deepEqual((await call).lastHiddenState.data, expected.lastHiddenState.data);
  });

  it("refuses calls after dispose, which is idempotent, with the caller's stack", async () => {
    const other = await T5EncoderModel.fromPretrained(demoModel, CPU);
    await Promise.all([other.dispose(), other.dispose()]);
    for (const call of [other.forward(ids), other.encode(ids), other.embed(ids)]) {
      await assert.rejects(call, (error: T5Error) => {
        assert.equal(error.code, "ERR_DISPOSED");
        assert.match(error.stack?.split("\n")[1] ?? "", /encoder-model\.spec\.ts/);
        return true;
      });
    }
  });
});

describe("the class of an export", () => {
  it("is checked before anything native runs, and the message names the right class", async () => {
    await withModelCopy(async (directory) => {
      for (const architecture of ["T5EncoderModel", "MT5EncoderModel", "UMT5EncoderModel"]) {
        nameClass(directory, architecture);
        writeFileSync(join(directory, "model.pt"), "not read");
        await assert.rejects(T5ForConditionalGeneration.fromPretrained(directory, CPU), (error: T5Error) => {
          assert.equal(error.code, "ERR_INVALID_ARGUMENT");
          assert.ok(
            error.message.endsWith(`an encoder alone, ${architecture}: load it with T5EncoderModel.fromPretrained`),
          );
          assert.match(error.stack?.split("\n")[1] ?? "", /encoder-model\.spec\.ts/);
          return true;
        });
      }
    });
  });

  for (const architecture of ["BertModel", "constructor", "T5Model"]) {
    it(`${architecture} is none that an export can be of`, async () => {
      await withModelCopy(async (directory) => {
        nameClass(directory, architecture);
        for (const Model of [T5ForConditionalGeneration, T5EncoderModel]) {
          const message =
            /Expected one of T5ForConditionalGeneration, .* for architecture in manifest.json but received/;
          await assert.rejects(Model.fromPretrained(directory, CPU), { code: "ERR_MODEL_CORRUPT", message });
        }
      });
    });
  }

  it("is checked natively as well: an encoder refuses what needs a decoder", async () => {
    const model = await loadNatively(demoModel, "encoder");
    const source = { batch: 1, length: 2, inputIds: Int32Array.of(5, 1), attentionMask: undefined };
    const targets = { targetIds: Int32Array.of(5), targetLengths: Int32Array.of(1), batchSize: 1, mean: false };
    const refused = { code: "ERR_INVALID_ARGUMENT", message: /Expected a model with a decoder for the call/ };
    await assert.rejects(
      model.score({
        scheduling: { id: 1, priority: 0, isObserved: false },
        source,
        ...targets,
        decoderStartTokenId: 0,
        padTokenId: 0,
      }),
      refused,
    );
    const encoded = await model.encode({ scheduling: { id: 2, priority: 0, isObserved: false }, source });
    const decoded = { rows: undefined, batch: 1, targetLength: 1, decoderInputIds: Int32Array.of(0) };
    const selection = {
      positions: undefined,
      tokens: undefined,
      topK: 0,
      hiddenStates: false,
      outputHiddenStates: false,
      outputAttentions: false,
    };
    await assert.rejects(
      encoded
        .startDecoding()
        .decode({ scheduling: { id: 3, priority: 0, isObserved: false }, ...decoded, ...selection }),
      refused,
    );
    assert.deepEqual(
      (await model.forwardEncoder({ scheduling: { id: 4, priority: 0, isObserved: false }, source })).shape,
      [1, 2, 128],
    );
    await model.dispose();
  });
});
