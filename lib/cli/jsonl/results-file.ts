// A file of results, one line each, that grows at its end alone: whatever ends the program, what was written stays.
import { type FileHandle, open, stat } from "node:fs/promises";
import { UsageError } from "../terminal/command.js";
import { type Line, readLines } from "./lines.js";

export class ResultsFile {
  readonly path: string;
  readonly #handle: FileHandle;
  /** Whether it is a file that keeps what is written, and not a pipe or a device. */
  readonly #isRegular: boolean;
  readonly #isOverwritten: boolean;
  /** Bytes at its beginning that stay; undefined once the rest is gone. */
  #kept: number | undefined = 0;

  private constructor(path: string, handle: FileHandle, isRegular: boolean, isOverwritten: boolean) {
    this.path = path;
    this.#handle = handle;
    this.#isRegular = isRegular;
    this.#isOverwritten = isOverwritten;
  }

  /** Opens a file to go on at its end, or to begin anew. Nothing of it is lost yet. Throws UsageError. */
  static async open(path: string, isOverwritten: boolean): Promise<ResultsFile> {
    try {
      // Opened for reading as well, a pipe would never tell that its reader has gone.
      const isRegular = (await stat(path).catch(() => undefined))?.isFile() ?? true;
      return new ResultsFile(path, await open(path, isRegular ? "a+" : "a"), isRegular, isOverwritten);
    } catch (error) {
      const { code = "an error" } = error as NodeJS.ErrnoException;
      throw new UsageError(
        `Expected a file that can be written for --output but received ${JSON.stringify(path)} (${code})`,
      );
    }
  }

  /** The lines that are there already. */
  async *lines(): AsyncGenerator<Line> {
    if (!this.#isRegular || this.#isOverwritten) return;
    yield* readLines(this.#handle.createReadStream({ start: 0, autoClose: false }));
  }

  /** Says how many bytes of what is there stay once something is added: a line that was cut off goes. */
  keep(bytes: number): void {
    this.#kept = bytes;
  }

  /** Adds a line behind what is kept. */
  async append(line: string): Promise<void> {
    await this.finish();
    await this.#handle.appendFile(`${line}\n`);
  }

  /** Leaves what is kept and what was added, and nothing else. */
  async finish(): Promise<void> {
    if (this.#kept !== undefined && this.#isRegular) await this.#handle.truncate(this.#kept);
    this.#kept = undefined;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
