// An exported directory: read, and compared with its manifest byte for byte, before anything native sees it.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { T5Error } from "../util/errors.js";
import { checkObject, corrupt, parseJson } from "../util/json.js";
import { readPath } from "../util/paths.js";
import { type GenerationConfig, parseConfig, parseGenerationConfig, type T5Config } from "./config.js";
import { sha256 } from "./hash.js";
import { type Manifest, type ManifestFile, parseManifest } from "./manifest.js";

/** Starting a thread takes as long as hashing this much. */
const WORTH_A_THREAD_BYTES = 32 * 2 ** 20;

/** What an exported directory says about its model. */
export interface ModelDirectory {
  readonly path: string;
  readonly manifest: Manifest;
  readonly config: T5Config;
  /** The JSON of config.json itself. */
  readonly configFile: Readonly<Record<string, unknown>>;
  readonly generationConfig: GenerationConfig;
}

/** The manifest of an exported directory, its files unchecked. Rejects with ERR_MODEL_NOT_FOUND, ERR_MODEL_CORRUPT. */
export async function readManifest(directory: string | URL): Promise<Manifest> {
  const folder = readPath(directory, "directory");
  const path = join(folder, "manifest.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const message = `Expected a directory that \`torch-t5 export\` wrote for the model but found no manifest.json in ${JSON.stringify(folder)}`;
    throw new T5Error("ERR_MODEL_NOT_FOUND", message, { cause });
  }
  return parseManifest(parseJson(text, "manifest.json"));
}

/** Reads a directory's configuration. Throws ERR_MODEL_NOT_FOUND, ERR_MODEL_CORRUPT. */
export async function readDirectory(directory: string): Promise<ModelDirectory> {
  const manifest = await readManifest(directory);
  const read = async (name: string) => {
    if (manifest.files[name] === undefined) return undefined;
    return parseJson(await readListed(directory, name), name);
  };
  const [config, generation] = await Promise.all([read("config.json"), read("generation_config.json")]);
  const generationConfig = parseGenerationConfig(generation);
  const configFile = checkObject(config, "config.json");
  return {
    path: directory,
    manifest,
    config: parseConfig(configFile, generationConfig),
    configFile,
    generationConfig,
  };
}

/** Compares the size of every file with the manifest: one that was cut off is found at once. Throws ERR_MODEL_CORRUPT. */
export async function verifySizes({ path, manifest }: ModelDirectory): Promise<void> {
  await Promise.all(Object.entries(manifest.files).map(([name, file]) => verifySize(path, name, file)));
}

/** Compares the SHA-256 of every file with the manifest. Throws ERR_MODEL_CORRUPT. */
export async function verifyContents({ path, manifest }: ModelDirectory): Promise<void> {
  await Promise.all(Object.entries(manifest.files).map(([name, file]) => verifyContent(path, name, file)));
}

async function verifySize(directory: string, name: string, { bytes }: ManifestFile): Promise<void> {
  const found = await stat(join(directory, name)).catch((cause: unknown) => {
    throw missing(directory, name, cause);
  });
  if (!found.isFile()) throw missing(directory, name);
  if (found.size !== bytes) throw corrupt(`${bytes} bytes`, `the size of ${name}`, found.size);
}

async function verifyContent(directory: string, name: string, file: ManifestFile): Promise<void> {
  const hash = file.bytes < WORTH_A_THREAD_BYTES ? sha256 : sha256InThread;
  const found = await hash(join(directory, name), file.bytes);
  if (found !== file.sha256) throw corrupt(`SHA-256 ${file.sha256.slice(0, 12)}…`, name, `${found.slice(0, 12)}…`);
}

/** Hashes on a thread of its own, or here where a runtime refuses to start one. */
function sha256InThread(path: string, bytes: number): Promise<string> {
  const hashed = new Promise<string>((resolve, reject) => {
    const worker = new Worker(new URL("./hash-worker.js", import.meta.url), {
      workerData: { path, bytes },
      execArgv: [],
    });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error(`The thread that hashes ${path} ended early`)));
  });
  return hashed.catch(() => sha256(path, bytes));
}

async function readListed(directory: string, name: string): Promise<string> {
  try {
    return await readFile(join(directory, name), "utf8");
  } catch (cause) {
    throw missing(directory, name, cause);
  }
}

function missing(directory: string, name: string, cause?: unknown): T5Error {
  const message = `Expected the file ${name} that manifest.json lists in ${JSON.stringify(directory)} but found none`;
  return new T5Error("ERR_MODEL_CORRUPT", message, { cause });
}
