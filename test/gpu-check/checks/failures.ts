// Failures of a GPU: a call that needs more memory than there is, and a GPU that stops working.
import { fileURLToPath } from "node:url";
import { T5Error } from "torch-t5";
import { load, testDevice } from "../../parity/models.js";
import { withDirectory } from "../../support/directory.js";
import { runToEnd } from "../../support/program.js";
import { pythonPath } from "../../support/python.js";
import type { Finding, Settings } from "./settings.js";
import { directoryOf, EMBEDDED, THREADS } from "./subject.js";

const INPUT = { inputIds: [[5, 6, 7]], decoderInputIds: [[0, 4]] };
/** The longest source that is not compared with the machine's memory before the call. */
const LENGTH = 4096;
/** More than any GPU has, for the attention scores of one layer. */
const BYTES = 4e11;
const program = (name: string) => fileURLToPath(new URL(`../programs/${name}`, import.meta.url));

/** A finding for the call, which must be refused, and one for the bits of the next call. */
export async function* outOfMemory(settings: Settings): AsyncIterable<Finding> {
  await using t5 = await load(directoryOf(EMBEDDED, settings), THREADS, settings.precision);
  const bitsOf = async () => Buffer.from((await t5.forward(INPUT)).logits.data.slice().buffer);
  const expected = await bitsOf();
  const bytesPerRow = t5.config.numHeads * LENGTH ** 2 * (settings.precision === "bfloat16" ? 2 : 4);
  const batch = Math.ceil(BYTES / bytesPerRow);
  const inputIds = { data: new BigInt64Array(batch * LENGTH).fill(5n), shape: [batch, LENGTH] };
  const decoderInputIds = { data: new BigInt64Array(batch), shape: [batch, 1] };
  const started = performance.now();
  const received = await t5.forward({ inputIds, decoderInputIds }, { positions: "last" }).then(
    () => "no error",
    (error: unknown) => (error instanceof T5Error ? error.code : String(error)),
  );
  const measured = { received, s: (performance.now() - started) / 1000 };
  yield { subject: `${batch} x ${LENGTH} ids`, passed: received === "ERR_OUT_OF_MEMORY", measured };
  const isSame = (await bitsOf()).equals(expected);
  yield {
    subject: "the next call's bits",
    passed: isSame,
    measured: { received: isSame ? "equal" : "different", s: "" },
  };
}

/** Findings for each call in a process whose GPU stops working. That process must end by itself. */
export async function* lostDevice({ precision }: Settings): AsyncIterable<Finding> {
  const { made, ended } = await withDirectory(async (directory) => {
    const head = `${directory}/broken.pt`;
    const made = await runToEnd(pythonPath(), [program("broken_head.py"), head]);
    return { made, ended: await runToEnd(process.execPath, [program("lost-gpu.mjs"), head, testDevice, precision]) };
  });
  if (made.code !== 0) throw new Error(`The head was not made: ${made.stderr.slice(-500)}`);
  const line = ended.stdout.split("\n").find((text) => text.startsWith("{")) ?? "{}";
  for (const [subject, received] of Object.entries(JSON.parse(line) as Record<string, string>)) {
    const isUnaffected = subject === "a call before" || subject === "dispose";
    const passed = received === (isUnaffected ? "no error" : "ERR_DEVICE_UNAVAILABLE");
    yield { subject, passed, measured: { received } };
  }
  const received = ended.code === 0 ? "0" : `${ended.code ?? ended.signal}: ${ended.stderr.trim().slice(-300)}`;
  yield { subject: "exit code", passed: ended.code === 0, measured: { received } };
}
