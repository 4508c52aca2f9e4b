// How a failure is told on the command line: one line, with its code, never a stack.
import { T5Error } from "../../index.js";

/** The message of whatever was thrown, with its code where it has one. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return "An unknown failure";
  const message = error.message.split("\n", 1)[0] ?? "";
  return error instanceof T5Error ? `${message} (${error.code})` : message;
}
