// The reference: Rust's `tokenizers` in a Python process. Texts and ids are exchanged as files.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after } from "mocha";
import type { EncodeBatchOptions } from "torch-t5";
import { Reference } from "../../support/reference.js";
import { type Rows, takeRows, takeTexts, writeRows, writeTexts } from "./packing.js";

const program = fileURLToPath(new URL("reference", import.meta.url));

/** The decoded texts of rows of ids: with special tokens and without. */
export interface Decoded {
  readonly whole: readonly string[];
  readonly skipped: readonly string[];
}

/** The reference's results for texts. */
export interface Answers extends Decoded {
  readonly ids: Rows;
  /** Start and end of each id in code points, row by row; empty for a tokenizer that can't give them. */
  readonly offsets: Int32Array;
}

/** A tokenizer that AutoTokenizer made: the number of ids to decode, and its special ids. */
interface AutoTokenizer {
  readonly ids: number;
  readonly pad: number | null;
  readonly eos: number | null;
}

let shared: RustTokenizers | undefined;

/** The reference of all test files of a run: its process takes seconds to start, and its tokenizers seconds to make. */
export function sharedRust(): RustTokenizers {
  shared ??= new RustTokenizers();
  return shared;
}

// A hook of the whole run, since it is declared outside of every suite.
after(() => shared?.close());

/** The reference's tokenizers, by name. */
export class RustTokenizers {
  readonly #reference = new Reference(program);
  readonly #directories = new Map<string, string>();
  readonly #made = new Map<string, Promise<{ directory: string }>>();
  #files = 0;

  /** Makes the tokenizer of a recipe at the first call, and resolves to its directory. */
  async make(recipe: string): Promise<string> {
    const made = this.#made.get(recipe) ?? this.#reference.request<{ directory: string }>("make", { recipe });
    this.#made.set(recipe, made);
    return (await made).directory;
  }

  /** Makes the random tokenizer of a seed and resolves to its directory. */
  async pipeline(seed: number): Promise<string> {
    return (await this.#reference.request<{ directory: string }>("pipeline", { seed })).directory;
  }

  /** Makes the random directory of a seed and resolves to it. */
  async directory(seed: number): Promise<string> {
    return (await this.#reference.request<{ directory: string }>("directory", { seed })).directory;
  }

  /** Loads the tokenizer of a directory under a name. Resolves to the number of ids, from 0 up, to decode. */
  async open(name: string, directory: string): Promise<number> {
    this.#directories.set(name, directory);
    return (await this.#reference.request<{ ids: number }>("open", { name, directory })).ids;
  }

  /** As `open`, with what transformers' AutoTokenizer makes of the directory. Resolves to its special ids, too. */
  openAuto(name: string, directory: string): Promise<AutoTokenizer> {
    this.#directories.set(name, directory);
    return this.#reference.request("open", { name, directory, auto: true });
  }

  /** The messages of gettext catalogues, language by language, and the number of messages of each language. */
  async catalogues(): Promise<{ readonly messages: string[]; readonly languages: Readonly<Record<string, number>> }> {
    const file = this.#file();
    const { languages } = await this.#reference.request<{ languages: Record<string, number> }>("catalogues", { file });
    return { messages: takeTexts(this.#path(file)), languages };
  }

  async encode(name: string, texts: readonly string[]): Promise<Answers> {
    const files = { texts: this.#file(), ids: this.#file(), whole: this.#file(), skipped: this.#file() };
    writeTexts(this.#path(files.texts), texts);
    await this.#reference.request("encode", { name, ...files });
    const ids = takeRows(this.#path(files.ids));
    takeTexts(this.#path(files.texts));
    return { ids, offsets: ids.rest, ...this.#decoded(files) };
  }

  async decode(name: string, rows: readonly (readonly number[])[]): Promise<Decoded> {
    const files = { ids: this.#file(), whole: this.#file(), skipped: this.#file() };
    writeRows(this.#path(files.ids), rows);
    await this.#reference.request("decode", { name, ...files });
    takeRows(this.#path(files.ids));
    return this.#decoded(files);
  }

  /** The padded batch that transformers' AutoTokenizer of the same directory makes of texts. */
  batch(
    name: string,
    texts: readonly string[],
    options: EncodeBatchOptions,
  ): Promise<{ readonly inputIds: number[][]; readonly attentionMask: number[][] }> {
    return this.#reference.request("batch", { directory: this.#directories.get(name), texts, ...options });
  }

  /** The number of texts that have other ids in transformers' AutoTokenizer of the same directory. */
  async disagreements(name: string, texts: readonly string[]): Promise<number> {
    const file = this.#file();
    const directory = this.#directories.get(name);
    writeTexts(this.#path(file), texts);
    return (await this.#reference.request<{ count: number }>("disagreements", { name, directory, texts: file })).count;
  }

  close(): Promise<void> {
    return this.#reference.close();
  }

  #decoded({ whole, skipped }: { readonly whole: string; readonly skipped: string }): Decoded {
    return { whole: takeTexts(this.#path(whole)), skipped: takeTexts(this.#path(skipped)) };
  }

  #file(): string {
    return `${this.#files++}.packed`;
  }

  #path(file: string): string {
    return join(this.#reference.directory, file);
  }
}
