// Runs the blocks of all documents: shell commands one after the other; at the same time Python, and then JavaScript,
// in one process each. The compiler checks the types of all JavaScript.
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { demoModel } from "torch-t5";
import { CONFIG, makeWeights, writeCheckpoint } from "../support/checkpoint.js";
import { type ClassifierForm, makeClassifier } from "../support/classifiers.js";
import { program } from "../support/cli.js";
import { type Ended, runToEnd } from "../support/program.js";
import { pythonPath } from "../support/python.js";
import { Reference } from "../support/reference.js";
import { type Block, type Document, nameOf, root } from "./blocks.js";
import { RUN_WITH_SERVER } from "./not-run.js";

export interface Outcome {
  /** What it printed on stdout. */
  readonly output: string;
  /** Undefined if it succeeded. */
  readonly error: string | undefined;
}

const EXTENSIONS: Readonly<Record<string, string>> = { js: "mjs", ts: "mts", python: "py" };

/** Model directories that the documents name: here, copies of the embedded model. */
const MODELS = ["flan-t5-small", "monot5", "my-model", "sentence-t5-base"];

const DEMO_VOCABULARY = 399;

/** A Hugging Face directory that the documents name. */
interface NamedCheckpoint {
  /** Entries of config.json that are not those of the small T5 model. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** By default the embedded model's. */
  readonly tokenizer?: "bytes";
}

/** Hugging Face directories that the documents name: here, with random weights, and small. */
const CHECKPOINTS: Readonly<Record<string, NamedCheckpoint>> = {
  "my-checkpoint": {},
  "t5-small": {},
  "mt5-small": { config: { model_type: "mt5", architectures: ["MT5ForConditionalGeneration"] } },
  "umt5-small": { config: { model_type: "umt5", architectures: ["UMT5ForConditionalGeneration"] } },
  "byt5-small": { tokenizer: "bytes" },
  madlad: { config: { pad_token_id: 1, eos_token_id: 2 } },
};

/** Directories of classifiers that the documents name: here, random ones. */
const CLASSIFIERS: Readonly<Record<string, ClassifierForm>> = { reviews: "texts", names: "tokens" };

/** Parts of the checkout that a command may name, to read them. */
const PARTS = ["examples", "scripts"];

/** The contents of `texts.jsonl`, which commands of the documents read. */
const TEXTS = ["spell number: 7", "date to iso: March 5, 2021"].map((text) => `${JSON.stringify({ text })}\n`).join("");

/** Declares `t5`, the model of blocks that load none, for the compiler. */
const GLOBALS = `import type { T5ForConditionalGeneration } from "torch-t5";
declare global {
  const t5: T5ForConditionalGeneration;
}
`;

/** "Possibly undefined" (`t5.tokenizer`) and "of type unknown" (a caught error): irrelevant in plain JavaScript. */
const IGNORED = ["TS18046", "TS18048"];

/** What ran, and what the compiler reported. */
export interface Outcomes {
  /** By the blocks' names. */
  readonly blocks: ReadonlyMap<string, Outcome>;
  /** The compiler's messages, empty if there are none. */
  readonly types: string;
}

/** Runs every block that is not marked as not run. */
export async function runBlocks(documents: readonly Document[]): Promise<Outcomes> {
  const place = mkdtempSync(join(tmpdir(), "torch-t5-docs-"));
  try {
    prepare(place, documents);
    await prepareClassifiers(place, documents);
    const blocks = documents.flatMap((document) => document.blocks).filter(({ notRun }) => notRun === undefined);
    const inLanguages = (...languages: readonly string[]) =>
      blocks.filter(({ language }) => languages.includes(language));
    const [types, ...outcomes] = await Promise.all([
      checkTypes(place),
      runShell(place, inLanguages("sh")),
      runPython(place, inLanguages("python")).then(async (python) => [
        ...python,
        ...(await runJavaScript(place, inLanguages("js", "ts"))),
      ]),
    ]);
    return { blocks: new Map(outcomes.flat()), types };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

type Named = readonly [name: string, outcome: Outcome];

/** Makes a directory for each document, with the files that its blocks use, and the programs of the shell's PATH. */
function prepare(place: string, documents: readonly Document[]): void {
  for (const { file, text, blocks } of documents) {
    const directory = directoryOf(place, file);
    mkdirSync(join(directory, "node_modules"), { recursive: true });
    symlinkSync(root, join(directory, "node_modules", "torch-t5"), "junction");
    // Copies, so that a command that writes there does no harm.
    for (const name of MODELS.filter((model) => text.includes(`./${model}`))) {
      cpSync(demoModel, join(directory, name), { recursive: true });
    }
    for (const [name, checkpoint] of Object.entries(CHECKPOINTS)) {
      if (text.includes(`./${name}`)) makeCheckpoint(join(directory, name), checkpoint);
    }
    for (const name of PARTS) symlinkSync(join(root, name), join(directory, name), "junction");
    writeFileSync(join(directory, "texts.jsonl"), TEXTS);
    // The packages of the server's clients are installed for its own tests, which run these blocks.
    for (const block of blocks.filter(({ notRun }) => notRun !== RUN_WITH_SERVER)) {
      writeFileSync(pathOf(place, block), block.code);
    }
  }
  const bin = join(place, "bin");
  mkdirSync(bin);
  const run = `exec ${quoted(process.execPath)} ${quoted(program)} "$@"`;
  const programs = {
    "torch-t5": run,
    npx: `[ "$1" = torch-t5 ] || exit 127\nshift\n${run}`,
    node: `exec ${quoted(process.execPath)} "$@"`,
  };
  for (const [name, body] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(bin, name), 0o755);
  }
}

/** Puts classifiers into the directories of the documents that name them. */
async function prepareClassifiers(place: string, documents: readonly Document[]): Promise<void> {
  const reference = new Reference();
  try {
    for (const [name, form] of Object.entries(CLASSIFIERS)) {
      const { directory } = await makeClassifier(reference, "t5", form);
      for (const { file } of documents.filter(({ text }) => text.includes(`./${name}`))) {
        cpSync(directory, join(directoryOf(place, file), name), { recursive: true });
      }
    }
  } finally {
    await reference.close();
  }
}

function makeCheckpoint(directory: string, { config: other = {}, tokenizer }: NamedCheckpoint): void {
  const config = { ...CONFIG, vocab_size: DEMO_VOCABULARY, ...other };
  mkdirSync(directory);
  writeCheckpoint(directory, { config, weights: makeWeights(config) });
  if (tokenizer === "bytes") {
    writeFileSync(join(directory, "tokenizer_config.json"), JSON.stringify({ tokenizer_class: "ByT5Tokenizer" }));
    return;
  }
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) cpSync(join(demoModel, name), join(directory, name));
}

/** The compiler's messages on all blocks together. */
async function checkTypes(place: string): Promise<string> {
  const compilerOptions = {
    target: "ES2022",
    lib: ["ES2023", "ESNext.Disposable"],
    module: "NodeNext",
    typeRoots: [join(root, "node_modules", "@types")],
    types: ["node"],
    allowJs: true,
    checkJs: true,
    strict: true,
    noImplicitAny: false,
    noEmit: true,
    skipLibCheck: true,
    moduleDetection: "force",
  };
  const [someDirectory = ""] = readdirSync(place);
  writeFileSync(join(place, someDirectory, "globals.d.ts"), GLOBALS);
  writeFileSync(
    join(place, "tsconfig.json"),
    JSON.stringify({ compilerOptions, include: ["*/*.mjs", "*/*.mts", "*/globals.d.ts"] }),
  );
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const { stdout, stderr } = await runToEnd(process.execPath, [compiler, "-p", place]);
  const messages = (stdout + stderr).split("\n").filter((line) => !IGNORED.some((code) => line.includes(code)));
  return messages.join("\n");
}

async function runShell(place: string, blocks: readonly Block[]): Promise<readonly Named[]> {
  const env = { PATH: `${join(place, "bin")}${delimiter}${process.env.PATH ?? ""}` };
  const outcomes: Named[] = [];
  for (const block of blocks) {
    const script = `cd ${quoted(directoryOf(place, block.file))}\n${block.code}`;
    const { code, stdout, stderr } = await runToEnd("sh", ["-e", "-c", script], { env });
    outcomes.push([nameOf(block), { output: stdout, error: code === 0 ? undefined : `exit code ${code}: ${stderr}` }]);
  }
  return outcomes;
}

async function runPython(place: string, blocks: readonly Block[]): Promise<readonly Named[]> {
  const runner = fileURLToPath(new URL("programs/run_blocks.py", import.meta.url));
  const env = { PYTHONWARNINGS: "ignore", PYTHONPATH: join(root, "scripts", "export") };
  return runTogether(place, blocks, "python", (list) => runToEnd(pythonPath(), [runner, list], { env }));
}

async function runJavaScript(place: string, blocks: readonly Block[]): Promise<readonly Named[]> {
  const runner = fileURLToPath(new URL("programs/run-blocks.mjs", import.meta.url));
  // The port of the documents' services.
  const env = { PORT: String(await freePort()) };
  const run = (list: string) => runToEnd(process.execPath, ["--import", "tsx", runner, list], { env });
  return runTogether(place, blocks, "javascript", run);
}

/** Runs blocks in one process, which gets their list as a file. */
async function runTogether(
  place: string,
  blocks: readonly Block[],
  name: string,
  run: (list: string) => Promise<Ended>,
): Promise<readonly Named[]> {
  if (blocks.length === 0) return [];
  const list = join(place, `${name}.json`);
  const entries = blocks.map((block) => ({ path: pathOf(place, block), directory: directoryOf(place, block.file) }));
  writeFileSync(list, JSON.stringify(entries));
  const { code, stdout, stderr } = await run(list);
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  if (code !== 0 || !last.startsWith("[")) throw new Error(`The ${name} blocks ended with ${code}: ${stdout}${stderr}`);
  const results: readonly { readonly output: string; readonly error?: string | null }[] = JSON.parse(last);
  return blocks.map((block, index) => {
    const { output, error } = results[index] ?? { output: "", error: "was never run" };
    return [nameOf(block), { output, error: error ?? undefined }];
  });
}

function directoryOf(place: string, file: string): string {
  return join(place, basename(file, ".md"));
}

function pathOf(place: string, block: Block): string {
  return join(directoryOf(place, block.file), `${nameOf(block)}.${EXTENSIONS[block.language] ?? "txt"}`);
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
