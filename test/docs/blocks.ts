// The fenced blocks of README.md, docs/*.md and docs/families/*.md. What a document may write:
//
// - `// prints X` (`# prints X` in a shell block): X is a line of the block's output. `// prints` alone: the comment
//   lines after it are lines of the output. All such lines together are the whole output.
// - `<!-- output -->` before a `text` block: it is the output of the block before it.
// - `<!-- not run: REASON -->` before a block: the tests do not run it; not-run.ts has the reasons.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export const LANGUAGES = ["js", "ts", "sh", "python", "json", "jsonl", "text"] as const;

export interface Block {
  /** The document, relative to the checkout: "docs/api.md". */
  readonly file: string;
  /** The line of its opening fence, from 1. */
  readonly line: number;
  /** The word after the opening fence; a test requires one of LANGUAGES. */
  readonly language: string;
  readonly code: string;
  /** Why it is not run, from a comment `<!-- not run: REASON -->` before the fence. */
  readonly notRun: string | undefined;
  /** The lines that it prints, from its `prints` comments or from the `<!-- output -->` block after it. */
  readonly prints: readonly string[] | undefined;
}

export interface Document {
  readonly file: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

/** README.md, docs/*.md and docs/families/*.md, in this order. */
export function readDocuments(): readonly Document[] {
  const docs = ["docs", "docs/families"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".md"))
      .sort()
      .map((name) => `${folder}/${name}`),
  );
  return ["README.md", ...docs].map((file) => {
    const text = readFileSync(join(root, file), "utf8");
    return { file, text, blocks: blocksOf(file, text) };
  });
}

/** A name for a block that is a file name as well: "api-12". */
export function nameOf({ file, line }: Block): string {
  return `${basename(file, ".md")}-${line}`;
}

/** The blocks of one document. An output block is not among them: it becomes `prints` of the block before it. */
export function blocksOf(file: string, text: string): readonly Block[] {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  for (let index = 0; index < lines.length; index++) {
    const language = /^```(.*)$/.exec(lines[index] ?? "")?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf("```", index + 1);
    if (end === -1) throw new Error(`${file}:${index + 1} is never closed`);
    const code = lines.slice(index + 1, end);
    const marker = lines.slice(0, index).findLast((line) => line.trim() !== "") ?? "";
    const previous = blocks.at(-1);
    if (marker === "<!-- output -->") {
      if (previous === undefined) throw new Error(`${file}:${index + 1} is the output of no block`);
      blocks[blocks.length - 1] = { ...previous, prints: code };
    } else {
      const notRun = /^<!-- not run: (.*) -->$/.exec(marker)?.[1];
      blocks.push({ file, line: index + 1, language, code: code.join("\n"), notRun, prints: printsOf(code) });
    }
    index = end;
  }
  return blocks;
}

/** The lines that `prints` comments state, or undefined if there are none. */
function printsOf(code: readonly string[]): readonly string[] | undefined {
  const printed: string[] = [];
  for (const [index, line] of code.entries()) {
    const stated = /(?:\/\/|#) prints(?: (.*))?$/.exec(line);
    if (stated === null) continue;
    if (stated[1] !== undefined) {
      printed.push(stated[1]);
      continue;
    }
    for (const next of code.slice(index + 1)) {
      const output = /^\s*(?:\/\/|#)(?: (.*))?$/.exec(next);
      if (output === null) break;
      printed.push(output[1] ?? "");
    }
  }
  return printed.length === 0 ? undefined : printed;
}
