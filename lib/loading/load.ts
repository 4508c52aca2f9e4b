// From a directory to a model in memory: everything is checked before libtorch sees the archive.
import { join } from "node:path";
import { loadNative, type Native } from "../native/addon.js";
import type { NativeModel } from "../native/types.js";
import { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import { readArchitecture } from "./architecture.js";
import { type ModelDirectory, readDirectory, verifyContents, verifySizes } from "./directory.js";
import type { CheckedLoadOptions, Precision } from "./load-options.js";

/** What a model consists of. */
export interface LoadedModel {
  readonly directory: ModelDirectory;
  readonly tokenizer: T5Tokenizer | undefined;
  readonly precision: Precision;
  readonly native: NativeModel;
  /** Frees the tensor behind a buffer of a result. */
  readonly release: (buffer: ArrayBufferLike) => void;
}

/** Loads an exported directory. Throws whatever `T5ForConditionalGeneration.fromPretrained` says. */
export async function loadModel(path: string, options: CheckedLoadOptions): Promise<LoadedModel> {
  const { precision } = options;
  const directory = await readDirectory(path);
  const { config, configFile } = directory;
  const architecture = precision === "exact" ? undefined : readArchitecture(config, configFile, precision);
  await verifySizes(directory);
  // Large files are hashed on another thread while libtorch is opened here; the archive itself waits for the outcome.
  const [verified, opened] = await Promise.allSettled([verifyContents(directory), openNative()]);
  valueOrThrow(verified);
  const { addon, libtorch } = valueOrThrow(opened);
  const loading = addon.load({
    ...options,
    architecture,
    path: join(path, "model.pt"),
    libtorchDirectory: libtorch.directory,
  });
  const [native, tokenizer] = await Promise.allSettled([loading, T5Tokenizer.find(path)]);
  if (tokenizer.status === "rejected" && native.status === "fulfilled") await native.value.dispose();
  return {
    directory,
    tokenizer: valueOrThrow(tokenizer),
    precision,
    native: valueOrThrow(native),
    release: (buffer) => addon.release(buffer),
  };
}

async function openNative(): Promise<Native> {
  return loadNative();
}

function valueOrThrow<Value>(outcome: PromiseSettledResult<Value>): Value {
  if (outcome.status === "rejected") throw outcome.reason;
  return outcome.value;
}
