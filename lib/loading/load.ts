// From a directory to a model in memory: the options of `fromPretrained`, and the order in which everything is checked.
import { totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { HUB_OPTIONS, type HubOptions } from "../hub/options.js";
import { loadNative, type Native } from "../native/addon.js";
import { cpuQuota, defaultThreads } from "../native/cpu-quota.js";
import { combineReplicas } from "../native/replicas.js";
import type {
  NativeArchitecture,
  NativeDense,
  NativeDenseWeights,
  NativeModel,
  NativeStoredWeights,
} from "../native/types.js";
import { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import { UnsupportedTokenizerError } from "../tokenizer/unsupported.js";
import { checkChoice, checkFlag, checkInteger, checkOptions, expected, refused } from "../util/validation.js";
import { checkLoads, kindOf, type ModelKind } from "./architectures.js";
import { isCheckpoint, readCheckpoint, readCheckpointKind } from "./checkpoint.js";
import { readArchitecture } from "./config.js";
import { type ModelDirectory, readDirectory, verifyContents, verifySizes } from "./directory.js";
import { denseWeights, type EmbeddingConfig } from "./embedding.js";
import { exportCommand } from "./export-command.js";
import { type Labels, labelsOf } from "./labels.js";
import { isExported, type Manifest, readManifest } from "./manifest.js";
import { readSafetensors } from "./safetensors.js";

export const PRECISIONS = ["exact", "float32", "bfloat16", "int8"] as const;

/** Where a model runs. "auto": the first CUDA device if libtorch can use one, else the CPU. */
export type Device = "auto" | ReplicaDevice;

/** The device of a replica. */
export type ReplicaDevice = "cpu" | "cuda" | `cuda:${number}`;

/**
 * How a model computes. "exact": bitwise as Hugging Face in float32. The others use the fused engine. "float32": the
 * same greedy tokens, logits within 1e-4. "bfloat16" and "int8": with an error that `torch-t5 verify` measures.
 */
export type Precision = (typeof PRECISIONS)[number];

/** The options of `fromPretrained`. */
export interface LoadOptions extends HubOptions {
  /** Default: "auto". */
  readonly device?: Device | undefined;
  /**
   * Several devices, instead of `device`: the model is loaded onto each, and each call runs on the least loaded one.
   * Sessions, streams and encoder outputs stay where they began. A device may be named more than once. The other options
   * hold for each replica.
   */
  readonly replicas?: readonly ReplicaDevice[] | undefined;
  /**
   * Default: "exact" for an exported directory, "float32" for one of Hugging Face, which has no archive for "exact". "int8"
   * runs on the CPU only; "auto" is the CPU for it.
   */
  readonly precision?: Precision | undefined;
  /**
   * Requires that the bits of a row's logits depend neither on the other rows of its batch nor on padding. On the CPU
   * that holds for every precision but "exact" anyway; `true` makes "auto" the CPU. Refused for "exact", which has the
   * bits of Hugging Face, and for CUDA: those depend on the batch. Default: false.
   */
  readonly batchInvariant?: boolean | undefined;
  /**
   * Whether the calls of several callers run together. On the CPU that is the default, as it changes no bits; `false`
   * turns it off. On CUDA the default is `false`: with `true`, the results of calls that run together agree with those of
   * the same calls alone within the precision's tolerance, but not in every bit. "exact" has the bits of each call
   * alone, so `true` is refused for it.
   */
  readonly batching?: boolean | undefined;
  /** Threads within one operator, up to 1024. Default: PyTorch's own number, or the CPU quota if that is lower. */
  readonly intraOpThreads?: number | undefined;
  /** Threads that run operators in parallel, up to 1024. Default: PyTorch's own. */
  readonly interOpThreads?: number | undefined;
  /** Maximum number of waiting calls; one more rejects with ERR_QUEUE_FULL. Default: no limit. */
  readonly maxQueueLength?: number | undefined;
  /**
   * Maximum number of ids in a row of the input, of the decoder's input too; a call with a longer row rejects with
   * ERR_INVALID_ARGUMENT. Time and, in "exact", memory grow with its square. Default: 32768.
   */
  readonly maxInputTokens?: number | undefined;
  /**
   * Maximum number of rows that one decoding step computes: those of all calls that run at the same time. A call with
   * more rows runs alone. Default: 64.
   */
  readonly maxBatchSize?: number | undefined;
  /**
   * Maximum number of positions that one pass of the encoder, or of the decoder over a prefix, computes for several
   * calls. A call with more runs alone. Default: 2048.
   */
  readonly maxBatchTokens?: number | undefined;
  /**
   * Maximum number of bytes of the KV caches of the generations that run, each counted at its maximum length. Others
   * wait. A generation with more runs alone. Default: a quarter of the memory that the process may use.
   */
  readonly maxCacheBytes?: number | undefined;
}

/** The limits that the load options of the same names set. */
export interface ModelLimits {
  /** 0: no limit. */
  readonly maxQueueLength: number;
  readonly maxInputTokens: number;
  readonly maxBatchSize: number;
  readonly maxBatchTokens: number;
  readonly maxCacheBytes: number;
}

/** Load options with their defaults filled in. 0 threads: the default number. */
export interface CheckedLoadOptions extends ModelLimits {
  readonly device: string;
  /** Undefined: one model, on `device`. */
  readonly replicas: readonly string[] | undefined;
  /** Undefined: where it changes no bits. */
  readonly batching: boolean | undefined;
  /** Undefined: that of the kind of directory. */
  readonly precision: Precision | undefined;
  readonly batchInvariant: boolean;
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
}

/** How a model embeds, with its dense layers on the model's device. */
export interface LoadedEmbedding {
  readonly config: EmbeddingConfig;
  /** In place of each dense module its layer. */
  readonly layers: readonly (NativeDense | "normalize")[];
}

/**
 * The paths of the archives whose methods return outputs of layers, which native code reads at their first use. Empty:
 * the export has none.
 */
export interface LayerArchives {
  readonly hiddenStates: string;
  readonly attentions: string;
}

/** The parts of a loaded model. */
export interface LoadedModel {
  readonly kind: ModelKind;
  readonly directory: ModelDirectory;
  /** None of a model that doesn't classify. */
  readonly labels: Labels;
  readonly tokenizer: T5Tokenizer | undefined;
  /** Why there is no tokenizer, where the directory has one that torch-t5 can't carry out. */
  readonly tokenizerRefusal: string | undefined;
  readonly precision: Precision;
  readonly layerArchives: LayerArchives;
  readonly native: NativeModel;
  /** The models that `native` consists of: itself, unless the options name replicas. */
  readonly replicas: readonly NativeModel[];
  /** The modules after the encoder, in order; undefined where the export states none. */
  readonly embedding: LoadedEmbedding | undefined;
  /** Frees the native memory of a returned tensor's buffer. */
  readonly release: (buffer: ArrayBufferLike) => void;
  readonly limits: ModelLimits;
  /** The options that it was loaded with. */
  readonly options: CheckedLoadOptions;
}

const LOAD_OPTIONS = [
  "device",
  "replicas",
  "precision",
  "batchInvariant",
  "batching",
  "intraOpThreads",
  "interOpThreads",
  "maxQueueLength",
  "maxInputTokens",
  "maxBatchSize",
  "maxBatchTokens",
  "maxCacheBytes",
  ...HUB_OPTIONS,
] as const;
const DENSE_WEIGHTS = "embedding.safetensors";
/** Of native calls that nobody cancels. */
const LOADING = { id: 0, priority: 0, isObserved: false } as const;
const DEVICE = /^(auto|cpu|cuda(:\d{1,4})?)$/;
const MAX_REPLICAS = 64;
const MAX_THREADS = 1024;
const DEFAULT_MAX_INPUT_TOKENS = 32768;
const DEFAULT_MAX_BATCH_SIZE = 64;
const DEFAULT_MAX_BATCH_TOKENS = 2048;
/** The largest 32-bit integer. */
const MAX_BATCH = 0x7fffffff;

/** Throws ERR_INVALID_ARGUMENT. */
export function checkLoadOptions(value: unknown): CheckedLoadOptions {
  const given = checkOptions(value, "options", LOAD_OPTIONS);
  const {
    device = "auto",
    precision,
    batchInvariant,
    batching,
    replicas,
    intraOpThreads,
    interOpThreads,
    maxQueueLength,
    maxInputTokens = DEFAULT_MAX_INPUT_TOKENS,
    maxBatchSize = DEFAULT_MAX_BATCH_SIZE,
    maxBatchTokens = DEFAULT_MAX_BATCH_TOKENS,
    maxCacheBytes = defaultCacheBytes(),
  } = given;
  if (typeof device !== "string" || !DEVICE.test(device)) {
    throw expected('"auto", "cpu", "cuda" or "cuda:<number>"', "options.device", device);
  }
  const devices = replicas === undefined ? undefined : checkReplicas(replicas);
  if (devices !== undefined && given.device !== undefined) {
    throw expected("undefined with replicas", "options.device", given.device);
  }
  const known = precision === undefined ? undefined : checkChoice(precision, "options.precision", PRECISIONS);
  const isInvariant = checkFlag(batchInvariant, "options.batchInvariant");
  if (isInvariant) checkInvariant(known);
  if (isInvariant && device !== "auto" && device !== "cpu") {
    throw expected('"auto" or "cpu" with batchInvariant (bits on CUDA depend on the batch)', "options.device", device);
  }
  const cuda = devices?.find((name) => name !== "cpu");
  if (isInvariant && cuda !== undefined) {
    throw expected('only "cpu" with batchInvariant (bits on CUDA depend on the batch)', "options.replicas", cuda);
  }
  const isBatching = batching === undefined ? undefined : checkFlag(batching, "options.batching");
  if (isBatching) checkBatching(known);
  const threads = (count: unknown, name: string) =>
    count === undefined ? 0 : checkInteger(count, `options.${name}`, 1, MAX_THREADS);
  return {
    device: isInvariant ? "cpu" : device,
    replicas: devices,
    batching: isBatching,
    precision: known,
    batchInvariant: isInvariant,
    intraOpThreads: threads(intraOpThreads, "intraOpThreads"),
    interOpThreads: threads(interOpThreads, "interOpThreads"),
    maxQueueLength: maxQueueLength === undefined ? 0 : checkInteger(maxQueueLength, "options.maxQueueLength", 1),
    maxInputTokens: checkInteger(maxInputTokens, "options.maxInputTokens", 1, MAX_BATCH),
    maxBatchSize: checkInteger(maxBatchSize, "options.maxBatchSize", 1, MAX_BATCH),
    maxBatchTokens: checkInteger(maxBatchTokens, "options.maxBatchTokens", 1, MAX_BATCH),
    maxCacheBytes: checkInteger(maxCacheBytes, "options.maxCacheBytes", 1, Number.MAX_SAFE_INTEGER),
  };
}

/** The devices of replicas. Throws ERR_INVALID_ARGUMENT. */
function checkReplicas(value: unknown): readonly string[] {
  const isList = Array.isArray(value) && value.length > 0 && value.length <= MAX_REPLICAS;
  if (!isList) throw expected(`an array of 1 to ${MAX_REPLICAS} devices`, "options.replicas", value);
  return Array.from(value, (device: unknown, index) => {
    if (typeof device === "string" && device !== "auto" && DEVICE.test(device)) return device;
    throw expected('"cpu", "cuda" or "cuda:<number>"', `options.replicas[${index}]`, device);
  });
}

/** Throws ERR_INVALID_ARGUMENT for the precision whose calls run alone. */
function checkBatching(precision: Precision | undefined): void {
  if (precision !== "exact") return;
  const others = '"float32", "bfloat16" or "int8" with batching ("exact" has the bits of each call alone)';
  throw expected(others, "options.precision", precision);
}

/** A quarter of the memory that the process may use. */
function defaultCacheBytes(): number {
  return Math.floor(Math.min(process.constrainedMemory() || Infinity, totalmem()) / 4);
}

/** Throws ERR_INVALID_ARGUMENT for the precision whose bits depend on the batch. */
function checkInvariant(precision: Precision | undefined): void {
  if (precision !== "exact") return;
  const others = '"float32", "bfloat16" or "int8" with batchInvariant (the bits of "exact" depend on the batch)';
  throw expected(others, "options.precision", precision);
}

/** What a directory has been found to contain before native code reads it. */
interface Source {
  readonly directory: ModelDirectory;
  readonly precision: Precision;
  readonly labels: Labels;
  /** Undefined for "exact". */
  readonly architecture: NativeArchitecture | undefined;
  /** Undefined for an archive. */
  readonly storedWeights: NativeStoredWeights | undefined;
  readonly layerArchives: LayerArchives;
  /** Compares every byte with what is known of it. */
  readonly verify: () => Promise<void>;
  /** The weights of the dense modules, after `verify`. */
  readonly readDense: () => Promise<readonly NativeDenseWeights[]>;
}

/**
 * Loads a directory for the class of a kind. `given` is the directory or the name on the hub that the caller gave.
 * Rejects as `T5ForConditionalGeneration.fromPretrained` does.
 */
export async function loadModel(
  path: string,
  kind: ModelKind,
  options: CheckedLoadOptions,
  given: string,
): Promise<LoadedModel> {
  const source = await openDirectory(path, kind, options, given);
  const { directory, precision, labels, architecture, storedWeights, layerArchives } = source;
  // Worker threads hash large files while libtorch is opened here. The code that "exact" compiles is that of a verified
  // archive. The other precisions run none of it, so they pack its numbers while the hash is computed.
  const verification = settle(source.verify());
  const opened = await settle(openNative());
  if (precision === "exact" || opened.status === "rejected") valueOrThrow(await verification);
  const { addon, libtorch } = valueOrThrow(opened);
  const pyTorchThreads = addon.info().intraOpThreads;
  const threads = defaultThreads(pyTorchThreads, cpuQuota());
  const load = (device: string) =>
    addon.load({
      ...options,
      device,
      kind,
      precision,
      // PyTorch's own number is left unset, as in a Python process that sets none.
      intraOpThreads: options.intraOpThreads === 0 && threads < pyTorchThreads ? threads : options.intraOpThreads,
      architecture,
      path: storedWeights === undefined ? join(path, "model.pt") : undefined,
      storedWeights,
      hiddenStatesPath: layerArchives.hiddenStates,
      attentionsPath: layerArchives.attentions,
      libtorchDirectory: libtorch.directory,
    });
  const [loaded, verified, read] = await Promise.all([
    settle(loadReplicas(options.replicas ?? [options.device], load)),
    verification,
    settle(
      Promise.all([findTokenizer(directory.path), verification.then(valueOrThrow).then(() => source.readDense())]),
    ),
  ]);
  const isUsable = verified.status === "fulfilled" && read.status === "fulfilled";
  if (!isUsable && loaded.status === "fulfilled") await disposeAll(loaded.value);
  valueOrThrow(verified);
  const [tokenizer, dense] = valueOrThrow(read);
  const isRefused = tokenizer instanceof UnsupportedTokenizerError;
  if (isRefused) warnOfTokenizer(directory.path, tokenizer);
  const replicas = valueOrThrow(loaded);
  const [first, ...others] = replicas;
  const native = others.length === 0 ? first : combineReplicas(replicas);
  return {
    kind,
    directory,
    labels,
    tokenizer: isRefused ? undefined : tokenizer,
    tokenizerRefusal: isRefused ? tokenizer.message : undefined,
    precision,
    native,
    replicas,
    embedding: await loadEmbedding(native, directory, dense),
    layerArchives,
    release: (buffer) => addon.release(buffer),
    limits: limitsOf(options),
    options,
  };
}

/** The tokenizer of a directory, or why torch-t5 can't carry it out: the model takes ids then. */
async function findTokenizer(path: string): Promise<T5Tokenizer | UnsupportedTokenizerError | undefined> {
  return T5Tokenizer.find(path).catch((thrown: unknown) => {
    if (thrown instanceof UnsupportedTokenizerError) return thrown;
    throw thrown;
  });
}

function warnOfTokenizer(path: string, { message }: UnsupportedTokenizerError): void {
  const warning = `The model in ${JSON.stringify(path)} takes ids only, because its tokenizer is not supported: ${message}`;
  process.emitWarning(warning, { type: "TorchT5Warning", code: "TORCH_T5_UNSUPPORTED_TOKENIZER" });
}

/** Loads one model after the other: loading needs more memory than a loaded model. All, or none. */
async function loadReplicas(
  [first = "auto", ...others]: readonly string[],
  load: (device: string) => Promise<NativeModel>,
): Promise<readonly [NativeModel, ...NativeModel[]]> {
  const models: [NativeModel, ...NativeModel[]] = [await load(first)];
  try {
    for (const device of others) models.push(await load(device));
  } catch (thrown) {
    await disposeAll(models);
    throw thrown;
  }
  return models;
}

async function disposeAll(models: readonly NativeModel[]): Promise<void> {
  await Promise.all(models.map((model) => model.dispose()));
}

function limitsOf({ maxQueueLength, maxInputTokens, maxBatchSize, maxBatchTokens, maxCacheBytes }: ModelLimits) {
  return Object.freeze({ maxQueueLength, maxInputTokens, maxBatchSize, maxBatchTokens, maxCacheBytes });
}

/** What a directory contains. */
export interface DirectoryKind {
  readonly kind: ModelKind;
  /** Undefined of a Hugging Face directory. */
  readonly manifest: Manifest | undefined;
}

/** The kind of model in a directory. Rejects with ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND, ERR_MODEL_CORRUPT. */
export async function readKind(path: string): Promise<DirectoryKind> {
  if (await isHuggingFace(path)) return { kind: await readCheckpointKind(path), manifest: undefined };
  const manifest = await readManifest(path);
  return { kind: kindOf(manifest), manifest };
}

async function openDirectory(
  path: string,
  kind: ModelKind,
  options: CheckedLoadOptions,
  given: string,
): Promise<Source> {
  return (await isHuggingFace(path)) ? openCheckpoint(path, kind, options, given) : openExported(path, kind, options);
}

/** Whether a directory is one of Hugging Face. Any other is taken for one that `torch-t5 export` wrote. */
async function isHuggingFace(path: string): Promise<boolean> {
  return !(await isExported(path)) && (await isCheckpoint(path));
}

async function openExported(
  path: string,
  kind: ModelKind,
  { precision = "exact", batchInvariant, batching }: CheckedLoadOptions,
): Promise<Source> {
  if (batchInvariant) checkInvariant(precision);
  if (batching) checkBatching(precision);
  const directory = await readDirectory(path);
  checkLoads(kind, directory.manifest);
  const { config, configFile } = directory;
  const labels = labelsOf(kind, configFile);
  const architecture = precision === "exact" ? undefined : readArchitecture(config, configFile, precision);
  await verifySizes(directory);
  const find = (name: string) => (directory.manifest.files[name] === undefined ? "" : join(path, name));
  const layerArchives = { hiddenStates: find("hidden_states.pt"), attentions: find("attentions.pt") };
  const verify = () => verifyContents(directory);
  const readDense = () => readDenseWeights(directory);
  return { directory, precision, labels, architecture, storedWeights: undefined, layerArchives, verify, readDense };
}

/** Nothing is known of the bytes of a Hugging Face directory. */
async function openCheckpoint(
  path: string,
  kind: ModelKind,
  { precision = "float32" }: CheckedLoadOptions,
  given: string,
): Promise<Source> {
  if (precision === "exact") {
    const received = `"exact", which needs an exported directory: run \`${exportCommand(path)}\`, and load what it writes`;
    throw refused('"float32", "bfloat16" or "int8" for a Hugging Face directory', "options.precision", received);
  }
  const { weights, dense, ...checkpoint } = await readCheckpoint(path, kind, precision, given);
  const layerArchives = { hiddenStates: "", attentions: "" };
  const readDense = async () => dense;
  return { ...checkpoint, precision, storedWeights: weights, layerArchives, verify: async () => {}, readDense };
}

/** The weights of an export's dense modules. Rejects with ERR_MODEL_CORRUPT. */
async function readDenseWeights({ path, embedding }: ModelDirectory): Promise<readonly NativeDenseWeights[]> {
  if (!embedding?.modules.some(({ type }) => type === "dense")) return [];
  return denseWeights(embedding, await readSafetensors(join(path, DENSE_WEIGHTS)));
}

/** Loads the dense modules onto the model's device. Disposes the model if that fails. */
async function loadEmbedding(
  native: NativeModel,
  { embedding }: ModelDirectory,
  weights: readonly NativeDenseWeights[],
): Promise<LoadedEmbedding | undefined> {
  if (embedding === undefined) return undefined;
  try {
    const dense: NativeDense[] = [];
    // No other call has an id yet.
    for (const layer of weights) dense.push(await native.loadDense({ scheduling: LOADING, ...layer }));
    return {
      config: embedding,
      layers: embedding.modules.map(({ type }) => (type === "dense" && dense.shift()) || "normalize"),
    };
  } catch (thrown) {
    await native.dispose();
    throw thrown;
  }
}

/** Async, so that an error is a rejection. */
async function openNative(): Promise<Native> {
  return loadNative();
}

async function settle<Value>(promise: Promise<Value>): Promise<PromiseSettledResult<Value>> {
  const [outcome] = await Promise.allSettled([promise]);
  return outcome;
}

function valueOrThrow<Value>(outcome: PromiseSettledResult<Value>): Value {
  if (outcome.status === "rejected") throw outcome.reason;
  return outcome.value;
}
