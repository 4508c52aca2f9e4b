// The options of loading that concern the hub.
import { checkSignal } from "../util/call-control.js";
import type { SignalOption } from "../util/call-options.js";
import { checkFlag, expected, readPath } from "../util/validation.js";
import { checkRevision } from "./revision.js";

/** What has been downloaded of a file, and of all files of a model. */
export interface DownloadProgress {
  /** The model's name. */
  readonly name: string;
  /** The commit that the revision stands for: 40 hexadecimal digits. */
  readonly commit: string;
  /** A path in the repository, with slashes. */
  readonly file: string;
  /** Bytes of the file; those of an earlier, interrupted download count. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** The same of all files that are being downloaded. */
  readonly overall: { readonly loadedBytes: number; readonly totalBytes: number };
}

/** The options of loading a model by its name on the hub. */
export interface HubOptions extends SignalOption {
  /** A branch, tag or commit on the hub. Refused for a local directory. Default: "main". */
  readonly revision?: string | undefined;
  /** Called as bytes of files arrive. What it throws ends the download. */
  readonly progress?: ((progress: DownloadProgress) => void) | undefined;
  /** The cache. Default: HF_HUB_CACHE, else "hub" in HF_HOME, else ~/.cache/huggingface/hub. */
  readonly cacheDir?: string | URL | undefined;
  /** Takes the model from the cache, without a request. Default: false; true if HF_HUB_OFFLINE is set. */
  readonly localFilesOnly?: boolean | undefined;
}

export interface CheckedHubOptions {
  readonly revision: string | undefined;
  readonly progress: ((progress: DownloadProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  readonly cacheDir: string | undefined;
  readonly localFilesOnly: boolean;
}

export const HUB_OPTIONS = ["revision", "progress", "signal", "cacheDir", "localFilesOnly"] as const;

/** Checks the values of `HUB_OPTIONS`. Throws ERR_INVALID_ARGUMENT. */
export function checkHubOptions(given: Readonly<Record<string, unknown>>): CheckedHubOptions {
  const { revision, progress, signal, cacheDir, localFilesOnly } = given;
  if (progress !== undefined && typeof progress !== "function") {
    throw expected("a function", "options.progress", progress);
  }
  return {
    revision: revision === undefined ? undefined : checkRevision(revision, "options.revision"),
    progress: progress === undefined ? undefined : (event) => progress(event),
    signal: checkSignal(signal),
    cacheDir: cacheDir === undefined ? undefined : readPath(cacheDir, "options.cacheDir"),
    localFilesOnly: checkFlag(localFilesOnly, "options.localFilesOnly"),
  };
}
