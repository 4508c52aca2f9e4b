// The progress of a run on a terminal: a bar, the rate and the remaining time.
import { stderr } from "node:process";

const REDRAW_MS = 200;
const BAR_WIDTH = 24;
const ERASE = "\r\u001B[K";

/** How far a run is. */
export interface Progress {
  /** Lines that this run has finished. */
  readonly lines: number;
  /** Bytes of the input that are finished, and those that an earlier run had finished. */
  readonly bytes: number;
  readonly initialBytes: number;
  readonly totalBytes: number;
  readonly failed: number;
  readonly seconds: number;
}

/** The line on the terminal. */
export function progressLine({ lines, bytes, initialBytes, totalBytes, failed, seconds }: Progress): string {
  const share = totalBytes === 0 ? 1 : bytes / totalBytes;
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `[${"=".repeat(filled)}${" ".repeat(BAR_WIDTH - filled)}] ${Math.floor(share * 100)}%`;
  const rate = `${lines} lines  ${seconds === 0 ? "0.0" : (lines / seconds).toFixed(1)}/s`;
  const done = bytes - initialBytes;
  const left = done > 0 ? `  ${clock((seconds * (totalBytes - bytes)) / done)} left` : "";
  return `${bar}  ${rate}${left}${failed > 0 ? `  ${failed} failed` : ""}`;
}

/** Draws progress where standard error is a terminal. */
export class ProgressLine {
  #drawn = 0;

  draw(progress: () => Progress): void {
    const now = performance.now();
    if (stderr.isTTY !== true || now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    stderr.write(ERASE + progressLine(progress()).slice(0, (stderr.columns || 80) - 1));
  }

  clear(): void {
    if (this.#drawn > 0) stderr.write(ERASE);
  }
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
