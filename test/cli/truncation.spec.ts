import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTerminal, torchT5 } from "../support/cli.js";
import { updateManifest, withDirectory, withModelCopy } from "../support/directory.js";
import { useModel } from "../support/model.js";
import { cpu, parseLines, toLines } from "./lines.js";

const long = "spell number: 48213";
const short = "a";
const maxLength = 5;
const note = "torch-t5: truncated 1 of 2 texts\n";
const documents = ["In Thornby the flag is brown. Its doctor is Mona.", "Its doctor is Pavel."];
const queries = [{ query: "doctor of Thornby", documents }];

describe("torch-t5 with texts that are too long", () => {
  const model = useModel();

  it("logits: says of each text whether it was truncated", async () => {
    const args = ["logits", long, short, "--max-length", "5", "--top-k", "1", ...cpu];
    const { stdout } = await torchT5([...args, "--json"]);
    const lines = parseLines<{ truncated?: boolean; positions: [{ top: [{ logit: number }] }] }>(stdout);
    assert.deepEqual(
      lines.map(({ truncated }) => truncated),
      [true, false],
    );
    const { values } = await model().forward({ text: long, maxLength }, { topK: 1 });
    assert.equal(lines[0]?.positions[0].top[0].logit, values.data[0]);
    assert.match((await torchT5(args)).stdout, /^text: spell number: 48213 \(truncated\)\n[\s\S]*\ntext: a\n/);
    assert.doesNotMatch((await torchT5(["logits", long, "--json", ...cpu])).stdout, /truncated/);
  });

  it("generate: says it in JSON, and else on standard error", async () => {
    const args = ["generate", long, short, "--max-source-length", "5", ...cpu];
    const { texts } = await model().generate({ text: [long, short], maxLength });
    const plain = await torchT5([...args, "--batch-size", "2"]);
    assert.deepEqual([plain.code, plain.stdout, plain.stderr], [0, `${texts?.join("\n")}\n`, note]);
    const { stdout, stderr } = await torchT5([...args, "--json"]);
    assert.equal(stderr, "");
    assert.deepEqual(
      parseLines<{ text: string; truncated?: boolean }>(stdout).map(({ text, truncated }) => [text, truncated]),
      [
        [long, true],
        [short, false],
      ],
    );
    const streamed = await torchT5([...args, "--stream"]);
    assert.deepEqual([streamed.stdout, streamed.stderr], [plain.stdout, note]);
    assert.match((await onTerminal(args)).stdout, /truncated 1 of 2 texts/);
    // The maximum length of the answer is another option.
    assert.equal((await torchT5(["generate", long, "--max-source-length", "99", ...cpu])).stderr, "");
  });

  it("score: says it of each line, and copies a field of that name otherwise", async () => {
    const lines = [
      { source: long, targets: ["five", "a"] },
      { source: short, targets: ["a"], truncated: "mine" },
    ];
    const run = async (...flags: string[]) => {
      const { stdout } = await torchT5(["score", ...flags, ...cpu], { input: toLines(lines) });
      return parseLines<{ truncated?: unknown; scores: { ids: number[]; logProbs: number[] }[] }>(stdout);
    };
    const cut = await run("--max-length", "5", "--no-add-special-tokens");
    assert.deepEqual(
      cut.map(({ truncated }) => truncated),
      [true, false],
    );
    const options = { addSpecialTokens: false };
    const [expected] = await model().score({ text: long, maxLength }, ["five", "a"], options);
    assert.deepEqual(Float32Array.from(cut[0]?.scores[0]?.logProbs ?? []), expected?.logProbs);
    assert.deepEqual(cut[0]?.scores[0]?.ids, [...(expected?.ids ?? [])]);
    assert.deepEqual(
      (await run()).map(({ truncated }) => truncated),
      [undefined, "mine"],
    );
  });

  it("rerank: says it of each document, and compares pairs", async () => {
    const run = async (...flags: string[]) => {
      const { code, stdout, stderr } = await torchT5(["rerank", ...flags, ...cpu], { input: toLines(queries) });
      assert.deepEqual([code, stderr], [0, ""]);
      return parseLines<{ ranked: { index: number; score: number; truncated?: boolean }[] }>(stdout)[0]?.ranked;
    };
    for (const [flags, options] of [
      [["--max-length", "40"], { maxLength: 40 }],
      [["--pairwise"], { pairwise: true }],
      [["--pairwise", "--max-length", "50", "--batch-size", "1"], { pairwise: true, maxLength: 50, batchSize: 1 }],
    ] as const) {
      const expected = await model().rerank("doctor of Thornby", documents, options);
      assert.deepEqual(
        (await run(...flags))?.map(({ index, score, truncated }) => [index, Math.fround(score), truncated]),
        expected.map(({ index, score, truncated }) => [index, Math.fround(score), truncated]),
      );
    }
    const invalid = await torchT5(["rerank", "--max-length", "4", "--skip-invalid", ...cpu], {
      input: toLines(queries),
    });
    assert.equal(invalid.code, 0);
    assert.match(invalid.stdout, /^{"line":1,"error":"Expected more ids than the prompt has without its documents/);
  });

  it("embed: says it of each line, and of a safetensors file on standard error", async () => {
    const args = ["embed", "--max-length", "5", long, short, ...cpu];
    const lines = parseLines<{ truncated?: boolean; embedding: number[] }>((await torchT5(args)).stdout);
    const expected = await model().embed({ text: [long, short], maxLength });
    assert.deepEqual(
      lines.map(({ truncated, embedding }) => [truncated, Float32Array.from(embedding)]),
      [
        [true, expected.row(0)],
        [false, expected.row(1)],
      ],
    );
    await withDirectory(async (directory) => {
      const saved = await torchT5([...args, "--output", join(directory, "e.safetensors")]);
      assert.deepEqual([saved.code, saved.stdout, saved.stderr], [0, "", note]);
    });
  });

  it("continues an output that was cut off, with the same flags only", () =>
    withDirectory(async (directory) => {
      const [input, output] = [join(directory, "in.jsonl"), join(directory, "out.jsonl")];
      writeFileSync(input, toLines([long, short, long]));
      const args = ["embed", "--input", input, "--output", output, "--max-length", "5", ...cpu];
      assert.equal((await torchT5(args)).code, 0);
      const whole = readFileSync(output, "utf8");
      writeFileSync(output, whole.slice(0, whole.indexOf("\n") + 30));
      assert.equal((await torchT5(args)).code, 0);
      assert.equal(readFileSync(output, "utf8"), whole);
      const other = await torchT5(args.map((argument) => (argument === "5" ? "4" : argument)));
      assert.notEqual(other.code, 0);
      assert.equal(readFileSync(output, "utf8"), whole);
    }));

  it("takes the length of the tokenizer with --truncation, where it has one", () =>
    withModelCopy(async (directory) => {
      const path = join(directory, "tokenizer_config.json");
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), model_max_length: maxLength }));
      updateManifest(directory, "tokenizer_config.json");
      const args = ["embed", long, "--truncation", ...cpu];
      const { stdout } = await torchT5([...args, "--model", directory]);
      assert.equal(stdout, (await torchT5(["embed", long, "--max-length", "5", ...cpu])).stdout);
      const text = toLines([{ source: "a", targets: ["b"], query: "a", documents: ["b"] }]);
      for (const [command, given] of [
        ["embed", [long]],
        ["logits", [long]],
        ["generate", [long]],
        ["score", []],
        ["rerank", []],
      ] as const) {
        const { code, stderr } = await torchT5([command, ...given, "--truncation", ...cpu], { input: text });
        assert.equal(code, 2, command);
        assert.match(stderr, /^torch-t5: Expected a model whose tokenizer has a model_max_length for --truncation/);
      }
    }));

  for (const [args, message] of [
    [["embed", "a", "--max-length", "0"], /an integer of at least 1 for --max-length but received "0"/],
    [["score", "--max-length", "x"], /an integer of at least 1 for --max-length but received "x"/],
    [["generate", "a", "--max-source-length", "1.5"], /an integer of at least 1 for --max-source-length/],
    [["logits", "a", "--max-length", "5", "--no-truncation"], /--max-length or --no-truncation but received both/],
  ] as const) {
    it(`refuses ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await torchT5(args);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, message);
    });
  }
});
