// The cases of a service: closed and open loops of calls, the same generations one after another, at once and as one batch, and short
// calls while a long one runs. Each returns undefined where the peer doesn't support it.
import { makeIds } from "./ids.mjs";
import { CAPACITY_CALLERS, closedLoop, loopResults, openLoop, percentile } from "./load.mjs";

/** A quick run has windows of this share of their time. */
const QUICK = 0.15;
const MIN_QUICK_SECONDS = 0.2;

/** The prompts and targets of calls by index. */
export const SOURCES = makeIds(64, 16);
export const TARGETS = makeIds(64, 8);
export const NEW_TOKENS = 32;

const secondsOf = ({ seconds }, { isQuick }) => (isQuick ? Math.max(MIN_QUICK_SECONDS, seconds * QUICK) : seconds);

/** The rates that callers reached in closed loops, by the call. */
const capacities = new Map();

async function warmUp({ calls }, name, { warmups }) {
  for (let index = 0; index < warmups; index++) await calls[name](index, new AbortController().signal, () => {});
}

export async function closed(peer, one, request) {
  const service = await peer.service?.();
  if (!service?.calls[one.call]) return undefined;
  await warmUp(service, one.call, request);
  const load = service.measure ?? ((...args) => closedLoop(service, ...args));
  const loop = await load(one.call, one.callers, secondsOf(one, request));
  if (one.callers === CAPACITY_CALLERS) capacities.set(one.call, loop.rate);
  const results = loopResults(loop, one, service);
  const check = one.callers === 1 && (await service.check?.(one.call));
  if (check) results[0].check = check;
  return results;
}

export async function open(peer, one, request) {
  const service = await peer.service?.();
  if (!service?.calls[one.call]) return undefined;
  const rate = capacities.get(one.call) ?? (await closedLoop(service, one.call, CAPACITY_CALLERS, 1)).rate;
  const loop = await openLoop(service, one.call, rate * one.share, secondsOf(one, request));
  return loopResults(loop, one, service);
}

/** The time of a short forward pass that is called again and again while a long generation of many rows runs. */
export async function duringGenerate(peer, one, request) {
  if (!peer.generate || !peer.stepMilliseconds) return undefined;
  const newTokens = request.isQuick ? Math.round(one.newTokens * QUICK) : one.newTokens;
  const long = peer.generate(makeIds(one.batch, one.sourceLength), { numBeams: 1, newTokens });
  const short = peer.forward({ inputIds: makeIds(1, 16), decoderInputIds: [[0]] }, {});
  for (let i = 0; i < 3; i++) peer.free(await short());
  let isRunning = true;
  const generating = long().then(() => {
    isRunning = false;
  });
  const times = [];
  // The first call is made when the generation's own first pass is over.
  await new Promise((resolve) => setTimeout(resolve, one.afterMs));
  while (isRunning) {
    const started = performance.now();
    peer.free(await short());
    if (isRunning) times.push(performance.now() - started);
  }
  await generating;
  if (times.length === 0) return [];
  const step = peer.stepMilliseconds();
  const result = (what, value, unit = "ms") => ({ case: `${one.name}: ${what}`, unit, samples: [value] });
  return [
    result("p50", percentile(times, 0.5)),
    result("p99", percentile(times, 0.99)),
    result("step", step),
    result("p99, in steps", percentile(times, 0.99) / step, "steps"),
  ];
}
