import assert from "node:assert/strict";
import { type DecodingSession, EncoderOutput, type T5ErrorCode, Tensor } from "torch-t5";
import { useModel } from "../support/model.js";

const inputIds = [
  [68, 9, 74, 1],
  [5, 6, 7, 1],
];
const first = [[0], [0]];

describe("an encoder output", () => {
  const model = useModel();

  it("has a shape, and a batch", async () => {
    using encoded = await model().encode({ inputIds });
    assert.deepEqual(encoded.shape, [2, 4, model().config.dModel]);
    assert.equal(encoded.batch, 2);
  });

  it("is made from texts, from ids, and from the tokenizer's result", async () => {
    const texts = ["spell number: 7", "spell number: 12"];
    const encoding = model().tokenizer?.encodeBatch(texts);
    assert.ok(encoding);
    for (const source of [texts, { text: texts }, encoding]) {
      using encoded = await model().encode(source);
      assert.deepEqual(encoded.shape.slice(0, 2), encoding.shape);
    }
  });

  it("serves calls made before it was disposed, and no later ones", async () => {
    const encoded = await model().encode({ inputIds });
    const session = encoded.startDecoding();
    const generated = model().generate(encoded, { maxNewTokens: 2 });
    encoded.dispose();
    encoded.dispose();
    assert.deepEqual((await generated).sequences.shape[0], 2);
    assert.deepEqual((await session.step(first)).logits.shape.slice(0, 2), [2, 1]);
    const message = /an encoder output in use for startDecoding but it was disposed/;
    assert.throws(() => encoded.startDecoding(), { name: "T5Error", code: "ERR_DISPOSED", message });
    for (const call of [
      () => model().generate(encoded),
      () => model().generate({ encoderOutput: encoded }),
      () => model().score(encoded, ["a"]),
      () => model().embed(encoded),
      () => model().stream(encoded).next(),
    ]) {
      await assert.rejects(call(), { code: "ERR_DISPOSED" });
    }
  });

  it("can't be made by the caller", () => {
    assert.throws(() => (EncoderOutput.prototype as { batch: unknown }).batch, TypeError);
  });
});

describe("an encoder output of another model", () => {
  const model = useModel();
  const another = useModel();

  it("is refused", async () => {
    using encoded = await another().encode({ inputIds });
    const refused = {
      code: "ERR_INVALID_ARGUMENT",
      message: /an encoder output of this model .* one of another model/,
    };
    await assert.rejects(model().generate(encoded), refused);
    await assert.rejects(model().generate({ encoderOutput: encoded }), refused);
    await assert.rejects(model().score(encoded, [[5]]), refused);
    await assert.rejects(model().embed(encoded), refused);
    await assert.rejects(model().stream(encoded).next(), refused);
  });
});

describe("a decoding session", () => {
  const model = useModel();
  const sessions: DecodingSession[] = [];
  afterEach(() => {
    for (const session of sessions.splice(0)) session.dispose();
  });

  const start = async (options?: { readonly maxLength?: number }) => {
    using encoded = await model().encode({ inputIds });
    const session = encoded.startDecoding(options);
    sessions.push(session);
    return session;
  };

  const bytes = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

  /** The logits of a session whose decoder read `ids` one by one. */
  const logitsOf = async (rows: readonly number[][]) => {
    const session = await start();
    let logits: Tensor | undefined;
    for (const [position] of (rows[0] ?? []).entries()) {
      ({ logits } = await session.step(rows.map((row) => [row[position] ?? 0])));
    }
    assert.ok(logits);
    return logits;
  };

  it("counts its positions, and has the rows of its encoder output", async () => {
    const session = await start();
    assert.deepEqual([session.position, session.batch], [0, 2]);
    const { logits } = await session.prefill([
      [0, 5, 6],
      [0, 7, 8],
    ]);
    assert.deepEqual([session.position, session.batch], [3, 2]);
    assert.deepEqual(logits.shape, [2, 3, model().config.vocabSize]);
    await session.step([[9], [9]]);
    assert.equal(session.position, 4);
  });

  it("selects as forward does", async () => {
    const session = await start();
    const ids = [
      [0, 5, 6],
      [0, 7, 8],
    ];
    const { values, indices, decoderLastHiddenState } = await session.prefill(ids, {
      positions: "last",
      tokens: [4, 5, 6],
      topK: 2,
      hiddenStates: true,
    });
    assert.deepEqual([values.shape, indices.shape], Array(2).fill([2, 1, 2]));
    assert.deepEqual(decoderLastHiddenState.shape, [2, 3, model().config.dModel]);
    const step = await session.step(first, { tokens: Int32Array.of(7) });
    assert.deepEqual(Object.keys(step), ["logits"]);
    assert.deepEqual(step.logits.shape, [2, 1, 1]);
  });

  it("continues from the rows of several reorders, applied one after the other", async () => {
    const wanted = await logitsOf([
      [0, 5, 7],
      [0, 6, 7],
    ]);
    const session = await start();
    await session.step(first);
    await session.step([[5], [6]]);
    session.reorder([1, 0, 1]);
    session.reorder(Int32Array.of(2, 0, 1, 1));
    assert.equal(session.batch, 4);
    const { logits } = await session.step(Array(4).fill([7]));
    assert.deepEqual(logits.shape, [4, 1, model().config.vocabSize]);
    // Rows 1, 1, 0, 0 in another batch size, so equal up to rounding.
    for (const [row, from] of [1, 1, 0, 0].entries()) {
      for (const [id, value] of logits.row(row, 0).entries()) {
        assert.ok(Math.abs(value - (wanted.row(from, 0)[id] ?? Number.NaN)) < 1e-3);
      }
    }
    assert.equal(session.batch, 4);
  });

  it("can be reordered at position 0", async () => {
    const session = await start();
    session.reorder([1]);
    assert.equal(session.batch, 1);
    assert.deepEqual((await session.step([[0]])).logits.shape.slice(0, 2), [1, 1]);
  });

  it("is forked with its pending reorder, and continues independently", async () => {
    const session = await start();
    await session.step(first);
    session.reorder([1, 1]);
    const fork = session.fork();
    sessions.push(fork);
    assert.deepEqual([fork.position, fork.batch], [1, 2]);
    const a = (await session.step([[5], [6]])).logits;
    const b = (await fork.step([[5], [6]])).logits;
    assert.ok(bytes(a).equals(bytes(b)));
    session.dispose();
    await fork.step([[5], [6]]);
    assert.deepEqual([session.position, fork.position], [2, 3]);
  });

  it("is unchanged after a call that was aborted", async () => {
    const wanted = await logitsOf([
      [0, 5],
      [0, 6],
    ]);
    const session = await start();
    await session.step(first);
    session.reorder([1, 0]);
    session.reorder([1, 0]);
    const reason = new Error("changed my mind");
    await assert.rejects(session.step([[9], [9]], { signal: AbortSignal.abort(reason) }), (error) => error === reason);
    const controller = new AbortController();
    // The step waits for another call.
    const busy = model().forward({ inputIds: [Array(400).fill(5)], decoderInputIds: [Array(100).fill(5)] });
    const step = session.step([[9], [9]], { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(step, (error) => error === reason);
    await busy;
    assert.deepEqual([session.position, session.batch], [1, 2]);
    const { logits } = await session.step([[5], [6]]);
    assert.ok(bytes(logits).equals(bytes(wanted)));
  });

  it("is unchanged after a call that was refused", async () => {
    const session = await start();
    await session.step(first);
    await assert.rejects(session.step([[1e6], [0]]), { code: "ERR_TOKEN_OUT_OF_RANGE" });
    await session.step([[5], [6]]);
    assert.equal(session.position, 2);
  });

  it("refuses every call while another one runs, and stays usable", async () => {
    const session = await start();
    const running = session.step(first);
    const refused = (name: string) => ({
      name: "T5Error",
      code: "ERR_INVALID_ARGUMENT",
      message: new RegExp(`one call at a time for a session but received ${name} while step runs`),
    });
    await assert.rejects(session.step(first), refused("step"));
    await assert.rejects(session.prefill(first), refused("prefill"));
    assert.throws(() => session.fork(), refused("fork"));
    assert.throws(() => session.reorder([0, 1]), refused("reorder"));
    await running;
    await session.step(first);
  });

  it("completes the running call when it is disposed, and refuses later ones", async () => {
    const session = await start();
    const running = session.step(first);
    session.dispose();
    session[Symbol.dispose]();
    await running;
    const message = /a session in use for \w+ but it was disposed/;
    await assert.rejects(session.step(first), { code: "ERR_DISPOSED", message });
    await assert.rejects(session.prefill(first), { code: "ERR_DISPOSED", message });
    assert.throws(() => session.fork(), { code: "ERR_DISPOSED", message });
    assert.throws(() => session.reorder([0]), { code: "ERR_DISPOSED", message });
  });

  it("takes at most maxLength positions", async () => {
    const session = await start({ maxLength: 2 });
    await assert.rejects(
      session.prefill([
        [0, 1, 2],
        [0, 1, 2],
      ]),
      { message: /at most 2 positions, as maxLength is 2 and position 0, for decoderInputIds but received 3/ },
    );
    await session.step(first);
    await session.step(first);
    const message = /at most 0 positions, as maxLength is 2 and position 2, for decoderInputIds but received 1/;
    await assert.rejects(session.step(first), { code: "ERR_INVALID_ARGUMENT", message });
  });

  const wrong: readonly (readonly [
    promise: string,
    use: (session: DecodingSession) => unknown,
    message: RegExp,
    code?: T5ErrorCode,
  ])[] = [
    ["no ids", (session) => session.step(undefined as never), /for decoderInputIds but received undefined/],
    [
      "two ids per row",
      (session) =>
        session.step([
          [1, 2],
          [1, 2],
        ]),
      /one id per row for decoderInputIds .* 2/,
    ],
    ["too few rows", (session) => session.step([[1]]), /2 rows, as the session has, for decoderInputIds .* 1/],
    ["too many rows", (session) => session.prefill([[1], [1], [1]]), /2 rows, .* for decoderInputIds .* 3/],
    [
      "an id out of range",
      (session) => session.step([[1e6], [0]]),
      /decoderInputIds\[0\]\[0\]/,
      "ERR_TOKEN_OUT_OF_RANGE",
    ],
    ["positions for step", (session) => session.step(first, { positions: "last" } as never), /names in options .*pos/],
    ["a loss", (session) => session.prefill(first, { loss: true } as never), /the names in options .*"loss"/],
    ["a head", (session) => session.prefill(first, { head: {} } as never), /the names in options .*"head"/],
    ["topK of 0", (session) => session.step(first, { topK: 0 }), /for options.topK but received 0/],
    ["a number as a signal", (session) => session.step(first, { signal: 1 as never }), /options.signal/],
    ["no rows", (session) => session.reorder([]), /at least one element for beamIndices/],
    ["a row out of range", (session) => session.reorder([0, 2]), /a row from 0 to 1 for beamIndices\[1\] .* 2/],
    ["a negative row", (session) => session.reorder([-1]), /a row from 0 to 1 for beamIndices\[0\] .* -1/],
    ["a number as rows", (session) => session.reorder(5 as never), /an array of integers for beamIndices/],
  ];
  for (const [promise, use, message, code = "ERR_INVALID_ARGUMENT"] of wrong) {
    it(`refuses ${promise}, and stays usable`, async () => {
      const session = await start();
      await assert.rejects(async () => use(session), { name: "T5Error", code, message });
      assert.deepEqual([session.position, session.batch], [0, 2]);
      await session.step(first);
    });
  }

  it("refuses a prefill after its first position", async () => {
    const session = await start();
    await session.step(first);
    const message = /a session at position 0 for prefill but received 1/;
    await assert.rejects(session.prefill(first), { code: "ERR_INVALID_ARGUMENT", message });
  });

  it("refuses a wrong maxLength", async () => {
    using encoded = await model().encode({ inputIds });
    assert.throws(() => encoded.startDecoding({ maxLength: 0 }), /at least 1 for options.maxLength but received 0/);
    assert.throws(() => encoded.startDecoding({ maxlength: 1 } as never), /did you mean maxLength\?/);
  });

  it("has the caller's line on top of an error's stack", async () => {
    const session = await start();
    for (const call of [() => session.step(5 as never), async () => session.reorder(5 as never)]) {
      const error: unknown = await call().catch((thrown: unknown) => thrown);
      assert.match(String((error as Error).stack).split("\n")[1] ?? "", /sessions\.spec\.ts/);
    }
  });

  it("copies ids and rows before it returns", async () => {
    const wanted = await logitsOf([[5], [6]]);
    const session = await start();
    const rows = Int32Array.of(0, 1);
    session.reorder(rows);
    rows.fill(1);
    const ids = new Tensor(Int32Array.of(5, 6), [2, 1]);
    const step = session.step(ids);
    ids.data.fill(9);
    assert.ok(bytes((await step).logits).equals(bytes(wanted)));
  });
});

describe("a disposed model", () => {
  const model = useModel();

  it("refuses the use of its encoder outputs, sessions and streams", async () => {
    const encoded = await model().encode({ inputIds });
    const session = encoded.startDecoding();
    const stream = model().stream("spell number: 7");
    await stream.next();
    await model().dispose();
    const refused = { code: "ERR_DISPOSED", message: /a model in use for \w+ but it was disposed/ };
    assert.throws(() => encoded.startDecoding(), refused);
    assert.throws(() => session.fork(), refused);
    assert.throws(() => session.reorder([0]), refused);
    await assert.rejects(session.step(first), refused);
    await assert.rejects(stream.next(), { code: "ERR_DISPOSED" });
    assert.deepEqual(await stream.next(), { done: true, value: undefined });
    session.dispose();
    encoded.dispose();
  });
});
