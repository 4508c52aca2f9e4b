// Resident memory that one result adds, against the bytes of its tensor.
import { prepareCheckpoint } from "../checkpoint.mjs";
import { runTrial } from "../processes.mjs";
import { median } from "../statistics.mjs";

/** Markdown of the suite. */
export async function memory({ threads, trials }) {
  const { exported } = await prepareCheckpoint();
  const ratios = [];
  for (let trial = 0; trial < trials; trial++) {
    ratios.push((await runTrial("memory-torch-t5.mjs", { directory: exported, threads })).ratio);
  }
  return `## memory of one result: ${median(ratios).toFixed(3)} times its bytes (logits [8, 64, 32128], 66 MB)`;
}
