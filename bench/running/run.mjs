// Runs the planned trials: prepares each peer, runs its trials, and writes the results. After a failure, which is recorded, the further
// trials of the same suite, model, peer and precision are skipped.
import { join } from "node:path";
import { stderr } from "node:process";
import { root } from "../../scripts/setup/paths.mjs";
import { MODELS } from "../data/models.mjs";
import { SUITES } from "../data/suites.mjs";
import { interpreter, nodePeers, prepareEnvironment } from "../preparing/environments.mjs";
import { prepareExport, prepareTokenizers } from "../preparing/exports.mjs";
import { runTrial } from "./processes.mjs";

/** Runs the trials. `write` is called with each record of the results. */
export async function runTrials(trials, settings, write) {
  const failed = new Set();
  for (const [index, trial] of trials.entries()) {
    const { suite, model, peer, precision } = trial;
    const key = [suite, model, peer, precision].join(" ");
    if (failed.has(key)) continue;
    const named = { suite, model, peer, precision, trial: trial.trial };
    log(`[${index + 1}/${trials.length}] ${key}`);
    try {
      const request = await prepare(trial, settings);
      const started = performance.now();
      const { cases, versions, unavailable } = await runProgram(trial, request, settings);
      const seconds = (performance.now() - started) / 1000;
      if (unavailable) throw new Error(unavailable);
      write({ type: "trial", ...named, seconds, versions });
      for (const measured of cases) write({ type: "sample", ...named, ...measured });
      log(`  ${seconds.toFixed(1)} s\n`);
    } catch (error) {
      failed.add(key);
      write({ type: "failure", ...named, message: error.message });
      log(`  failed: ${error.message}\n`);
    }
  }
}

/** Installs and exports what a trial needs. Resolves to the request to its program. */
async function prepare(trial, settings) {
  const suite = SUITES[trial.suite];
  await once(prepareEnvironment, trial.environment);
  return {
    kind: suite.kind,
    cases: suite.cases.map((one) => ({ unit: suite.unit, ...one })),
    precision: trial.precision,
    device: settings.device,
    threads: suite.threads ?? settings.threads,
    warmups: suite.warmups,
    repetitions: Math.max(1, Math.round(settings.repetitions * suite.repetitions)),
    directories: await directoriesOf(trial),
    sizes: MODELS[trial.model],
    nodePeers,
  };
}

function runProgram(trial, request, { timeout }) {
  const program = interpreter(trial.environment, trial.program);
  return runTrial(program, trial.program, request, { threads: request.threads, timeout });
}

async function directoriesOf({ suite, model, exports }) {
  if (suite === "overhead") return { model: join(root, "models", model) };
  if (suite === "tokenizer") {
    const { texts, ...tokenizers } = await once(prepareTokenizers);
    return { model: tokenizers[model], texts };
  }
  const directories = {};
  for (const [use, name] of Object.entries(exports)) directories[use] = await once(prepareExport, model, name);
  return directories;
}

const prepared = new Map();

/** Prepares something only once in a run, also if it fails. */
function once(prepare, ...args) {
  const key = [prepare.name, ...args].join(" ");
  if (!prepared.has(key)) prepared.set(key, prepare(...args));
  return prepared.get(key);
}

function log(text) {
  stderr.write(text);
}
