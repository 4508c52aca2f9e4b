// Long work on the event loop in time slices: between two slices the loop serves timers and I/O.
import { setImmediate } from "node:timers";

/** Work that yields where it may be interrupted: after each `SLICED_UNITS` units of work or sooner. */
export type Sliced<Result> = Generator<undefined, Result, undefined>;

/**
 * The number of units of work, such as characters, between two places where work may be interrupted. They take a small
 * part of a time slice.
 */
export const SLICED_UNITS = 4096;

/** The time for which sliced work occupies the event loop, in milliseconds. */
const SLICE_MS = 1;

/** Receives the outcome of sliced work. */
interface Outcome<Result> {
  done(result: Result): void;
  failed(thrown: unknown): void;
}

/** Runs work until its end, or until `end` at most. Returns whether it has ended. */
type Task = (end: number) => boolean;

/** The tasks that have had their first slice. The first one runs next, and goes to the end if it needs more slices. */
const tasks = new Set<Task>();
let isScheduled = false;

/** Runs work to its end at once. */
export function finish<Result>(work: Sliced<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** Runs the first slice of work. The result, if that ends the work, is in `value`. Throws what the work throws. */
export function firstSlice<Result>(work: Sliced<Result>): IteratorResult<undefined, Result> {
  return runUntil(work, performance.now() + SLICE_MS);
}

/** Runs the further slices of work, in turn with those of other work. The returned function ends the work without an outcome. */
export function continueSliced<Result>(work: Sliced<Result>, outcome: Outcome<Result>): () => void {
  const task = (end: number) => {
    let step: IteratorResult<undefined, Result>;
    try {
      step = runUntil(work, end);
    } catch (thrown) {
      outcome.failed(thrown);
      return true;
    }
    if (step.done) outcome.done(step.value);
    return step.done === true;
  };
  tasks.add(task);
  schedule();
  return () => {
    tasks.delete(task);
  };
}

/** The result of work whose first slice runs at once. */
export async function runSliced<Result>(work: Sliced<Result>): Promise<Result> {
  const step = firstSlice(work);
  if (step.done) return step.value;
  return new Promise((done, failed) => {
    continueSliced(work, { done, failed });
  });
}

function runUntil<Result>(work: Sliced<Result>, end: number): IteratorResult<undefined, Result> {
  for (;;) {
    const step = work.next();
    if (step.done || performance.now() >= end) return step;
  }
}

function schedule(): void {
  if (isScheduled || tasks.size === 0) return;
  isScheduled = true;
  setImmediate(runSlice);
}

/** One slice, of one task or of several that end in it. */
function runSlice(): void {
  isScheduled = false;
  const end = performance.now() + SLICE_MS;
  for (const task of tasks) {
    tasks.delete(task);
    if (!task(end)) {
      tasks.add(task);
      break;
    }
    if (performance.now() >= end) break;
  }
  schedule();
}
