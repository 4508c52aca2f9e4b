import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTerminal, program, Running, torchT5 } from "../support/cli.js";
import { withDirectory } from "../support/directory.js";
import { useModel } from "../support/model.js";
import { runToEnd } from "../support/program.js";
import { cpu, parseLines, scoreItems, toLines } from "./lines.js";

interface Scored {
  readonly line: number;
  readonly source: string;
  readonly targets: readonly string[];
  readonly scores: readonly {
    readonly score?: number;
    readonly logProbs: readonly number[];
    readonly ids: readonly number[];
  }[];
}

const parse = (stdout: string) => parseLines<Scored>(stdout);

describe("torch-t5 score", () => {
  const model = useModel();

  it("prints the library's scores for each line, and copies every other field", async () => {
    const { code, stdout, stderr } = await torchT5(["score", ...cpu], { input: toLines(scoreItems) });
    assert.deepEqual([code, stderr], [0, ""]);
    const lines = parse(stdout);
    for (const [index, item] of scoreItems.entries()) {
      const { line, scores, ...rest } = lines[index] ?? { line: 0, scores: [] };
      assert.deepEqual([line, rest], [index + 1, item]);
      const expected = await model().score(item.source, item.targets);
      for (const [target, { score = 0, logProbs, ids }] of scores.entries()) {
        assert.deepEqual(Float32Array.from(logProbs), expected[target]?.logProbs);
        assert.deepEqual(Int32Array.from(ids), expected[target]?.ids);
        assert.ok(Math.abs(score - (expected[target]?.score ?? 0)) <= 1e-6 * Math.abs(score));
      }
      assert.equal(scores.length, item.targets.length);
    }
    assert.equal(lines.length, scoreItems.length);
  });

  it("reduces the log-probabilities with --reduction", async () => {
    const run = async (reduction: string) =>
      parse((await torchT5(["score", "--reduction", reduction, ...cpu], { input: toLines(scoreItems) })).stdout);
    for (const { scores } of await run("none")) assert.ok(scores.every(({ score }) => score === undefined));
    for (const { scores } of await run("mean")) {
      for (const { score = 0, logProbs } of scores) {
        const mean = logProbs.reduce((sum, value) => sum + value, 0) / logProbs.length;
        assert.ok(Math.abs(score - mean) < 1e-5 * Math.max(1, Math.abs(mean)));
      }
    }
  });

  it("reads CRLF, empty lines, a byte order mark, U+2028, and a last line without a newline", async () => {
    const odd = { source: "spell\u2028number: 7", targets: ["seven"] };
    const input = `\uFEFF${JSON.stringify(scoreItems[0])}\r\n\n \n${JSON.stringify(odd)}`;
    const { code, stdout } = await torchT5(["score", ...cpu], { input });
    assert.equal(code, 0);
    assert.deepEqual(
      parse(stdout).map(({ line, source }) => [line, source]),
      [
        [1, scoreItems[0]?.source],
        [4, odd.source],
      ],
    );
  });

  it("prints nothing for an empty input", async () => {
    assert.deepEqual(await torchT5(["score", ...cpu]), { code: 0, stdout: "", stderr: "" });
  });

  const bad: readonly (readonly [line: string, message: RegExp])[] = [
    ["{", /Expected JSON but received \{/],
    ["[]", /Expected a JSON object but received \[\]/],
    ['"text"', /Expected a JSON object/],
    ["{}", /Expected an array of at least one item for targets but received undefined/],
    ['{"source":"a","targets":[]}', /at least one item for targets but received \[\]/],
    ['{"source":"a","targets":"b"}', /for targets but received "b"/],
    ['{"source":"a","targets":["b",7]}', /Expected a string for targets\[1\] but received 7/],
    ['{"targets":["b"]}', /Expected a string for source but received undefined/],
    ['{"source":1,"targets":["b"]}', /for source but received 1/],
    [
      '{"id":12345678901234567891,"source":"a","targets":["b"]}',
      /53 bits, or strings, but received 12345678901234567891/,
    ],
  ];
  for (const [line, message] of bad) {
    it(`names the invalid line, and keeps the results before it, for: ${line}`, async () => {
      await withDirectory(async (directory) => {
        const [input, output] = [join(directory, "in.jsonl"), join(directory, "out.jsonl")];
        writeFileSync(input, `${toLines(scoreItems.slice(0, 2))}${line}\n${toLines(scoreItems.slice(2))}`);
        const args = ["score", "--input", input, "--output", output, ...cpu];
        const { code, stdout, stderr } = await torchT5(args);
        assert.deepEqual([code, stdout], [1, ""]);
        assert.ok(stderr.startsWith(`torch-t5: ${input} line 3: `), stderr);
        assert.match(stderr, /^[^\n]*\n$/);
        assert.match(stderr, message);
        assert.equal(parse(readFileSync(output, "utf8")).length, 2);
        // With --skip-invalid the same command continues after the two lines.
        assert.equal((await torchT5([...args, "--skip-invalid"])).code, 0);
        const lines = parse(readFileSync(output, "utf8")) as readonly (Scored & { readonly error?: string })[];
        assert.deepEqual(
          lines.map(({ line, error }) => [line, error === undefined]),
          [1, 2, 3, 4, 5].map((number) => [number, number !== 3]),
        );
        assert.match(lines[2]?.error ?? "", message);
      });
    });
  }

  it("rejects bytes that aren't UTF-8", async () => {
    await withDirectory(async (directory) => {
      const input = join(directory, "in.jsonl");
      writeFileSync(input, Buffer.from('{"source":"\xff","targets":["a"]}\n', "latin1"));
      const { code, stderr } = await torchT5(["score", "--input", input, ...cpu]);
      assert.deepEqual([code, stderr], [1, `torch-t5: ${input} line 1: Expected UTF-8 but received other bytes\n`]);
    });
  });

  it("ends quietly when its reader closes the pipe", async () => {
    const running = new Running(["score", ...cpu]);
    running.child.stdin.write(toLines(scoreItems).repeat(2000));
    await once(running.child.stdout, "data");
    running.child.stdout.destroy();
    assert.deepEqual(await running.ended, { code: 0, signal: null });
    assert.equal(running.stderr, "");
  });

  // Other systems have no device that is always full.
  const onLinux = process.platform === "linux" ? it : () => {};
  onLinux("reports a full disk in one line", async () => {
    await withDirectory(async (directory) => {
      const input = join(directory, "in.jsonl");
      writeFileSync(input, toLines(scoreItems));
      const score = [process.execPath, program, "score", "--input", input, ...cpu];
      const redirected = await runToEnd("sh", ["-c", '"$@" > /dev/full', "sh", ...score]);
      const written = await runToEnd(process.execPath, [...score.slice(1), "--output", "/dev/full"]);
      for (const { code, stderr } of [redirected, written]) {
        assert.equal(code, 1);
        assert.match(stderr, /^torch-t5: ENOSPC: [^\n]*\n$/);
      }
    });
  });

  it("shows a progress bar on a terminal, and erases it at the end", async () => {
    await withDirectory(async (directory) => {
      const [input, output] = [join(directory, "in.jsonl"), join(directory, "out.jsonl")];
      writeFileSync(input, toLines(scoreItems).repeat(50));
      const { code, stdout } = await onTerminal(["score", "--input", input, "--output", output, ...cpu]);
      assert.equal(code, 0);
      assert.match(stdout, /\[=* *\] \d+% {2}\d+ lines {2}[\d.]+\/s/);
      assert.ok(stdout.endsWith("\r\u001B[K"), JSON.stringify(stdout.slice(-80)));
    });
  });

  const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [["a text"], /JSON Lines from --input or standard input, and no arguments, but received 1/],
    [["--reduction", "max"], /sum, mean, none for --reduction but received "max"/],
    [["--batch-size", "0"], /an integer of at least 1 for --batch-size but received "0"/],
    [["--overwrite"], /--output with --overwrite/],
    [["--input", "/nonexistent/in"], /can be read for --input but received "\/nonexistent\/in" \(ENOENT\)/],
    [["--output", "/nonexistent/out"], /can be written for --output but received "\/nonexistent\/out" \(ENOENT\)/],
    [["--input", "package.json", "--output", "package.json"], /another file for --output than for --input/],
  ];
  for (const [args, message] of wrong) {
    it(`ends with 2 and one line for: ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await torchT5(["score", ...args, ...cpu]);
      assert.match(stderr, message);
      assert.match(stderr, /^torch-t5: [^\n]*\n$/);
      assert.deepEqual([code, stdout], [2, ""]);
    });
  }
});
