// What a command is, and how it ends: an exit code, and for a failure one line on standard error.
import { T5Error } from "../../index.js";

/** One command of `torch-t5`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` prints. */
  readonly help: string;
  /** Runs the command with the arguments after its name. Resolves to the exit code. */
  run(args: readonly string[]): Promise<number>;
}

/** The exit codes of every command. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

/** A wrong command line. The message is followed by a hint to `--help`, and the exit code is 2. */
export class UsageError extends Error {}

/** The first line of an error's message, with the error's code where it has one. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return "An unknown failure";
  const message = error.message.split("\n", 1)[0] ?? "";
  return error instanceof T5Error ? `${message} (${error.code})` : message;
}
