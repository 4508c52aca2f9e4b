// What a command is, and how its arguments are read.
import { parseArgs } from "node:util";
import { type Device, PRECISIONS, type Precision } from "../../index.js";

/** Exit codes of every command. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

/** One command of `torch-t5`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` prints. */
  readonly help: string;
  /** Resolves to the exit code. */
  run(args: readonly string[]): Promise<number>;
}

/** A command line that can't be understood: told with a hint at `--help`, and exit code 2. */
export class UsageError extends Error {}

interface OptionType {
  readonly type: "string" | "boolean";
  readonly multiple?: boolean;
}

type OptionTypes = Readonly<Record<string, OptionType>>;

type OptionValue<Type extends OptionType> = Type extends { readonly type: "boolean" }
  ? boolean
  : Type extends { readonly multiple: true }
    ? readonly string[]
    : string;

/** What a command line consists of. */
interface Parsed<Options extends OptionTypes> {
  readonly values: { readonly [Name in keyof Options]?: OptionValue<Options[Name]> };
  readonly positionals: readonly string[];
}

/** The options of the commands that run a model. */
export const modelOptions = {
  model: { type: "string" },
  device: { type: "string" },
  precision: { type: "string" },
  threads: { type: "string" },
} as const;

export const modelOptionsHelp = `  --model <directory>   an exported model (default: the embedded one)
  --device <device>     auto, cpu, cuda or cuda:<number> (default: auto)
  --precision <name>    exact (default), float32, bfloat16 or int8
  --threads <count>     threads per operator (default: PyTorch's own)`;

/** Node's `parseArgs` in its strict mode, and `--no-<switch>` as well; a wrong command line is a UsageError. */
export function parse<const Options extends OptionTypes>(args: readonly string[], options: Options): Parsed<Options> {
  try {
    const { values, positionals } = parseArgs({
      args: joinNegativeNumbers(args, options),
      options,
      allowPositionals: true,
      allowNegative: true,
      strict: true,
    });
    return { values: values as Parsed<Options>["values"], positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? firstSentence(error.message) : "The arguments can't be read");
  }
}

/** The one positional argument of a command. */
export function onlyPositional(positionals: readonly string[], name: string): string {
  const [only, ...others] = positionals;
  if (only === undefined || others.length > 0) {
    throw new UsageError(`Expected one ${name} but received ${positionals.length}`);
  }
  return only;
}

/** An integer of at least `least`, or undefined where the option isn't given. */
export function integerOption(value: string | undefined, name: string, least: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value) && Number(value) >= least) return Number(value);
  throw new UsageError(`Expected an integer of at least ${least} for ${name} but received ${JSON.stringify(value)}`);
}

/** A number of at least 0, or undefined where the option isn't given. */
export function sizeOption(value: string | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (value.trim() !== "" && Number(value) >= 0) return Number(value);
  throw new UsageError(`Expected a number of at least 0 for ${name} but received ${JSON.stringify(value)}`);
}

/** What says how a model is loaded, in the values of a command line. */
export interface LoadValues {
  readonly device?: string | undefined;
  readonly precision?: string | undefined;
  readonly threads?: string | undefined;
}

/** The load options in the values of a command line. */
export function loadOptions({ device, precision, threads }: LoadValues) {
  // The library checks the device; here it is any string.
  return {
    device: device as Device | undefined,
    precision: precisionOption(precision),
    intraOpThreads: integerOption(threads, "--threads", 1),
  };
}

function precisionOption(value: string | undefined): Precision | undefined {
  const found = PRECISIONS.find((precision) => precision === value);
  if (value === undefined || found !== undefined) return found;
  throw new UsageError(`Expected ${PRECISIONS.join(", ")} for --precision but received ${JSON.stringify(value)}`);
}

/** `--option -1` as `--option=-1`: `parseArgs` takes any value with a dash for an option. */
function joinNegativeNumbers(args: readonly string[], options: OptionTypes): string[] {
  const joined: string[] = [];
  for (const [index, argument] of args.entries()) {
    if (args.slice(0, index).includes("--")) return [...joined, ...args.slice(index)];
    const before = args[index - 1] ?? "";
    const takesValue = before.startsWith("--") && options[before.slice(2)]?.type === "string";
    if (takesValue && /^-\.?\d/.test(argument)) joined[joined.length - 1] = `${before}=${argument}`;
    else joined.push(argument);
  }
  return joined;
}

function firstSentence(message: string): string {
  return message.split(/\.(?:\s|$)|\n/, 1)[0] ?? message;
}
