// Runs a spec file of the parity tests on the device. It asserts Hugging Face's bits, or what float32 promises.
import { fileURLToPath } from "node:url";
import { runToEnd } from "../../support/program.js";
import type { Finding, Settings } from "./settings.js";

/** The maximum number of failures that become findings. */
const MAX_FINDINGS = 5;
const root = fileURLToPath(new URL("../../..", import.meta.url));

interface Outcome {
  readonly stats: { readonly passes: number; readonly failures: number };
  readonly failures: readonly { readonly fullTitle: string; readonly err: { readonly message?: string } }[];
}

/** One finding for the file, and one for each of the first failures. */
export async function* parity({ spec, grep = "" }: Settings): AsyncIterable<Finding> {
  const mocha = `${root}node_modules/mocha/bin/mocha.js`;
  const args = [mocha, "--reporter", "json", `test/parity/${spec}.spec.ts`, "--grep", grep];
  const { stdout, stderr } = await runToEnd(process.execPath, args);
  const start = stdout.indexOf("{");
  if (start < 0) throw new Error(`mocha printed no result: ${stderr.slice(-1000)}`);
  const { stats, failures } = JSON.parse(stdout.slice(start)) as Outcome;
  const { passes: passed, failures: failed } = stats;
  yield { subject: "all", passed: failed === 0 && passed > 0, measured: { passed, failed, message: "" } };
  for (const { fullTitle, err } of failures.slice(0, MAX_FINDINGS)) {
    yield { subject: fullTitle, passed: false, measured: { passed: "", failed: "", message: err.message ?? "" } };
  }
}
