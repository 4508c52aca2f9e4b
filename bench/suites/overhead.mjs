// What the JavaScript path costs: a forward of the embedded model from Node, less the same archive's forward in Python,
// where the interpreter of libtorch is called through one thin binding. Both include the same native work.
import { join } from "node:path";
import { root } from "../../scripts/setup/paths.mjs";
import { runTrial } from "../processes.mjs";
import { median } from "../statistics.mjs";

const REPETITIONS = 2000;

/** Markdown of the suite. */
export async function overhead({ trials }) {
  const request = { directory: join(root, "models", "demo"), threads: 1, repetitions: REPETITIONS };
  const ours = [];
  const theirs = [];
  for (let trial = 0; trial < trials; trial++) {
    theirs.push((await runTrial("overhead_archive.py", request)).milliseconds);
    ours.push((await runTrial("overhead-torch-t5.mjs", request)).milliseconds);
  }
  const difference = median(ours) - median(theirs);
  return [
    "## overhead of the JavaScript path, embedded model, (1,8,1), one thread",
    "",
    "| the archive in Python | torch-t5 | difference |",
    "|---|---|---|",
    `| ${median(theirs).toFixed(3)} ms | ${median(ours).toFixed(3)} ms | ${difference.toFixed(3)} ms |`,
  ].join("\n");
}
