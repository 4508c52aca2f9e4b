import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Numbers = readonly number[];
interface BenchRecord {
  type: string;
  [name: string]: unknown;
}
interface Trial {
  suite: string;
  model: string;
  peer: string;
  precision: string;
  program: string;
  trial: number;
}

const load = (name: string) => import(new URL(`../../bench/${name}.mjs`, import.meta.url).href);
const {
  median,
  spread,
  largestDifference,
}: {
  median(values: Numbers): number;
  spread(values: Numbers): number;
  largestDifference(ours: Numbers, theirs: Numbers): number;
} = await load("report/statistics");
const { readArguments }: { readArguments(args: readonly string[]): Record<string, unknown> } = await load("arguments");
const { planTrials }: { planTrials(settings: unknown): Trial[] } = await load("running/plan");
const {
  renderReport,
}: { renderReport(records: readonly BenchRecord[]): { markdown: string; plots: Map<string, string> } } =
  await load("report/markdown");
const {
  openResults,
  readResults,
  parseResults,
}: {
  openResults(path: string): (record: BenchRecord) => void;
  readResults(path: string): BenchRecord[];
  parseResults(text: string): BenchRecord[];
} = await load("report/results");
const {
  countFlops,
  countWeights,
  MODELS,
}: {
  countFlops(shape: unknown, model: unknown): number;
  countWeights(model: unknown): { all: number };
  MODELS: Record<string, unknown>;
} = await load("data/models");

const { insert }: { insert(text: string, suite: string, section: string, path: string): string } =
  await load("report/docs");
const { closedLoop, openLoop, loopResults, percentile }: Loops = await load("trials/node/load");

interface Service {
  readonly calls: Readonly<Record<string, (index: number, signal: AbortSignal, onToken: () => void) => Promise<void>>>;
  readonly isConcurrent?: boolean;
  readonly settle?: () => Promise<void>;
}
interface Loop {
  readonly calls: readonly { readonly first?: number; readonly total: number; readonly isComplete: boolean }[];
  readonly rate?: number;
}
interface Loops {
  closedLoop(service: Service, name: string, callers: number, seconds: number): Promise<Loop>;
  openLoop(service: Service, name: string, rate: number, seconds: number): Promise<Loop>;
  loopResults(loop: Loop, one: unknown, service: unknown): { readonly case: string; readonly samples: Numbers }[];
  percentile(values: Numbers, share: number): number;
}

const CASE = "greedy, batch 1";

function sample(
  peer: string,
  precision: string,
  trial: number,
  samples: Numbers,
  rows: readonly string[],
): BenchRecord {
  const named = { suite: "generate", model: "t5-small", peer, precision, trial };
  return { type: "sample", ...named, case: CASE, unit: "ms", samples, check: { rows } };
}

/** A run in which one peer takes three times torch-t5's time, another gives other tokens, and a third one fails. */
const RECORDS: readonly BenchRecord[] = [
  {
    type: "run",
    started: "2026-01-01T00:00:00.000Z",
    settings: { threads: 2, trials: 3, repetitions: 15 },
    machine: {
      processor: "a <fast> processor",
      cores: 2,
      flags: ["avx2"],
      caches: [],
      memoryBytes: 2 ** 34,
      system: "linux",
      node: "20",
      torchT5: "0.1.0",
    },
  },
  ...[0, 1, 2].flatMap((trial) => [
    { type: "trial", suite: "generate", peer: "hf", seconds: 2, versions: { transformers: "5.0" } },
    sample("hf", "float32", trial, [30 + trial], ["a"]),
    sample("torch-t5", "float32", trial, [10 + trial], ["a"]),
    sample("torch-t5", "int8", trial, [4], ["b"]),
    sample("ort", "float32", trial, [22], ["c"]),
  ]),
  { type: "failure", suite: "generate", model: "t5-small", peer: "ct2", precision: "int8", message: "a | b\nc" },
];

/** One trial of some series of the suite `gpu`, of one case each. */
const GPU_RECORDS: readonly BenchRecord[] = (
  [
    ["device", "-", "device copy", 1000],
    ["torch-t5", "bfloat16", CASE, 32],
    ["torch-t5", "float32", CASE, 20],
    ["hf", "bfloat16", CASE, 640],
    ["graphs", "bfloat16", CASE, 64],
  ] as const
).map(([peer, precision, name, value]) => ({
  ...{ type: "sample", suite: "gpu", model: "t5-small", trial: 0, unit: "ms" },
  ...{ peer, precision, case: name, samples: [value] },
}));

describe("the benchmark's statistics", () => {
  it("are the median, half the interquartile range, and the largest difference", () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    assert.equal(spread([8, 9, 10, 11, 12]), 0.1);
    assert.equal(spread([5]), 0);
    assert.equal(spread([0, 0, 0]), 0);
    assert.equal(largestDifference([1, 2], [1, 4]), 2);
  });

  it("find an infinite difference where a number isn't finite or the lengths differ", () => {
    assert.equal(largestDifference([Number.NaN], [1]), Number.POSITIVE_INFINITY);
    assert.equal(largestDifference([1], [1, 2]), Number.POSITIVE_INFINITY);
  });

  it("count the weights of t5-small as Hugging Face does, without norms and position biases", () => {
    const parameters = 60_506_624;
    const normsAndBiases = (2 * 6 + 1 + 3 * 6 + 1) * 512 + 2 * 32 * 8;
    assert.equal(countWeights(MODELS["t5-small"]).all, parameters - normsAndBiases);
  });
});

describe("the benchmark's goals for a GPU", () => {
  const shape = { batch: 1, sourceLength: 1, targetLength: 1 };

  it("count two operations for each weight that multiplies one position", () => {
    const model = MODELS["t5-small"];
    const attention = 3 * 6 * 2 * 2 * 512;
    assert.equal(countFlops(shape, model), 2 * countWeights(model).all + attention);
  });

  it("are compared with the limits of the device and with Hugging Face, in the best and in the worst case", () => {
    const { markdown } = renderReport(GPU_RECORDS);
    const of = (limit: string) => markdown.split("\n").find((line) => line.includes(` | bfloat16 | ${limit} | `));
    assert.equal(
      of("≤ 0.45 ms"),
      "| greedy, batch 1, per token | bfloat16 | ≤ 0.45 ms | 0.500 ms | **no** | 20.0 | 2.00 |",
    );
    assert.equal(
      of("≥ 15× eager's speed"),
      "| greedy, batch 1 | bfloat16 | ≥ 15× eager's speed | 20.0× | yes | 20.0 | 2.00 |",
    );
    assert.equal(of("≤ 0.6 ms"), "| greedy, batch 32, per token | bfloat16 | ≤ 0.6 ms |  |  |  |  |");
    assert.equal(
      of("≤ 1× float32's time"),
      "| greedy, batch 1 | bfloat16 | ≤ 1× float32's time | 1.60× | **no** |  |  |",
    );
    // 38.5 million weights of 2 bytes at 1000 GB/s take 0.0769 ms.
    assert.match(of("≤ 5× reading weights") ?? "", /\| 6\.50× \| \*\*no\*\* \|/);
  });

  it("have a plan that ends with what compiles, and a trial of the device", () => {
    const settings = { suites: ["gpu"], models: ["t5-small"], trials: 2, device: "cuda" };
    const plan = planTrials({
      ...settings,
      peers: ["torch-t5", "hf", "graphs"],
      precisions: ["exact", "float32", "bfloat16"],
    });
    const keys = plan.map(({ peer, precision }) => `${peer} ${precision}`);
    assert.deepEqual(keys.slice(-3), ["torch-t5 exact", "graphs bfloat16", "graphs float32"]);
    assert.equal(keys.length, 2 * 4 + 1 + 3);
    assert.equal(keys[0], "device -");
  });
});

/** Three trials of services: torch-t5's speed doubles from trial to trial, and its peers' with it. */
const SERVICE_RECORDS: readonly BenchRecord[] = [0, 1, 2].flatMap((trial) =>
  (
    [
      ["service", "torch-t5", "float32", "generate, 32 at once: per second", 80 * 2 ** trial, "/s"],
      ["service", "hf", "float32", "generate, 32 at once: per second", 4 * 2 ** trial, "/s"],
      ["service", "ct2", "float32", "generate, 32 at once: per second", (trial === 1 ? 40 : 20) * 2 ** trial, "/s"],
      ["service", "ct2", "int8", "generate, 32 at once: per second", 1000, "/s"],
      ["service", "torch-t5", "float32", "stream at 0.6 of capacity: first token, p99, in steps", 12, "steps"],
      ["service", "torch-t5", "float32", "stream at 0.6 of capacity: first token, p50", 40, "ms"],
      ["service", "torch-t5", "float32", "stream at 0.6 of capacity: first token, p99", 120, "ms"],
      ["service", "torch-t5", "float32", "32 callers, one after another", 2000, "ms"],
      ["service", "torch-t5", "float32", "32 callers, at the same time", 250, "ms"],
      ["server", "torch-t5", "int8", "rerank, 1 at once: per second", 100, "/s"],
      ["server", "torch-t5-server", "int8", "rerank, 1 at once: per second", 80, "/s"],
    ] as const
  ).map(([suite, peer, precision, name, value, unit]) => ({
    ...{ type: "sample", suite, model: "t5-small", trial, unit, peer, precision, case: name, samples: [value] },
  })),
);

describe("the benchmark's goals for services", () => {
  const { markdown, plots } = renderReport(SERVICE_RECORDS);
  const has = (line: string) => assert.ok(markdown.includes(line), `${line} is not in ${markdown}`);

  it("compare torch-t5 with the best peer of equal precision, in the same trials", () => {
    has("| generate, 32 callers | float32 | ≥ 3× CTranslate2 behind FastAPI | 4.00× | yes |");
  });

  it("compare a time with a number, and with another case's", () => {
    has("| streams at 0.6 of capacity, first token p99 | float32 | ≤ 10 steps | 12.0 steps | **no** |");
    has("| generate, 32 callers | float32 | ≥ 6.4× one after another | 8.00× | yes |");
  });

  it("compare the server with the library, each suite under its own heading", () => {
    has("## goals of server, t5-small");
    has("| rerank, 1 at once: per second | int8 | ≥ 0.9× torch-t5, the library | 0.800× | **no** |");
  });

  it("have tables of rates and times by the number of callers", () => {
    has("| Hugging Face behind FastAPI float32 | 8.00 (0.05×) |");
    assert.match(markdown, /\| stream, random arrivals: ms to the first token, p50 \/ p99 \| 0\.6 of capacity \|/);
    assert.match(markdown, /\| \*\*torch-t5 float32\*\* \| 40\.0 \/ 120 \|/);
  });

  it("have plots of lines", () => {
    const svg = plots.get("service-t5-small.svg") ?? "";
    assertWellFormed(svg);
    assert.match(svg, /<polyline points="/);
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
  });
});

describe("the benchmark's section of a page", () => {
  const page = "a\n\n<!-- npm run bench -- server -->\n\nold\n\n<!-- end of the measurement -->\n\nb\n";

  it("replaces the earlier one", () => {
    const expected = page.replace("old", "new");
    assert.equal(insert(page, "server", "new", "server.md"), expected);
    assert.equal(insert(expected, "server", "new", "server.md"), expected);
  });

  it("is refused where its comments are missing", () => {
    assert.throws(
      () => insert(page, "service", "new", "service.md"),
      /<!-- npm run bench -- service -->.* in service.md/,
    );
    assert.throws(() => insert(page.replace("<!-- end", ""), "server", "new", "server.md"), /in server.md/);
  });
});

describe("the benchmark's loops", () => {
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

  it("of callers call until the window ends, each one after another, and have at least four answers", async () => {
    const running = new Set<number>();
    let settled = 0;
    const call = async (index: number) => {
      assert.ok(!running.has(index % 3));
      running.add(index % 3);
      await turn();
      running.delete(index % 3);
    };
    const service = { calls: { call }, settle: async () => void settled++ };
    const { calls, rate } = await closedLoop(service, "call", 3, 0.01);
    assert.ok(calls.length >= 4 && calls.every(({ isComplete }) => isComplete));
    assert.ok((rate ?? 0) > 0);
    assert.equal(settled, 1);
  });

  it("abort the calls that run at the end, and count them with the time so far", async () => {
    const call = (index: number, signal: AbortSignal) =>
      index === 2
        ? new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
        : turn();
    const { calls } = await closedLoop({ calls: { call } }, "call", 3, 0.01);
    const aborted = calls.filter(({ isComplete }) => !isComplete);
    assert.equal(aborted.length, 1);
    assert.ok((aborted[0]?.total ?? 0) >= 10);
  });

  it("wait for an answer to each of concurrent callers", async () => {
    const call = (index: number) => new Promise<void>((resolve) => setTimeout(resolve, 5 * index));
    const { calls } = await closedLoop({ calls: { call }, isConcurrent: true }, "call", 8, 0.001);
    assert.ok(calls.filter(({ isComplete }) => isComplete).length >= 8);
  });

  it("reject with the error of a call", async () => {
    const call = () => Promise.reject(new Error("broken"));
    await assert.rejects(closedLoop({ calls: { call } }, "call", 2, 0.01), /broken/);
    await assert.rejects(openLoop({ calls: { call } }, "call", 1000, 0.01), /broken/);
  });

  it("of random arrivals make as many calls as asked for, at least six, and time the first token", async () => {
    const stream = async (_: number, __: AbortSignal, onToken: () => void) => {
      onToken();
      await turn();
    };
    const loop = await openLoop({ calls: { stream } }, "stream", 1000, 0.02);
    assert.equal(loop.calls.length, 20);
    assert.ok(loop.calls.every(({ first, total }) => first !== undefined && first <= total));
    assert.equal((await openLoop({ calls: { stream } }, "stream", 1000, 0.001)).calls.length, 6);
    const names = loopResults(loop, { name: "s", call: "stream" }, { stepMilliseconds: () => 2 });
    assert.deepEqual(
      names.map((one) => one.case),
      ["s: first token, p50", "s: first token, p99", "s: first token, p99, in steps", "s: p50", "s: p99"],
    );
  });

  it("have percentiles", () => {
    const values = Array.from({ length: 100 }, (_, index) => 99 - index);
    assert.equal(percentile(values, 0.5), 50);
    assert.equal(percentile(values, 0.99), 99);
    assert.equal(percentile([7], 0.99), 7);
  });
});

describe("the benchmark's arguments", () => {
  it("are every suite and peer, and t5-small, by default", () => {
    const { command, suites, peers, models } = readArguments([]);
    assert.equal(command, "run");
    assert.ok(Array.isArray(suites) && suites.includes("forward") && suites.includes("tokenizer"));
    assert.ok(Array.isArray(peers) && peers.includes("openvino"));
    assert.deepEqual(models, ["t5-small"]);
  });

  it("always include torch-t5 among the peers, and each peer once", () => {
    assert.deepEqual(readArguments(["--peers", "hf,ort,hf"]).peers, ["torch-t5", "hf", "ort"]);
  });

  it("are rejected by name where they are wrong", () => {
    const bad: [string[], RegExp][] = [
      [["sideways"], /for suite but received sideways/],
      [["--peers", "nobody"], /for peer but received nobody/],
      [["--precisions", "float16"], /for precision but received float16/],
      [["--models", "t6"], /for model but received t6/],
      [["--trials", "0"], /positive integer for trials/],
      [["--device", "gpu"], /cuda:N for device but received gpu/],
      [["--threads", "1.5"], /positive integer for threads/],
      [["report"], /one results file for report/],
      [["docs"], /one results file for docs/],
      [["prepare", "sideways"], /for suite but received sideways/],
      [["--speed", "9"], /--speed/],
    ];
    for (const [args, message] of bad) assert.throws(() => readArguments(args), message);
  });

  it("request a report of a file", () => {
    for (const command of ["report", "docs"])
      assert.deepEqual(readArguments([command, "a.jsonl"]), { command, file: "a.jsonl", output: undefined });
  });

  it("make a run quick", () => {
    const { trials, repetitions, quick } = readArguments(["service", "--quick", "--trials", "4"]);
    assert.deepEqual({ trials, repetitions, quick }, { trials: 1, repetitions: 1, quick: true });
  });
});

describe("the benchmark's plan", () => {
  const settings = {
    peers: ["torch-t5", "hf", "openvino"],
    precisions: ["exact", "int8"],
    models: ["t5-small"],
    device: "cpu",
    trials: 3,
  };

  it("runs every peer once in each round, and begins each round with another peer", () => {
    const plan = planTrials({ ...settings, suites: ["forward"] });
    const rounds = [0, 1, 2].map((trial) => plan.filter((one) => one.trial === trial));
    const names = rounds.map((round) => round.map(({ peer, precision }) => `${peer} ${precision}`));
    assert.deepEqual(names[0], ["torch-t5 exact", "torch-t5 int8", "hf float32", "openvino float32", "openvino int8"]);
    assert.deepEqual(plan, rounds.flat());
    assert.equal(new Set(names.map((round) => round[0])).size, rounds.length);
    for (const round of names) assert.deepEqual([...round].sort(), [...(names[0] ?? [])].sort());
  });

  it("includes only peers that support the suite", () => {
    const peers = new Set(planTrials({ ...settings, suites: ["ragged"] }).map(({ peer }) => peer));
    assert.deepEqual([...peers], ["torch-t5"]);
  });

  it("has the peers of services behind FastAPI, and transformers.js once", () => {
    const plan = planTrials({ ...settings, peers: ["torch-t5", "ct2", "transformers.js"], suites: ["service"] });
    const programs = new Set(plan.map(({ peer, program }) => `${peer} ${program}`));
    assert.deepEqual(
      [...programs],
      ["torch-t5 node/torch-t5.mjs", "ct2 node/http-service.mjs", "transformers.js node/transformers.mjs"],
    );
    assert.equal(plan.filter(({ peer }) => peer === "transformers.js").length, 1);
    assert.equal(plan.filter(({ peer, precision }) => peer === "ct2" && precision === "int8").length, 2);
  });

  it("includes only torch-t5 and Hugging Face on a GPU, each in the precisions that it has there", () => {
    const cuda = { ...settings, device: "cuda:1", precisions: ["float32", "bfloat16", "int8"], trials: 1 };
    const namesOf = (suite: string) =>
      planTrials({ ...cuda, suites: [suite] }).map(({ peer, precision }) => `${peer} ${precision}`);
    const all = ["torch-t5 float32", "torch-t5 bfloat16", "hf float32", "hf bfloat16"];
    assert.deepEqual(namesOf("generate"), all);
    assert.deepEqual(["bandwidth", "overhead", "tokenizer"].flatMap(namesOf), []);
  });
});

describe("the benchmark's results file", () => {
  it("returns the records that were written", () => {
    const directory = mkdtempSync(join(tmpdir(), "torch-t5-bench-"));
    const path = join(directory, "new", "results.jsonl");
    const write = openResults(path);
    for (const record of RECORDS) write(record);
    assert.deepEqual(readResults(path), RECORDS);
    rmSync(directory, { recursive: true });
  });

  it("is rejected with the number of the line that isn't a record", () => {
    assert.throws(() => parseResults('{"type":"run"}\n{"type":'), /line 2/);
    assert.throws(() => parseResults('{"type":"other"}'), /line 1/);
  });
});

describe("the benchmark's report", () => {
  const { markdown, plots } = renderReport(RECORDS);

  it("compares each figure with torch-t5's in the same precision", () => {
    assert.match(markdown, /\| \*\*torch-t5 float32\*\* \| 11\.0 ± 5 % \| yes \|/);
    assert.match(markdown, /\| Hugging Face eager float32 \| 31\.0 ± 2 % \(2\.82×\) \|/);
    assert.match(markdown, /\| \*\*torch-t5 int8\*\* \| 4\.00 ± 0 % \| 0 of 3 rows \|/);
  });

  it("marks tokens that differ where they are promised to be equal", () => {
    assert.match(markdown, /\| onnxruntime float32 \| 22\.0 ± 0 % \(2\.00×\) \| \*\*no: 0 of 3 rows\*\* \|/);
  });

  it("lists each failure with its reason in one row", () => {
    assert.match(markdown, /\| generate, t5-small \| ct2 int8 \| a \\\| b c \|/);
  });

  it("has the machine, versions, tokens per second and durations", () => {
    for (const part of ["a <fast> processor, 2 cores", "16.0 GiB", "transformers 5.0", "| generate | 6 s |"]) {
      assert.ok(markdown.includes(part), part);
    }
    assert.match(markdown, /\| tokens per second \|.*\n.*\n\| torch-t5 float32 \| 5818 \|/);
  });

  it("has tables whose rows have as many cells as their head", () => {
    for (const table of markdown.split("\n\n").filter((part) => part.startsWith("|"))) {
      const widths = table
        .trimEnd()
        .split("\n")
        .map((row) => row.replaceAll("\\|", "").split("|").length);
      assert.equal(new Set(widths).size, 1, table);
    }
  });

  it("has a plot of every group, in well-formed XML with a bar for each series", () => {
    assert.deepEqual([...plots.keys()], ["generate-t5-small.svg"]);
    const svg = plots.get("generate-t5-small.svg") ?? "";
    assertWellFormed(svg);
    assert.equal(svg.match(/rx="2"/g)?.length, 4);
    assert.match(svg, /prefers-color-scheme: dark/);
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
  });

  it("can be made of an empty file", () => {
    assert.equal(renderReport([]).plots.size, 0);
  });
});

/** Checks that elements are closed in order, attributes are quoted, and text has no unescaped markup. */
function assertWellFormed(xml: string): void {
  const open: string[] = [];
  const rest = xml.replaceAll(/<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<&]*")*)(\/?)>/g, (_, closing, name, __, empty) => {
    if (closing) assert.equal(open.pop(), name);
    else if (!empty) open.push(name);
    return "";
  });
  assert.deepEqual(open, []);
  assert.doesNotMatch(rest.replaceAll(/&(amp|lt|gt|quot);/g, ""), /[<>&]/);
}
