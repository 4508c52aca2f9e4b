import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Running, torchT5 } from "../support/cli.js";
import { withDirectory } from "../support/directory.js";
import { cpu, scoreItems, toLines } from "./lines.js";

describe("an output file that exists", () => {
  /** Runs `use` with the paths and arguments of a finished run, and with its results. */
  function withResults(use: (paths: { input: string; output: string; args: string[] }, whole: string) => unknown) {
    return withDirectory(async (directory) => {
      const [input, output] = [join(directory, "in.jsonl"), join(directory, "out.jsonl")];
      writeFileSync(input, toLines(scoreItems));
      const args = ["score", "--input", input, "--output", output, ...cpu];
      assert.deepEqual(await torchT5(args), { code: 0, stdout: "", stderr: "" });
      await use({ input, output, args }, readFileSync(output, "utf8"));
    });
  }

  it("gets the same results wherever an earlier run was interrupted", async () => {
    await withResults(async ({ output, args }, whole) => {
      const second = whole.indexOf("\n", whole.indexOf("\n") + 1) + 1;
      for (const length of [0, 1, second - 1, second, second + 30, whole.length - 1, whole.length]) {
        writeFileSync(output, whole.slice(0, length));
        assert.equal((await torchT5(args)).code, 0);
        assert.equal(readFileSync(output, "utf8"), whole, `cut at ${length}`);
      }
    });
  });

  it("keeps the results that it has, without computing them again", async () => {
    await withResults(async ({ output, args }, whole) => {
      const lines = whole.split("\n");
      const marked = lines[0]?.replace(/"score":-?[\d.e-]+/, '"score":-77') ?? "";
      assert.notEqual(marked, lines[0]);
      writeFileSync(output, [marked, lines[1], ""].join("\n"));
      assert.equal((await torchT5(args)).code, 0);
      assert.equal(readFileSync(output, "utf8"), [marked, ...lines.slice(1)].join("\n"));
    });
  });

  it("gets the results of lines that were added to the input", async () => {
    await withResults(async ({ input, output, args }, whole) => {
      writeFileSync(input, toLines([...scoreItems, { source: "spell number: 3", targets: ["three"] }]));
      assert.equal((await torchT5(args)).code, 0);
      const now = readFileSync(output, "utf8");
      assert.ok(now.startsWith(whole));
      assert.equal(now.split("\n").length - 1, scoreItems.length + 1);
    });
  });

  const foreign: readonly (readonly [name: string, change: (whole: string) => string, line: number])[] = [
    ["results of another text", (whole) => whole.replace("March 5", "March 6"), 2],
    ["results of other targets", (whole) => whole.replace('"six"', '"ten"'), 1],
    ["results with another value in a copied field", (whole) => whole.replace('"a":null', '"a":0'), 3],
    ["results in another order", (whole) => whole.split("\n").slice(1).join("\n"), 1],
    ["more results than lines", (whole) => whole + whole.slice(whole.indexOf('{"line":4')).replace(":4", ":5"), 5],
    ["a line that isn't JSON", () => "hello\n", 1],
  ];
  for (const [name, change, line] of foreign) {
    it(`is rejected and kept where it has ${name}, and replaced with --overwrite`, async () => {
      await withResults(async ({ input, output, args }, whole) => {
        const changed = change(whole);
        assert.notEqual(changed, whole);
        writeFileSync(output, changed);
        const { code, stderr } = await torchT5(args);
        const message = `torch-t5: Expected results of ${input} in ${output} but line ${line} doesn't match the input; use --overwrite `;
        assert.ok(stderr.startsWith(message), stderr);
        assert.deepEqual([code, readFileSync(output, "utf8")], [1, changed]);
        assert.equal((await torchT5([...args, "--overwrite"])).code, 0);
        assert.equal(readFileSync(output, "utf8"), whole);
      });
    });
  }

  it("is rejected where the options are others than those of the earlier run", async () => {
    await withResults(async ({ output, args }, whole) => {
      const { code, stderr } = await torchT5([...args, "--reduction", "mean"]);
      assert.equal(code, 1);
      assert.match(stderr, /Expected results of this model and these options in .* but line 4 differs; use --over/);
      assert.equal(readFileSync(output, "utf8"), whole);
    });
  });

  it("is kept where a run with --overwrite fails before its first result", async () => {
    await withResults(async ({ output, args }, whole) => {
      const { code } = await torchT5([...args, "--overwrite", "--model", "/nonexistent"]);
      assert.deepEqual([code, readFileSync(output, "utf8")], [1, whole]);
    });
  });

  it("is continued after an interruption, which prints the number of finished lines", async () => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
      await withDirectory(async (directory) => {
        const [input, output] = [join(directory, "in.jsonl"), join(directory, "out.jsonl")];
        writeFileSync(input, toLines(scoreItems));
        const running = new Running(["score", "--output", output, ...cpu]);
        running.child.stdin.write(toLines(scoreItems.slice(0, 2)));
        while (countLines(output) < 2) await new Promise((resolve) => setTimeout(resolve, 20));
        running.child.kill(signal);
        assert.deepEqual(await running.ended, { code: null, signal });
        const message = `torch-t5: stopped after 2 lines in ${output}; run the same command again to continue\n`;
        assert.equal(running.stderr, signal === "SIGKILL" ? "" : message);
        assert.equal((await torchT5(["score", "--input", input, "--output", output, ...cpu])).code, 0);
        assert.equal(countLines(output), scoreItems.length);
      });
    }
  });
});

function countLines(path: string): number {
  try {
    return readFileSync(path, "utf8").split("\n").length - 1;
  } catch {
    return 0;
  }
}
