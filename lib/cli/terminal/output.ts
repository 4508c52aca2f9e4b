// Where commands print. A reader that closes the pipe early, as `head` does, ends the program quietly.
import { once } from "node:events";
import { exit, stderr, stdout } from "node:process";
import { EXIT } from "./command.js";

for (const stream of [stdout, stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") exit(EXIT.ok);
    // Nothing more can be said where standard error itself fails.
    if (stream === stdout) stderr.write(`torch-t5: ${error.message}\n`);
    exit(EXIT.failure);
  });
}

/** Prints a line. */
export function print(line: string): void {
  stdout.write(`${line}\n`);
}

/** Prints a text as it is, and waits where its reader is slower: what isn't read yet must not pile up. */
export async function write(text: string): Promise<void> {
  if (!stdout.write(text)) await once(stdout, "drain");
}

/** Prints a line about a failure. */
export function complain(line: string): void {
  stderr.write(`${line}\n`);
}
