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

const good = { inputIds: [[3, 4, 1]] };
const throws = (): never => {
  throw new Error("thrown by the caller's own code");
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();
const range: T5ErrorCode = "ERR_TOKEN_OUT_OF_RANGE";

const inputs: readonly Case[] = [
  { promise: "nothing", input: undefined, message: /a text, an array of texts or an object for input .* undefined/ },
  { promise: "null", input: null, message: /for input but received null/ },
  { promise: "a number", input: 5, message: /for input but received 5/ },
  { promise: "a function", input: throws, message: /for input but received a function/ },
  { promise: "a symbol", input: Symbol("s"), message: /for input but received Symbol\(s\)/ },
  { promise: "a typed array alone", input: Int32Array.of(1), message: /for input but received an Int32Array/ },
  { promise: "an empty object", input: {}, message: /text or inputIds for input but received undefined/ },
  { promise: "an empty batch of texts", input: [], message: /at least one text for text but received an empty array/ },
  { promise: "a number among the texts", input: ["a", 5], message: /a string for text\[1\] but received 5/ },
  { promise: "a hole in the texts", input: new Array(2), message: /a string for text\[0\] but received undefined/ },
  { promise: "an empty batch of text", input: { text: [] }, message: /at least one text for text/ },
  { promise: "text of another type", input: { text: 5 }, message: /a string or an array of strings for text .* 5/ },
  { promise: "target of another type", input: { text: "a", target: 5 }, message: /strings for target but received 5/ },
  { promise: "an empty batch of targets", input: { text: "a", target: [] }, message: /at least one text for target/ },
  {
    promise: "targets of another count",
    input: { text: ["a", "b"], target: "c" },
    message: /2 rows, .* for target .* 1/,
  },
  { promise: "an unknown name", input: { ...good, lables: [[1]] }, message: /the names in input .*"lables".*labels\?/ },
  { promise: "a name unlike all others", input: { ...good, elephants: 1 }, message: /received "elephants"$/ },
  { promise: "text and ids", input: { text: "a", ...good }, message: /only one of text and inputIds for input/ },
  {
    promise: "text and a mask",
    input: { text: "a", attentionMask: [[1]] },
    message: /only one of text and attentionMask/,
  },
  { promise: "labels and target", input: { ...good, labels: [[1]], target: "a" }, message: /one of target and labels/ },
  {
    promise: "labels and decoder ids",
    input: { ...good, labels: [[1]], decoderInputIds: [[1]] },
    message: /one of labels and decoderInputIds/,
  },
  {
    promise: "target and decoder ids",
    input: { ...good, target: "a", decoderInputIds: [[1]] },
    message: /one of target and decoderInputIds/,
  },
  {
    promise: "ids of another type",
    input: { inputIds: "1 2" },
    message: /rows of ids, or \{ data, shape \}, for inputIds/,
  },
  { promise: "an empty batch of ids", input: { inputIds: [] }, message: /at least one element for inputIds .* empty/ },
  { promise: "an empty row", input: { inputIds: [[]] }, message: /at least one element for inputIds\[0\]/ },
  {
    promise: "one row without its batch",
    input: { inputIds: [1, 2] },
    message: /an array of ids for inputIds\[0\] .* 1/,
  },
  {
    promise: "ragged ids",
    input: { inputIds: [[1, 2], [1]] },
    message: /2 ids, as inputIds\[0\] has, for inputIds\[1\] .* 1/,
  },
  { promise: "a hole in the ids", input: { inputIds: [new Array(3)] }, message: /for inputIds\[0\]\[0\] .* undefined/ },
  {
    promise: "NaN as an id",
    input: { inputIds: [[1, Number.NaN]] },
    message: /for inputIds\[0\]\[1\] but received NaN/,
  },
  {
    promise: "a float as an id",
    input: { inputIds: [[1.5]] },
    message: /an id from 0 to \d+ for inputIds\[0\]\[0\] .* 1.5/,
  },
  { promise: "a string as an id", input: { inputIds: [["1"]] }, message: /for inputIds\[0\]\[0\] but received "1"/ },
  {
    promise: "a negative id",
    input: { inputIds: [[-1]] },
    code: range,
    message: /for inputIds\[0\]\[0\] but received -1/,
  },
  {
    promise: "an id out of range",
    input: { inputIds: [[1], [1e6]] },
    code: range,
    message: /inputIds\[1\]\[0\] .* 1000000/,
  },
  {
    promise: "a bigint out of range",
    input: { inputIds: [[2n ** 63n]] },
    code: range,
    message: /9223372036854775808n/,
  },
  { promise: "more than int32 ids", input: { inputIds: [new Array(2 ** 31)] }, message: /at most 2147483647 elements/ },
  {
    promise: "a flat array",
    input: { inputIds: Int32Array.of(1) },
    message: /\{ data, shape \}, for inputIds .* Int32Array/,
  },
  {
    promise: "floats as flat ids",
    input: { inputIds: { data: Float32Array.of(1), shape: [1, 1] } },
    message: /an Int32Array or a BigInt64Array for inputIds.data but received a Float32Array/,
  },
  { promise: "flat ids without a shape", input: { inputIds: { data: Int32Array.of(1) } }, message: /inputIds.shape/ },
  {
    promise: "a shape of one axis",
    input: { inputIds: { data: Int32Array.of(1), shape: [1] } },
    message: /\[batch, length\] for inputIds.shape but received an array of length 1/,
  },
  {
    promise: "a shape with a zero",
    input: { inputIds: { data: new Int32Array(0), shape: [0, 5] } },
    message: /for inputIds.shape\[0\] but received 0/,
  },
  {
    promise: "a shape that overflows",
    input: { inputIds: { data: Int32Array.of(1), shape: [65_536, 65_536] } },
    message: /at most 2147483647 elements for inputIds but received 4294967296/,
  },
  {
    promise: "a shape of another size",
    input: { inputIds: { data: Int32Array.of(1, 2), shape: [1, 3] } },
    message: /3 ids for inputIds.data but received 2/,
  },
  {
    promise: "a flat id out of range",
    input: { inputIds: { data: BigInt64Array.of(1n, 1_000_000n), shape: [1, 2] } },
    code: range,
    message: /for inputIds.data\[1\] but received 1000000n/,
  },
  { promise: "a shape beside rows", input: { ...good, shape: [1, 3] }, message: /as shape is given, for inputIds/ },
  {
    promise: "a mask of another length",
    input: { ...good, attentionMask: [[1, 1]] },
    message: /shape \[1, 3\].*\[1, 2\]/,
  },
  {
    promise: "a mask of another batch",
    input: {
      ...good,
      attentionMask: [
        [1, 1, 1],
        [1, 1, 1],
      ],
    },
    message: /\[2, 3\]$/,
  },
  {
    promise: "a mask of zeros",
    input: { ...good, attentionMask: [[0, 0, 0]] },
    message: /one 1 for row 0 of attentionMask/,
  },
  {
    promise: "another value in a mask",
    input: { ...good, attentionMask: [[1, 2, 0]] },
    message: /0 or 1 for attentionMask\[0\]\[1\]/,
  },
  { promise: "a fraction in a mask", input: { ...good, attentionMask: [[1, 0.5, 0]] }, message: /received 0.5/ },
  { promise: "booleans in a mask", input: { ...good, attentionMask: [[true, true, true]] }, message: /received true/ },
  { promise: "a mask without ids", input: { attentionMask: [[1]] }, message: /text or inputIds for input/ },
  { promise: "labels of another batch", input: { ...good, labels: [[1], [1]] }, message: /1 rows, .* for labels .* 2/ },
  {
    promise: "a label out of range",
    input: { ...good, labels: [[1e6]] },
    code: range,
    message: /or -100 for labels\[0\]\[0\]/,
  },
  { promise: "a label of -1", input: { ...good, labels: [[-1]] }, code: range, message: /labels\[0\]\[0\] .* -1/ },
  { promise: "empty labels", input: { ...good, labels: [[]] }, message: /labels\[0\]/ },
  {
    promise: "-100 for the decoder",
    input: { ...good, decoderInputIds: [[-100]] },
    code: range,
    message: /received -100/,
  },
  {
    promise: "decoder ids of another batch",
    input: { ...good, decoderInputIds: [[0], [0]] },
    message: /for decoderInputIds/,
  },
  { promise: "-100 for the encoder", input: { inputIds: [[-100]] }, code: range, message: /received -100/ },
  { promise: "a revoked proxy", input: revoked.proxy, message: /that can be read but received one that throws/ },
  {
    promise: "a getter that throws",
    input: {
      get text() {
        return throws();
      },
    },
    message: /that can be read/,
  },
  {
    promise: "a row whose elements throw",
    input: {
      inputIds: [
        {
          get length() {
            return throws();
          },
        },
      ],
    },
    message: /array of ids/,
  },
  {
    promise: "a proxy that throws",
    input: { inputIds: new Proxy([[1]], { get: throws }) },
    message: /that can be read/,
  },
  {
    promise: "a proxy of endless rows",
    input: { inputIds: new Proxy([], { get: () => 1e9 }) },
    message: /inputIds\[0\]/,
  },
  {
    promise: "an object whose toString throws",
    input: { inputIds: [[{ toString: throws, valueOf: throws }]] },
    message: /an object/,
  },
];

const wrongOptions: readonly Omit<Case, "input">[] = [
  { promise: "a number as options", options: 5, message: /an object for options but received 5/ },
  { promise: "an array of options", options: [], message: /an object for options but received an empty array/ },
  { promise: "null as options", options: null, message: /an object for options but received null/ },
  { promise: "an unknown option", options: { topk: 5 }, message: /the names in options .*"topk"; did you mean topK\?/ },
  {
    promise: "NaN as a position",
    options: { positions: [Number.NaN] },
    message: /options.positions\[0\] but received NaN/,
  },
  {
    promise: "a position out of range",
    options: { positions: [0, 1] },
    message: /a position from 0 to 0 for options.positions\[1\]/,
  },
  { promise: "a negative position", options: { positions: [-1] }, message: /options.positions\[0\] but received -1/ },
  { promise: "no positions", options: { positions: [] }, message: /at least one element for options.positions/ },
  { promise: "another word for positions", options: { positions: "first" }, message: /"last" or an array .* "first"/ },
  {
    promise: "positions that aren't an array",
    options: { positions: 0 },
    message: /for options.positions but received 0/,
  },
  {
    promise: "a token out of range",
    options: { tokens: [1e6] },
    code: range,
    message: /options.tokens\[0\] but received 1000000/,
  },
  {
    promise: "a string as a token",
    options: { tokens: ["a"] },
    message: /for options.tokens\[0\] but received "a"/,
  },
  { promise: "no tokens", options: { tokens: [] }, message: /at least one element for options.tokens/ },
  { promise: "topK of 0", options: { topK: 0 }, message: /for options.topK but received 0/ },
  { promise: "a fractional topK", options: { topK: 1.5 }, message: /for options.topK but received 1.5/ },
  {
    promise: "topK over the size of the vocabulary",
    options: { topK: 1e6 },
    message: /for options.topK but received 1000000/,
  },
  {
    promise: "topK over the number of tokens",
    options: { topK: 3, tokens: [1, 2] },
    message: /from 1 to 2 for options.topK .* 3/,
  },
  {
    promise: "hiddenStates of another type",
    options: { hiddenStates: 1 },
    message: /a boolean for options.hiddenStates/,
  },
  {
    promise: "loss of another type",
    options: { loss: "yes" },
    message: /a boolean for options.loss but received "yes"/,
  },
  { promise: "a loss without labels", options: { loss: true }, message: /target or labels, as options.loss is true/ },
  { promise: "an object as a signal", options: { signal: {} }, message: /an AbortSignal for options.signal/ },
  {
    promise: "an option that throws",
    options: {
      get topK() {
        return throws();
      },
    },
    message: /that can be read/,
  },
];

const optionCases: readonly Case[] = wrongOptions.map((one) => ({ ...one, input: good }));

describe("bad input", () => {
  const model = useModel();

  for (const { promise, input, options, code = "ERR_INVALID_ARGUMENT", message } of [...inputs, ...optionCases]) {
    it(`is refused: ${promise}`, async () => {
      const t5 = model();
      await assert.rejects(t5.forward(input as never, options as never), { name: "T5Error", code, message });
      assert.equal((await t5.forward(good)).logits.shape[0], 1, "the model stays usable");
    });
  }

  it("is refused: more logits than int32 can count", async () => {
    const batch = Math.ceil(2 ** 31 / model().config.vocabSize);
    const one = { data: new Int32Array(batch), shape: [batch, 1] };
    const message = /at most 2147483647 logits \(select positions or tokens, or use smaller batches\) for input/;
    await assert.rejects(model().forward({ inputIds: one, decoderInputIds: one }), {
      code: "ERR_INVALID_ARGUMENT",
      message,
    });
  });

  it("rejects, and never throws synchronously", () => {
    const call = model().forward(undefined as never);
    return assert.rejects(call, { code: "ERR_INVALID_ARGUMENT" });
  });

  it("has the caller's line on top of its stack", async () => {
    const error: unknown = await model()
      .forward(5 as never)
      .catch((thrown: unknown) => thrown);
    assert.match(String((error as Error).stack).split("\n")[1] ?? "", /bad-input\.spec\.ts/);
  });
});
