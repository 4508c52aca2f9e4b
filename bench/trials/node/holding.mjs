// How long work that pauses holds the event loop at a time.

/** The longest time, in milliseconds, that the loop did not turn while `work` went on. */
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
