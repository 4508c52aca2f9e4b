import assert from "node:assert/strict";
import type { T5ErrorCode } from "torch-t5";
import { useModel } from "../support/model.js";

interface Case {
  readonly promise: string;
  readonly input?: unknown;
  readonly options?: unknown;
  readonly code?: T5ErrorCode;
  readonly message: RegExp;
}

const good = "spell number: 7";
const range: T5ErrorCode = "ERR_TOKEN_OUT_OF_RANGE";
const throws = (): never => {
  throw new Error("thrown by the caller's own code");
};

const inputs: readonly Case[] = [
  { promise: "nothing", input: undefined, message: /a text, an array of texts or an object for input .* undefined/ },
  { promise: "a number", input: 5, message: /for input but received 5/ },
  { promise: "an empty object", input: {}, message: /text or inputIds for input/ },
  { promise: "no texts", input: [], message: /at least one text for text/ },
  { promise: "a number among the texts", input: ["a", 5], message: /a string for text\[1\] but received 5/ },
  { promise: "a target", input: { text: "a", target: "b" }, message: /the names in input .*"target"/ },
  { promise: "labels", input: { text: "a", labels: [[1]] }, message: /the names in input .*"labels"/ },
  {
    promise: "an id out of range",
    input: { inputIds: [[1e6]] },
    code: range,
    message: /inputIds\[0\]\[0\] .* 1000000/,
  },
  {
    promise: "a mask of another length",
    input: { inputIds: [[5, 1]], attentionMask: [[1]] },
    message: /shape \[1, 2\].*attentionMask/,
  },
  {
    promise: "decoder ids of another batch",
    input: { text: "a", decoderInputIds: [[0], [0]] },
    message: /1 rows, .* for decoderInputIds but received 2/,
  },
  {
    promise: "a decoder id out of range",
    input: { text: "a", decoderInputIds: [[1e6]] },
    code: range,
    message: /for decoderInputIds\[0\]\[0\]/,
  },
  { promise: "empty decoder ids", input: { text: "a", decoderInputIds: [[]] }, message: /decoderInputIds\[0\]/ },
  {
    promise: "another object as an encoder output",
    input: { encoderOutput: {} },
    message: /an EncoderOutput for encoder/,
  },
  {
    promise: "an encoder output and a text",
    input: { encoderOutput: {}, text: "a" },
    message: /only one of encoderOutput and text for input/,
  },
  {
    promise: "a getter that throws",
    input: {
      get text() {
        return throws();
      },
    },
    message: /that can be read/,
  },
];

/** Values that no option of a kind takes. */
const kinds: readonly (readonly [names: readonly string[], values: readonly unknown[]])[] = [
  [
    ["maxNewTokens", "maxLength", "numBeams", "numReturnSequences"],
    [0, -1, 1.5, Number.NaN, "5", null, 2 ** 31, [1], 5n],
  ],
  [
    ["minNewTokens", "minLength", "topK", "noRepeatNgramSize", "encoderNoRepeatNgramSize"],
    [-1, 1.5, Number.NaN, "5", null, {}],
  ],
  [["lengthPenalty"], [Number.NaN, Number.POSITIVE_INFINITY, "1", null]],
  [
    ["temperature", "repetitionPenalty", "encoderRepetitionPenalty"],
    [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "1", null, true],
  ],
  [
    ["topP", "minP"],
    [-0.1, 1.1, Number.NaN, "1", null],
  ],
  [["typicalP"], [0, 1.1, Number.NaN, "1", null]],
  [
    ["epsilonCutoff", "etaCutoff"],
    [-0.1, 1, Number.NaN, "0", null],
  ],
  [
    ["doSample", "renormalizeLogits", "removeInvalidValues", "returnLogits", "returnScores"],
    [0, 1, "yes", null],
  ],
  [["logProbs"], [-1, 1.5, 400, true, "2", null, Number.NaN]],
  [["earlyStopping"], [0, "always", null]],
  [
    ["eosTokenId", "forcedEosTokenId"],
    [1.5, "1", null, [1.5], ["a"], {}, [[1]]],
  ],
  [["forcedEosTokenId", "badWordsIds", "sequenceBias", "stopStrings"], [[]]],
  [
    ["padTokenId", "forcedBosTokenId"],
    [1.5, "1", null, [1]],
  ],
  [
    ["suppressTokens", "beginSuppressTokens"],
    [5, "1", null, [1.5], ["a"], new Array(2)],
  ],
  [["badWordsIds"], [5, [5], [[]], [["a"]], "words", null]],
  [["sequenceBias"], [5, [5], [[1]], [[[1], "1"]], [[[1], Number.NaN]], [[[], 1]], [[["a"], 1]], null, {}]],
  [["exponentialDecayLengthPenalty"], [5, [], [1], [1, 0], [-1, 2], [1.5, 2], [1, "2"], [1, 2, 3], null]],
  [["stopStrings"], [5, "", [5], [""], ["a", ""], "\ud800", "a".repeat(70_000), null, {}]],
  [["maxTime"], [-1, Number.NaN, Number.POSITIVE_INFINITY, "1", null]],
  [["seed"], [1.5, 2 ** 60, 2n ** 64n, -(2n ** 63n) - 1n, Number.NaN, "1", null]],
  [["logitsProcessor"], [5, {}, [], null]],
  [["signal"], [5, {}, null]],
];

const beyond: readonly (readonly [name: string, value: unknown])[] = [
  ["eosTokenId", 1e6],
  ["eosTokenId", [1, -1]],
  ["padTokenId", -1],
  ["forcedBosTokenId", 1e6],
  ["forcedEosTokenId", [1e6]],
  ["suppressTokens", [5, 1e6]],
  ["beginSuppressTokens", Int32Array.of(-1)],
  ["badWordsIds", [[5], [5, 1e6]]],
  ["sequenceBias", [[[1e6], 1]]],
];

const others: readonly Case[] = [
  { promise: "a number as options", options: 5, message: /an object for options but received 5/ },
  { promise: "null as options", options: null, message: /an object for options but received null/ },
  { promise: "an unknown option", options: { numBeam: 2 }, message: /"numBeam"; did you mean numBeams\?/ },
  { promise: "a name in snake case", options: { max_new_tokens: 2 }, message: /did you mean maxNewTokens\?/ },
  {
    promise: "groups of beams",
    options: { numBeams: 2, numBeamGroups: 2 },
    message: /group beam search .* options.numBeamGroups .* 2/,
  },
  {
    promise: "diversity that is no number",
    options: { diversityPenalty: "0.5" },
    message: /group beam search .* options.diversityPenalty/,
  },
  {
    promise: "an unsupported option behind a getter",
    options: {
      get useCache() {
        return false;
      },
    },
    message: /options.useCache but received false/,
  },
  { promise: "constraints", options: { constraints: [] }, message: /constrained beam search .* options.constraints/ },
  { promise: "forced words", options: { forceWordsIds: [[5]] }, message: /constrained beam search .*forceWordsIds/ },
  { promise: "contrastive search", options: { penaltyAlpha: 0.6 }, message: /contrastive search .*penaltyAlpha/ },
  { promise: "DoLa", options: { dolaLayers: "low" }, message: /DoLa .* options.dolaLayers/ },
  { promise: "guidance", options: { guidanceScale: 2 }, message: /classifier-free guidance .* options.guidanceScale/ },
  { promise: "no cache", options: { useCache: false }, message: /options.useCache but received false/ },
  { promise: "another model", options: { assistantModel: {} }, message: /options.assistantModel/ },
  {
    promise: "outputScores",
    options: { outputScores: true },
    message: /returnScores instead for options.outputScores/,
  },
  { promise: "a streamer", options: { streamer: {} }, message: /stream instead for options.streamer/ },
  { promise: "a generationConfig", options: { generationConfig: {} }, message: /instead for options.generationConfig/ },
  { promise: "a start id", options: { decoderStartTokenId: 5 }, message: /decoderInputIds in the input instead/ },
  {
    promise: "a conflict",
    options: { maxLength: 5, maxNewTokens: 5 },
    message: /only one of maxNewTokens and maxLength/,
  },
  {
    promise: "sampling's options alone",
    options: { temperature: 0.5 },
    message: /options.doSample alongside it .*temperature/,
  },
  {
    promise: "an option that throws",
    options: {
      get numBeams() {
        return throws();
      },
    },
    message: /that can be read/,
  },
];

const cases: readonly Case[] = [
  ...inputs,
  ...kinds.flatMap(([names, values]) =>
    names.flatMap((name) =>
      values.map((value, index) => ({
        promise: `${name}, wrong value ${index}`,
        input: good,
        options: { [name]: value },
        message: new RegExp(`options.${name}(\\[|\\b)`),
      })),
    ),
  ),
  ...beyond.map(([name, value], index) => ({
    promise: `${name} out of range, ${index}`,
    input: good,
    options: { [name]: value },
    code: range,
    message: new RegExp(`from 0 to \\d+ for options.${name}`),
  })),
  ...others.map((one) => ({ ...one, input: good })),
];

describe("a bad call of generate", () => {
  const model = useModel();

  for (const { promise, input, options, code = "ERR_INVALID_ARGUMENT", message } of cases) {
    it(`is refused: ${promise}`, async () => {
      const refused = { name: "T5Error", code, message };
      await assert.rejects(model().generate(input as never, options as never), refused);
      await assert.rejects(
        model()
          .stream(input as never, options as never)
          .next(),
        refused,
      );
    });
  }

  it("leaves the model usable", async () => {
    assert.deepEqual((await model().generate(good)).texts, ["seven"]);
  });

  it("rejects with the caller's line on top of its stack", async () => {
    for (const call of [
      () => model().generate(5 as never),
      () =>
        model()
          .stream(5 as never)
          .next(),
      () => model().generate("a", { numBeams: 0 }),
    ]) {
      const error: unknown = await call().catch((thrown: unknown) => thrown);
      assert.match(String((error as Error).stack).split("\n")[1] ?? "", /bad-generation\.spec\.ts/);
    }
  });
});

describe("a bad call of stream", () => {
  const model = useModel();
  const wrong: readonly (readonly [promise: string, input: unknown, options: object, message: RegExp])[] = [
    ["beams", good, { numBeams: 2 }, /1, as beams change up to the end of a generation, for options.numBeams .* 2/],
    ["beams of several rows", [good, good], { numBeams: 2 }, /as beams change .* options.numBeams but received 2/],
    ["greedy sequences", good, { numReturnSequences: 2 }, /neither beams nor sampling, for options.numReturnSequences/],
    ["rows of which one is empty", { inputIds: [[5], []] }, {}, /inputIds/],
    ["prompts for another number of rows", { text: good, decoderInputIds: [[5], [5]] }, {}, /decoderInputIds/],
    ["scores", good, { returnScores: true }, /false, as stream has no scores, for options.returnScores/],
  ];
  for (const [promise, input, options, message] of wrong) {
    it(`is refused: ${promise}`, async () => {
      const stream = model().stream(input as never, options as never);
      await assert.rejects(stream.next(), { name: "T5Error", code: "ERR_INVALID_ARGUMENT", message });
      assert.deepEqual(await stream.next(), { done: true, value: undefined });
    });
  }
});
