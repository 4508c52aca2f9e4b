// An exported directory: its configuration, and the comparison of every byte with the manifest before native code reads
// it.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { T5Error } from "../util/errors.js";
import { checkObject, corrupt, parseJson } from "../util/json.js";
import { type ConfigFile, type GenerationConfig, parseConfig, parseGenerationConfig, type T5Config } from "./config.js";
import { type EmbeddingConfig, parseEmbedding } from "./embedding.js";
import { sha256, sha256OnWorker } from "./hash.js";
import { type Manifest, type ManifestFile, readManifest } from "./manifest.js";

/** The directory of a model, its configuration read. */
export interface ModelDirectory {
  /** The folder of config.json and the tokenizer. */
  readonly path: string;
  readonly config: T5Config;
  readonly configFile: ConfigFile;
  readonly generationConfig: GenerationConfig;
  /** Undefined where the directory is neither one of sentence-transformers nor the export of one. */
  readonly embedding: EmbeddingConfig | undefined;
}

/** An exported directory. */
export interface ExportedDirectory extends ModelDirectory {
  readonly manifest: Manifest;
}

/** Files of this size are hashed on a worker thread; starting one takes as long as hashing this much. */
const MIN_WORKER_BYTES = 32 * 2 ** 20;

/** Reads a directory's configuration. Rejects with ERR_MODEL_NOT_FOUND, ERR_MODEL_CORRUPT. */
export async function readDirectory(path: string): Promise<ExportedDirectory> {
  const manifest = await readManifest(path);
  const read = async (name: string) => {
    if (manifest.files[name] === undefined) return undefined;
    return parseJson(await readListed(path, name), name);
  };
  const names = ["config.json", "generation_config.json", "embedding.json"];
  const [configValue, generation, embedding] = await Promise.all(names.map(read));
  const generationConfig = parseGenerationConfig(generation);
  const configFile = checkObject(configValue, "config.json");
  const config = parseConfig(configFile, generationConfig);
  return {
    path,
    manifest,
    config,
    configFile,
    generationConfig,
    embedding: embedding === undefined ? undefined : parseEmbedding(embedding, config.dModel),
  };
}

/**
 * Compares the size of every file with the manifest, which finds a truncated file at once. Rejects with
 * ERR_MODEL_CORRUPT.
 */
export async function verifySizes({ path, manifest }: ExportedDirectory): Promise<void> {
  await Promise.all(Object.entries(manifest.files).map(([name, file]) => verifySize(path, name, file)));
}

/** Compares the SHA-256 of every file with the manifest. Rejects with ERR_MODEL_CORRUPT. */
export async function verifyContents({ path, manifest }: ExportedDirectory): Promise<void> {
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
  const hash = file.bytes < MIN_WORKER_BYTES ? sha256 : sha256OnWorker;
  const found = await hash(join(directory, name), file.bytes);
  if (found !== file.sha256) throw corrupt(`SHA-256 ${file.sha256.slice(0, 12)}…`, name, `${found.slice(0, 12)}…`);
}

async function readListed(directory: string, name: string): Promise<string> {
  const path = join(directory, name);
  try {
    // Reading a pipe would wait for its writer.
    if (!(await stat(path)).isFile()) throw missing(directory, name);
    return await readFile(path, "utf8");
  } catch (cause) {
    throw cause instanceof T5Error ? cause : missing(directory, name, cause);
  }
}

function missing(directory: string, name: string, cause?: unknown): T5Error {
  const message = `Expected the file ${name} that manifest.json lists in ${JSON.stringify(directory)} but found none`;
  return new T5Error("ERR_MODEL_CORRUPT", message, { cause });
}
