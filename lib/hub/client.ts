// Requests to the hub: the token, redirects, proxies, deadlines, limits and repetitions.
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { onAbort } from "../util/abort.js";
import { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";
import { throwIfAborted, unlessAborted } from "./aborting.js";
import { HubError, type Refusal, refusalError, type Subject, transientError } from "./errors.js";
import { Connections } from "./http.js";
import type { HubSettings } from "./settings.js";

/** The beginning of a successful answer. The body has to be read or destroyed. */
export interface Answer extends Refusal {
  readonly body: Readable;
  /** The host that answered, after redirects. */
  readonly host: string;
}

const MAX_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];
const MAX_FAILURES = 5;
const MAX_RETRY_DELAY_MS = 8000;
/** The answers of the hub's API are lists of files. */
const MAX_JSON_BYTES = 32 * 2 ** 20;
/** A list of files comes in pages of 1000. */
const MAX_API_REQUESTS = 50;
/** The time in which an answer of the API has to arrive as a whole, as a multiple of that of some progress. */
const API_TIMEOUTS = 6;
/** A download that brings fewer is too slow. */
const MIN_BYTES_PER_SECOND = 1024;
/** The codes of errors that a repetition doesn't change: those of TLS, and of a host that doesn't exist. */
const LASTING = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ENOTFOUND)/;

/** One model on the hub, for the time of one download. */
export class HubClient {
  readonly settings: HubSettings;
  readonly signal: AbortSignal | undefined;
  readonly #name: string;
  readonly #revision: string;
  readonly #connections: Connections;
  /** Whether failed requests are repeated. */
  isPatient = true;
  #apiRequests = 0;

  constructor(settings: HubSettings, name: string, revision: string, signal: AbortSignal | undefined) {
    this.settings = settings;
    this.#name = name;
    this.#revision = revision;
    this.signal = signal;
    this.#connections = new Connections(settings);
  }

  /** Ends all connections. */
  close(): void {
    this.#connections.close();
  }

  /** The URL of a file of a commit. */
  fileUrl(commit: string, file: string): URL {
    const path = file.split("/").map(encodeURIComponent).join("/");
    return new URL(`${this.settings.endpoint}/${this.#name}/resolve/${commit}/${path}`);
  }

  /** What a request for a file asks for, for messages; without a file, one for the model itself. */
  subject(file?: string): Subject {
    const { endpoint, token } = this.settings;
    return { name: this.#name, revision: this.#revision, file, endpoint, hasToken: token !== undefined };
  }

  /**
   * The `fetch` for @huggingface/hub: it resolves to successful answers only, whose bodies have a maximum size. Rejects
   * as `repeat` does.
   */
  readonly fetch: typeof fetch = async (input) => {
    // The hub's own answers name the URLs of further pages.
    const { endpoint } = this.settings;
    const url = this.#redirected(new URL(endpoint), input instanceof Request ? input.url : String(input));
    if (++this.#apiRequests > MAX_API_REQUESTS) {
      throw corrupt(`at most ${MAX_API_REQUESTS} pages`, `the files of ${this.#name}`, this.#apiRequests);
    }
    return this.repeat(async () => {
      const answer = await this.get(url, { accept: "application/json" }, undefined);
      const headers = new Headers();
      const link = answer.header("link");
      if (link !== undefined) headers.set("link", link);
      return new Response(await this.#readText(answer), { status: answer.status, headers });
    });
  };

  /**
   * Runs `attempt` until it succeeds, up to five times while its errors are transient, with growing delays between.
   * Rejects with its last error, and with the signal's reason as soon as the signal aborts.
   */
  async repeat<Result>(attempt: () => Promise<Result>): Promise<Result> {
    const maximum = this.isPatient ? MAX_FAILURES : 1;
    for (let failures = 1; ; failures++) {
      throwIfAborted(this.signal);
      try {
        return await attempt();
      } catch (thrown) {
        throwIfAborted(this.signal);
        if (!(thrown instanceof HubError && thrown.isTransient) || failures === maximum) throw thrown;
        await this.delay(failures, thrown.retryAfterMs);
      }
    }
  }

  /** Waits before a repetition. Rejects with the signal's reason. */
  async delay(failures: number, retryAfterMs: number | undefined): Promise<void> {
    const grown = Math.min(MAX_RETRY_DELAY_MS, this.settings.retryDelayMs * 2 ** (failures - 1));
    await this.sleep(retryAfterMs ?? grown);
  }

  /** Rejects with the signal's reason. */
  async sleep(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await unlessAborted(this.signal, waited, () => clearTimeout(timer));
  }

  /**
   * One GET request, redirects followed. The token is sent to the endpoint only. Rejects with ERR_DOWNLOAD_FAILED,
   * ERR_MODEL_NOT_FOUND, ERR_MODEL_ACCESS_DENIED.
   */
  async get(url: URL, headers: Readonly<Record<string, string>>, file: string | undefined): Promise<Answer> {
    let current = url;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const body = await this.#request(current, headers);
      const { statusCode: status = 0, headers: received } = body;
      // A body that is destroyed emits an error, which nobody else may listen for.
      body.on("error", () => {});
      const header = (name: string) => {
        const value = received[name];
        return Array.isArray(value) ? value.join(", ") : value;
      };
      const location = REDIRECTS.includes(status) ? header("location") : undefined;
      if (location !== undefined) {
        body.destroy();
        current = this.#redirected(current, location);
        continue;
      }
      if (status >= 200 && status < 300) return { status, header, body, host: current.host };
      body.destroy();
      throw refusalError({ status, header }, this.subject(file));
    }
    const message = `Expected at most ${MAX_REDIRECTS} redirects of ${url.host} but received more`;
    throw new HubError("ERR_DOWNLOAD_FAILED", message);
  }

  #redirected(from: URL, location: string): URL {
    const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
    const isAllowed = to?.protocol === "https:" || (to?.protocol === "http:" && from.protocol === "http:");
    if (to !== undefined && isAllowed) return to;
    throw new HubError("ERR_DOWNLOAD_FAILED", `Expected a redirect of ${from.host} to https but received another`);
  }

  async #request(url: URL, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
    const { token, endpoint, responseTimeoutMs } = this.settings;
    const isTrusted = token !== undefined && url.origin === new URL(endpoint).origin;
    const controller = new AbortController();
    const timer = setTimeout(() => {
      const seconds = responseTimeoutMs / 1000;
      controller.abort(transientError(`Expected an answer of ${url.host} in ${seconds} s but received none`));
    }, responseTimeoutMs);
    const unlisten = this.signal && onAbort(this.signal, () => controller.abort(this.signal?.reason));
    try {
      const own = { "user-agent": "torch-t5", "accept-encoding": "identity" };
      const trusted = isTrusted ? { authorization: `Bearer ${token}` } : {};
      return await this.#connections.get(url, { ...own, ...headers, ...trusted }, controller.signal);
    } catch (thrown) {
      throwIfAborted(this.signal);
      throw this.#connectionError(thrown, url.host);
    } finally {
      clearTimeout(timer);
      unlisten?.();
    }
  }

  /** The text of an answer of the API. */
  async #readText(answer: Answer): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const add = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_JSON_BYTES) throw corrupt(`at most ${MAX_JSON_BYTES} bytes`, "the hub's answer", bytes);
      chunks.push(chunk);
    };
    await this.read(answer, "the answer", add, API_TIMEOUTS);
    return Buffer.concat(chunks).toString("utf8");
  }

  /**
   * Reads a body, chunk by chunk. Rejects with what `use` throws; with ERR_DOWNLOAD_FAILED where the connection breaks
   * or is too slow; and with the signal's reason.
   */
  async read(
    { body, host }: Answer,
    what: string,
    use: (chunk: Buffer) => void | Promise<void>,
    maxPeriods = Number.POSITIVE_INFINITY,
  ): Promise<void> {
    const { signal } = this;
    const seconds = this.settings.downloadTimeoutMs / 1000;
    const minimum = Math.ceil(MIN_BYTES_PER_SECOND * seconds);
    let bytes = 0;
    let periods = 0;
    let isUsing = false;
    const timer = setInterval(() => {
      periods++;
      // Time that a slow disk takes doesn't count.
      if (bytes < minimum && !isUsing) {
        const message = `Expected at least ${minimum} bytes of ${what} from ${host} in ${seconds} s but received ${bytes}`;
        body.destroy(transientError(message));
      } else if (periods >= maxPeriods) {
        const message = `Expected ${what} from ${host} in ${maxPeriods * seconds} s but received a part of it`;
        body.destroy(transientError(message));
      }
      bytes = 0;
    }, this.settings.downloadTimeoutMs);
    const unlisten = signal && onAbort(signal, () => body.destroy(new Error("aborted")));
    let failure: { readonly thrown: unknown } | undefined;
    try {
      throwIfAborted(signal);
      for await (const chunk of body as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        isUsing = true;
        try {
          await use(chunk);
        } catch (thrown) {
          failure = { thrown };
          break;
        }
        isUsing = false;
      }
    } catch (thrown) {
      throwIfAborted(signal);
      throw this.#connectionError(thrown, host);
    } finally {
      clearInterval(timer);
      unlisten?.();
      body.destroy();
    }
    if (failure !== undefined) throw failure.thrown;
    throwIfAborted(signal);
  }

  /** The error for a request that got no answer, or an incomplete one. */
  #connectionError(thrown: unknown, host: string): T5Error {
    if (thrown instanceof T5Error) return thrown;
    const code = codeOf(thrown);
    const what = `a connection with ${host} for ${JSON.stringify(this.#name)}, which is no local directory,`;
    const message = `Expected ${what} but received ${code}`;
    return new HubError("ERR_DOWNLOAD_FAILED", message, { cause: thrown, isTransient: !LASTING.test(code) });
  }
}

function codeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return "an unknown error";
  if ("code" in thrown && typeof thrown.code === "string") return thrown.code;
  return thrown.message;
}
