import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { torchT5 } from "../support/cli.js";
import { withDirectory } from "../support/directory.js";
import { useModel } from "../support/model.js";
import { cpu, parseLines } from "./lines.js";

interface Ranked {
  readonly line: number;
  readonly query: string;
  readonly ranked: readonly {
    readonly index: number;
    readonly probability: number;
    readonly score: number;
    readonly document: unknown;
  }[];
}

const query = "doctor of Thornby";
const documents = [
  "In Thornby the flag is brown. Its market day is Friday.",
  "Jorwick's population is 9191. Its doctor is Pavel.",
  "In Thornby the flag is brown. Its doctor is Mona.",
];
const objects = documents.map((text, index) => ({ id: `d${index}`, text, nested: [index] }));
const items = [
  { query, documents },
  { id: 7, query: "Juniper doctor", documents: objects },
];
const input = items.map((item) => `${JSON.stringify(item)}\n`).join("");
const parse = (stdout: string) => parseLines<Ranked>(stdout);

/** The input of the example in a text: what `echo` writes to `torch-t5 rerank`. */
const exampleOf = (text: string) => /echo '(.*"documents".*)' \|\s+torch-t5 rerank/.exec(text)?.[1] ?? "";

describe("torch-t5 rerank", () => {
  const model = useModel();

  it("ranks the right document first in the examples of docs/cli.md and of its help, where it is not the first", async () => {
    const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
    const { stdout: help } = await torchT5(["rerank", "--help"]);
    for (const text of [page, help]) {
      const [{ ranked } = { ranked: [] }] = parse(
        (await torchT5(["rerank", ...cpu], { input: exampleOf(text) })).stdout,
      );
      assert.deepEqual([ranked[0]?.index, ranked[0]?.document], [1, "In Thornby the doctor is Mona."]);
    }
  });

  it("ranks as the library does, and copies every document unchanged", async () => {
    const { code, stdout, stderr } = await torchT5(["rerank", ...cpu], { input });
    assert.deepEqual([code, stderr], [0, ""]);
    const lines = parse(stdout);
    assert.equal(lines.length, items.length);
    for (const [index, item] of items.entries()) {
      const { line, ranked, ...rest } = lines[index] ?? { line: 0, ranked: [] };
      const { documents: given, ...others } = item;
      assert.deepEqual([line, rest], [index + 1, others]);
      const expected = await model().rerank(item.query, documents);
      assert.deepEqual(
        ranked.map((document) => [document.index, document.document]),
        expected.map((document) => [document.index, given[document.index]]),
      );
      for (const [rank, { probability, score }] of ranked.entries()) {
        assert.ok(Math.abs(probability - (expected[rank]?.probability ?? 0)) <= 1e-6);
        assert.ok(Math.abs(score - (expected[rank]?.score ?? 0)) <= 1e-6 * Math.max(1, Math.abs(score)));
      }
    }
    assert.equal(lines[0]?.ranked[0]?.document, documents[2]);
    assert.ok((lines[0]?.ranked[0]?.probability ?? 0) > 0.9);
  });

  it("takes a template, the two tokens, and the number of documents to print", async () => {
    const template = "Query: {query} Document: {document} Relevant:";
    const args = ["rerank", "--template", template, "--true-token", "false", "--false-token", "true", "--top-n", "2"];
    const { code, stdout } = await torchT5([...args, ...cpu], { input });
    assert.equal(code, 0);
    for (const { ranked } of parse(stdout)) assert.equal(ranked.length, 2);
    assert.notEqual(parse(stdout)[0]?.ranked[0]?.document, documents[2]);
  });

  it("continues an output that was cut off, and rejects one with other documents", async () => {
    await withDirectory(async (directory) => {
      const [inputPath, output] = [join(directory, "in.jsonl"), join(directory, "out.jsonl")];
      writeFileSync(inputPath, input);
      const args = ["rerank", "--input", inputPath, "--output", output, "--top-n", "2", ...cpu];
      assert.equal((await torchT5(args)).code, 0);
      const whole = readFileSync(output, "utf8");
      writeFileSync(output, whole.slice(0, -10));
      assert.equal((await torchT5(args)).code, 0);
      assert.equal(readFileSync(output, "utf8"), whole);
      writeFileSync(output, whole.replace("Its doctor is Mona", "Its doctor is Mina"));
      const { code, stderr } = await torchT5(args);
      assert.equal(code, 1);
      assert.match(stderr, /line 1 doesn't match the input; use --overwrite/);
    });
  });

  const bad: readonly (readonly [line: string, message: RegExp])[] = [
    ['{"documents":["a"]}', /Expected a string for query but received undefined/],
    ['{"query":"a"}', /an array of at least one item for documents but received undefined/],
    ['{"query":"a","documents":[]}', /for documents but received \[\]/],
    ['{"query":"a","documents":["b",{"body":"c"}]}', /for documents\[1\] but received \{"body":"c"\}/],
    ['{"query":"a","documents":[null]}', /a string or an object with its text for documents\[0\] but received null/],
  ];
  for (const [line, message] of bad) {
    it(`names the invalid line for: ${line}`, async () => {
      const { code, stdout, stderr } = await torchT5(["rerank", ...cpu], { input: `${input}${line}\n` });
      assert.equal(code, 1);
      assert.equal(parse(stdout).length, 2);
      assert.match(stderr, /^torch-t5: standard input line 3: [^\n]*\n$/);
      assert.match(stderr, message);
    });
  }

  const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [["--top-n", "0"], /an integer of at least 1 for --top-n but received "0"/],
    [["--template", "no place for anything"], /--template/],
    [["--true-token", "two words of text"], /--true-token/],
  ];
  for (const [args, message] of wrong) {
    it(`ends with 2 and one line for: ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await torchT5(["rerank", ...args, ...cpu], { input });
      assert.match(stderr, message);
      assert.match(stderr, /^torch-t5: [^\n]*\n$/);
      assert.deepEqual([code, stdout], [2, ""]);
    });
  }
});
