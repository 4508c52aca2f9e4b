// Writes to standard output and standard error, and cleans up when the user interrupts the program. A reader that
// closes the pipe early, as `head` does, ends the program with exit code 0 and no message.
import { once } from "node:events";
import process, { exit, kill, pid, stderr, stdout } from "node:process";
import { EXIT } from "./command.js";

const INTERRUPTING_SIGNALS = ["SIGINT", "SIGTERM"] as const;

for (const stream of [stdout, stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") exit(EXIT.ok);
    // A failure of standard error itself can't be reported.
    if (stream === stdout) stderr.write(`torch-t5: ${error.message}\n`);
    exit(EXIT.failure);
  });
}

/** Prints a line. */
export function print(line: string): void {
  stdout.write(`${line}\n`);
}

/** Prints a text as it is. Waits for a slow reader, so that unread output doesn't fill the memory. */
export async function write(text: string): Promise<void> {
  if (!stdout.write(text)) await once(stdout, "drain");
}

/** Prints a line on standard error. */
export function printError(line: string): void {
  stderr.write(`${line}\n`);
}

/**
 * Runs `cleanUp` before a signal ends the process. The process still ends by the signal, so that a shell can tell an
 * interruption from a failure. The returned function removes the handler.
 */
export function onInterruption(cleanUp: () => void): () => void {
  const end = (signal: NodeJS.Signals) => {
    remove();
    cleanUp();
    kill(pid, signal);
  };
  const remove = () => {
    for (const signal of INTERRUPTING_SIGNALS) process.off(signal, end);
  };
  for (const signal of INTERRUPTING_SIGNALS) process.on(signal, end);
  return remove;
}
