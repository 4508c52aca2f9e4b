// Measures how long work delays the event loop.
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 1;
const NANOSECONDS = 1e6;

/** The delay while `work` is awaited, as `{ p50, p99, longest }`, in milliseconds beyond the timer's resolution. */
export async function measureDelay(work) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  await work();
  // One more turn of the loop, so that a delay at the end of the work is counted.
  await new Promise((resolve) => setTimeout(resolve, 2 * RESOLUTION_MS));
  delay.disable();
  const beyond = (nanoseconds) => Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS);
  return { p50: beyond(delay.percentile(50)), p99: beyond(delay.percentile(99)), longest: beyond(delay.max) };
}

/** The longest time between two turns of the loop while `work` is awaited, in milliseconds. */
export async function longestHold(work) {
  let longest = 0;
  let last = performance.now();
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    handle = setImmediate(turn);
  };
  let handle = setImmediate(turn);
  await work();
  clearImmediate(handle);
  return Math.max(longest, performance.now() - last);
}
