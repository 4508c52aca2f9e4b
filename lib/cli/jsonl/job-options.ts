// The options that the commands on JSON Lines share.
import { stat } from "node:fs/promises";
import { modelOptions, modelOptionsHelp, UsageError } from "../terminal/command.js";
import type { ModelValues } from "../terminal/model.js";
import type { JobOptions } from "./job.js";
import { openSource, type Source } from "./source.js";

export const jobOptions = {
  ...modelOptions,
  input: { type: "string" },
  output: { type: "string" },
  overwrite: { type: "boolean" },
  "skip-invalid": { type: "boolean" },
} as const;

export const jobOptionsHelp = `  --input <file>        JSON Lines (default: standard input)
  --output <file>       where the results go (default: standard output); a file that holds results of the first lines is
                        gone on with, and a line that was cut off is done again
  --overwrite           begin anew where the file of --output is there already
  --skip-invalid        write { "line", "error" } for a line that can't be worked on, and go on
${modelOptionsHelp}`;

interface JobValues extends ModelValues {
  readonly input?: string | undefined;
  readonly output?: string | undefined;
  readonly overwrite?: boolean | undefined;
  readonly "skip-invalid"?: boolean | undefined;
}

/** How a command line wants its job run. Throws UsageError. */
export function readJobOptions(values: JobValues): JobOptions {
  if (values.overwrite && values.output === undefined) {
    throw new UsageError("Expected --output with --overwrite but received none");
  }
  return {
    model: values,
    output: values.output,
    isOverwritten: values.overwrite ?? false,
    skipsInvalid: values["skip-invalid"] ?? false,
  };
}

/** The JSON Lines that a command line names. Throws UsageError. */
export async function openInput(values: JobValues, positionals: readonly string[]): Promise<Source> {
  if (positionals.length > 0) {
    const count = positionals.length;
    throw new UsageError(`Expected JSON Lines from --input or standard input, and no arguments, but received ${count}`);
  }
  if (values.input !== undefined && values.output !== undefined && (await isSameFile(values.input, values.output))) {
    throw new UsageError("Expected another file for --output than for --input but received the same");
  }
  return openSource(values.input);
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)));
  return first !== undefined && second !== undefined && first.dev === second.dev && first.ino === second.ino;
}
