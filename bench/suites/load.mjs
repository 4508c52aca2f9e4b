// From the call of fromPretrained to a model that can serve: SHA-256 of every file included.
import { prepareCheckpoint } from "../checkpoint.mjs";
import { runTrial } from "../processes.mjs";
import { median, spread } from "../statistics.mjs";

/** Markdown of the suite. */
export async function load({ threads, trials }) {
  const { exported } = await prepareCheckpoint();
  const times = [];
  for (let trial = 0; trial < trials; trial++) {
    times.push((await runTrial("load-torch-t5.mjs", { directory: exported, threads })).milliseconds);
  }
  return `## load: ${median(times).toFixed(0)} ms ± ${(spread(times) * 100).toFixed(0)} % (fromPretrained, 242 MB, warm page cache)`;
}
