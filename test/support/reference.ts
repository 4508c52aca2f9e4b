// Hugging Face in a Python process that answers requests: JSON lines in and out, tensors as raw files.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { pythonPath } from "./python.js";

interface Waiting {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

const huggingFace = fileURLToPath(new URL("../parity/reference", import.meta.url));

/**
 * A running reference, by default `test/parity/reference`. `directory` has the files of its replies, and is removed by
 * `close`.
 */
export class Reference {
  readonly directory = mkdtempSync(join(tmpdir(), "torch-t5-parity-"));
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #stderr = "";

  constructor(program = huggingFace) {
    this.#child = spawn(pythonPath(), [program, this.directory], {
      env: { ...process.env, PYTHONWARNINGS: "ignore", HF_HUB_OFFLINE: "1" },
    });
    this.#child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = `${this.#stderr}${chunk.toString()}`.slice(-4000);
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#settle(line));
    this.#child.on("close", (code) => this.#failAll(new Error(`The reference ended with ${code}: ${this.#stderr}`)));
  }

  /** Sends one request and resolves to its reply. */
  request<Reply>(op: string, fields: Record<string, unknown> = {}): Promise<Reply> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (reply: unknown) => void, reject });
      this.#child.stdin.write(`${JSON.stringify({ id, op, ...fields })}\n`);
    });
  }

  /** Reads a file that a reply names, and removes it. */
  take(file: string): Buffer {
    const path = join(this.directory, file);
    const content = readFileSync(path);
    rmSync(path);
    return content;
  }

  /** Ends the process and removes its files. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin.end();
    await closed;
    rmSync(this.directory, { recursive: true, force: true });
  }

  #settle(line: string): void {
    const { id, error, ...reply } = JSON.parse(line) as { id: number; error?: string };
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(reply);
    else waiting?.reject(new Error(error));
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
