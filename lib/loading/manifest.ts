// `manifest.json`: the files of an exported directory, and the versions that wrote it.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { T5Error } from "../util/errors.js";
import { checkObject, corrupt, parseJson } from "../util/json.js";
import { isInside } from "../util/paths.js";
import { isRecord, readPath, refused } from "../util/validation.js";

/** The format of exported directories that this version reads. */
const FORMAT_VERSION = 1;

/** The size and hash of one file of an exported directory. */
export interface ManifestFile {
  readonly bytes: number;
  /** SHA-256 in lower-case hexadecimal. */
  readonly sha256: string;
}

/** The manifest of an exported directory. */
export interface Manifest {
  readonly formatVersion: typeof FORMAT_VERSION;
  /** The versions that wrote the directory, without local suffixes. */
  readonly torch: string;
  readonly transformers: string;
  /** "t5", "mt5" or "umt5". */
  readonly modelType: string;
  /** The model's class in transformers. */
  readonly architecture: string;
  /** The attention implementation that was traced: "sdpa" or "eager". */
  readonly attention: string;
  readonly dtype: string;
  /** The thread count that the logits of parity.safetensors were computed with. */
  readonly intraOpThreads: number;
  /** By path relative to the directory, with slashes. */
  readonly files: Readonly<Record<string, ManifestFile>>;
}

const NAME = "manifest.json";
const REQUIRED = ["model.pt", "config.json"];
const DTYPES = ["float32"];
const SHA256 = /^[0-9a-f]{64}$/;

/** Whether a directory has a manifest, so that `torch-t5 export` wrote it. */
export async function isExported(directory: string): Promise<boolean> {
  return stat(join(directory, NAME)).then(
    () => true,
    () => false,
  );
}

/**
 * The manifest of an exported directory, whose files aren't checked. Rejects with ERR_MODEL_NOT_FOUND,
 * ERR_MODEL_CORRUPT.
 */
export async function readManifest(directory: string | URL): Promise<Manifest> {
  const folder = readPath(directory, "directory");
  const path = join(folder, NAME);
  let text: string;
  try {
    // Reading a pipe would wait for its writer.
    if (!(await stat(path)).isFile()) throw refused("a regular file", NAME, "something else", "ERR_MODEL_CORRUPT");
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw cause instanceof T5Error ? cause : await missing(folder, cause);
  }
  return parseManifest(parseJson(text, "manifest.json"));
}

/** The error for a folder whose manifest can't be read. */
async function missing(folder: string, cause: unknown): Promise<T5Error> {
  const name = JSON.stringify(folder);
  const reason = await stat(folder).then(
    (found) => (found.isDirectory() ? undefined : "is a file"),
    ({ code }: NodeJS.ErrnoException) => (code === "ENOENT" || code === "ENOTDIR" ? "does not exist" : undefined),
  );
  const isCheckpoint = reason === undefined && (await stat(join(folder, "config.json")).catch(() => undefined));
  const orElse = isCheckpoint ? "" : ", or a Hugging Face directory but found no config.json";
  const message =
    reason === undefined
      ? `Expected a directory that \`torch-t5 export\` wrote for the model but found no manifest.json in ${name}${orElse}`
      : `Expected a directory for the model but ${name} ${reason}`;
  return new T5Error("ERR_MODEL_NOT_FOUND", message, { cause });
}

/** The manifest in the JSON of manifest.json. Throws ERR_MODEL_CORRUPT. */
export function parseManifest(value: unknown): Manifest {
  const raw = checkObject(value, "manifest.json");
  if (raw.formatVersion !== FORMAT_VERSION) {
    throw corrupt(
      `${FORMAT_VERSION}, the format that this version of torch-t5 reads (export the model again),`,
      "formatVersion in manifest.json",
      raw.formatVersion,
    );
  }
  const text = (name: string): string => {
    const found = raw[name];
    if (typeof found === "string" && found !== "") return found;
    throw corrupt("a string", `${name} in manifest.json`, found);
  };
  const dtype = text("dtype");
  if (!DTYPES.includes(dtype)) throw corrupt(DTYPES.join(", "), "dtype in manifest.json", dtype);
  const { intraOpThreads } = raw;
  if (typeof intraOpThreads !== "number" || !Number.isInteger(intraOpThreads) || intraOpThreads < 1) {
    throw corrupt("a positive integer", "intraOpThreads in manifest.json", intraOpThreads);
  }
  return Object.freeze({
    formatVersion: FORMAT_VERSION,
    torch: text("torch"),
    transformers: text("transformers"),
    modelType: text("modelType"),
    architecture: text("architecture"),
    attention: text("attention"),
    dtype,
    intraOpThreads,
    files: parseFiles(checkObject(raw.files, "files in manifest.json")),
  });
}

function parseFiles(raw: Readonly<Record<string, unknown>>): Readonly<Record<string, ManifestFile>> {
  const files: Record<string, ManifestFile> = Object.create(null);
  for (const [path, entry] of Object.entries(raw)) {
    const name = `files[${JSON.stringify(path)}] in manifest.json`;
    if (!isInside(path)) throw corrupt("a path inside the directory", name, path);
    if (!isRecord(entry)) throw corrupt("{ bytes, sha256 }", name, entry);
    const { bytes, sha256 } = entry;
    if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) {
      throw corrupt("a byte count", `bytes of ${name}`, bytes);
    }
    if (typeof sha256 !== "string" || !SHA256.test(sha256)) throw corrupt("a SHA-256", `sha256 of ${name}`, sha256);
    files[path] = Object.freeze({ bytes, sha256 });
  }
  for (const required of REQUIRED) {
    if (files[required] === undefined) throw corrupt(required, "the files in manifest.json", undefined);
  }
  return Object.freeze(files);
}
