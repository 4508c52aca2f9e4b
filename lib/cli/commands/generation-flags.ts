// The options of `generate` as flags, derived from the library's table: each option's name in kebab case.
import { GENERATION_OPTIONS, type GenerationOption, OPTION_GROUPS } from "../../index.js";
import { numberOption, optionNameOf } from "../terminal/arguments.js";
import { UsageError } from "../terminal/command.js";

type Options = typeof GENERATION_OPTIONS;

/** The options that have a flag. */
type FlagOption = { [Name in keyof Options]: Options[Name]["flag"] extends undefined ? never : Name }[keyof Options];

type Kebab<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `-${Lowercase<First>}`}${Kebab<Rest>}`
  : Name;

/** The type of a flag for `parse`. */
type FlagType<Reader> = Reader extends "switch"
  ? { readonly type: "boolean" }
  : Reader extends "strings"
    ? { readonly type: "string"; readonly multiple: true }
    : { readonly type: "string" };

/** Turns the text of a flag into the option's value. Throws UsageError. */
type Reader = (text: string, flag: string) => unknown;

const integer: Reader = (text, flag) => {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw wrong("an integer", flag, text);
};

const READERS: Readonly<Record<string, Reader>> = {
  number: numberOption,
  integer,
  /** Up to 64 bits. */
  wideInteger: (text, flag) => (/^-?\d{16,20}$/.test(text) ? BigInt(text) : integer(text, flag)),
  ids: (text, flag) => {
    if (text === "none") return [];
    if (/^\d{1,9}(,\d{1,9})*$/.test(text)) return text.split(",").map(Number);
    throw wrong("ids such as 1,5, or none,", flag, text);
  },
  json: (text, flag) => {
    try {
      return JSON.parse(text);
    } catch {
      throw wrong("JSON", flag, text);
    }
  },
  earlyStopping: (text, flag) => {
    if (text === "never") return text;
    if (text === "true" || text === "false") return text === "true";
    throw wrong("true, false or never", flag, text);
  },
};

const HELP_COLUMN = 38;
const MAX_COLUMNS = 120;

const OPTIONS: readonly (readonly [name: string, option: GenerationOption])[] = Object.entries(GENERATION_OPTIONS);

/** The flags, for `parse`. */
export const generationOptions = Object.fromEntries(
  OPTIONS.flatMap(([name, { flag }]) => (flag === undefined ? [] : [[kebabCase(name), typeOf(flag.reader)]])),
) as { readonly [Name in FlagOption as Kebab<Name>]: FlagType<Options[Name]["flag"]["reader"]> };

/** The names of the flags, for messages. */
export const generationFlags: readonly string[] = Object.keys(generationOptions);

/** The flags by group, but for those of the results, which the command explains itself. */
export const generationHelp: string = Object.entries(OPTION_GROUPS)
  .filter(([group]) => group !== "results")
  .map(([group, title]) => [withFlagNames(title), ...OPTIONS.flatMap((entry) => helpOf(entry, group))].join("\n"))
  .join("\n");

/** The options of the library that a command line gives. Throws UsageError. */
export function readGenerationOptions(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const given = generationFlags.filter((flag) => values[flag] !== undefined);
  return Object.fromEntries(given.map((flag) => [optionNameOf(flag), readValue(flag, values[flag])]));
}

function readValue(flag: string, value: unknown): unknown {
  const [, option] = OPTIONS.find(([name]) => kebabCase(name) === flag) ?? [];
  const reader = option?.flag && READERS[option.flag.reader];
  return reader !== undefined && typeof value === "string" ? reader(value, flag) : value;
}

function typeOf(reader: NonNullable<GenerationOption["flag"]>["reader"]) {
  if (reader === "switch") return { type: "boolean" };
  return reader === "strings" ? { type: "string", multiple: true } : { type: "string" };
}

/** The lines of an option's help; none if it has no flag or is of another group. */
function helpOf([name, option]: (typeof OPTIONS)[number], group: string): readonly string[] {
  const { flag, help, needs } = option;
  if (flag === undefined || option.group !== group) return [];
  const usage = `  --${kebabCase(name)}${"value" in flag ? ` ${flag.value}` : ""}`;
  const standard = option.computedDefault ?? (option.default === undefined ? undefined : String(option.default));
  const notes = [
    ...(flag.reader === "strings" ? ["repeatable"] : []),
    ...(standard === undefined || flag.reader === "switch" ? [] : [`default: ${standard}`]),
    ...(needs === undefined || OPTION_GROUPS[option.group].includes(needs) ? [] : [`needs ${needs}`]),
  ];
  const text = withFlagNames(notes.length === 0 ? help : `${help} (${notes.join("; ")})`);
  const line = `${usage.padEnd(HELP_COLUMN - 1)} ${text}`;
  const fits = usage.length < HELP_COLUMN && line.length <= MAX_COLUMNS;
  return fits ? [line] : [usage, `${" ".repeat(HELP_COLUMN)}${text}`];
}

/** The text with options' names as flags. */
function withFlagNames(text: string): string {
  return text.replace(/\b[a-z]+[A-Z]\w*/g, (name) => (name in GENERATION_OPTIONS ? `--${kebabCase(name)}` : name));
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function wrong(what: string, flag: string, text: string): UsageError {
  return new UsageError(`Expected ${what} for --${flag} but received ${JSON.stringify(text)}`);
}
