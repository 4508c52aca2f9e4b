// Loads archives with random bytes changed, each with a manifest that has its digest. An archive may be refused, or
// accepted with arbitrary results, but the process must continue. Prints how many were refused; stderr has the seed of
// a crash.
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { demoModel, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { random } from "./random.mjs";

const [firstSeed, count] = process.argv.slice(2).map(Number);
const [, , , , precision] = process.argv;
const TAIL_BYTES = 120_000; // the archive's code, pickles and directory; the rest are weights

const directory = mkdtempSync(join(tmpdir(), "torch-t5-mutations-"));
cpSync(demoModel, directory, { recursive: true });
const original = readFileSync(join(directory, "model.pt"));
const manifest = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
const outcomes = { refused: 0, accepted: 0 };

async function attempt() {
  const options = { device: "cpu", intraOpThreads: 1, precision };
  const t5 = await T5ForConditionalGeneration.fromPretrained(directory, options);
  await t5.forward({ inputIds: [[5, 6, 7, 1]], decoderInputIds: [[0, 9]] }).finally(() => t5.dispose());
}

try {
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const draw = random(seed);
    const archive = Buffer.from(original);
    for (let changes = 1 + draw(8); changes > 0; changes--) {
      archive[original.length - 1 - draw(TAIL_BYTES)] = draw(256);
    }
    manifest.files["model.pt"] = { bytes: archive.length, sha256: createHash("sha256").update(archive).digest("hex") };
    writeFileSync(join(directory, "model.pt"), archive);
    writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest));
    process.stderr.write(`seed ${seed}\n`);
    try {
      await attempt();
      outcomes.accepted++;
    } catch (error) {
      if (!(error instanceof T5Error)) throw error;
      outcomes.refused++;
    }
  }
} finally {
  rmSync(directory, { recursive: true });
}
console.log(JSON.stringify(outcomes));
