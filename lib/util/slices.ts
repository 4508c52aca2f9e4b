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

/** Work that has had its first slice. */
interface Task {
  /** Runs it until its end, or until `end` at most. Returns whether it has ended. */
  readonly run: (end: number) => boolean;
  /** The number of slices that it has had since. */
  slices: number;
}

/** The number of slices after which a task is long. */
const SHORT_SLICES = 8;

/** Take turns, so that they do not wait for one another. */
const shortTasks = new Set<Task>();
/** Run one after another, so that one at a time holds the memory that its long text needs. */
const longTasks = new Set<Task>();
/** Slices are for short and for long tasks in turn, as long as there are both. */
let isForLong = false;
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

/**
 * Runs the further slices of work, in turn with those of other work. The returned function ends the work without an
 * outcome.
 */
export function continueSliced<Result>(work: Sliced<Result>, outcome: Outcome<Result>): () => void {
  const run = (end: number) => {
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
  const task = { run, slices: 0 };
  shortTasks.add(task);
  schedule();
  return () => {
    shortTasks.delete(task);
    longTasks.delete(task);
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
  if (isScheduled || shortTasks.size + longTasks.size === 0) return;
  isScheduled = true;
  setImmediate(runSlice);
}

/** One slice, of one task or of several that end in it. */
function runSlice(): void {
  isScheduled = false;
  const end = performance.now() + SLICE_MS;
  do runTask(end);
  while (performance.now() < end && shortTasks.size + longTasks.size > 0);
  schedule();
}

/** Runs the next task until its end, or until `end` at most. */
function runTask(end: number): void {
  const isLong = longTasks.size > 0 && (isForLong || shortTasks.size === 0);
  isForLong = !isLong;
  const tasks = isLong ? longTasks : shortTasks;
  const [task] = tasks;
  if (task === undefined) return;
  const isDone = task.run(end);
  // A task that was ended meanwhile is in neither set.
  if (isLong && !isDone) return;
  if (!tasks.delete(task) || isDone) return;
  task.slices++;
  (task.slices < SHORT_SLICES ? shortTasks : longTasks).add(task);
}
