// The files of a run: results, errors, and a record of how far both are written, by which a later run continues.
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { expected, ServerError } from "../errors/server-error.js";
import type { LineAnswer } from "./queue.js";
import type { InputShard, Position } from "./shards.js";

export interface RunFiles {
  readonly input: string;
  readonly output: string;
  readonly errors: string;
}

/** What has to be the same for a run to continue. */
export interface RunSettings {
  readonly route: string;
  readonly shardLines: number;
}

/** The record beside the output, of which a rename replaces the one before. */
interface RunRecord extends RunSettings, Position {
  /** The name of the run in the queue. */
  readonly run: string;
  readonly inputBytes: number;
  /** Of its beginning and its end, so that another file of the same size is refused. */
  readonly inputHash: string;
  readonly outputBytes: number;
  readonly errorBytes: number;
  readonly failed: number;
}

/** Writes each shard's answers once, in the order of the shards. */
export class Results {
  readonly #recordPath: string;
  readonly #output: FileHandle;
  readonly #errors: FileHandle;
  readonly #files: RunFiles;
  #record: RunRecord;

  private constructor(files: RunFiles, record: RunRecord, output: FileHandle, errors: FileHandle) {
    this.#files = files;
    this.#recordPath = recordPathOf(files);
    this.#record = record;
    this.#output = output;
    this.#errors = errors;
  }

  /**
   * The files of a new run, or of one that ended early: those are cut to what its record has. Rejects with
   * ERR_INVALID_ARGUMENT for files of another run.
   */
  static async open(files: RunFiles, settings: RunSettings, overwrites: boolean): Promise<Results> {
    const { size: inputBytes } = await stat(files.input);
    const inputHash = await hashOf(files.input, inputBytes);
    const earlier = overwrites ? undefined : await readRecord(recordPathOf(files));
    if (earlier === undefined) {
      const existing = [files.output, files.errors].find((path) => !overwrites && existsSync(path));
      if (existing !== undefined) throw expected("--overwrite, or a new file", "--output", existing);
    } else {
      const continued = `of the run that ${files.output} continues`;
      for (const [name, value] of Object.entries(settings)) {
        const known = earlier[name as keyof RunRecord];
        if (known !== value) throw expected(`the ${name} ${continued} (${known}), or --overwrite,`, name, value);
      }
      if (earlier.inputBytes !== inputBytes || earlier.inputHash !== inputHash) {
        throw expected(`the input ${continued}, or --overwrite,`, "--input", files.input);
      }
    }
    const start = { index: 0, end: 0, lastLine: 0, outputBytes: 0, errorBytes: 0, failed: 0 };
    const record = earlier ?? { run: randomUUID(), ...settings, inputBytes, inputHash, ...start };
    const output = await openAt(files.output, record.outputBytes);
    const errors = await openAt(files.errors, record.errorBytes);
    const results = new Results(files, record, output, errors);
    await results.#save();
    return results;
  }

  get run(): string {
    return this.#record.run;
  }

  /** Where the input continues. */
  get position(): Position {
    return this.#record;
  }

  get inputBytes(): number {
    return this.#record.inputBytes;
  }

  /** The number of lines in the error file. */
  get failed(): number {
    return this.#record.failed;
  }

  async write({ index, end, lastLine }: InputShard, answers: readonly LineAnswer[]): Promise<void> {
    const good = answers.filter((answer) => "json" in answer);
    const bad = answers.filter((answer) => "code" in answer);
    const output = Buffer.from(good.map(({ number, json }) => `{"line":${number},"result":${json}}\n`).join(""));
    const errors = Buffer.from(
      bad.map(({ number, code, message }) => `${JSON.stringify({ line: number, code, error: message })}\n`).join(""),
    );
    const { outputBytes, errorBytes } = this.#record;
    await this.#output.write(output, 0, output.length, outputBytes);
    await this.#errors.write(errors, 0, errors.length, errorBytes);
    this.#record = {
      ...this.#record,
      ...{ index: index + 1, end, lastLine },
      outputBytes: outputBytes + output.length,
      errorBytes: errorBytes + errors.length,
      failed: this.#record.failed + bad.length,
    };
    await this.#save();
  }

  /** Closes the files. After the end of the input, no record remains, and no error file without errors. */
  async close(isComplete: boolean): Promise<void> {
    await this.#output.close();
    await this.#errors.close();
    if (!isComplete) return;
    if (this.#record.errorBytes === 0) await rm(this.#files.errors);
    await rm(this.#recordPath);
  }

  async #save(): Promise<void> {
    const next = `${this.#recordPath}.next`;
    await writeFile(next, JSON.stringify(this.#record));
    await rename(next, this.#recordPath);
  }
}

/** Whether a value is what `Results` writes. */
function isRecord(value: unknown): value is RunRecord {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  const isCount = (name: string) => Number.isSafeInteger(fields[name]) && Number(fields[name]) >= 0;
  return TEXTS.every((name) => typeof fields[name] === "string") && COUNTS.every(isCount);
}

const TEXTS = ["run", "route", "inputHash"];
const COUNTS = ["shardLines", "inputBytes", "index", "end", "lastLine", "outputBytes", "errorBytes", "failed"];

/** The bytes at the beginning and at the end of an input of which its hash is. */
const HASHED_BYTES = 65_536;

async function hashOf(path: string, size: number): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(HASHED_BYTES);
  const file = await open(path);
  try {
    for (const start of [0, Math.max(0, size - HASHED_BYTES)]) {
      const { bytesRead } = await file.read(buffer, 0, HASHED_BYTES, start);
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

const recordPathOf = ({ output }: RunFiles) => `${output}.run`;

async function readRecord(path: string): Promise<RunRecord | undefined> {
  if (!existsSync(path)) return undefined;
  const text = await readFile(path, "utf8");
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return value;
  } catch {
    // No JSON is no record.
  }
  throw expected("the record of a run, or --overwrite,", path, text);
}

/** A file that is cut to a length. */
async function openAt(path: string, bytes: number): Promise<FileHandle> {
  const handle = await open(path, existsSync(path) ? "r+" : "w").catch((cause: Error) => {
    throw new ServerError("ERR_INVALID_ARGUMENT", `Expected a file that can be written but ${cause.message}`, {
      cause,
    });
  });
  if ((await handle.stat()).size < bytes) {
    await handle.close();
    throw expected(`at least ${bytes} bytes, or --overwrite,`, path, "fewer");
  }
  await handle.truncate(bytes);
  return handle;
}
