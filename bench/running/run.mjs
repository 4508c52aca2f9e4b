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
      // Each case is written when it has been measured, so that a trial that exceeds its limit leaves the earlier ones.
      const writeSample = (measured) => write({ type: "sample", ...named, ...measured });
      const { cases = [], versions, unavailable } = await runProgram(trial, request, settings, writeSample);
      const seconds = (performance.now() - started) / 1000;
      if (unavailable) throw new Error(unavailable);
      write({ type: "trial", ...named, seconds, versions });
      for (const measured of cases) writeSample(measured);
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
    cases: suite.cases
      .filter(({ name }) => trial.only?.includes(name) ?? true)
      .map((one) => ({ unit: suite.unit, kind: suite.kind, ...one })),
    precision: trial.precision,
    device: settings.device,
    threads: suite.threads ?? settings.threads,
    warmups: suite.warmups,
    caseSeconds: suite.caseSeconds,
    repetitions: Math.max(1, Math.round(settings.repetitions * suite.repetitions)),
    directories: await directoriesOf(trial),
    sizes: MODELS[trial.model],
    nodePeers,
    isQuick: settings.quick,
    service: trial.service,
    servicePrograms: join(root, "bench", "trials", "python"),
    python: interpreter(trial.environment, ".py"),
  };
}

function runProgram({ environment, program, maxSeconds = Number.POSITIVE_INFINITY }, request, { timeout }, onCase) {
  const limits = { threads: request.threads, timeout: Math.min(timeout, maxSeconds) };
  return runTrial(interpreter(environment, program), program, request, limits, onCase);
}

/** Makes the exports that the trials read, so that none is made between them. */
export async function prepareTrials(trials) {
  for (const trial of trials) {
    await once(prepareEnvironment, trial.environment);
    await directoriesOf(trial);
  }
}

async function directoriesOf({ suite, model, exports }) {
  if (suite === "overhead" || suite === "inputs") return { model: join(root, "models", model) };
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
