// A job: lines in, one JSON line out for each, in the same order. Holds one batch of lines at a time.
import { stdout } from "node:process";
import { T5Error, type T5ForConditionalGeneration } from "../../index.js";
import { messageOf } from "../terminal/failure.js";
import { onInterruption } from "../terminal/interruption.js";
import { type ModelValues, withModel } from "../terminal/model.js";
import { complain, write } from "../terminal/output.js";
import { Progress } from "../terminal/progress.js";
import type { Fields } from "./json-lines.js";
import { ResultsFile } from "./results-file.js";
import { checkLast, errorResult, type Matching, type Resumed, resume } from "./resuming.js";
import type { Source, SourceLine } from "./source.js";

export interface Job<Item> extends Matching<Item> {
  /** What is written for each item behind its line's number. */
  process(t5: T5ForConditionalGeneration, items: readonly Item[]): Promise<readonly Fields[]>;
  /** Items that are processed at once. */
  readonly batchSize: number;
}

export interface JobOptions {
  readonly model: ModelValues;
  /** Default: standard output. */
  readonly output: string | undefined;
  readonly isOverwritten: boolean;
  /** Lines that can't be worked on are told in the output instead of ending the job. */
  readonly skipsInvalid: boolean;
}

/** A line that can't be worked on. */
class LineError extends Error {}

interface Pending<Item> {
  readonly line: SourceLine;
  readonly item: Item;
}

const ERRORS_OF_A_LINE = ["ERR_INVALID_ARGUMENT", "ERR_TOKEN_OUT_OF_RANGE"];

/** Runs a job from where an earlier run ended to the end of its source. */
export async function runJob<Item>(job: Job<Item>, source: Source, options: JobOptions): Promise<void> {
  const file = options.output === undefined ? undefined : await ResultsFile.open(options.output, options.isOverwritten);
  try {
    const resumed = file === undefined ? { count: 0, last: undefined } : await resume(source, file, job);
    await withModel(options.model, (t5) => new Run(job, source, options, t5, file).toEnd(resumed));
  } finally {
    // A pipe that stays open would keep the process alive.
    await source.lines.return?.();
    await file?.close();
  }
}

class Run<Item> {
  readonly #job: Job<Item>;
  readonly #source: Source;
  readonly #skipsInvalid: boolean;
  readonly #t5: T5ForConditionalGeneration;
  readonly #file: ResultsFile | undefined;
  readonly #progress: Progress;
  #written = 0;

  constructor(
    job: Job<Item>,
    source: Source,
    { skipsInvalid }: JobOptions,
    t5: T5ForConditionalGeneration,
    file: ResultsFile | undefined,
  ) {
    this.#job = job;
    this.#source = source;
    this.#skipsInvalid = skipsInvalid;
    this.#t5 = t5;
    this.#file = file;
    // On a terminal the results themselves show how far it is.
    this.#progress = new Progress(source.bytes, file !== undefined || !stdout.isTTY);
  }

  async toEnd(resumed: Resumed<Item>): Promise<void> {
    const stop = onInterruption(() => this.#tell(resumed.count));
    try {
      await this.#checkLast(resumed);
      let batch: Pending<Item>[] = [];
      for await (const line of { [Symbol.asyncIterator]: () => this.#source.lines }) {
        const pending = this.#tryRead(line);
        if (!(pending instanceof LineError)) batch.push(pending);
        if (batch.length < this.#job.batchSize && !(pending instanceof LineError)) continue;
        await this.#flush(batch);
        batch = [];
        if (pending instanceof LineError) await this.#refuse(line, pending);
      }
      await this.#flush(batch);
      await this.#file?.finish();
    } finally {
      stop();
      this.#progress.clear();
    }
  }

  async #checkLast(resumed: Resumed<Item>): Promise<void> {
    if (this.#file === undefined || resumed.last === undefined) return;
    const { item, result } = resumed.last;
    const [again = {}] = await this.#job.process(this.#t5, [item]);
    checkLast(resumed, { line: result.line, ...again }, this.#file);
  }

  #tryRead(line: SourceLine): Pending<Item> | LineError {
    try {
      return { line, item: this.#job.read(line.text()) };
    } catch (error) {
      return new LineError(messageOf(error));
    }
  }

  async #flush(batch: readonly Pending<Item>[]): Promise<void> {
    if (batch.length === 0) return;
    const results = await this.#tryProcess(batch);
    const [first] = batch;
    if (!(results instanceof LineError)) {
      for (const [index, { line }] of batch.entries()) await this.#write(line, results[index] ?? {});
    } else if (batch.length === 1 && first !== undefined) {
      await this.#refuse(first.line, results);
    } else {
      // One of them is at fault: alone, each tells for itself.
      for (const pending of batch) await this.#flush([pending]);
    }
  }

  async #tryProcess(batch: readonly Pending<Item>[]): Promise<readonly Fields[] | LineError> {
    try {
      return await this.#job.process(
        this.#t5,
        batch.map(({ item }) => item),
      );
    } catch (error) {
      if (error instanceof T5Error && ERRORS_OF_A_LINE.includes(error.code)) return new LineError(messageOf(error));
      throw error;
    }
  }

  async #refuse({ number, end }: SourceLine, { message }: LineError): Promise<void> {
    if (!this.#skipsInvalid) throw new LineError(`${this.#source.name} line ${number}: ${message}`);
    await this.#append(errorResult(number, message), end);
  }

  #write({ number, end }: SourceLine, fields: Fields): Promise<void> {
    return this.#append({ line: number, ...fields }, end);
  }

  async #append(result: Fields, end: number): Promise<void> {
    const line = JSON.stringify(result);
    await (this.#file === undefined ? write(`${line}\n`) : this.#file.append(line));
    this.#progress.update(++this.#written, end);
  }

  /** What is said to whoever interrupts. */
  #tell(before: number): void {
    this.#progress.clear();
    if (this.#file === undefined) return;
    const count = before + this.#written;
    complain(`torch-t5: stopped after ${count} lines in ${this.#file.path}; the same command goes on from there`);
  }
}
