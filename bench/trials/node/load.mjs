// Drives a service with many calls: callers that each wait for their answer (a closed loop), and calls that arrive at random (an open
// loop). A service is `{ calls, isConcurrent, hasDelay, stepMilliseconds?, settle? }`: each of its `calls` takes the index of a call, a signal that
// ends it, and a function that it calls at the first token, and resolves when the answer is complete.
import { measureDelay } from "./event-loop.mjs";

/** The fewest calls in a window for a program that answers one call after another; see `minCompleted`. */
const MIN_COMPLETED = 4;
export const MAX_SECONDS = 60;
/** Calls that run together: as many as torch-t5 runs in a step. */
const MAX_ROUND = 64;
/** Calls that run together end together: a window ends after all of them. */
export const BURST_MS = 20;
/** The minimum number of calls in an open loop. */
const MIN_ARRIVALS = 6;
/** Callers of the closed loop whose rate is the capacity. */
export const CAPACITY_CALLERS = 32;
/** The arrivals of all peers follow the same numbers. */
const SEED = 17;

/** A window is longer than asked for until this many calls are complete: one of each caller where calls run concurrently. */
export function minCompleted(callers, isConcurrent) {
  return Math.min(callers, isConcurrent ? MAX_ROUND : MIN_COMPLETED);
}

/**
 * Measures `callers` callers, each of whom starts a call when the one before is complete. Resolves to `{ calls, delay, rate }`. A call
 * that still runs at the end is aborted, and counts with the time so far.
 */
export async function closedLoop(service, name, callers, seconds) {
  const calls = [];
  const controller = new AbortController();
  const started = performance.now();
  let lastCompleted = started;
  let completed = 0;
  let end;
  const window = new Promise((resolve) => {
    end = resolve;
  });
  const needed = minCompleted(callers, service.isConcurrent);
  const elapsed = () => (performance.now() - started) / 1000;
  const endIfOver = () => {
    if (elapsed() >= MAX_SECONDS || (elapsed() >= seconds && completed >= needed)) end();
  };
  const timers = [seconds, MAX_SECONDS].map((limit) => setTimeout(endIfOver, limit * 1000 + 1));
  const caller = async (first) => {
    for (let index = first; !controller.signal.aborted; index += callers) {
      const call = await timeCall(service, name, index, controller.signal);
      calls.push(call);
      if (!call.isComplete) return;
      if (controller.signal.aborted) continue;
      completed++;
      lastCompleted = performance.now();
      endIfOver();
    }
  };
  const running = Array.from({ length: callers }, (_, first) => caller(first));
  const failed = Promise.all(running).then(() => window);
  const delay = await measureDelay(async () => {
    await Promise.race([window, failed]);
    await new Promise((resolve) => setTimeout(resolve, BURST_MS));
  });
  controller.abort();
  for (const timer of timers) clearTimeout(timer);
  await Promise.all(running);
  await service.settle?.();
  return { calls, delay, rate: (completed * 1000) / (lastCompleted - started) };
}

/** Measures calls that arrive at random (Poisson) with `rate` per second. Resolves to `{ calls, delay }`. */
export async function openLoop(service, name, rate, seconds) {
  const count = Math.max(MIN_ARRIVALS, Math.round(rate * seconds));
  const random = randomNumbers(SEED);
  const running = [];
  const { signal } = new AbortController();
  const delay = await measureDelay(async () => {
    let due = performance.now();
    for (let index = 0; index < count; index++) {
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      const call = timeCall(service, name, index, signal);
      // A rejection is handled below, when all have arrived.
      call.catch(() => {});
      running.push(call);
      due += (-Math.log(1 - random()) * 1000) / rate;
    }
    await Promise.all(running);
  });
  return { calls: await Promise.all(running), delay };
}

/** `{ first, total, isComplete }`: the milliseconds to the first token and to the end. */
async function timeCall({ calls }, name, index, signal) {
  const started = performance.now();
  let first;
  const onToken = () => {
    first ??= performance.now() - started;
  };
  try {
    await calls[name](index, signal, onToken);
    return { first, total: performance.now() - started, isComplete: true };
  } catch (error) {
    if (!signal.aborted) throw error;
    const total = performance.now() - started;
    return { first: first ?? total, total, isComplete: false };
  }
}

/** The value at a share of the sorted values. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32). */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The results of a loop: the rate of a closed one, and percentiles of the times of calls and of the event loop's delay. */
export function loopResults(
  { calls, delay, rate, cpuMilliseconds },
  { name, call },
  { hasDelay = false, stepMilliseconds },
) {
  const results = rate === undefined ? [] : [{ case: `${name}: per second`, unit: "/s", samples: [rate] }];
  const add = (what, value, unit = "ms") => results.push({ case: `${name}: ${what}`, unit, samples: [value] });
  const totals = calls.map(({ total }) => total);
  if (call.endsWith("stream")) {
    const firsts = calls.map(({ first, total }) => first ?? total);
    add("first token, p50", percentile(firsts, 0.5));
    add("first token, p99", percentile(firsts, 0.99));
    const step = stepMilliseconds?.();
    if (step && rate === undefined) add("first token, p99, in steps", percentile(firsts, 0.99) / step, "steps");
  }
  add("p50", percentile(totals, 0.5));
  add("p99", percentile(totals, 0.99));
  if (cpuMilliseconds !== undefined) add("processor time", cpuMilliseconds);
  if (hasDelay) {
    add("event loop, p50", delay.p50);
    add("event loop, p99", delay.p99);
  }
  return results;
}
