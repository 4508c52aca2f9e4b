import assert from "node:assert/strict";
import { join } from "node:path";
import { demoModel, T5ForSequenceClassification, T5ForTokenClassification } from "torch-t5";
import { type ClassifierForm, useClassifiers } from "../support/classifiers.js";
import { torchT5 } from "../support/cli.js";
import { withDirectory } from "../support/directory.js";
import { cpu, parseLines, toLines } from "./lines.js";

const texts = ["spell number: 7", "date to iso: the 5th of March 2021", ""];
const CPU = { device: "cpu", intraOpThreads: 1 } as const;

const made = useClassifiers("texts", "tokens");
const directoryOf = (form: ClassifierForm) => made(form).directory;
const ofTexts = () => ["classify", "--model", directoryOf("texts"), ...cpu];
const ofTokens = () => ["classify", "--model", directoryOf("tokens"), ...cpu];

/** The same values with each number rounded to float32, as the command prints it. */
function rounded(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, item) => (typeof item === "number" ? Math.fround(item) : item));
}

describe("torch-t5 classify", () => {
  it("prints the library's labels of each text", async () => {
    await using model = await T5ForSequenceClassification.fromPretrained(directoryOf("texts"), CPU);
    for (const [flags, options] of [
      [[], {}],
      [["--top-k", "1"], { topK: 1 }],
      [["--function-to-apply", "none", "--batch-size", "2"], { functionToApply: "none", batchSize: 2 }],
    ] as const) {
      const { code, stdout, stderr } = await torchT5([...ofTexts(), ...flags, "--", ...texts]);
      assert.deepEqual([code, stderr], [0, ""]);
      const labels = await model.classify(texts, options);
      const expected = texts.map((text, index) => ({ line: index + 1, text, labels: labels[index] }));
      assert.deepEqual(rounded(parseLines(stdout)), rounded(expected));
    }
  });

  it("prints the same from a Hugging Face directory as from its export in float32", async () => {
    for (const form of ["texts", "tokens"] as const) {
      const { directory, checkpoint } = made(form);
      const run = (model: string, flags: readonly string[]) =>
        torchT5(["classify", "--model", model, ...cpu, ...flags, "--", ...texts]);
      const { code, stdout, stderr } = await run(checkpoint, []);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal(stdout, (await run(directory, ["--precision", "float32"])).stdout);
    }
  });

  it("prints the library's labels of each token", async () => {
    await using model = await T5ForTokenClassification.fromPretrained(directoryOf("tokens"), CPU);
    for (const [flags, options] of [
      [[], {}],
      [["--ignore-labels", "B-PER", "--ignore-labels", "I-PER"], { ignoreLabels: ["B-PER", "I-PER"] }],
      [["--aggregation-strategy", "simple"], { aggregationStrategy: "simple" }],
    ] as const) {
      const { code, stdout, stderr } = await torchT5([...ofTokens(), ...flags, "--", ...texts]);
      assert.deepEqual([code, stderr], [0, ""]);
      const entities = await model.classify(texts, options);
      assert.ok(entities.flat().length > 0);
      const expected = texts.map((text, index) => ({ line: index + 1, text, entities: entities[index] }));
      assert.deepEqual(rounded(parseLines(stdout)), rounded(expected));
    }
  });

  it("reads JSON Lines, copies other fields, and continues after an interruption", async () => {
    await withDirectory(async (directory) => {
      const output = join(directory, "labels.jsonl");
      const items = [{ id: 7, text: "a" }, "b", { text: "a </s> c" }];
      const whole = await torchT5(ofTexts(), { input: toLines(items) });
      assert.deepEqual([whole.code, whole.stderr], [0, ""]);
      const lines = parseLines<{ line: number; id?: number; text: string }>(whole.stdout);
      assert.deepEqual(
        lines.map(({ line, id, text }) => [line, id, text]),
        [
          [1, 7, "a"],
          [2, undefined, "b"],
          [3, undefined, "a </s> c"],
        ],
      );
      const args = [...ofTexts(), "--output", output];
      assert.equal((await torchT5(args, { input: toLines(items.slice(0, 2)) })).code, 0);
      assert.equal((await torchT5(args, { input: toLines(items) })).code, 0);
      const again = await torchT5([...args, "--function-to-apply", "none"], { input: toLines(items) });
      assert.equal(again.code, 1);
      assert.match(again.stderr, /Expected results of this model and these options/);
    });
  });

  it("writes an error for an invalid line with --skip-invalid", async () => {
    const { code, stdout } = await torchT5([...ofTexts(), "--skip-invalid"], { input: '{"text":5}\n"a"\n' });
    assert.equal(code, 0);
    const [first, second] = parseLines<{ error?: string; labels?: readonly unknown[] }>(stdout);
    assert.match(first?.error ?? "", /a string or an object with its text/);
    assert.equal(second?.labels?.length, 3);
  });

  it("refuses a wrong command line", async () => {
    const wrong: readonly (readonly [args: readonly string[], code: number, message: RegExp])[] = [
      [["classify", "a"], 2, /Expected --model with a classifier but received none/],
      [["classify", "--model", demoModel, "a"], 1, /load it with T5ForConditionalGeneration.fromPretrained/],
      [["classify", "--model", "/nowhere", "a"], 1, /"\/nowhere" does not exist/],
      [[...ofTexts(), "--ignore-labels", "O", "a"], 2, /no --ignore-labels for a classifier of texts but received it/],
      [[...ofTokens(), "--top-k", "1", "a"], 2, /no --top-k for a classifier of tokens but received it/],
      [[...ofTexts(), "--top-k", "9", "a"], 2, /an integer from 1 to 3 for --top-k but received 9/],
      [[...ofTexts(), "--function-to-apply", "relu", "a"], 2, /for --function-to-apply but received "relu"/],
      [[...ofTokens(), "--aggregation-strategy", "max", "a"], 2, /none or simple for --aggregation-strategy/],
    ];
    for (const [args, code, message] of wrong) {
      const ended = await torchT5(args);
      assert.equal(ended.code, code, args.join(" "));
      assert.match(ended.stderr, message);
      assert.equal(ended.stdout, "");
    }
  });

  it("is what verify compares as well, for texts and for tokens", async () => {
    for (const form of ["texts", "tokens"] as const) {
      const exact = await torchT5(["verify", "--exact", directoryOf(form)]);
      assert.equal(exact.code, 0, exact.stdout + exact.stderr);
      assert.match(exact.stdout, /All 5 probes are bitwise equal/);
      const int8 = await torchT5(["verify", "--precision", "int8", "--max-kl", "1", directoryOf(form)]);
      assert.equal(int8.code, 0, int8.stdout + int8.stderr);
      assert.match(int8.stdout, /top-1 agreement .* KL divergence/);
    }
  });
});
