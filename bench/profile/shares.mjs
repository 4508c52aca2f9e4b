// Prints the share of the processor's arithmetic limit that each forward pass of a results file reaches: `node shares.mjs FILE.jsonl`.
// The limit is measured now, on the same number of threads: the speed of a loop of dot products whose operands stay in the L1 cache.
// Needs the native test programs (`node scripts/setup.mjs test`), and the machine on which the file was measured.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { argv, stdout } from "node:process";
import { root } from "../../scripts/setup/paths.mjs";
import { countFlops, MODELS } from "../data/models.mjs";
import { SUITES } from "../data/suites.mjs";
import { readResults } from "../report/results.mjs";
import { summarize } from "../report/summary.mjs";
import { table } from "../report/table.mjs";

const SUITE = "forward";
const FLOPS_PER_MS = 1e6; // of a gigaflop per second
const PERCENT = 100;

const records = readResults(argv[2]);
const { threads } = records.find(({ type }) => type === "run").settings;
const limits = new Map(
  execFileSync(join(root, "build", "test", "native", "peak"), [String(threads)], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map(({ precision, gigaflops }) => [precision, gigaflops]),
);

for (const { suite, model, cases, series } of summarize(records)) {
  if (suite !== SUITE) continue;
  const share = (kind, name, figure) => {
    if (!figure) return "";
    const flops = countFlops(
      SUITES[suite].cases.find((one) => one.name === name),
      MODELS[model],
    );
    return `${((flops / FLOPS_PER_MS / figure.median / limits.get(kind)) * PERCENT).toFixed(0)} %`;
  };
  const head = [`${model}, share of the limit`, "limit, GFLOP/s", ...cases.map(({ name }) => name)];
  const rows = series.map(({ label, kind, figures }) => [
    label,
    limits.get(kind).toFixed(0),
    ...cases.map(({ name }) => share(kind, name, figures.get(name))),
  ]);
  stdout.write(`${table(head, rows)}\n\n`);
}
