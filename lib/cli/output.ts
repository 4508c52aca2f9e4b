// Where commands print. A reader that closes the pipe early, as `head` does, ends the program quietly.
import { exit, stderr, stdout } from "node:process";
import { EXIT } from "./command.js";

for (const stream of [stdout, stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") exit(EXIT.ok);
    throw error;
  });
}

/** Prints a line. */
export function print(line: string): void {
  stdout.write(`${line}\n`);
}

/** Prints a line about a failure. */
export function complain(line: string): void {
  stderr.write(`${line}\n`);
}
