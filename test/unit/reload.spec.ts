import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { demoModel, T5EncoderModel, T5ForConditionalGeneration } from "torch-t5";
import { makeWeights, writeCheckpoint } from "../support/checkpoint.js";
import { withDirectory } from "../support/directory.js";

const OPTIONS = { device: "cpu", precision: "float32", intraOpThreads: 1, maxInputTokens: 40 } as const;
const input = { inputIds: [[5, 6, 7, 1]], decoderInputIds: [[0, 3]] };

/** Two checkpoints with other weights, and other settings of generation. */
async function withTwo(use: (first: string, second: string) => Promise<void>): Promise<void> {
  await withDirectory(async (parent) => {
    const [first, second] = ["first", "second"].map((name) => join(parent, name)) as [string, string];
    for (const directory of [first, second]) mkdirSync(directory);
    writeCheckpoint(first);
    const weights = new Map(
      [...makeWeights()].map(([name, tensor]) => [
        name,
        { ...tensor, data: Float32Array.from(tensor.data as Float32Array, (number) => -0.5 * number) },
      ]),
    );
    writeCheckpoint(second, { weights });
    writeFileSync(join(second, "generation_config.json"), JSON.stringify({ max_new_tokens: 3, eos_token_id: 15 }));
    await use(first, second);
  });
}

const logitsOf = async (t5: T5ForConditionalGeneration) => (await t5.forward(input)).logits.data;

describe("reload", () => {
  it("answers calls made afterwards with the new weights, options and defaults of generation", async () => {
    await withTwo(async (first, second) => {
      const alone = await T5ForConditionalGeneration.fromPretrained(second, OPTIONS);
      const t5 = await T5ForConditionalGeneration.fromPretrained(first, OPTIONS);
      const before = await logitsOf(t5);
      await t5.reload(second);
      assert.notDeepEqual(await logitsOf(t5), before);
      assert.deepEqual(await logitsOf(t5), await logitsOf(alone));
      assert.deepEqual(t5.generationConfig, alone.generationConfig);
      assert.deepEqual(
        (await t5.generate({ inputIds: input.inputIds })).sequences.data,
        (await alone.generate({ inputIds: input.inputIds })).sequences.data,
      );
      assert.equal(t5.stats().limits.maxInputTokens, OPTIONS.maxInputTokens);
      await t5.reload(first);
      assert.deepEqual(await logitsOf(t5), before);
      await Promise.all([t5.dispose(), alone.dispose()]);
    });
  });

  it("fails no call under load, and each has the answer of one of the two models", async () => {
    await withTwo(async (first, second) => {
      const t5 = await T5ForConditionalGeneration.fromPretrained(first, OPTIONS);
      const answers = { old: String(await logitsOf(t5)), new: "" };
      let isOver = false;
      const seen: string[] = [];
      const caller = async () => {
        while (!isOver) seen.push(String(await logitsOf(t5)));
      };
      const callers = Array.from({ length: 6 }, caller);
      try {
        await t5.reload(second);
        answers.new = String(await logitsOf(t5));
      } finally {
        isOver = true;
      }
      await Promise.all(callers);
      assert.ok(seen.includes(answers.old));
      assert.ok(seen.every((answer) => Object.values(answers).includes(answer)));
      await t5.dispose();
    });
  });

  it("leaves calls, sessions, encoder outputs and streams that were made before to the old model", async () => {
    await withTwo(async (first, second) => {
      const t5 = await T5ForConditionalGeneration.fromPretrained(first, OPTIONS);
      const source = { inputIds: input.inputIds };
      const expected = (await (await t5.encode(source)).startDecoding().step([[0]])).logits.data;
      const tokens: number[] = [];
      for await (const { tokenId } of t5.stream(source, { maxNewTokens: 6, eosTokenId: [] })) tokens.push(tokenId);

      const encoderOutput = await t5.encode(source);
      const session = encoderOutput.startDecoding();
      const stream = t5.stream(source, { maxNewTokens: 6, eosTokenId: [] });
      const streamed = [(await stream.next()).value?.tokenId];
      const call = logitsOf(t5);
      const old = await logitsOf(t5);
      await t5.reload(second);
      assert.deepEqual((await session.step([[0]])).logits.data, expected);
      assert.deepEqual((await encoderOutput.startDecoding().step([[0]])).logits.data, expected);
      for await (const { tokenId } of stream) streamed.push(tokenId);
      assert.deepEqual(streamed, tokens);
      assert.deepEqual(await call, old);
      await assert.rejects(t5.generate({ encoderOutput }), {
        code: "ERR_INVALID_ARGUMENT",
        message: /of this model .* but received one of another model/,
      });
      await t5.dispose();
    });
  });

  it("leaves a generation with a logits processor, which reloads in the middle of it, to the old model", async () => {
    await withTwo(async (first, second) => {
      const source = { inputIds: input.inputIds };
      const options = { maxNewTokens: 6, eosTokenId: [] };
      const t5 = await T5ForConditionalGeneration.fromPretrained(first, OPTIONS);
      const expected = (await t5.generate(source, options)).sequences.data;
      const reloadsOnce = () => ({
        ...options,
        logitsProcessor: async ({ step }: { readonly step: number }) => {
          if (step === 2) await t5.reload(second);
        },
      });
      assert.deepEqual((await t5.generate(source, reloadsOnce())).sequences.data, expected);
      await t5.reload(first);
      const streamed: number[] = [];
      for await (const { tokenId } of t5.stream(source, reloadsOnce())) streamed.push(tokenId);
      assert.deepEqual(streamed, [...expected.slice(1)]);
      await t5.dispose();
    });
  });

  it("leaves the model as it was where it fails", async () => {
    await withTwo(async (first, second) => {
      const t5 = await T5ForConditionalGeneration.fromPretrained(first, OPTIONS);
      const before = await logitsOf(t5);
      writeFileSync(join(second, "model.safetensors"), "damaged");
      await assert.rejects(t5.reload(second), { code: "ERR_MODEL_CORRUPT", stack: /reload\.spec/ });
      await assert.rejects(t5.reload(join(first, "none")), { code: "ERR_MODEL_NOT_FOUND" });
      // @ts-expect-error: the options of loading stay as they are
      await assert.rejects(t5.reload(first, { precision: "int8" }), { code: "ERR_INVALID_ARGUMENT" });
      // @ts-expect-error: no path
      await assert.rejects(t5.reload(7), { code: "ERR_INVALID_ARGUMENT" });
      const reason = new Error("stop");
      await assert.rejects(t5.reload(first, { signal: AbortSignal.abort(reason) }), reason);
      assert.deepEqual(await logitsOf(t5), before);
      await t5.dispose();
    });
  });

  it("refuses another class, and a disposed model, also one that is disposed meanwhile", async () => {
    await withTwo(async (first) => {
      const encoder = await T5EncoderModel.fromPretrained(first, OPTIONS);
      const states = (await encoder.forward({ inputIds: input.inputIds })).lastHiddenState.data;
      await encoder.reload(first);
      assert.deepEqual((await encoder.forward({ inputIds: input.inputIds })).lastHiddenState.data, states);
      const disposing = encoder.reload(first);
      await encoder.dispose();
      await assert.rejects(disposing, { code: "ERR_DISPOSED" });
      await assert.rejects(encoder.reload(first), { code: "ERR_DISPOSED" });
      const exact = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu" });
      await exact.reload(demoModel);
      assert.equal(exact.precision, "exact");
      await assert.rejects(exact.reload(first), { code: "ERR_INVALID_ARGUMENT", message: /torch-t5 export/ });
      await exact.dispose();
    });
  });
});
