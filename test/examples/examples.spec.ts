import assert from "node:assert/strict";
import { useModel } from "../support/model.js";
import { runProgram } from "../support/program.js";

const text = "spell number: 7";

/** The lines that an example prints. */
async function run(name: string, ...args: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await runProgram(new URL(`../../examples/${name}.mjs`, import.meta.url), args);
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout.trimEnd().split("\n");
}

describe("the example", () => {
  // The examples use PyTorch's own device and thread count; the same ones here give the same bits.
  const threads = process.env.OMP_NUM_THREADS;
  before(() => {
    process.env.OMP_NUM_THREADS = "1";
  });
  after(() => {
    if (threads === undefined) delete process.env.OMP_NUM_THREADS;
    else process.env.OMP_NUM_THREADS = threads;
  });
  const model = useModel({ device: "auto", intraOpThreads: 1 });

  /** The answer, found by extending it with the best token of a forward pass each time. */
  async function greedy(): Promise<string> {
    const { config, tokenizer } = model();
    const ids = [config.decoderStartTokenId];
    for (let step = 0; step < 32 && ids.at(-1) !== config.eosTokenId; step++) {
      const { indices } = await model().forward({ text, decoderInputIds: [ids] }, { topK: 1, positions: "last" });
      ids.push(indices.data[0] ?? 0);
    }
    return tokenizer?.decode(ids, { skipSpecialTokens: true }) ?? "";
  }

  it("logits prints the shape and the first values of the logits", async () => {
    const { logits } = await model().forward(text);
    assert.deepEqual(await run("logits", text), [
      `shape: [${logits.shape.join(", ")}]`,
      `first values: ${logits.data.slice(0, 8).join(", ")}`,
    ]);
  });

  it("hidden-states prints the last hidden states", async () => {
    const { encoderLastHiddenState, decoderLastHiddenState } = await model().forward(text, { hiddenStates: true });
    const lines = Object.entries({ encoderLastHiddenState, decoderLastHiddenState }).flatMap(([name, states]) => [
      `${name}: [${states.shape.join(", ")}]`,
      `  first position: ${states.row(0, 0).slice(0, 6).join(", ")}`,
    ]);
    assert.deepEqual(await run("hidden-states", text), lines);
  });

  it("argmax-to-text spells the number out", async () => {
    assert.deepEqual(await run("argmax-to-text", text), [await greedy()]);
    assert.deepEqual(await run("argmax-to-text", text), ["seven"]);
  });

  it("custom-sampling is argmax where only one token is kept, and repeatable with a seed", async () => {
    assert.deepEqual(await run("custom-sampling", text, "0.7", "1"), [await greedy()]);
    const sampled = await run("custom-sampling", text, "50", "40", "3");
    assert.deepEqual(await run("custom-sampling", text, "50", "40", "3"), sampled);
    assert.notDeepEqual(await run("custom-sampling", text, "50", "40", "4"), sampled);
  });
});
