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

/** A finding for each call, which must fail, and one for the bits of the next call. */
export async function* outOfMemory(settings: Settings): AsyncIterable<Finding> {
  await using t5 = await load(directoryOf(EMBEDDED, settings), THREADS, settings.precision);
  const bitsOf = async () => Buffer.from((await t5.forward(INPUT)).logits.data.slice().buffer);
  const expected = await bitsOf();
  const head = await withDirectory(async (directory) => {
    await makeHead("large_head.py", `${directory}/large.pt`);
    return t5.loadHead(`${directory}/large.pt`);
  });
  yield await failing("a head that needs 400 GB", () => t5.forward(INPUT, { head }));
  // The other precisions do not store the scores of attention.
  if (settings.precision === "exact") {
    const batch = Math.ceil(BYTES / (t5.config.numHeads * LENGTH ** 2 * Float32Array.BYTES_PER_ELEMENT));
    const inputIds = { data: new BigInt64Array(batch * LENGTH).fill(5n), shape: [batch, LENGTH] };
    const decoderInputIds = { data: new BigInt64Array(batch), shape: [batch, 1] };
    yield await failing(`${batch} x ${LENGTH} ids`, () =>
      t5.forward({ inputIds, decoderInputIds }, { positions: "last" }),
    );
  }
  const isSame = (await bitsOf()).equals(expected);
  yield {
    subject: "the next call's bits",
    passed: isSame,
    measured: { received: isSame ? "equal" : "different", s: "" },
  };
}

async function failing(subject: string, call: () => Promise<unknown>): Promise<Finding> {
  const started = performance.now();
  const received = await call().then(
    () => "no error",
    (error: unknown) => (error instanceof T5Error ? error.code : String(error)),
  );
  const measured = { received, s: (performance.now() - started) / 1000 };
  return { subject, passed: received === "ERR_OUT_OF_MEMORY", measured };
}

async function makeHead(name: string, path: string): Promise<void> {
  const made = await runToEnd(pythonPath(), [program(name), path]);
  if (made.code !== 0) throw new Error(`The head was not made: ${made.stderr.slice(-500)}`);
}

/** Findings for each call in a process whose GPU stops working. That process must end by itself. */
export async function* lostDevice({ precision }: Settings): AsyncIterable<Finding> {
  const ended = await withDirectory(async (directory) => {
    const head = `${directory}/broken.pt`;
    await makeHead("broken_head.py", head);
    return runToEnd(process.execPath, [program("lost-gpu.mjs"), head, testDevice, precision]);
  });
  const line = ended.stdout.split("\n").find((text) => text.startsWith("{")) ?? "{}";
  for (const [subject, received] of Object.entries(JSON.parse(line) as Record<string, string>)) {
    const isUnaffected = subject === "a call before" || subject === "dispose";
    const passed = received === (isUnaffected ? "no error" : "ERR_DEVICE_UNAVAILABLE");
    yield { subject, passed, measured: { received } };
  }
  const received = ended.code === 0 ? "0" : `${ended.code ?? ended.signal}: ${ended.stderr.trim().slice(-300)}`;
  yield { subject: "exit code", passed: ended.code === 0, measured: { received } };
}
