import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Running, torchT5 } from "../support/cli.js";
import { updateManifest, withDirectory, withModelCopy } from "../support/directory.js";
import { useModel } from "../support/model.js";
import { runToEnd } from "../support/program.js";
import { pythonPath } from "../support/python.js";
import { cpu, parseLines } from "./lines.js";

interface Embedded {
  readonly line: number;
  readonly text: string;
  readonly embedding: readonly number[];
}

const texts = ["spell number: 7", "date to iso: the 5th of March 2021", ""];
const parse = (stdout: string) => parseLines<Embedded>(stdout);
const READ = `import json, sys; from safetensors.torch import load_file
tensors = load_file(sys.argv[1]); print(json.dumps({name: tensor.tolist() for name, tensor in tensors.items()}))`;

describe("torch-t5 embed", () => {
  const model = useModel();

  /** The vectors that the library computes. */
  async function rows(
    options: Parameters<ReturnType<typeof model>["embed"]>[1] = {},
  ): Promise<readonly Float32Array[]> {
    const embeddings = await model().embed(texts, options);
    return texts.map((_, index) => embeddings.row(index).slice());
  }

  const given: readonly (readonly [flags: readonly string[], options: Readonly<Record<string, unknown>>])[] = [
    [[], {}],
    [["--normalize"], { normalize: true }],
    [["--pooling", "first", "--batch-size", "2"], { pooling: "first", batchSize: 2 }],
  ];
  for (const [flags, options] of given) {
    it(`prints the library's vectors, bit for bit, with: ${flags.join(" ") || "no options"}`, async () => {
      const { code, stdout, stderr } = await torchT5(["embed", ...flags, ...cpu, "--", ...texts]);
      assert.deepEqual([code, stderr], [0, ""]);
      const expected = await rows(options);
      assert.deepEqual(
        parse(stdout).map(({ line, text, embedding }) => [line, text, Float32Array.from(embedding)]),
        texts.map((text, index) => [index + 1, text, expected[index]]),
      );
    });
  }

  it("reads texts from standard input, one per line", async () => {
    const { code, stdout } = await torchT5(["embed", "-", ...cpu], { input: `${texts.join("\n")}\n` });
    assert.equal(code, 0);
    assert.equal(stdout, (await torchT5(["embed", ...cpu, "--", ...texts])).stdout);
  });

  it("reads JSON Lines, strings or objects, and copies the objects' other fields", async () => {
    const input = `${JSON.stringify(texts[0])}\n${JSON.stringify({ label: 3, text: texts[1] })}\n`;
    const { code, stdout } = await torchT5(["embed", ...cpu], { input });
    assert.equal(code, 0);
    assert.deepEqual(
      parse(stdout).map(({ embedding, ...rest }) => rest),
      [
        { line: 1, text: texts[0] },
        { line: 2, label: 3, text: texts[1] },
      ],
    );
  });

  it("writes a safetensors file that Python reads", async () => {
    await withDirectory(async (directory) => {
      const output = join(directory, "vectors.safetensors");
      const args = ["embed", "--output", output, "--batch-size", "2", ...cpu];
      assert.deepEqual(await torchT5([...args, "--", ...texts]), { code: 0, stdout: "", stderr: "" });
      const read = await runToEnd(pythonPath(), ["-c", READ, output]);
      const { embeddings } = JSON.parse(read.stdout) as { readonly embeddings: readonly (readonly number[])[] };
      assert.deepEqual(
        embeddings.map((row) => Float32Array.from(row)),
        await rows({ batchSize: 2 }),
      );
      const again = await torchT5([...args, "--", ...texts]);
      assert.equal(again.code, 2);
      assert.match(again.stderr, /Expected --overwrite to replace /);
      assert.equal((await torchT5([...args, "--overwrite", "--", ...texts])).code, 0);
      assert.deepEqual(readdirSync(directory), ["vectors.safetensors"]);
    });
  });

  it("leaves no incomplete safetensors file", async () => {
    await withDirectory(async (directory) => {
      const output = join(directory, "vectors.safetensors");
      const args = ["embed", "--output", output, "--batch-size", "1", ...cpu];
      const { code, stderr } = await torchT5(args, { input: '"a"\n7\n' });
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^torch-t5: standard input line 2: Expected a string or an object with its text but received 7\n$/,
      );
      assert.deepEqual(readdirSync(directory), []);
      const running = new Running(args);
      running.child.stdin.write('"a"\n');
      while (readdirSync(directory).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      running.child.kill("SIGINT");
      assert.deepEqual(await running.ended, { code: null, signal: "SIGINT" });
      assert.deepEqual([running.stderr, readdirSync(directory)], ["", []]);
    });
  });

  it("continues an output that was cut off", async () => {
    await withDirectory(async (directory) => {
      const [input, output] = [join(directory, "in.jsonl"), join(directory, "out.jsonl")];
      writeFileSync(input, texts.map((text) => `${JSON.stringify({ text })}\n`).join(""));
      const args = ["embed", "--input", input, "--output", output, "--batch-size", "1", ...cpu];
      assert.equal((await torchT5(args)).code, 0);
      const whole = readFileSync(output, "utf8");
      writeFileSync(output, whole.slice(0, whole.indexOf("\n") + 20));
      assert.equal((await torchT5(args)).code, 0);
      assert.equal(readFileSync(output, "utf8"), whole);
    });
  });

  it("names the invalid line of a batch, and keeps the results before it", async () => {
    // A tokenizer without an unknown token can't encode every character.
    await withModelCopy(async (directory) => {
      const path = join(directory, "tokenizer.json");
      const tokenizer = JSON.parse(readFileSync(path, "utf8"));
      tokenizer.model.unk_id = null;
      writeFileSync(path, JSON.stringify(tokenizer));
      updateManifest(directory, "tokenizer.json");
      const input = '"a"\n"漢"\n"b"\n';
      const failed = await torchT5(["embed", "--model", directory, ...cpu], { input });
      assert.equal(failed.code, 1);
      assert.match(failed.stderr, /^torch-t5: standard input line 2: .* \(ERR_INVALID_ARGUMENT\)\n$/);
      assert.equal(parse(failed.stdout).length, 1);
      const skipped = await torchT5(["embed", "--model", directory, "--skip-invalid", ...cpu], { input });
      assert.equal(skipped.code, 0);
      assert.deepEqual(
        parse(skipped.stdout).map((line) => Object.keys(line)),
        [
          ["line", "text", "embedding"],
          ["line", "error"],
          ["line", "text", "embedding"],
        ],
      );
    });
  });

  const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [["a", "--pooling", "median"], /mean, first, .*, lasttoken for --pooling but received "median"/],
    [["a", "--batch-size", "0"], /an integer of at least 1 for --batch-size but received "0"/],
    [["a", "--input", "b"], /no arguments, but received 1/],
    [["-", "a"], /"-" alone/],
    [["a", "--skip-invalid", "--output", "never.safetensors"], /no --skip-invalid with safetensors/],
    [["--output", "never.safetensors"], /at least one line of standard input but received none/],
  ];
  for (const [args, message] of wrong) {
    it(`ends with 2 and one line for: ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await torchT5(["embed", ...args, ...cpu]);
      assert.match(stderr, message);
      assert.match(stderr, /^torch-t5: [^\n]*\n$/);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.ok(!existsSync("never.safetensors"));
    });
  }
});
