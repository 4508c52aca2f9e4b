// Exactly one copy of the requested numbers reaches JavaScript.
import { readFileSync } from "node:fs";
import { memoryUsage } from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Tensor } from "torch-t5";
import { makeCase } from "../../parity/cases.js";
import { load, testDevice } from "../../parity/models.js";
import type { Finding, Settings } from "./settings.js";
import { directoryOf, THREADS } from "./subject.js";

const WARMUPS = 5;
const HELD = 12;
/** Of the bytes of the results. A second copy would double them; allocators and intermediate results take some more. */
const MAX_GROWTH = 1.75;
/** Enough numbers in a result to make other memory of the process negligible. */
const MIN_NUMBERS = 8e6;
const SIZES = { sourceLength: 16, targetLength: 64, masking: "none" } as const;

// Makes `gc` available in a process that was started without --expose-gc.
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Findings for the last model. */
export async function* results(settings: Settings): AsyncIterable<Finding> {
  const name = settings.models.at(-1) ?? "demo";
  await using t5 = await load(directoryOf(name, settings), THREADS, settings.precision);
  const { vocabSize } = t5.config;
  const batch = Math.ceil(MIN_NUMBERS / (SIZES.targetLength * vocabSize));
  const { labels: _, ...input } = makeCase({ batch, ...SIZES }, vocabSize);
  const positions = batch * SIZES.targetLength;

  const wanted: Readonly<Record<string, { readonly tensor: () => Promise<Tensor>; readonly numbers: number }>> = {
    "all logits": { tensor: async () => (await t5.forward(input)).logits, numbers: positions * vocabSize },
    "last positions": {
      tensor: async () => (await t5.forward(input, { positions: "last" })).logits,
      numbers: batch * vocabSize,
    },
    "two tokens": {
      tensor: async () => (await t5.forward(input, { tokens: [5, 3] })).logits,
      numbers: positions * 2,
    },
    "the largest 4": { tensor: async () => (await t5.forward(input, { topK: 4 })).values, numbers: positions * 4 },
  };
  for (const [subject, { tensor, numbers }] of Object.entries(wanted)) {
    const { data } = await tensor();
    const bytes = data.buffer.byteLength;
    const passed = data.length === numbers && bytes === numbers * Float32Array.BYTES_PER_ELEMENT;
    yield { subject: `${name}, ${subject}`, passed, measured: { "bytes of its buffer": bytes } };
  }

  for (let i = 0; i < WARMUPS; i++) (await t5.forward(input)).logits.dispose();
  collectGarbage();
  const before = memoryUsage.rss();
  const availableBefore = availableBytes();
  const held: Tensor[] = [];
  for (let i = 0; i < HELD; i++) held.push((await t5.forward(input)).logits);
  collectGarbage();
  const bytes = held.reduce((sum, { data }) => sum + data.byteLength, 0);
  const growth = (memoryUsage.rss() - before) / bytes;
  // Pages that a GPU's driver has pinned for copies are the machine's, and may not count as this process's.
  const ofMachine = testDevice === "cpu" ? 0 : (availableBefore - availableBytes()) / bytes;
  const measured = { "memory added, per byte": growth, "the machine's, per byte": ofMachine, bytes };
  yield { subject: `${name}, ${HELD} results held`, passed: Math.max(growth, ofMachine) <= MAX_GROWTH, measured };
}

/** The memory that the machine can still give to programs. 0 on systems without /proc. */
function availableBytes(): number {
  try {
    return Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
