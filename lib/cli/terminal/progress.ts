// A progress bar on the terminal of standard error. Where that is no terminal, nothing is written.
import { stderr } from "node:process";

const REDRAW_MS = 100;
const BAR_WIDTH = 24;
const USUAL_COLUMNS = 80;
const ERASE = "\r\u001B[K";
const SECONDS_PER_MINUTE = 60;

export class Progress {
  readonly #total: number | undefined;
  readonly #isShown: boolean;
  readonly #started = performance.now();
  #firstDone: number | undefined;
  #drawn = Number.NEGATIVE_INFINITY;

  /** `total`: bytes of the input, where it has an end that is known. */
  constructor(total: number | undefined, isWanted = true) {
    this.#total = total;
    this.#isShown = isWanted && stderr.isTTY === true;
  }

  /** Draws the bar where the last drawing is old enough. `lines` were done now, and `bytes` of the input all in all. */
  update(lines: number, bytes: number): void {
    this.#firstDone ??= bytes;
    const now = performance.now();
    if (!this.#isShown || now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    const seconds = (now - this.#started) / 1000;
    const line = barLine({ lines, bytes, first: this.#firstDone, total: this.#total, seconds });
    // A terminal may not know its width, and say 0.
    stderr.write(`${ERASE}${line.slice(0, (stderr.columns || USUAL_COLUMNS) - 1)}`);
  }

  /** Takes the bar off the terminal. */
  clear(): void {
    if (this.#isShown && this.#drawn > 0) stderr.write(ERASE);
  }
}

interface State {
  readonly lines: number;
  readonly bytes: number;
  /** Bytes that were done when the work began. */
  readonly first: number;
  readonly total: number | undefined;
  readonly seconds: number;
}

function barLine({ lines, bytes, first, total, seconds }: State): string {
  const done = `${lines} lines  ${(lines / seconds).toFixed(1)}/s`;
  if (total === undefined || total === 0) return `${done}  ${clock(seconds)}`;
  const share = Math.min(1, bytes / total);
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `[${"=".repeat(filled)}${" ".repeat(BAR_WIDTH - filled)}] ${Math.floor(share * 100)}%`;
  const left = bytes > first ? `  ${clock((seconds * (total - bytes)) / (bytes - first))} left` : "";
  return `${bar}  ${done}${left}`;
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / SECONDS_PER_MINUTE)}:${String(whole % SECONDS_PER_MINUTE).padStart(2, "0")}`;
}
