// Runs the trial of a peer: warms up and times each case of the request, and prints samples and checks as a line of JSON for each, and the
// versions as the last line. A peer is
// `{ versions(), load(), ... }`, with a method for each kind that it supports, which takes a case and returns the function to time.
import { createHash } from "node:crypto";
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { argv, memoryUsage, stdout } from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { measureDelay } from "./event-loop.mjs";
import { makeIds, shiftRight } from "./ids.mjs";
import { closed, duringGenerate, open } from "./service.mjs";

const MEGABYTE = 1e6;
const DIGEST_CHARACTERS = 16;
const BLOCK_BYTES = 2 ** 24;

// Makes `gc` available in a process that was started without --expose-gc.
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

/** Runs the request in the first argument. `create(request)` resolves to the peer. */
export async function main(create) {
  const request = JSON.parse(argv[2]);
  const peer = await create(request);
  if (request.kind in OF_LOADING) for (const one of await OF_LOADING[request.kind](peer, request)) print(one);
  else await ofCalls(peer, request);
  print({ versions: peer.versions() });
  await peer.dispose?.();
}

async function ofCalls(peer, request) {
  await peer.load();
  for (const one of request.cases) {
    const results = await OF_CALLS[one.kind](peer, one, request);
    for (const result of [results ?? []].flat()) print({ case: one.name, unit: one.unit, ...result });
  }
}

function print(measured) {
  stdout.write(`${JSON.stringify(measured)}\n`);
}

/**
 * Calls `run` for each warm-up and each repetition, with whether it is measured. Both end early after `caseSeconds` each, but there is
 * at least one of each that was asked for.
 */
async function repeat(run, { warmups, repetitions, caseSeconds = Number.POSITIVE_INFINITY }) {
  for (const [count, isMeasured] of [
    [warmups, false],
    [repetitions, true],
  ]) {
    const end = performance.now() + caseSeconds * 1000;
    for (let i = 0; i < count && (i === 0 || performance.now() < end); i++) await run(isMeasured);
  }
}

/** The milliseconds of each repetition, and the last result. `free` is called with each earlier result, outside the measured time. */
async function timed(run, request, free) {
  const samples = [];
  let last;
  await repeat(async (isMeasured) => {
    if (last !== undefined) free?.(last);
    const started = performance.now();
    last = await run();
    if (isMeasured) samples.push(performance.now() - started);
  }, request);
  return { samples, last };
}

/** Times forward passes, with the options of the case. */
async function forward(peer, one, request) {
  const { samples, last } = await timed(peer.forward(forwardInput(one), one), request, peer.free);
  const numbers = peer.sample(last);
  peer.free?.(last);
  return { samples, check: { numbers } };
}

function forwardInput({ batch, sourceLength, targetLength, shortest = sourceLength }) {
  const source = makeIds(batch, sourceLength);
  // The lengths grow from the shortest to the longest in equal steps. The padding id is 0.
  const lengths = source.map(
    (_, row) => sourceLength - Math.round(((sourceLength - shortest) * row) / Math.max(1, batch - 1)),
  );
  const mask = source.map((ids, row) => ids.map((_, column) => Number(column < lengths[row])));
  const inputIds = source.map((ids, row) => ids.map((id, column) => id * mask[row][column]));
  return { inputIds, attentionMask: mask, decoderInputIds: shiftRight(makeIds(batch, targetLength)) };
}

/** Times steps after a cached prefix. Each sample is the mean of many steps. */
async function step(peer, { batch, sourceLength, cached, steps }, request) {
  const ids = shiftRight(makeIds(batch, cached + steps));
  const samples = [];
  let numbers;
  await repeat(async (isMeasured) => {
    const decoding = await peer.begin(
      makeIds(batch, sourceLength),
      ids.map((row) => row.slice(0, cached)),
    );
    const columns = Array.from({ length: steps }, (_, column) => ids.map((row) => [row[cached + column]]));
    let logits;
    const started = performance.now();
    for (const column of columns) {
      if (logits) peer.free?.(logits);
      logits = await decoding.step(column);
    }
    if (isMeasured) samples.push((performance.now() - started) / steps);
    numbers = peer.sample(logits);
    peer.free?.(logits);
    decoding.dispose?.();
  }, request);
  return { samples, check: { numbers } };
}

/** Times generations. Resolves to undefined where the peer doesn't support the case. */
async function generate(peer, one, request) {
  const run = peer.generate?.(makeIds(one.batch, one.sourceLength), one);
  if (!run) return undefined;
  const { samples, last } = await timed(run, request);
  return { samples, check: { rows: digests(peer.tokens(last)) } };
}

/** A hash of each row of ids. */
const digests = (rows) => rows.map(digest);

/** A hash of a row of ids. */
export function digest(row) {
  const hash = createHash("sha256").update(new Uint8Array(Int32Array.from(row, Number).buffer));
  return hash.digest("hex").slice(0, DIGEST_CHARACTERS);
}

/** Times the generations of many callers. Resolves to undefined where the peer doesn't merge calls. */
async function callers(peer, one, request) {
  const rows = makeIds(one.callers, one.sourceLength);
  const together = one.mode === "as one batch" ? [rows] : rows.map((row) => [row]);
  const calls = together.map((inputIds) => peer.generate?.(inputIds, one));
  if (!peer.isMerging || calls.includes(undefined)) return undefined;
  const run =
    one.mode === "at the same time"
      ? () => Promise.all(calls.map((call) => call()))
      : async () => {
          const results = [];
          for (const call of calls) results.push(await call());
          return results;
        };
  const { samples, last } = await timed(run, request);
  return { samples, check: { rows: last.flatMap((result) => digests(peer.tokens(result))) } };
}

async function score(peer, { sourceLength, candidates, targetLength }, request) {
  const run = peer.score(makeIds(1, sourceLength), makeIds(candidates, targetLength));
  const { samples, last } = await timed(run, request);
  return { samples, check: { numbers: last } };
}

async function rerank(peer, { documents, sourceLength, batch, tokens }, request) {
  const { samples, last } = await timed(peer.rerank(makeIds(documents, sourceLength), batch, tokens), request);
  return { samples, check: { numbers: last } };
}

/** A result for each percentile of the event loop's delay during consecutive calls. */
async function eventLoop(peer, one, request) {
  const run =
    one.call === "generate"
      ? peer.generate?.(makeIds(one.batch, one.sourceLength), one)
      : peer.forward(forwardInput(one), one);
  if (!run) return [];
  const delays = await measureDelay(() => timed(run, request, one.call === "forward" ? peer.free : undefined));
  return Object.entries(delays).map(([name, delay]) => ({ case: `${one.name}: ${name}`, samples: [delay] }));
}

/** The memory that held results add, as a multiple of their size. Garbage is collected before each reading. */
async function resultMemory(peer, one, request) {
  const run = peer.forward(forwardInput(one), one);
  for (let i = 0; i < request.warmups; i++) peer.free(await run());
  collectGarbage();
  const before = memoryUsage.rss();
  const held = [];
  for (let i = 0; i < one.held; i++) held.push(await run());
  collectGarbage();
  const bytes = held.reduce((sum, logits) => sum + logits.data.byteLength, 0);
  return { samples: [(memoryUsage.rss() - before) / bytes] };
}

async function load(peer, { cases: [one], directories }) {
  for (const directory of Object.values(directories)) readFiles(directory);
  const { samples } = await timed(() => peer.load(), { warmups: 0, repetitions: 1 });
  return [{ case: one.name, unit: one.unit, samples }];
}

/** The resident memory that the model adds, loaded and after its first use. */
async function memory(peer, { cases }) {
  await peer.open?.();
  collectGarbage();
  const before = memoryUsage.rss();
  await peer.load();
  const measured = [];
  for (const one of cases) {
    if (one.batch) {
      const used = await generate(peer, one, { warmups: 0, repetitions: 1 });
      if (!used) continue;
    }
    collectGarbage();
    measured.push({ case: one.name, unit: one.unit, samples: [(memoryUsage.rss() - before) / MEGABYTE] });
  }
  return measured;
}

/** Reads every file in a directory, which brings it into the page cache. */
function readFiles(directory) {
  const block = Buffer.alloc(BLOCK_BYTES);
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = openSync(join(entry.parentPath ?? entry.path, entry.name), "r");
    while (readSync(file, block) > 0);
    closeSync(file);
  }
}

const OF_CALLS = {
  forward,
  ragged: forward,
  "last-position": forward,
  step,
  generate,
  score,
  rerank,
  "event-loop": eventLoop,
  callers,
  "closed-loop": closed,
  "open-loop": open,
  "during-generate": duringGenerate,
  "result-memory": resultMemory,
};
const OF_LOADING = { load, memory };
