import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Numbers = readonly number[];
interface Sample {
  readonly type: "sample";
  readonly suite: string;
  readonly model: string;
  readonly peer: string;
  readonly precision: string;
  readonly trial: number;
  readonly case: string;
  readonly unit: string;
  readonly samples: Numbers;
}

/** The benchmarks are plain JavaScript, without types. */
const load = async (file: string) => import(new URL(`../../bench/${file}`, import.meta.url).href);

const sample = (peer: string, precision: string, trial: number, samples: Numbers): Sample => ({
  type: "sample",
  suite: "forward",
  model: "t5-small",
  peer,
  precision,
  trial,
  case: "(1,16,1)",
  unit: "ms",
  samples,
});

const run = {
  type: "run",
  started: "2026-01-01T00:00:00.000Z",
  settings: { threads: 2, trials: 2, repetitions: 3, suites: ["forward"] },
  machine: {
    processor: "<a> & b",
    cores: 2,
    flags: [],
    caches: [],
    memoryBytes: 2 ** 34,
    system: "x",
    node: "20",
    torchT5: "0",
  },
};

const records = [
  run,
  sample("torch-t5", "float32", 0, [1, 3, 2]),
  sample("torch-t5", "float32", 1, [4, 4, 4]),
  sample("openvino", "float32", 0, [6, 6, 6]),
  sample("openvino", "float32", 1, [12, 12, 12]),
];

describe("the benchmarks' statistics", () => {
  it("are medians, quartiles and differences", async () => {
    const { median, quartiles, spread, largestDifference } = await load("report/statistics.mjs");
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    assert.deepEqual(quartiles([5, 1, 4, 2, 3]), [2, 4]);
    assert.equal(spread([1, 2, 3, 4, 5]), 1 / 3);
    assert.equal(spread([0, 0]), 0);
    assert.equal(largestDifference([1, 2], [1.5, 0]), 2);
    assert.equal(largestDifference([1], [Number.NaN]), Number.POSITIVE_INFINITY);
    assert.equal(largestDifference([1], [1, 2]), Number.POSITIVE_INFINITY);
  });
});

describe("a results file", () => {
  const folder = mkdtempSync(join(tmpdir(), "torch-t5-bench-"));
  after(() => rmSync(folder, { recursive: true }));

  it("gives back what was written", async () => {
    const { openResults, readResults } = await load("report/results.mjs");
    const path = join(folder, "deep", "results.jsonl");
    const write = openResults(path);
    for (const record of records) write(record);
    assert.deepEqual(readResults(path), records);
  });

  it("names the line that is no record", async () => {
    const { parseResults } = await load("report/results.mjs");
    assert.throws(() => parseResults(`${JSON.stringify(run)}\n{"type":"other"}\n`), /on line 2 /);
    assert.throws(() => parseResults("{"), /on line 1 /);
  });
});

describe("a report", () => {
  it("has the median of the trials' medians, and how many times ours a peer takes", async () => {
    const { renderReport } = await load("report/markdown.mjs");
    const { markdown, plots } = renderReport(records);
    const row = (label: string) =>
      markdown.split("\n").find((line: string) => line.includes(label) && line.includes("±"));
    assert.match(row("torch-t5 float32"), /\| 3\.00 ± /);
    assert.match(row("OpenVINO float32"), /\| 9\.00 ± .*\(3\.00×\)/);
    assert.equal(plots.size, 1);
  });

  it("has plots that are well-formed XML, whatever the names", async () => {
    const { renderReport } = await load("report/markdown.mjs");
    const { escapeXml } = await load("report/svg.mjs");
    assert.equal(escapeXml('<a href="x">&'), "&lt;a href=&quot;x&quot;&gt;&amp;");
    const odd = records.map((record) => ("case" in record ? { ...record, case: "a < b & c" } : record));
    for (const svg of renderReport(odd).plots.values()) {
      const open: string[] = [];
      for (const [, slash = "", name = "", empty = ""] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
        if (slash) assert.equal(open.pop(), name);
        else if (!empty) open.push(name);
      }
      assert.deepEqual(open, []);
      assert.doesNotMatch(svg, /&(?!(amp|lt|gt|quot);)/);
      assert.doesNotMatch(svg, /NaN|undefined/);
    }
  });
});

describe("the benchmarks' command line", () => {
  it("names what it doesn't know", async () => {
    const { readArguments } = await load("arguments.mjs");
    assert.deepEqual(readArguments(["--help"]), { command: "help" });
    assert.deepEqual(readArguments(["forward", "--peers", "hf"]).peers, ["torch-t5", "hf"]);
    assert.equal(readArguments(["report", "a.jsonl"]).file, "a.jsonl");
    assert.throws(() => readArguments(["nothing"]), /nothing/);
    assert.throws(() => readArguments(["--peers", "nobody"]), /nobody/);
    assert.throws(() => readArguments(["--trials", "0"]), /trials/);
    assert.throws(() => readArguments(["--trials", "two"]), /trials/);
    assert.throws(() => readArguments(["report"]), /results file/);
  });
});
