// What the environment states about the hub, in the variables of Python's huggingface_hub.
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { expected, refused } from "../util/validation.js";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface HubSettings {
  /** The hub's URL, without a slash at its end. */
  readonly endpoint: string;
  /** An absolute path. */
  readonly cacheDir: string;
  readonly isOffline: boolean;
  /** Sent to the endpoint only. */
  readonly token: string | undefined;
  /** The time in which the hub has to begin its answer. */
  readonly responseTimeoutMs: number;
  /** The time in which a download has to make some progress. */
  readonly downloadTimeoutMs: number;
  /** The delay before the first repetition of a failed request. It doubles with each further one. */
  readonly retryDelayMs: number;
  readonly httpProxy: string | undefined;
  readonly httpsProxy: string | undefined;
  readonly noProxy: string | undefined;
}

const ENDPOINT = "https://huggingface.co";
const TRUE = ["1", "ON", "YES", "TRUE"];
/** That of huggingface_hub. */
const DEFAULT_TIMEOUT_SECONDS = 10;
const MAX_TIMEOUT_SECONDS = 86_400;
const RETRY_DELAY_MS = 500;

/** Rejects with ERR_INVALID_ARGUMENT for a variable with an impossible value. */
export async function readSettings(env: Environment = process.env): Promise<HubSettings> {
  return {
    endpoint: readEndpoint(env),
    cacheDir: readCacheDir(env),
    isOffline: isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    token: await readToken(env),
    responseTimeoutMs: readTimeoutMs(env, "HF_HUB_ETAG_TIMEOUT"),
    downloadTimeoutMs: readTimeoutMs(env, "HF_HUB_DOWNLOAD_TIMEOUT"),
    retryDelayMs: RETRY_DELAY_MS,
    httpProxy: env.http_proxy || env.HTTP_PROXY || undefined,
    httpsProxy: env.https_proxy || env.HTTPS_PROXY || undefined,
    noProxy: env.no_proxy || env.NO_PROXY || undefined,
  };
}

/** The directory of the cache: HF_HUB_CACHE, else "hub" in HF_HOME. */
export function readCacheDir(env: Environment = process.env): string {
  const given = env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE;
  return resolve(given ? expandPath(given, env) : join(readHome(env), "hub"));
}

function readHome(env: Environment): string {
  if (env.HF_HOME) return expandPath(env.HF_HOME, env);
  return expandPath(join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"), env);
}

function readEndpoint(env: Environment): string {
  const endpoint = (env.HF_ENDPOINT || ENDPOINT).replace(/\/+$/, "");
  if (URL.canParse(endpoint)) {
    const { protocol, username, password, search, hash } = new URL(endpoint);
    const isPlain = username === "" && password === "" && search === "" && hash === "";
    if ((protocol === "https:" || protocol === "http:") && isPlain) return endpoint;
  }
  throw expected("an http or https URL", "HF_ENDPOINT", endpoint);
}

/** HF_TOKEN, else the file that `hf auth login` writes. */
async function readToken(env: Environment): Promise<string | undefined> {
  const given = env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN;
  if (!given && isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  const path = env.HF_TOKEN_PATH ? expandPath(env.HF_TOKEN_PATH, env) : join(readHome(env), "token");
  const token = (given || (await readFile(path, "utf8").catch(() => ""))).trim();
  // The message must not show a token.
  if (!/^[\x21-\x7e]*$/.test(token)) throw refused("a token without spaces", "HF_TOKEN", "another text");
  return token === "" ? undefined : token;
}

function readTimeoutMs(env: Environment, name: string): number {
  const given = env[name];
  if (!given) return 1000 * DEFAULT_TIMEOUT_SECONDS;
  const seconds = Number(given);
  if (seconds > 0 && seconds <= MAX_TIMEOUT_SECONDS) return 1000 * seconds;
  throw expected(`a number of seconds up to ${MAX_TIMEOUT_SECONDS}`, name, given);
}

function isTrue(value: string | undefined): boolean {
  return TRUE.includes((value ?? "").toUpperCase());
}

/** As Python's `expandvars` and `expanduser`. */
function expandPath(path: string, env: Environment): string {
  const named = path.replace(/\$(?:(\w+)|\{([^}]*)\})/g, (text, plain?: string, braced?: string) => {
    return env[plain ?? braced ?? ""] ?? text;
  });
  return named === "~" || /^~[/\\]/.test(named) ? join(homedir(), named.slice(1)) : named;
}
