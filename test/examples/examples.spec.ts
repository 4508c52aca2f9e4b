import assert from "node:assert/strict";
import { join } from "node:path";
import { withDirectory } from "../support/directory.js";
import { useModel } from "../support/model.js";
import { runProgram } from "../support/program.js";

const text = "spell number: 7";

/** The lines that an example prints. */
async function run(name: string, ...args: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await runProgram(new URL(`../../examples/${name}.mjs`, import.meta.url), args);
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout.trimEnd().split("\n");
}

/** The lines that the example of a head prints on its first run, which builds the head, and on its second. */
async function runTwice(name: string, program: string, ...args: readonly [head: string, ...texts: string[]]) {
  const first = await runProgram(new URL(`../../examples/${name}.mjs`, import.meta.url), args);
  assert.equal(first.code, 0, first.stderr);
  assert.ok(first.stderr.startsWith(`Building ${args[0]} with examples/heads/${program}.py\n`), first.stderr);
  const lines = await run(name, ...args);
  assert.equal(`${lines.join("\n")}\n`, first.stdout);
  return lines;
}

/** Splits "0.9987  a text" into its number and its text. */
function numbered(line: string): readonly [number, string] {
  const [first = "", ...rest] = line.split(" ");
  return [Number(first), rest.join(" ").trim()];
}

describe("the example", () => {
  // The examples use PyTorch's default device and thread count; the model here has the same, so its bits are the same.
  const threads = process.env.OMP_NUM_THREADS;
  before(() => {
    process.env.OMP_NUM_THREADS = "1";
  });
  after(() => {
    if (threads === undefined) delete process.env.OMP_NUM_THREADS;
    else process.env.OMP_NUM_THREADS = threads;
  });
  const model = useModel({ device: "auto", intraOpThreads: 1 });

  /** The answer of greedy decoding with one forward pass per token. */
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

  it("argmax-to-text prints the number in words", async () => {
    assert.deepEqual(await run("argmax-to-text", text), [await greedy()]);
    assert.deepEqual(await run("argmax-to-text", text), ["seven"]);
  });

  it("custom-sampling equals argmax with top-k 1, and is repeatable with a seed", async () => {
    assert.deepEqual(await run("custom-sampling", text, "0.7", "1"), [await greedy()]);
    const sampled = await run("custom-sampling", text, "50", "40", "3");
    assert.deepEqual(await run("custom-sampling", text, "50", "40", "3"), sampled);
    assert.notDeepEqual(await run("custom-sampling", text, "50", "40", "4"), sampled);
  });

  it("streaming prints the answer", async () => {
    assert.deepEqual(await run("streaming", text), [await greedy()]);
  });

  it("constrained-decoding prints allowed answers only, the right one first", async () => {
    const allowed = ["seven", "seventeen", "seventy", "seventy-one"];
    const lines = (await run("constrained-decoding", "spell number: 17", ...allowed)).map(numbered);
    assert.equal(lines.length, 2);
    assert.equal(lines[0]?.[1], "seventeen");
    for (const [, answer] of lines) assert.ok(allowed.includes(answer), answer);
    // Also where the model prefers another answer.
    const forced = (await run("constrained-decoding", text, "seventy", "nine hundred")).map(numbered);
    assert.deepEqual(forced.map(([, answer]) => answer).sort(), ["nine hundred", "seventy"]);
  });

  it("decode-many continues each of the best first tokens, the best answer first", async () => {
    const lines = (await run("decode-many", text, "3")).map(numbered);
    assert.equal(lines[0]?.[1], await greedy());
    assert.equal(new Set(lines.map(([, answer]) => answer)).size, 3);
    const scores = await model().score(
      text,
      lines.map(([, answer]) => answer),
    );
    const [best] = scores;
    assert.ok(Math.abs((lines[0]?.[0] ?? 0) - (best?.score ?? 1)) < 1e-3);
  });

  it("rerank prints the relevant document first, and score agrees", async () => {
    const lines = await run("rerank");
    const ranked = lines.slice(0, 3).map(numbered);
    assert.match(ranked[0]?.[1] ?? "", /^In Thornby the flag is brown\. Its doctor is Mona\.$/);
    assert.deepEqual(
      [...ranked].sort(([one], [other]) => other - one),
      ranked,
    );
    const [yes = 0, no = 0] = lines.slice(3).map((line) => Number(line.split(": ")[1]));
    assert.ok(yes > no, lines.join("\n"));
  });

  it("embeddings finds the text of the same kind", async () => {
    const lines = await run(
      "embeddings",
      "date to iso: March 5, 2021",
      "spell number: 48213",
      "date to iso: 5 Mar 2021",
    );
    assert.equal(lines.length, 6);
    assert.equal(numbered(lines[1]?.trim() ?? "")[1], "date to iso: 5 Mar 2021");
    assert.equal(numbered(lines[5]?.trim() ?? "")[1], "date to iso: March 5, 2021");
  });

  it("head-classifier names the task of each text, with the head that its first run trained", async () => {
    await withDirectory(async (directory) => {
      const texts = [
        "spell number: 777",
        "date to iso: 2 February 1902",
        "Query: bell of Rookley Document: Its bell is old. Relevant:",
      ];
      const lines = await runTwice("head-classifier", "classifier", join(directory, "classifier.pt"), ...texts);
      assert.deepEqual(
        lines.map((line) => line.replace(/ [\d.]+ {2}/, ": ")),
        ["number", "date", "relevance"].map((label, index) => `${label}: ${texts[index]}`),
      );
    });
  });

  it("head-contrastive finds the document of each query", async () => {
    await withDirectory(async (directory) => {
      const lines = await runTwice("head-contrastive", "contrastive", join(directory, "contrastive.pt"));
      for (const line of lines) assert.match(line, /^(-?[\d.]+ {2}){3}/);
      assert.deepEqual(
        lines.map((line) => line.replace(/^(-?[\d.]+ {2}){3}/, "")),
        [
          "date to iso: March 5, 2021 ~ date to iso: 5 Mar 2021",
          "date to iso: 24 August 2033 ~ date to iso: Aug 24, 2033",
          "spell number: 48213 ~ spell number: 48214",
        ],
      );
    });
  });

  it("head-loss prints the focal loss of the log-probabilities", async () => {
    await withDirectory(async (directory) => {
      const run = await runTwice("head-loss", "focal_loss", join(directory, "focal_loss.pt"));
      const lines = run.map(numbered);
      const sources = ["spell number: 7", "spell number: 7", "spell number: 48213"];
      const targets = ["seven", "six", "forty-eight thousand two hundred thirteen"];
      for (const [index, source] of sources.entries()) {
        const [{ logProbs } = { logProbs: new Float32Array() }] = await model().score(source, [targets[index] ?? ""]);
        const losses = [...logProbs].map((logProb) => -((1 - Math.exp(logProb)) ** 2) * logProb);
        const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
        assert.ok(Math.abs((lines[index]?.[0] ?? -1) - mean) < 1e-3, lines.join("\n"));
      }
    });
  });
});
