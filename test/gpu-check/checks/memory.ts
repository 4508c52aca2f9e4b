// NVIDIA's memory checker over a generation from JavaScript, and over the native tests of the graph engine if they were
// built: no access out of bounds, no leak of an error that is not asked for.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runtimeInfo } from "torch-t5";
import { testDevice } from "../../parity/models.js";
import { runToEnd } from "../../support/program.js";
import type { Finding, Settings } from "./settings.js";

/** What the checker exits with if it found an error. */
const FOUND = 86;
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const ENGINE_TEST = path("../../../build/test/native/graph_engine_test");
/** Those with graphs of every kind: all of them take minutes. */
const ENGINE_TESTS = [
  "shares the steps of greedy searches that come and go",
  "continues from selected rows, and forks",
];

/** One finding for each program. */
export async function* memory({ precision, checker = "compute-sanitizer" }: Settings): AsyncIterable<Finding> {
  yield check("a generation", checker, [process.execPath, path("../programs/generation.mjs"), testDevice, precision]);
  if (!existsSync(ENGINE_TEST)) return;
  for (const test of ENGINE_TESTS) yield check(test, checker, [ENGINE_TEST, test]);
}

async function check(subject: string, checker: string, command: readonly string[]): Promise<Finding> {
  const args = ["--tool", "memcheck", "--target-processes", "all", "--error-exitcode", String(FOUND), ...command];
  const env = { TORCH_T5_TEST_LIBTORCH: runtimeInfo().libtorch.directory };
  const { code, signal, stdout, stderr } = await runToEnd(checker, args, { env });
  const received = code === 0 ? "no errors" : `${code ?? signal}: ${`${stdout}${stderr}`.trim().slice(-300)}`;
  return { subject, passed: code === 0, measured: { received } };
}
