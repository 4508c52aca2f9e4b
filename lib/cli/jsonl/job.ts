// A job: reads lines, and writes one JSON line for each, in the same order. Holds one batch of lines in memory.
import { stat } from "node:fs/promises";
import { stdout } from "node:process";
import {
  type T5EncoderModel,
  T5Error,
  type T5ForConditionalGeneration,
  type T5ForSequenceClassification,
  type T5ForTokenClassification,
} from "../../index.js";
import { messageOf, UsageError } from "../terminal/command.js";
import { type ModelClass, type ModelValues, modelOptions, modelOptionsHelp, withModel } from "../terminal/model.js";
import { onInterruption, printError, write } from "../terminal/output.js";
import { Progress } from "../terminal/progress.js";
import { type Input, type InputLine, lineMessage, openInput } from "./input.js";
import type { Fields } from "./json-lines.js";
import {
  checkLastResult,
  type EarlierResults,
  errorResult,
  type LineReader,
  ResultsFile,
  skipDone,
} from "./results-file.js";

/** The models that jobs run. */
type JobModel = T5ForConditionalGeneration | T5EncoderModel | T5ForSequenceClassification | T5ForTokenClassification;

export interface Job<Item, Model extends JobModel = T5ForConditionalGeneration> extends LineReader<Item> {
  /** The class of its model. */
  readonly modelClass: ModelClass<Model>;
  /** The results of some items. The line's number is added to each. */
  process(t5: Model, items: readonly Item[]): Promise<readonly Fields[]>;
  /** Items that are processed at once. */
  readonly batchSize: number;
}

export interface JobOptions {
  readonly model: ModelValues;
  /** A path; undefined for standard output. */
  readonly output: string | undefined;
  readonly overwrites: boolean;
  /** Whether an invalid line has an error as its result, instead of ending the job. */
  readonly skipsInvalid: boolean;
}

/** The flags of commands that run a job, for `parse`. */
export const jobOptions = {
  ...modelOptions,
  input: { type: "string" },
  output: { type: "string" },
  overwrite: { type: "boolean" },
  "skip-invalid": { type: "boolean" },
} as const;

export const jobOptionsHelp = `  --input <file>        JSON Lines (default: standard input)
  --output <file>       write the results to a file (default: standard output). If it has results of an earlier run, the
                        command continues after them
  --overwrite           replace the file of --output
  --skip-invalid        write { "line", "error" } for an invalid line, and continue
${modelOptionsHelp}`;

/** The values of `jobOptions` on a command line. */
export interface JobValues extends ModelValues {
  readonly input?: string | undefined;
  readonly output?: string | undefined;
  readonly overwrite?: boolean | undefined;
  readonly "skip-invalid"?: boolean | undefined;
}

/** The job options of a command line. Throws UsageError. */
export function readJobOptions(values: JobValues): JobOptions {
  if (values.overwrite && values.output === undefined) {
    throw new UsageError("Expected --output with --overwrite but received none");
  }
  return {
    model: values,
    output: values.output,
    overwrites: values.overwrite ?? false,
    skipsInvalid: values["skip-invalid"] ?? false,
  };
}

/** Opens the JSON Lines that a command line names. Throws UsageError. */
export async function openJobInput(values: JobValues, positionals: readonly string[]): Promise<Input> {
  if (positionals.length > 0) {
    const count = positionals.length;
    throw new UsageError(`Expected JSON Lines from --input or standard input, and no arguments, but received ${count}`);
  }
  if (values.input !== undefined && values.output !== undefined && (await isSameFile(values.input, values.output))) {
    throw new UsageError("Expected another file for --output than for --input but received the same");
  }
  return openInput(values.input);
}

/** Runs a job on its whole input, except for the lines that an earlier run has done. */
export async function runJob<Item, Model extends JobModel>(
  job: Job<Item, Model>,
  input: Input,
  options: JobOptions,
): Promise<void> {
  const file = options.output === undefined ? undefined : await ResultsFile.open(options.output, options.overwrites);
  try {
    const earlier = file === undefined ? { count: 0, last: undefined } : await skipDone(input, file, job);
    await withModel(job.modelClass, options.model, (t5) => new JobRun(job, input, options, t5, file).run(earlier));
  } finally {
    // An open pipe would keep the process alive.
    await input.lines.return?.();
    await file?.close();
  }
}

/** The error of an invalid line. */
class LineError extends Error {}

interface Pending<Item> {
  readonly line: InputLine;
  readonly item: Item;
}

/** The codes of errors that are about a line, and not about the model or the machine. */
const LINE_ERROR_CODES = ["ERR_INVALID_ARGUMENT", "ERR_TOKEN_OUT_OF_RANGE"];

class JobRun<Item, Model extends JobModel> {
  readonly #job: Job<Item, Model>;
  readonly #input: Input;
  readonly #skipsInvalid: boolean;
  readonly #t5: Model;
  readonly #file: ResultsFile | undefined;
  readonly #progress: Progress;
  #written = 0;

  constructor(
    job: Job<Item, Model>,
    input: Input,
    { skipsInvalid }: JobOptions,
    t5: Model,
    file: ResultsFile | undefined,
  ) {
    this.#job = job;
    this.#input = input;
    this.#skipsInvalid = skipsInvalid;
    this.#t5 = t5;
    this.#file = file;
    // No bar between results that are printed on the same terminal.
    this.#progress = new Progress(input.bytes, file !== undefined || !stdout.isTTY);
  }

  async run(earlier: EarlierResults<Item>): Promise<void> {
    const removeHandler = onInterruption(() => this.#reportInterruption(earlier.count));
    try {
      await this.#checkLastResult(earlier);
      let batch: Pending<Item>[] = [];
      for await (const line of { [Symbol.asyncIterator]: () => this.#input.lines }) {
        const pending = this.#tryRead(line);
        if (!(pending instanceof LineError)) batch.push(pending);
        if (batch.length < this.#job.batchSize && !(pending instanceof LineError)) continue;
        await this.#processBatch(batch);
        batch = [];
        if (pending instanceof LineError) await this.#writeError(line, pending);
      }
      await this.#processBatch(batch);
      await this.#file?.truncate();
    } finally {
      removeHandler();
      this.#progress.clear();
    }
  }

  async #checkLastResult(earlier: EarlierResults<Item>): Promise<void> {
    if (this.#file === undefined || earlier.last === undefined) return;
    const { item, result } = earlier.last;
    const [again = {}] = await this.#job.process(this.#t5, [item]);
    checkLastResult(earlier, { line: result.line, ...again }, this.#file);
  }

  #tryRead(line: InputLine): Pending<Item> | LineError {
    try {
      return { line, item: this.#job.read(line.text()) };
    } catch (error) {
      return new LineError(messageOf(error));
    }
  }

  async #processBatch(batch: readonly Pending<Item>[]): Promise<void> {
    if (batch.length === 0) return;
    const results = await this.#tryProcess(batch);
    const [first] = batch;
    if (!(results instanceof LineError)) {
      for (const [index, { line }] of batch.entries()) await this.#writeResult(line, results[index] ?? {});
    } else if (batch.length === 1 && first !== undefined) {
      await this.#writeError(first.line, results);
    } else {
      // The error doesn't name its line: each line is processed alone.
      for (const pending of batch) await this.#processBatch([pending]);
    }
  }

  async #tryProcess(batch: readonly Pending<Item>[]): Promise<readonly Fields[] | LineError> {
    try {
      return await this.#job.process(
        this.#t5,
        batch.map(({ item }) => item),
      );
    } catch (error) {
      if (error instanceof T5Error && LINE_ERROR_CODES.includes(error.code)) return new LineError(messageOf(error));
      throw error;
    }
  }

  async #writeError({ number, end }: InputLine, { message }: LineError): Promise<void> {
    if (!this.#skipsInvalid) throw new LineError(lineMessage(this.#input.name, number, message));
    await this.#append(errorResult(number, message), end);
  }

  #writeResult({ number, end }: InputLine, fields: Fields): Promise<void> {
    return this.#append({ line: number, ...fields }, end);
  }

  async #append(result: Fields, end: number): Promise<void> {
    const line = JSON.stringify(result);
    await (this.#file === undefined ? write(`${line}\n`) : this.#file.append(line));
    this.#progress.update(++this.#written, end);
  }

  #reportInterruption(earlierCount: number): void {
    this.#progress.clear();
    if (this.#file === undefined) return;
    const count = earlierCount + this.#written;
    printError(`torch-t5: stopped after ${count} lines in ${this.#file.path}; run the same command again to continue`);
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)));
  return first !== undefined && second !== undefined && first.dev === second.dev && first.ino === second.ino;
}
