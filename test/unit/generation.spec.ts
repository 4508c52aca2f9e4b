import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  demoModel,
  type GenerateInput,
  type GenerateOptions,
  type LogitsStep,
  type StreamedToken,
  T5ForConditionalGeneration,
  Tensor,
} from "torch-t5";
import { updateManifest, withModelCopy } from "../support/directory.js";
import { useModel } from "../support/model.js";

const text = "spell number: 48213";
const spelled = "forty-eight thousand two hundred thirteen";
const reason = new Error("changed my mind");
const isReason = (error: unknown) => error === reason;

describe("generate", () => {
  const model = useModel();

  it("resolves to sequences after the decoder start id, and their texts", async () => {
    const { sequences, texts, finishReasons, lengths, ...others } = await model().generate([text, "spell number: 7"]);
    assert.deepEqual(texts, [spelled, "seven"]);
    assert.equal(sequences.row(0)[0], model().config.decoderStartTokenId);
    assert.deepEqual([...sequences.row(1).slice(-2)], [model().config.padTokenId, model().config.padTokenId]);
    const ends = [0, 1].map((row) => sequences.row(row).indexOf(model().config.eosTokenId));
    assert.deepEqual(lengths, ends);
    assert.deepEqual(finishReasons, ["eos", "eos"]);
    assert.deepEqual(others, {});
  });

  it("returns the same for every form of source", async () => {
    const encoding = model().tokenizer?.encodeBatch([text]);
    assert.ok(encoding);
    using encoderOutput = await model().encode(text);
    const ids = [[...encoding.inputIds]];
    for (const input of [text, [text], { text }, encoding, { inputIds: ids }, encoderOutput, { encoderOutput }]) {
      assert.deepEqual((await model().generate(input)).texts, [spelled]);
    }
  });

  it("begins with decoderInputIds, after the start id where no row begins with it", async () => {
    const start = model().config.decoderStartTokenId;
    const { sequences } = await model().generate({ text, decoderInputIds: [[68, 9]] }, { maxNewTokens: 1 });
    assert.deepEqual([...sequences.row(0).subarray(0, 3)], [start, 68, 9]);
    assert.deepEqual(sequences.shape, [1, 4]);
    const same = await model().generate({ text, decoderInputIds: [[start, 68, 9]] }, { maxNewTokens: 1 });
    assert.deepEqual([...same.sequences.data], [...sequences.data]);
    using encoderOutput = await model().encode([text, text]);
    const decoderInputIds = [
      [start, 68],
      [5, 68],
    ];
    const mixed = await model().generate({ encoderOutput, decoderInputIds }, { maxNewTokens: 1 });
    assert.deepEqual(mixed.sequences.shape, [2, 3], "as one row begins with it");
  });

  it("returns logits and scores if options ask for them", async () => {
    const { vocabSize } = model().config;
    const { sequences, logits, scores, transitionScores, ...others } = await model().generate(text, {
      returnLogits: true,
      returnScores: true,
      maxNewTokens: 3,
    });
    assert.deepEqual(sequences.shape, [1, 4]);
    assert.deepEqual([logits.length, scores.length], [3, 3]);
    assert.deepEqual(logits[2]?.shape, [1, vocabSize]);
    assert.deepEqual(transitionScores.shape, [1, 3]);
    assert.deepEqual(Object.keys(others), ["texts", "finishReasons", "lengths"]);
  });

  it("returns what beams add", async () => {
    const { sequences, texts, sequenceScores, beamIndices, scores } = await model().generate([text, text], {
      numBeams: 3,
      numReturnSequences: 2,
      returnScores: true,
    });
    assert.equal(texts?.length, 4);
    assert.equal(texts?.[0], spelled);
    assert.deepEqual(sequenceScores?.shape, [4]);
    assert.deepEqual(beamIndices?.shape.length, 2);
    assert.equal(scores[0]?.shape[0], 6);
    assert.equal(sequences.shape[0], 4);
    const plain = await model().generate(text, { numBeams: 2 });
    assert.deepEqual(Object.keys(plain), ["sequences", "texts", "finishReasons", "lengths"]);
  });

  it("samples the same for the same seed, in every form of seed", async () => {
    const options = { doSample: true, temperature: 3, numReturnSequences: 4 } as const;
    const sample = async (seed: number | bigint) =>
      Buffer.from((await model().generate(text, { ...options, seed })).sequences.data).toString("hex");
    assert.equal(await sample(7), await sample(7n));
    assert.equal(await sample(-1), await sample(2n ** 64n - 2n));
    assert.notEqual(await sample(7), await sample(8));
  });

  it("ends at a stop string", async () => {
    const { texts } = await model().generate(text, { stopStrings: ["nonsense", "thousand"] });
    assert.deepEqual(texts, ["forty-eight thousand"]);
  });

  it("states why and where each row ends", async () => {
    const ends = async (options: GenerateOptions, input: readonly string[] = [text, "spell number: 7"]) => {
      const { finishReasons, lengths } = await model().generate(input, options);
      return finishReasons.map((reason, row) => [reason, lengths[row]]);
    };
    // "seven" and the end; "forty", "-", "eight", " thousand", ...
    assert.deepEqual(await ends({}), [
      ["eos", 8],
      ["eos", 2],
    ]);
    assert.deepEqual(await ends({ maxNewTokens: 2 }), [
      ["length", 2],
      ["eos", 2],
    ]);
    assert.deepEqual(await ends({ maxNewTokens: 2, eosTokenId: [] }), [
      ["length", 2],
      ["length", 2],
    ]);
    assert.deepEqual(await ends({ stopStrings: ["t thou", "sev"] }), [
      ["stop", 4],
      ["stop", 1],
    ]);
    assert.deepEqual(await ends({ stopStrings: "</s>" }, ["spell number: 7"]), [["eos", 2]]);
    assert.deepEqual(await ends({ maxTime: 1e-7 }), [
      ["time", 1],
      ["time", 1],
    ]);
    assert.deepEqual(await ends({ maxTime: 600, maxNewTokens: 1 }, [text]), [["length", 1]]);
    const beams = await ends({ numBeams: 3, numReturnSequences: 3 });
    assert.deepEqual([beams.length, beams[0], beams[3]], [6, ["eos", 8], ["eos", 2]]);
  });

  it("states length 0 for beams that no sequence was possible for", async () => {
    const suppressTokens = Array.from({ length: model().config.vocabSize }, (_, id) => id).filter((id) => id !== 68);
    const options = { numBeams: 3, numReturnSequences: 3, suppressTokens, maxNewTokens: 2 };
    const { finishReasons, lengths } = await model().generate(text, options);
    assert.deepEqual(finishReasons, ["length", "length", "length"]);
    assert.equal(lengths[0], 2);
  });

  it("does not take the decoder's input for the end", async () => {
    const { eosTokenId } = model().config;
    const { finishReasons, lengths } = await model().generate(
      { text, decoderInputIds: [[68, eosTokenId, 9]] },
      { stopStrings: "forty-", maxNewTokens: 3, suppressTokens: [eosTokenId] },
    );
    assert.deepEqual([finishReasons, lengths], [["length"], [3]]);
  });

  it("refuses a prompt whose rows all end as encode ends a text, and takes one of which some have ended", async () => {
    const { tokenizer } = model();
    assert.ok(tokenizer);
    const message =
      /ids without the end-of-sequence id \(encode with addSpecialTokens: false\) for decoderInputIds but/;
    for (const decoderInputIds of [[tokenizer.encode("forty").ids], [tokenizer.encode("").ids]]) {
      const input = { text, decoderInputIds };
      await assert.rejects(model().generate(input), { code: "ERR_INVALID_ARGUMENT", message });
      await assert.rejects(model().stream(input).next(), { code: "ERR_INVALID_ARGUMENT", message });
    }
    const prompt = [tokenizer.encode("forty-eight", { addSpecialTokens: false }).ids];
    assert.deepEqual((await model().generate({ text, decoderInputIds: prompt })).texts, [spelled]);
    const some = { text: [text, text], decoderInputIds: [Int32Array.of(64, 1), Int32Array.of(64, 62)] };
    assert.equal((await model().generate(some, { maxNewTokens: 1 })).texts?.length, 2);
    // forward and sessions read whatever ids there are.
    await model().forward({ text, decoderInputIds: [tokenizer.encode("forty").ids] });
  });

  it("copies its arguments before it returns", async () => {
    const inputIds = [[...(model().tokenizer?.encode(text).ids ?? [])]];
    const eosTokenId = [1];
    const pending = model().generate({ inputIds }, { eosTokenId });
    inputIds[0]?.fill(5);
    eosTokenId.fill(68);
    assert.deepEqual((await pending).texts, [spelled]);
  });

  it("reads each option once", async () => {
    let reads = 0;
    const options = {
      get maxNewTokens() {
        reads++;
        return reads === 1 ? 2 : "a wrong one";
      },
    };
    const { sequences } = await model().generate(text, options as GenerateOptions);
    assert.deepEqual([sequences.shape, reads], [[1, 3], 1]);
  });

  it("rejects with the signal's reason, waiting and running", async () => {
    const options = { maxNewTokens: 4000, eosTokenId: [] } as const;
    await assert.rejects(model().generate(text, { signal: AbortSignal.abort(reason) }), isReason);
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [model().generate(text, { ...options, signal }), model().generate(text, { ...options, signal })];
    setTimeout(() => controller.abort(reason), 20);
    for (const call of calls) await assert.rejects(call, isReason);
    assert.deepEqual((await model().generate(text)).texts, [spelled]);
    await new Promise(setImmediate);
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });
});

describe("a logitsProcessor", () => {
  const model = useModel();

  it("receives each step, and edits its logits in place", async () => {
    const { vocabSize, eosTokenId } = model().config;
    const seen: (readonly [step: number, ids: readonly number[]])[] = [];
    const kept: LogitsStep[] = [];
    const { sequences, logits, scores } = await model().generate(text, {
      returnLogits: true,
      returnScores: true,
      logitsProcessor: (step) => {
        kept.push(step);
        seen.push([step.step, [...step.sequences.data]]);
        assert.ok(step.logits instanceof Tensor);
        assert.deepEqual(step.logits.shape, [1, vocabSize]);
        if (step.step === 2) step.logits.data.fill(Number.NEGATIVE_INFINITY);
        if (step.step === 2) step.logits.row(0)[eosTokenId] = 0;
      },
    });
    assert.deepEqual(seen, [
      [0, [0]],
      [1, [0, 68]],
      [2, [0, 68, 9]],
    ]);
    assert.deepEqual([...sequences.data], [0, 68, 9, eosTokenId]);
    assert.ok(logits[2]?.data.every(Number.isFinite), "raw logits stay as they are");
    assert.equal(scores[2]?.row(0)[eosTokenId], 0);
    for (const { logits: gone } of kept) {
      assert.equal(gone.data.length, 0);
      assert.throws(() => gone.argmax(), { code: "ERR_DISPOSED" });
    }
  });

  it("that edits nothing changes no token", async () => {
    const every: readonly GenerateOptions[] = [{}, { numBeams: 3 }, { doSample: true, seed: 5, temperature: 2 }];
    for (const options of every) {
      const plain = await model().generate([text, "spell number: 7"], options);
      const same = await model().generate([text, "spell number: 7"], { ...options, logitsProcessor: async () => {} });
      assert.deepEqual([...same.sequences.data], [...plain.sequences.data]);
    }
  });

  it("has batch x numBeams rows", async () => {
    const shapes = new Set<string>();
    const logitsProcessor = ({ logits, sequences }: LogitsStep) => {
      shapes.add(`${logits.shape[0]} ${sequences.shape[0]}`);
    };
    await model().generate([text, text], { numBeams: 3, logitsProcessor });
    await model().generate(text, { doSample: true, numReturnSequences: 4, logitsProcessor });
    assert.deepEqual([...shapes], ["6 6", "4 4"]);
  });

  it("is awaited", async () => {
    let running = 0;
    await model().generate(text, {
      maxNewTokens: 3,
      logitsProcessor: async () => {
        running++;
        assert.equal(running, 1);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running--;
      },
    });
  });

  it("that throws or rejects makes the call reject with the same error", async () => {
    const throwing = () => {
      throw reason;
    };
    await assert.rejects(model().generate(text, { logitsProcessor: throwing }), isReason);
    await assert.rejects(model().generate(text, { logitsProcessor: () => Promise.reject(reason) }), isReason);
    await assert.rejects(model().stream(text, { logitsProcessor: throwing }).next(), isReason);
    assert.deepEqual((await model().generate(text)).texts, [spelled]);
  });

  it("that never settles is abandoned when the signal aborts", async () => {
    const controller = new AbortController();
    const call = model().generate(text, {
      signal: controller.signal,
      logitsProcessor: () => {
        setImmediate(() => controller.abort(reason));
        return new Promise<void>(() => {});
      },
    });
    await assert.rejects(call, isReason);
  });

  it("that disposes the logits makes the call reject", async () => {
    const call = model().generate(text, { logitsProcessor: ({ logits }) => logits.dispose() });
    await assert.rejects(call, {
      code: "ERR_DISPOSED",
      message: /logits that hold their data for options.logitsProcessor/,
    });
  });
});

describe("stream", () => {
  const model = useModel();

  const drain = async (tokens: AsyncIterable<{ readonly tokenId: number; readonly text: string }>) => {
    const ids: number[] = [];
    const texts: string[] = [];
    for await (const { tokenId, text: piece } of tokens) {
      ids.push(tokenId);
      texts.push(piece);
    }
    return { ids, texts };
  };

  it("yields the tokens of generate, the end included, and pieces of its text", async () => {
    const { sequences } = await model().generate(text);
    const { ids, texts } = await drain(model().stream(text));
    assert.deepEqual(ids, [...sequences.data.subarray(1)]);
    assert.deepEqual(texts, ["forty", "-", "eight", " thousand", " two", " hundred", " thirteen", ""]);
  });

  it("begins with the text of the decoder's input", async () => {
    const input = { text, decoderInputIds: [[68, 9]] };
    const { texts } = await model().generate(input);
    const streamed = await drain(model().stream(input));
    assert.deepEqual(streamed.texts.join(""), texts?.[0]);
    assert.match(streamed.texts[0] ?? "", /^forty-/);
  });

  it("yields the raw logits of each token with returnLogits", async () => {
    const { logits } = await model().generate(text, { returnLogits: true });
    let step = 0;
    for await (const token of model().stream(text, { returnLogits: true })) {
      assert.deepEqual(token.logits.shape, [1, model().config.vocabSize]);
      assert.deepEqual(token.logits.data, logits[step++]?.data);
    }
    assert.equal(step, logits.length);
    for await (const { finishReason, ...token } of model().stream(text)) {
      assert.deepEqual(Object.keys(token), ["row", "tokenId", "text"]);
    }
  });

  it("ends with a token that has the reason", async () => {
    const cases: readonly (readonly [options: GenerateOptions, reason: string, count: number])[] = [
      [{}, "eos", 8],
      [{ maxNewTokens: 3 }, "length", 3],
      [{ stopStrings: "thousand" }, "stop", 4],
      [{ maxTime: 1e-7 }, "time", 1],
    ];
    for (const [options, reason, count] of cases) {
      const reasons: unknown[] = [];
      for await (const token of model().stream(text, options)) {
        reasons.push("finishReason" in token ? token.finishReason : undefined);
      }
      assert.deepEqual(reasons, [...Array(count - 1).fill(undefined), reason]);
    }
  });

  it("computes a token only when next() asks for it", async () => {
    let steps = 0;
    const stream = model().stream(text, {
      logitsProcessor: () => {
        steps++;
      },
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(steps, 0);
    for (const wanted of [1, 2]) {
      await stream.next();
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(steps, wanted);
    }
    await stream.return();
  });

  it("is done after its last token, after return() and after throw()", async () => {
    const done = { done: true, value: undefined };
    const stream = model().stream(text, { maxNewTokens: 1 });
    assert.equal((await stream.next()).done, false);
    assert.deepEqual([await stream.next(), await stream.next()], [done, done]);
    const left = model().stream(text);
    await left.next();
    assert.deepEqual([await left.return(), await left.next(), await left.return()], [done, done, done]);
    const thrown = model().stream(text);
    await assert.rejects(thrown.throw(reason), isReason);
    assert.deepEqual(await thrown.next(), done);
  });

  it("ends a step that runs on return(), at once", async () => {
    const stream = model().stream(text, { maxNewTokens: 4000, eosTokenId: [] });
    await stream.next();
    const pending = stream.next();
    const returned = stream.return();
    assert.deepEqual([await pending, await returned], Array(2).fill({ done: true, value: undefined }));
  });

  it("ends on break and on an error in the loop", async () => {
    for await (const { tokenId } of model().stream(text)) {
      assert.equal(tokenId, 68);
      break;
    }
    const loop = async () => {
      for await (const _ of model().stream(text)) throw reason;
    };
    await assert.rejects(loop(), isReason);
    const stream = model().stream(text);
    await stream.next();
    await stream[Symbol.asyncDispose]();
    assert.equal((await stream.next()).done, true);
  });

  it("resolves several calls of next() in their order", async () => {
    const stream = model().stream(text);
    const tokens = await Promise.all([stream.next(), stream.next(), stream.next()]);
    assert.deepEqual(
      tokens.map(({ value }) => value?.tokenId),
      [68, 9, 74],
    );
    await stream.return();
  });

  it("rejects with the signal's reason, before, between and within steps; then it is done", async () => {
    await assert.rejects(
      model()
        .stream(text, { signal: AbortSignal.abort(reason) })
        .next(),
      isReason,
    );
    const between = new AbortController();
    const stream = model().stream(text, { signal: between.signal });
    await stream.next();
    assert.equal(getEventListeners(between.signal, "abort").length, 0, "no listener between steps");
    between.abort(reason);
    await assert.rejects(stream.next(), isReason);
    assert.equal((await stream.next()).done, true);
    const within = new AbortController();
    const running = model().stream(text, { signal: within.signal });
    await running.next();
    const pending = running.next();
    within.abort(reason);
    await assert.rejects(pending, isReason);
  });

  it("copies its arguments before it returns", async () => {
    const inputIds = [[...(model().tokenizer?.encode(text).ids ?? [])]];
    const stream = model().stream({ inputIds });
    inputIds[0]?.fill(5);
    assert.equal((await drain(stream)).texts.join(""), spelled);
  });

  it("runs concurrently with other streams", async () => {
    const streams = ["spell number: 7", text, "spell number: 12"].map((input) => drain(model().stream(input)));
    const texts = (await Promise.all(streams)).map((streamed) => streamed.texts.join(""));
    assert.deepEqual(texts, ["seven", spelled, "twelve"]);
  });
});

describe("stream of several rows", () => {
  const model = useModel();
  const texts = ["spell number: 7", text, "spell number: 12"];

  interface Row {
    readonly ids: number[];
    text: string;
    reason: string | undefined;
  }

  /** Drains a stream. Fails where a row goes on after its end. */
  async function drainRows(tokens: AsyncIterable<StreamedToken>): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for await (const { row, tokenId, text: piece, finishReason } of tokens) {
      rows[row] ??= { ids: [], text: "", reason: undefined };
      const found = rows[row];
      assert.equal(found.reason, undefined, "a row goes on after its end");
      found.ids.push(tokenId);
      found.text += piece;
      found.reason = finishReason;
    }
    return rows;
  }

  /** Fails unless the stream has the ids, texts and reasons of `generate`. */
  async function assertAsGenerated(input: GenerateInput, options: GenerateOptions = {}): Promise<readonly Row[]> {
    const { sequences, texts: whole, finishReasons, lengths } = await model().generate(input, options);
    const rows = await drainRows(model().stream(input, options));
    const [count = 0, length = 0] = sequences.shape;
    const prompt = length - Math.max(...lengths);
    const expected = Array.from({ length: count }, (_, row) => ({
      ids: [...sequences.row(row).slice(prompt, prompt + (lengths[row] ?? 0))],
      text: whole?.[row] ?? "",
      reason: finishReasons[row],
    }));
    assert.deepEqual(rows, expected);
    return rows;
  }

  it("yields the tokens of generate, each with its row, until the row ends", async () => {
    const rows = await assertAsGenerated({ text: texts });
    assert.deepEqual(
      rows.map((row) => [row.text, row.reason, row.ids.length]),
      [
        ["seven", "eos", 2],
        [spelled, "eos", 8],
        ["twelve", "eos", 2],
      ],
    );
  });

  it("yields a step's tokens in the order of the rows", async () => {
    const order: number[] = [];
    for await (const { row } of model().stream(texts)) order.push(row);
    assert.deepEqual(order, [0, 1, 2, 0, 1, 2, 1, 1, 1, 1, 1, 1]);
  });

  it("takes every form of source, with one row as well", async () => {
    const encoding = model().tokenizer?.encodeBatch(texts);
    assert.ok(encoding);
    using encoderOutput = await model().encode(texts);
    const decoderInputIds = [
      [5, 68, 9],
      [68, 9, 74],
      [9, 9, 9],
    ];
    for (const input of [
      texts,
      encoding,
      encoderOutput,
      { encoderOutput },
      { encoderOutput, decoderInputIds },
      [text],
    ]) {
      await assertAsGenerated(input);
    }
  });

  it("ends each row for its own reason", async () => {
    const reasons = async (options: GenerateOptions) =>
      (await assertAsGenerated(texts, options)).map(({ ids, reason: end }) => [end, ids.length]);
    assert.deepEqual(await reasons({ stopStrings: ["thou", "twel"] }), [
      ["eos", 2],
      ["stop", 4],
      ["stop", 1],
    ]);
    assert.deepEqual(await reasons({ maxNewTokens: 2 }), [
      ["eos", 2],
      ["length", 2],
      ["eos", 2],
    ]);
    assert.deepEqual(await reasons({ maxNewTokens: 1 }), Array(3).fill(["length", 1]));
    assert.deepEqual(await reasons({ maxTime: 1e-7 }), Array(3).fill(["time", 1]));
  });

  it("samples as generate does, with several sequences for each row of the source", async () => {
    const options = { doSample: true, seed: 5, temperature: 2, maxNewTokens: 12 } as const;
    await assertAsGenerated(texts, options);
    const rows = await assertAsGenerated(texts, { ...options, numReturnSequences: 3 });
    assert.equal(rows.length, 9);
    const decoderInputIds = [
      [5, 68],
      [68, 9],
      [9, 74],
    ].map((ids) => [model().config.decoderStartTokenId, ...ids]);
    await assertAsGenerated({ text: texts, decoderInputIds }, { ...options, numReturnSequences: 2 });
  });

  it("yields nothing of what follows a row's end where there is no pad id", async () => {
    // Without an end id in the file Hugging Face pads nothing, so that a row that a stop string ended is decoded on.
    await withModelCopy(async (directory) => {
      const path = join(directory, "generation_config.json");
      const { eos_token_id: _, ...settings } = JSON.parse(readFileSync(path, "utf8"));
      writeFileSync(path, JSON.stringify(settings));
      updateManifest(directory, "generation_config.json");
      await using t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: 1 });
      const options = { stopStrings: ["even", "thousand"], maxNewTokens: 6 };
      const { sequences, finishReasons, lengths } = await t5.generate(texts.slice(0, 2), options);
      assert.deepEqual(
        [finishReasons, lengths],
        [
          ["stop", "stop"],
          [1, 4],
        ],
      );
      assert.notEqual(sequences.row(0)[2], model().config.padTokenId, "decoded on");
      const rows = await drainRows(t5.stream(texts.slice(0, 2), options));
      assert.deepEqual(
        rows.map((row) => [row.text, row.reason, row.ids.length]),
        [
          ["seven", "stop", 1],
          ["forty-eight thousand", "stop", 4],
        ],
      );
    });
  });

  it("calls a logits processor once per step, with all rows", async () => {
    const shapes: (readonly number[])[] = [];
    const logitsProcessor = ({ sequences, logits, step }: LogitsStep) => {
      assert.equal(step, shapes.length);
      shapes.push(sequences.shape);
      for (const row of [0, 1, 2]) logits.row(row)[68] = 100;
    };
    const rows = await drainRows(model().stream(texts, { logitsProcessor, maxNewTokens: 2 }));
    assert.deepEqual(shapes, [
      [3, 1],
      [3, 2],
    ]);
    for (const row of rows) assert.deepEqual(row.ids, [68, 68]);
  });

  it("yields each token's own logits with returnLogits, which can be disposed one by one", async () => {
    const { logits } = await model().generate(texts, { returnLogits: true });
    const steps = [0, 0, 0];
    const tokens: { readonly row: number; readonly step: number; readonly logits: Tensor }[] = [];
    for await (const token of model().stream(texts, { returnLogits: true })) {
      const step = steps[token.row] ?? 0;
      steps[token.row] = step + 1;
      tokens.push({ row: token.row, step, logits: token.logits });
    }
    for (const token of tokens) {
      assert.deepEqual(token.logits.shape, [1, model().config.vocabSize]);
      assert.deepEqual(token.logits.data, logits[token.step]?.row(token.row));
      token.logits.dispose();
    }
  });

  it("computes a step only when next() asks for its first token", async () => {
    let steps = 0;
    const stream = model().stream(texts, {
      logitsProcessor: () => {
        steps++;
      },
    });
    for (const wanted of [1, 1, 1, 2, 2, 2, 3]) {
      await stream.next();
      await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(steps, wanted);
    }
    await stream.return();
  });

  it("ends within a step: on return(), on an abort, and with an error of the processor", async () => {
    const done = { done: true, value: undefined };
    const left = model().stream(texts);
    await left.next();
    assert.deepEqual([await left.return(), await left.next()], [done, done]);
    const aborter = new AbortController();
    const aborted = model().stream(texts, { signal: aborter.signal });
    await aborted.next();
    aborter.abort(reason);
    await assert.rejects(aborted.next(), isReason);
    assert.deepEqual(await aborted.next(), done);
    const failing = model().stream(texts, {
      logitsProcessor: ({ step }) => {
        if (step === 1) throw reason;
      },
    });
    const tokens = [await failing.next(), await failing.next(), await failing.next()];
    assert.deepEqual(
      tokens.map(({ value }) => value?.row),
      [0, 1, 2],
    );
    await assert.rejects(failing.next(), isReason);
    assert.deepEqual(await failing.next(), done);
  });

  it("resolves several calls of next() in their order", async () => {
    const stream = model().stream(texts);
    const tokens = await Promise.all(Array.from({ length: 13 }, () => stream.next()));
    assert.deepEqual(
      tokens.map(({ value }) => value?.row),
      [0, 1, 2, 0, 1, 2, 1, 1, 1, 1, 1, 1, undefined],
    );
  });
});

describe("a generation whose model is disposed", () => {
  it("rejects with ERR_DISPOSED", async () => {
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", intraOpThreads: 1 });
    let disposed: Promise<void> | undefined;
    const call = t5.generate(text, {
      logitsProcessor: () => {
        disposed ??= t5.dispose();
      },
    });
    await assert.rejects(call, { name: "T5Error", code: "ERR_DISPOSED" });
    await disposed;
  });
});
