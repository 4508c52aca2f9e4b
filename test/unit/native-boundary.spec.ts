import assert from "node:assert/strict";
import { demoModel } from "torch-t5";
import { readGenerateOptions } from "#lib/generation/request.js";
import { resolveGenerationOptions } from "#lib/generation/resolve.js";
import type { NativeGenerateRequest, NativeModel } from "#lib/native/types.js";
import { loadNatively } from "../support/native-model.js";

const task = { batch: 1, promptLength: 1, vocabSize: 399, endId: 1, hasTokenizer: true };
const given = readGenerateOptions({ maxLength: 5, eosTokenId: 1, padTokenId: 0 }, task.vocabSize);
const options = resolveGenerationOptions(given, readGenerateOptions({}, task.vocabSize), task);
const source = { batch: 1, length: 2, inputIds: Int32Array.of(5, 1), attentionMask: undefined };
const scheduling = { id: 1, priority: 0, isObserved: false } as const;
const request: NativeGenerateRequest = {
  scheduling,
  source,
  targetLength: 1,
  decoderInputIds: Int32Array.of(0),
  options,
};
const two = Int32Array.of(0, 0);

const forwardRequest = {
  scheduling,
  targetLength: 1,
  labels: undefined,
  loss: false,
  positions: undefined,
  tokens: undefined,
  topK: 0,
  hiddenStates: false,
  outputHiddenStates: false,
  outputAttentions: false,
  head: undefined,
};

const embedding = { pooling: ["mean"], promptLength: 0, layers: [] } as const;
const dense = { inputs: 2, outputs: 3, weight: new Float32Array(6), bias: undefined, activation: "tanh" } as const;

const wrongDense: readonly (readonly [promise: string, part: object, message: RegExp])[] = [
  ["too few weights", { outputs: 4 }, /4 x 2 values for weight but received 6/],
  ["a short bias", { bias: new Float32Array(2) }, /1 x 3 values for bias but received 2/],
  ["weights of 64 bits", { weight: new Float64Array(6) }, /a Float32Array for weight/],
  ["no inputs", { inputs: 0 }, /from 1 to \d+ for inputs/],
  ["an unknown activation", { activation: "softmax" }, /a known name for activation but received "softmax"/],
];

const wrongEmbeddings: readonly (readonly [promise: string, part: object, message: RegExp])[] = [
  ["no pooling", { pooling: [] }, /at least one mode for pooling but received none/],
  ["an unknown pooling", { pooling: ["median"] }, /a known name for pooling but received "median"/],
  ["a negative length of the prompt", { promptLength: -1 }, /from 0 to 2147483647 for promptLength/],
  ["an unknown layer", { layers: ["dropout"] }, /a dense layer or "normalize" for layers/],
  ["an object that is no layer", { layers: [{}] }, /a string for layers/],
];

const wrongSources: readonly (readonly [promise: string, part: object, message: RegExp])[] = [
  ["too few ids", { batch: 2 }, /2 x 2 values for inputIds but received 2/],
  ["too short a mask", { attentionMask: Int32Array.of(1) }, /1 x 2 values for attentionMask but received 1/],
  ["an empty row", { length: 0, inputIds: new Int32Array() }, /a positive integer for length but received 0/],
];

const requests: readonly (readonly [promise: string, part: object, message: RegExp])[] = [
  ["too few ids in the source", { source: { ...source, batch: 2 } }, /2 x 2 values for inputIds but received 2/],
  ["a short mask", { source: { ...source, attentionMask: Int32Array.of(1) } }, /1 x 2 values for attentionMask/],
  ["no source", { source: undefined }, /an object for source/],
  ["too many decoder ids", { decoderInputIds: two }, /1 x 1 values for decoderInputIds but received 2/],
  ["no decoder ids", { targetLength: 0, decoderInputIds: new Int32Array() }, /at least 1 for targetLength/],
  ["decoder ids of 64 bits", { decoderInputIds: BigInt64Array.of(0n) }, /an Int32Array for decoderInputIds/],
  ["a negative length", { targetLength: -1 }, /from 0 to 2147483647 for targetLength/],
];

const wrongOptions: readonly (readonly [promise: string, part: object, message: RegExp])[] = [
  ["no room for a token", { maxLength: 1 }, /at least 2 for maxLength but received 1/],
  ["no beams", { numBeams: 0 }, /at least 1 for numBeams but received 0/],
  ["more sequences than beams", { numBeams: 2, numReturnSequences: 3 }, /at most 2 .* for numReturnSequences/],
  ["no sequences", { numReturnSequences: 0 }, /at least 1 for numReturnSequences/],
  ["an empty bad word", { badWordsIds: [new Int32Array()] }, /at least one id for badWordsIds but received none/],
  ["an empty biased sequence", { sequenceBias: [{ ids: new Int32Array(), bias: 1 }] }, /one id for sequenceBias/],
  ["an unknown kind of early stopping", { earlyStopping: "soon" }, /a known name for earlyStopping .* "soon"/],
  ["stop strings without the tokens' texts", { stopStrings: ["a"] }, /the texts of all tokens for stopStrings/],
  ["a stop string that isn't one", { stopStrings: [5] }, /a string for stopStrings/],
  ["a seed that is a number", { seed: 1 }, /a bigint for seed/],
];

describe("the native boundary", () => {
  let model: NativeModel;

  before(async () => {
    model = await loadNatively(demoModel, "generation");
  });

  after(() => model.dispose());

  const refuses = async (wrong: object, message: RegExp) => {
    const refused = { code: "ERR_INVALID_ARGUMENT", message };
    await assert.rejects(async () => model.generate({ ...request, ...wrong }), refused);
    await assert.rejects(async () => model.startSearch({ ...request, ...wrong }), refused);
  };

  for (const [promise, part, message] of requests) {
    it(`refuses ${promise}`, () => refuses(part, message));
  }

  for (const [promise, part, message] of wrongOptions) {
    it(`refuses ${promise}`, () => refuses({ options: { ...options, ...part } }, message));
  }

  for (const [promise, wrong, message] of wrongSources) {
    it(`refuses ${promise} in every request that has a source`, async () => {
      const refused = { code: "ERR_INVALID_ARGUMENT", message };
      const wrongSource = { ...source, ...wrong };
      const decoderInputIds = new Int32Array(wrongSource.batch);
      await assert.rejects(
        async () => model.forward({ ...forwardRequest, source: wrongSource, decoderInputIds }),
        refused,
      );
      await assert.rejects(async () => model.encode({ scheduling, source: wrongSource }), refused);
      await assert.rejects(async () => model.embed({ scheduling, source: wrongSource, ...embedding }), refused);
      await refuses({ source: wrongSource, decoderInputIds }, message);
    });
  }

  for (const [promise, wrong, message] of wrongDense) {
    it(`refuses a dense layer with ${promise}`, async () => {
      const refused = { code: "ERR_INVALID_ARGUMENT", message };
      await assert.rejects(async () => model.loadDense({ scheduling, ...dense, ...wrong }), refused);
    });
  }

  for (const [promise, wrong, message] of wrongEmbeddings) {
    it(`refuses an embedding with ${promise}`, async () => {
      const refused = { code: "ERR_INVALID_ARGUMENT", message };
      await assert.rejects(async () => model.embed({ scheduling, source, ...embedding, ...wrong }), refused);
    });
  }

  it("refuses a dense layer of other inputs, and one that was disposed", async () => {
    const layer = await model.loadDense({ scheduling, ...dense });
    const call = () => model.embed({ scheduling, source, ...embedding, layers: [layer] });
    const message = /Expected 2 columns for a dense layer's input but received 128/;
    await assert.rejects(async () => call(), { code: "ERR_INVALID_ARGUMENT", message });
    layer.dispose();
    await assert.rejects(async () => call(), { code: "ERR_DISPOSED" });
    assert.deepEqual((await model.embed({ scheduling, source, ...embedding })).shape, [1, 128]);
  });

  it("refuses decoder ids with more rows than the encoder output", async () => {
    const output = await model.encode({ scheduling, source });
    await refuses({ source: output, decoderInputIds: two }, /1 x 1 values for decoderInputIds but received 2/);
    output.dispose();
    await assert.rejects(async () => model.generate({ ...request, source: output }), { code: "ERR_DISPOSED" });
  });

  it("refuses offsets outside of the bytes of the tokens' texts", () => {
    const refused = { code: "ERR_INVALID_ARGUMENT", message: /ascending offsets within bytes for offsets/ };
    assert.throws(() => model.uploadTokenTexts(new Uint8Array(3), Int32Array.of(0, 4)), refused);
    assert.throws(() => model.uploadTokenTexts(new Uint8Array(3), Int32Array.of(2, 1)), refused);
  });

  it("takes no logits from a search that keeps none, and refuses a call while another one runs", async () => {
    const search = await model.startSearch({ ...request, options: { ...options, minLength: 5 } });
    const step = await search.advance({
      scheduling,
      edited: undefined,
      takeOutputs: true,
    });
    assert.equal(step.logits, undefined);
    const running = search.advance({
      scheduling,
      edited: undefined,
      takeOutputs: false,
    });
    assert.throws(() => search.prepare({ scheduling: { id: 2, priority: 0, isObserved: false } }), {
      code: "ERR_INVALID_ARGUMENT",
      message: /an idle search/,
    });
    await running;
    search.dispose();
    assert.throws(() => search.prepare({ scheduling: { id: 2, priority: 0, isObserved: false } }), {
      code: "ERR_DISPOSED",
    });
  });
});
