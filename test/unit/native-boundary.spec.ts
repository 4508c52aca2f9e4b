import assert from "node:assert/strict";
import { join } from "node:path";
import { demoModel } from "torch-t5";
import { readGenerateOptions } from "#lib/generation/request.js";
import { resolveGenerationOptions } from "#lib/generation/resolve.js";
import { loadNative } from "#lib/native/addon.js";
import type { NativeGenerateRequest, NativeModel } from "#lib/native/types.js";

const task = { batch: 1, promptLength: 1, vocabSize: 399, hasTokenizer: true };
const given = readGenerateOptions({ maxLength: 5, eosTokenId: 1, padTokenId: 0 }, task.vocabSize);
const options = resolveGenerationOptions(given, readGenerateOptions({}, task.vocabSize), task);
const source = { batch: 1, length: 2, inputIds: Int32Array.of(5, 1), attentionMask: undefined };
const request: NativeGenerateRequest = { scheduling: { id: 1, priority: 0, isObserved: false }, source, targetLength: 1, decoderInputIds: Int32Array.of(0), options };
const two = Int32Array.of(0, 0);

const forwardRequest = {
  scheduling: { id: 1, priority: 0, isObserved: false },
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
    const { addon, libtorch } = loadNative();
    model = await addon.load({
      path: join(demoModel, "model.pt"),
      hiddenStatesPath: "",
      attentionsPath: "",
      device: "cpu",
      libtorchDirectory: libtorch.directory,
      intraOpThreads: 1,
      interOpThreads: 0,
      maxQueueLength: 0,
      maxBatchSize: 1,
      maxBatchTokens: 1,
      maxCacheBytes: 1,
      precision: "exact",
      architecture: undefined,
    });
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
      await assert.rejects(async () => model.encode({ scheduling: { id: 1, priority: 0, isObserved: false }, source: wrongSource }), refused);
      await assert.rejects(
        async () => model.embed({ scheduling: { id: 1, priority: 0, isObserved: false }, source: wrongSource, pooling: "mean", normalize: false }),
        refused,
      );
      await refuses({ source: wrongSource, decoderInputIds }, message);
    });
  }

  it("refuses decoder ids with more rows than the encoder output", async () => {
    const output = await model.encode({ scheduling: { id: 1, priority: 0, isObserved: false }, source });
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
    const step = await search.advance({ scheduling: { id: 1, priority: 0, isObserved: false }, edited: undefined, takeLogits: true });
    assert.equal(step.logits, undefined);
    const running = search.advance({ scheduling: { id: 1, priority: 0, isObserved: false }, edited: undefined, takeLogits: false });
    assert.throws(() => search.prepare({ scheduling: { id: 2, priority: 0, isObserved: false } }), { code: "ERR_INVALID_ARGUMENT", message: /an idle search/ });
    await running;
    search.dispose();
    assert.throws(() => search.prepare({ scheduling: { id: 2, priority: 0, isObserved: false } }), { code: "ERR_DISPOSED" });
  });
});
