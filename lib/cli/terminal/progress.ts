// A progress bar on standard error. Writes nothing where standard error is no terminal.
import { stderr } from "node:process";

const REDRAW_MS = 100;
const BAR_WIDTH = 24;
const DEFAULT_COLUMNS = 80;
const ERASE = "\r\u001B[K";
const SECONDS_PER_MINUTE = 60;

export class Progress {
  readonly #total: number | undefined;
  readonly #isShown: boolean;
  readonly #started = performance.now();
  #initialBytes: number | undefined;
  #lastDrawn = Number.NEGATIVE_INFINITY;

  /** `total`: the input's size in bytes, where it is known. */
  constructor(total: number | undefined, isWanted = true) {
    this.#total = total;
    this.#isShown = isWanted && stderr.isTTY === true;
  }

  /**
   * Draws the bar, unless it was drawn less than 100 ms ago. `lines`: the lines that this run has processed. `bytes`:
   * the bytes of the input that this run and earlier ones have processed.
   */
  update(lines: number, bytes: number): void {
    this.#initialBytes ??= bytes;
    const now = performance.now();
    if (!this.#isShown || now - this.#lastDrawn < REDRAW_MS) return;
    this.#lastDrawn = now;
    const seconds = (now - this.#started) / 1000;
    const line = barLine({ lines, bytes, initialBytes: this.#initialBytes, total: this.#total, seconds });
    // Some terminals report a width of 0.
    stderr.write(`${ERASE}${line.slice(0, (stderr.columns || DEFAULT_COLUMNS) - 1)}`);
  }

  /** Erases the bar. */
  clear(): void {
    if (this.#isShown && this.#lastDrawn > 0) stderr.write(ERASE);
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
  const share = Math.min(1, bytes / total);
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `[${"=".repeat(filled)}${" ".repeat(BAR_WIDTH - filled)}] ${Math.floor(share * 100)}%`;
  const left = bytes > initialBytes ? `  ${clock((seconds * (total - bytes)) / (bytes - initialBytes))} left` : "";
  return `${bar}  ${done}${left}`;
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / SECONDS_PER_MINUTE)}:${String(whole % SECONDS_PER_MINUTE).padStart(2, "0")}`;
}
