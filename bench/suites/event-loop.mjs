// How late the event loop turns while forwards keep every core busy.
import { prepareCheckpoint } from "../checkpoint.mjs";
import { runTrial } from "../processes.mjs";
import { median } from "../statistics.mjs";

/** Markdown of the suite. */
export async function eventLoop({ threads, trials }) {
  const { exported } = await prepareCheckpoint();
  const results = [];
  for (let trial = 0; trial < trials; trial++) {
    results.push(await runTrial("event-loop-torch-t5.mjs", { directory: exported, threads }));
  }
  const of = (name) => median(results.map((result) => result[name])).toFixed(2);
  return [
    "## event-loop delay while forwards of (8,32,16) saturate the cores, ms beyond the timer's own resolution",
    "",
    "| p50 | p99 | max |",
    "|---|---|---|",
    `| ${of("p50")} | ${of("p99")} | ${of("max")} |`,
  ].join("\n");
}
