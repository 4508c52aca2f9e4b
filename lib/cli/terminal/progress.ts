// A progress bar for the lines of an input.
import { bar, clock, StatusLine } from "./status-line.js";

export class Progress {
  readonly #total: number | undefined;
  readonly #line: StatusLine;
  readonly #started = performance.now();
  #initialBytes: number | undefined;

  /** `total`: the input's size in bytes, where it is known. */
  constructor(total: number | undefined, isWanted = true) {
    this.#total = total;
    this.#line = new StatusLine(isWanted);
  }

  /**
   * Draws the bar, unless it was drawn less than 100 ms ago. `lines`: the lines that this run has processed. `bytes`:
   * the bytes of the input that this run and earlier ones have processed.
   */
  update(lines: number, bytes: number): void {
    this.#initialBytes ??= bytes;
    const initialBytes = this.#initialBytes;
    this.#line.draw(() => {
      const seconds = (performance.now() - this.#started) / 1000;
      return barLine({ lines, bytes, initialBytes, total: this.#total, seconds });
    });
  }

  /** Erases the bar. */
  clear(): void {
    this.#line.clear();
  }
}

interface State {
  readonly lines: number;
  readonly bytes: number;
  /** The bytes that were done at the first update: the remaining time is estimated from those after it. */
  readonly initialBytes: number;
  readonly total: number | undefined;
  readonly seconds: number;
}

function barLine({ lines, bytes, initialBytes, total, seconds }: State): string {
  const done = `${lines} lines  ${(lines / seconds).toFixed(1)}/s`;
  if (total === undefined || total === 0) return `${done}  ${clock(seconds)}`;
  const left = bytes > initialBytes ? `  ${clock((seconds * (total - bytes)) / (bytes - initialBytes))} left` : "";
  return `${bar(Math.min(1, bytes / total))}  ${done}${left}`;
}
