// The checkpoint that every peer runs: made once, exported once, kept in bench/.work.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../scripts/setup/paths.mjs";
import { runPython } from "./processes.mjs";

const work = join(root, "bench", ".work");

/** `{ huggingFace, exported }`: the directories of the random-weight t5-small. */
export async function prepareCheckpoint() {
  const huggingFace = join(work, "t5-small");
  const exported = join(work, "t5-small-exported");
  if (!existsSync(join(huggingFace, "config.json"))) await runPython([join("bench", "checkpoint.py"), huggingFace]);
  if (!existsSync(join(exported, "manifest.json"))) {
    await runPython([join("scripts", "export"), huggingFace, exported, "--no-tokenizer"]);
  }
  return { huggingFace, exported };
}
