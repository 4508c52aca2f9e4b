// The last line of a terminal, which is drawn again and again. Nothing is written where standard error is no terminal.
import { stderr } from "node:process";

const REDRAW_MS = 100;
const BAR_WIDTH = 24;
const DEFAULT_COLUMNS = 80;
const ERASE = "\r\u001B[K";
const SECONDS_PER_MINUTE = 60;

export class StatusLine {
  readonly #isShown: boolean;
  #lastDrawn = Number.NEGATIVE_INFINITY;

  constructor(isWanted = true) {
    this.#isShown = isWanted && stderr.isTTY === true;
  }

  /** Draws the line that `text` returns, unless one was drawn less than 100 ms ago. */
  draw(text: () => string): void {
    const now = performance.now();
    if (!this.#isShown || now - this.#lastDrawn < REDRAW_MS) return;
    this.#lastDrawn = now;
    // Some terminals report a width of 0.
    stderr.write(`${ERASE}${text().slice(0, (stderr.columns || DEFAULT_COLUMNS) - 1)}`);
  }

  /** Erases the line. */
  clear(): void {
    if (this.#isShown && this.#lastDrawn > 0) stderr.write(ERASE);
  }
}

/** A bar that is filled to a share, with its percentage. */
export function bar(share: number): string {
  const filled = Math.round(share * BAR_WIDTH);
  return `[${"=".repeat(filled)}${" ".repeat(BAR_WIDTH - filled)}] ${Math.floor(share * 100)}%`;
}

/** A duration as minutes and seconds. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / SECONDS_PER_MINUTE)}:${String(whole % SECONDS_PER_MINUTE).padStart(2, "0")}`;
}
