// Options of the library on the command line: `maxNewTokens` is `--max-new-tokens`, in messages as well.
import { T5Error } from "../../index.js";
import { UsageError } from "./command.js";
import { messageOf } from "./failure.js";

/** "max-new-tokens" as the library calls it. */
export function camelCase(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Runs a call of the library; an option that it refuses is told as the flag that it was given as. */
export async function withFlags<Result>(flags: readonly string[], call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    throw asUsageError(error, flags);
  }
}

/** A UsageError where an error of the library is about one of these flags, else the error as it is. */
export function asUsageError(error: unknown, flags: readonly string[]): unknown {
  if (!(error instanceof T5Error) || !/^ERR_(INVALID_ARGUMENT|TOKEN_OUT_OF_RANGE)$/.test(error.code)) return error;
  const message = messageOf(error).replace(` (${error.code})`, "");
  // What the model's own file says wasn't given on the command line.
  if (message.includes("generation_config.json")) return error;
  const told = flags.reduce((text, flag) => text.replaceAll(nameOf(flag), `--${flag}`), message);
  return told === message ? error : new UsageError(told);
}

/** The option's name in a message. A name that is an English word as well counts behind "options." only. */
function nameOf(flag: string): RegExp {
  const name = camelCase(flag);
  return name === flag ? new RegExp(`\\boptions\\.${name}\\b`, "g") : new RegExp(`\\b(?:options\\.)?${name}\\b`, "g");
}

/** A number of an option. Throws UsageError; the library checks its range. */
export function numberOption(value: string, flag: string): number {
  const number = Number(value);
  if (value.trim() !== "" && !Number.isNaN(number)) return number;
  throw new UsageError(`Expected a number for --${flag} but received ${JSON.stringify(value)}`);
}
