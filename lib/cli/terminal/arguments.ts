// Reads the arguments of a command. Flags that pass an option on to the library have the option's name in kebab case:
// `maxNewTokens` is `--max-new-tokens`, in error messages as well.
import { parseArgs } from "node:util";
import { T5Error } from "../../index.js";
import { UsageError } from "./command.js";

interface FlagType {
  readonly type: "string" | "boolean";
  /** Whether the flag may be given several times. */
  readonly multiple?: boolean;
}

type FlagTypes = Readonly<Record<string, FlagType>>;

type FlagValue<Type extends FlagType> = Type extends { readonly type: "boolean" }
  ? boolean
  : Type extends { readonly multiple: true }
    ? readonly string[]
    : string;

interface Parsed<Flags extends FlagTypes> {
  readonly values: { readonly [Name in keyof Flags]?: FlagValue<Flags[Name]> };
  readonly positionals: readonly string[];
}

/**
 * Node's strict `parseArgs`, which here also takes `--no-<switch>` and negative numbers as values. Throws UsageError.
 */
export function parse<const Flags extends FlagTypes>(args: readonly string[], flags: Flags): Parsed<Flags> {
  try {
    const { values, positionals } = parseArgs({
      args: joinNegativeNumbers(args, flags),
      options: flags,
      allowPositionals: true,
      allowNegative: true,
      strict: true,
    });
    return { values: values as Parsed<Flags>["values"], positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? firstSentence(error.message) : "The arguments can't be read");
  }
}

/** The only positional argument of a command. Throws UsageError. */
export function onlyPositional(positionals: readonly string[], name: string): string {
  const [only, ...others] = positionals;
  if (only === undefined || others.length > 0) {
    throw new UsageError(`Expected one ${name} but received ${positionals.length}`);
  }
  return only;
}

/** Throws UsageError where a command without positional arguments was given some. */
export function checkNoPositionals(positionals: readonly string[]): void {
  if (positionals.length > 0) throw new UsageError(`Expected no arguments but received ${positionals.length}`);
}

/** An integer of at least `min`, or undefined where the flag isn't given. Throws UsageError. */
export function integerOption(value: string | undefined, flag: string, min: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value) && Number(value) >= min) return Number(value);
  throw wrongValue(`an integer of at least ${min}`, flag, value);
}

/** A number of at least 0, or undefined where the flag isn't given. Throws UsageError. */
export function nonNegativeOption(value: string | undefined, flag: string): number | undefined {
  if (value === undefined) return undefined;
  if (value.trim() !== "" && Number(value) >= 0) return Number(value);
  throw wrongValue("a number of at least 0", flag, value);
}

/** Any number; the library checks its range. Throws UsageError. */
export function numberOption(value: string, flag: string): number {
  const number = Number(value);
  if (value.trim() !== "" && !Number.isNaN(number)) return number;
  throw wrongValue("a number", flag, value);
}

/** One of the given names, or undefined where the flag isn't given. Throws UsageError. */
export function choiceOption<Name extends string>(
  value: string | undefined,
  flag: string,
  names: readonly Name[],
): Name | undefined {
  const found = names.find((name) => name === value);
  if (value === undefined || found !== undefined) return found;
  throw wrongValue(names.length === 2 ? names.join(" or ") : names.join(", "), flag, value);
}

/** The name of the library's option that a flag stands for: `maxNewTokens` for "max-new-tokens". */
export function optionNameOf(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * Runs a call of the library. Where it rejects one of the options that `flags` stand for, rejects with a UsageError.
 */
export async function withFlags<Result>(flags: readonly string[], call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    throw asUsageError(error, flags);
  }
}

/** A UsageError that names the flag, where an error of the library is about one of `flags`; else the error itself. */
function asUsageError(error: unknown, flags: readonly string[]): unknown {
  if (!(error instanceof T5Error) || !/^ERR_(INVALID_ARGUMENT|TOKEN_OUT_OF_RANGE)$/.test(error.code)) return error;
  const [message = ""] = error.message.split("\n", 1);
  // The model's own file is wrong, not the command line.
  if (message.includes("generation_config.json")) return error;
  const translated = flags.reduce((text, flag) => text.replaceAll(optionPattern(flag), `--${flag}`), message);
  return translated === message ? error : new UsageError(translated);
}

/** Finds an option's name in a message. A name that is also an English word counts only after "options.". */
function optionPattern(flag: string): RegExp {
  const name = optionNameOf(flag);
  return name === flag ? new RegExp(`\\boptions\\.${name}\\b`, "g") : new RegExp(`\\b(?:options\\.)?${name}\\b`, "g");
}

function wrongValue(what: string, flag: string, value: string): UsageError {
  return new UsageError(`Expected ${what} for --${flag} but received ${JSON.stringify(value)}`);
}

/** Writes `--flag -1` as `--flag=-1`: `parseArgs` reads any argument that begins with a dash as a flag. */
function joinNegativeNumbers(args: readonly string[], flags: FlagTypes): string[] {
  const joined: string[] = [];
  for (const [index, argument] of args.entries()) {
    if (args.slice(0, index).includes("--")) return [...joined, ...args.slice(index)];
    const before = args[index - 1] ?? "";
    const takesValue = before.startsWith("--") && flags[before.slice(2)]?.type === "string";
    if (takesValue && /^-\.?\d/.test(argument)) joined[joined.length - 1] = `${before}=${argument}`;
    else joined.push(argument);
  }
  return joined;
}

function firstSentence(message: string): string {
  return message.split(/\.(?:\s|$)|\n/, 1)[0] ?? message;
}
