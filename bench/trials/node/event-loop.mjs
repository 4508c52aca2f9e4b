// How late the event loop turns while something goes on.
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 1;
const NANOSECONDS = 1e6;

/** `{ p50, p99, max }` in milliseconds beyond the timer's own resolution, while `work` is awaited. */
export async function measureDelay(work) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  await work();
  // A last turn, so that a call which held the loop to its end is counted.
  await new Promise((resolve) => setTimeout(resolve, 2 * RESOLUTION_MS));
  delay.disable();
  const beyond = (nanoseconds) => Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS);
  return { p50: beyond(delay.percentile(50)), p99: beyond(delay.percentile(99)), longest: beyond(delay.max) };
}
